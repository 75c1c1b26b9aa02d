package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
)

// What sign-in keeps is in no partition. An item has its owners in its row, so that no statement can see the one without the other; the index
// over their hashes finds it by them. Times are in seconds.
const schemaItems = `
create table @.item (space text collate "C", key bytea, until int8, owners bytea[] not null, by uuid[] not null, value bytea not null, primary key (space, key));
create index item_by on @.item using gin (by);
create index item_until on @.item (until) where until is not null;
create table @.used (key bytea primary key, until int8 not null);
create index used_until on @.used (until);
`

// items implements store.Items.
type items struct{ s *Store }

// Items implements store.Keeper.
func (s *Store) Items() store.Items { return items{s} }

const itemColumns = `key, until, owners, value`

// scanItem reads the columns itemColumns, and others before them.
func scanItem(rows pgx.Rows, others ...any) (item store.Item, err error) {
	var until *int64
	err = rows.Scan(append(others, &item.Key, &until, &item.Owners, &item.Value)...)
	if until != nil {
		item.Until = time.Unix(*until, 0).UTC()
	}
	if len(item.Owners) == 0 {
		item.Owners = nil
	}
	return item, err
}

// Get implements store.Items.
func (i items) Get(ctx context.Context, space string, key []byte) (item store.Item, ok bool, err error) {
	if err := store.CheckItemKeys(space, key); err != nil {
		return store.Item{}, false, err
	}
	err = i.s.ask(ctx, "read state", func(rows pgx.Rows) (err error) {
		item, err = scanItem(rows)
		ok = true
		return err
	}, `select `+itemColumns+` from @.item where space = $1 and key = $2`, space, key)
	return item, ok && err == nil, err
}

// Count implements store.Items.
func (i items) Count(ctx context.Context, space string) (count int, err error) {
	if err := store.CheckItemKeys(space); err != nil {
		return 0, err
	}
	err = i.s.ask(ctx, "read state", func(rows pgx.Rows) error { return rows.Scan(&count) }, `select count(*) from @.item where space = $1`, space)
	return count, err
}

// How much Scan reads at a time.
const (
	itemsScanned = 500
	bytesScanned = 4 << 20
)

// Scan implements store.Items.
func (i items) Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	if err := store.CheckItemKeys(space); err != nil {
		return err
	}
	if len(owner) > store.MaxItemOwner {
		return misuse("an owner of %d bytes has no items", len(owner))
	}
	// The sizes are added up first, so that a few large ones are not read together.
	const sizes, some = `select key, sum(length(value)) over (order by key) - length(value) before from @.item where space = $1 and key > $2`,
		` order by key limit $3`
	last := []byte{}
	sql, args := sizes+some, []any{space, last, itemsScanned, int64(bytesScanned)}
	if len(owner) > 0 {
		sql, args = `select key, sum(length(value)) over (order by key) - length(value) before from owned where key > $2`+some, append(args, []pgtype.UUID{ownerHash(owner)})
		sql = `with owned as materialized (select key, value from @.item where by @> $5 and space = $1) ` + sql
	}
	sql = `select i.key, i.until, i.owners, i.value from (` + sql + `) f join @.item i on i.space = $1 and i.key = f.key where f.before <= $4 order by i.key`
	for {
		var list []store.Item
		args[1] = last
		err := i.s.ask(ctx, "read state", func(rows pgx.Rows) error {
			item, err := scanItem(rows)
			list = append(list, item)
			return err
		}, sql, args...)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, item := range list {
			last = bytes.Clone(item.Key)
			if len(owner) > 0 && !slices.ContainsFunc(item.Owners, func(o []byte) bool { return bytes.Equal(o, owner) }) {
				continue
			}
			if !fn(item) {
				return nil
			}
		}
	}
}

// ownerHash is by what an owner's items are found.
func ownerHash(owner []byte) pgtype.UUID {
	sum := sha256.Sum256(owner)
	return uuidOf(nameHash(sum[:16]))
}

// ceil rounds a time up to the second.
func ceil(at time.Time) time.Time {
	if at.Nanosecond() > 0 {
		at = at.Truncate(time.Second).Add(time.Second)
	}
	return at
}
