package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// write runs one statement that changes items, in a transaction of its own, which holds the leases of the context. scan may be called for the rows
// of an attempt that comes to nothing: begin makes it start anew.
func (i items) write(ctx context.Context, begin func(), scan func(pgx.Rows) error, sql string, args ...any) error {
	return i.s.change(ctx, "write state", func(t *tx) error {
		begin()
		t.wrote = true
		rows, err := t.conn.Query(t.ctx, t.s.in(sql), args...)
		if err == nil {
			for rows.Next() && err == nil {
				err = scan(rows)
			}
			rows.Close()
			err = cmp.Or(err, rows.Err())
		}
		return t.fail(err)
	})
}

// counted is write for a statement that answers how many rows it is about, one number in one row.
func (i items) counted(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = i.write(ctx, func() { n = 0 }, func(rows pgx.Rows) error { return rows.Scan(&n) }, sql, args...)
	if err != nil {
		return 0, err
	}
	return n, nil
}

// itemRows are items as columns, in the order of their keys, in which all transactions take them. Of several with one key the last counts.
func itemRows(space string, list []store.Item) []any {
	last := make(map[string]*store.Item, len(list))
	for n := range list {
		last[string(list[n].Key)] = &list[n]
	}
	var keys, values [][]byte
	var untils []*int64
	var owners, ends []int32
	var ownerTexts [][]byte
	for _, key := range sortedKeys(last) {
		item := last[key]
		var until *int64
		if !item.Until.IsZero() {
			seconds := ceil(item.Until).Unix()
			until = &seconds
		}
		owners = append(owners, int32(len(ownerTexts))+1)
		ownerTexts = append(ownerTexts, item.Owners...)
		ends = append(ends, int32(len(ownerTexts)))
		keys, values, untils = append(keys, []byte(key)), append(values, append([]byte{}, item.Value...)), append(untils, until)
	}
	hashes := make([]pgtype.UUID, len(ownerTexts))
	for n, owner := range ownerTexts {
		hashes[n] = ownerHash(owner)
	}
	return []any{space, keys, untils, values, owners, ends, append([][]byte{}, ownerTexts...), hashes}
}

// itemSource makes rows of the columns of itemRows.
const itemSource = `(select key, until, value, ($7::bytea[])[first:upto] owners, ($8::uuid[])[first:upto] by
	from unnest($2::bytea[], $3::int8[], $4::bytea[], $5::int4[], $6::int4[]) i (key, until, value, first, upto))`

// Put implements store.Items.
func (i items) Put(ctx context.Context, space string, list ...store.Item) error {
	if err := store.CheckItems(space, list); err != nil || len(list) == 0 {
		return err
	}
	if err := i.room(ctx, space, list); err != nil {
		return err
	}
	return i.write(ctx, func() {}, nothing, `insert into @.item as i (space, key, until, value, owners, by)
			select $1, key, until, value, owners, by from `+itemSource+` s
		on conflict (space, key) do update set until = excluded.until, value = excluded.value, owners = excluded.owners, by = excluded.by`, itemRows(space, list)...)
}

func nothing(pgx.Rows) error { return nil }

// Replace implements store.Items.
func (i items) Replace(ctx context.Context, space string, list ...store.Item) (int, error) {
	if err := store.CheckItems(space, list); err != nil || len(list) == 0 {
		return 0, err
	}
	return i.counted(ctx, `with done as (update @.item i set until = s.until, value = s.value, owners = s.owners, by = s.by from `+itemSource+` s
		where i.space = $1 and i.key = s.key returning 1) select count(*) from done`, itemRows(space, list)...)
}

// Take implements store.Items.
func (i items) Take(ctx context.Context, space string, key []byte) (item store.Item, ok bool, err error) {
	// Anybody may come with keys that never were: that costs no transaction.
	if item, ok, err = i.Get(ctx, space, key); err != nil || !ok {
		return store.Item{}, false, err
	}
	err = i.write(ctx, func() { item, ok = store.Item{}, false }, func(rows pgx.Rows) (err error) {
		item, err = scanItem(rows)
		ok = true
		return err
	}, `delete from @.item where space = $1 and key = $2 returning `+itemColumns, space, key)
	if err != nil || !ok {
		return store.Item{}, false, err
	}
	return item, true, nil
}

// Delete implements store.Items.
func (i items) Delete(ctx context.Context, space string, keys ...[]byte) (int, error) {
	if err := store.CheckItemKeys(space, keys...); err != nil || len(keys) == 0 {
		return 0, err
	}
	return i.counted(ctx, `with gone as (delete from @.item where space = $1 and key = any($2::bytea[]) returning 1) select count(*) from gone`, space, keys)
}

// Once implements store.Items.
func (i items) Once(ctx context.Context, key []byte, until time.Time) (fresh bool, err error) {
	if len(key) == 0 || until.IsZero() {
		return false, misuse("a key of %d bytes is used until %s", len(key), until)
	}
	digest := sha256.Sum256(key)
	seconds := ceil(until).Unix()
	// Whoever sends the same again and again costs no transaction either.
	long := false
	err = i.s.ask(ctx, "read state", func(pgx.Rows) error { long = true; return nil }, `select from @.used where key = $1 and until >= $2`, digest[:], seconds)
	if err != nil || long {
		return false, err
	}
	err = i.write(ctx, func() { fresh = false }, func(rows pgx.Rows) error { return rows.Scan(&fresh) },
		`insert into @.used as u (key, until) values ($1, $2) on conflict (key) do update set until = excluded.until where u.until < excluded.until returning xmax = 0`, digest[:], seconds)
	return fresh && err == nil, err
}

// Expire implements store.Items. What somebody changes meanwhile is left for the next time.
func (i items) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit < 1 {
		return 0, misuse("%d items are to expire", limit)
	}
	over := false
	err := i.s.ask(ctx, "read state", func(rows pgx.Rows) error { return rows.Scan(&over) },
		`select exists (select from @.item where until <= $1) or exists (select from @.used where until <= $1)`, now.Unix())
	if err != nil || !over {
		return 0, err
	}
	return i.counted(ctx, `with oldest as (
			(select until, space, key from @.item where until <= $1 order by until limit $2) union all
			(select until, '', key from @.used where until <= $1 order by until limit $2) order by until limit $2),
		kept as (delete from @.item i using oldest o where i.space = o.space and i.key = o.key and i.until <= $1 returning 1),
		once as (delete from @.used u using oldest o where o.space = '' and u.key = o.key and u.until <= $1 returning 1)
		select (select count(*) from kept) + (select count(*) from once)`, now.Unix(), limit)
}

// spaces are how many items this process believes to be in each space: those it counted, and those that were put since. It counts again before
// that is too many, and often enough for several processes together not to go far beyond.
type spaces struct {
	most  int // store.MaxItems when zero
	mu    sync.Mutex
	known map[string]*spaceCount
}

type spaceCount struct{ counted, put int }

// countAgain is after how many items, as a part of those that there is room for, they are counted again.
const countAgain = 32

// room checks that items may be put.
func (i items) room(ctx context.Context, space string, list []store.Item) error {
	sp, n := &i.s.spaces, len(list)
	most := cmp.Or(sp.most, store.MaxItems)
	sp.mu.Lock()
	c := sp.known[space]
	fits := c != nil && c.put+n <= (most-c.counted)/countAgain
	if fits {
		c.put += n
	}
	sp.mu.Unlock()
	if fits {
		return nil
	}
	keys := make([][]byte, n)
	for at := range list {
		keys[at] = list[at].Key
	}
	var count, replaced int
	err := i.s.ask(ctx, "read state", func(rows pgx.Rows) error { return rows.Scan(&count, &replaced) },
		`select count(*), count(*) filter (where key = any($2::bytea[])) from @.item where space = $1`, space, keys)
	if err != nil {
		return err
	}
	if count-replaced+n > most {
		return &fault.Error{Class: fault.Throttled, Op: "write state", Where: "items of " + space,
			Err: errors.New("there are too many"), Hint: "old ones go by themselves when their time is over; somebody makes very many"}
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.known == nil {
		sp.known = map[string]*spaceCount{}
	}
	sp.known[space] = &spaceCount{counted: count, put: n}
	return nil
}
