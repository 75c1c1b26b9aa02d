package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Import implements store.Portable. Rows are copied in (COPY), which looks for nothing that is there already.
func (s *Store) Import(ctx context.Context, p store.Partition, entries []store.Entry) error {
	if p == (store.Partition{}) {
		return s.change(ctx, "write state", func(t *tx) error { return t.addBeside(entries) })
	}
	if err := checkName(p); err != nil {
		return err
	}
	forms := portableForms()
	return s.transact(ctx, "write state", &tx{name: p, writable: true, long: true}, func(t *tx) error {
		if t.part == 0 {
			if err := t.create(); err != nil {
				return err
			}
		}
		for rest := entries; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].Table == rest[0].Table {
				n++
			}
			f, known := forms[rest[0].Table]
			if !known {
				return misuse("there is no table %q", rest[0].Table)
			}
			if err := t.addEntries(f, rest[:n]); err != nil {
				return fmt.Errorf("%s: %w", rest[0].Table, err)
			}
			rest = rest[n:]
		}
		return nil
	})
}

// addEntries stores entries of one table.
func (t *tx) addEntries(f portableForm, entries []store.Entry) error {
	if f.rows == nil {
		return t.addCounters(entries)
	}
	columns := append([]string{"part"}, f.columns...)
	var all [][]any
	for i, e := range entries {
		rows, ok := f.rows(e)
		if !ok {
			return t.s.cannotHold()
		}
		for _, row := range rows {
			all = append(all, append([]any{t.part}, row...))
		}
		if len(all) < rowsAtOnce && i+1 < len(entries) {
			continue
		}
		if err := t.copyIn(f.table, columns, all); err != nil {
			return err
		}
		all = all[:0]
	}
	return nil
}

// rowsAtOnce bounds what is kept in memory: an entry may be hundreds of rows.
const rowsAtOnce = 20_000

// cannotHold is the error for what this store cannot have: a text with a NUL, a number beyond its own.
func (s *Store) cannotHold() error {
	return &fault.Error{Class: fault.Configuration, Op: "write state", Where: s.where, Err: errors.New("there is something that PostgreSQL cannot hold"),
		Hint: "a text with a NUL or that is not UTF-8, or a number beyond 2147483647; tell the makers of dirsyncd. The state that was to be moved is whole"}
}

func (t *tx) copyIn(table string, columns []string, rows [][]any) error {
	t.wrote = true
	_, err := t.conn.CopyFrom(t.ctx, pgx.Identifier{t.s.schema, table}, columns, pgx.CopyFromRows(rows))
	return t.fail(err)
}

// addCounters brings the partition's row to what it was, and what else is counted. Counters are the last of a partition, and come together.
func (t *tx) addCounters(entries []store.Entry) error {
	c := encoding.Counters{}
	for _, e := range entries {
		if !c.Take(e) || c[string(e.Key)] > maxSeq {
			return t.s.cannotHold()
		}
	}
	t.count = counters{lastNum: c.Remove(encoding.CounterHandles), members: c.Remove(encoding.CounterMemberships)}
	for i := range maxKinds {
		t.count.present[i] = c.Remove(encoding.CounterOf(encoding.CounterPresent, i))
		t.count.active[i] = c.Remove(encoding.CounterOf(encoding.CounterActive, i))
	}
	for i := range t.count.desk {
		t.count.desk[i] = c.Remove(deskCounter(i))
	}
	history := c.Remove(encoding.CounterHistory)
	for name, n := range c {
		if n > 0 {
			return misuse("nobody counts %q here", name)
		}
	}
	if history > 0 {
		if err := t.write(`insert into @.history (part, bytes) values ($1, $2)`, int64(history)); err != nil {
			return err
		}
	}
	return t.write(`insert into @.wait_count (part, target, cause, n) select part, target, cause, count(*) from @.wait where part = $1 group by part, target, cause`)
}

func (t *tx) addBeside(entries []store.Entry) error {
	var used, items, ledgers [][]any
	for _, e := range entries {
		if e.Table == encoding.TableLedger {
			ledgers = append(ledgers, []any{string(e.Key), bytes.Clone(e.Value)})
			continue
		}
		space, key, ok := bytes.Cut(e.Key, []byte{0})
		item, also := encoding.ParseItem(e.Value)
		if !ok || !also || len(key) == 0 {
			return misuse("an entry is not what its table has")
		}
		if len(space) == 0 {
			used = append(used, []any{key, item.Until.Unix()})
			continue
		}
		var until *int64
		if !item.Until.IsZero() {
			seconds := item.Until.Unix()
			until = &seconds
		}
		by, owners := []pgtype.UUID{}, [][]byte{}
		for _, owner := range item.Owners {
			by, owners = append(by, ownerHash(owner)), append(owners, owner)
		}
		items = append(items, []any{string(space), key, until, owners, by, append([]byte{}, item.Value...)})
	}
	if err := t.copyIn("used", []string{"key", "until"}, used); err != nil {
		return err
	}
	if err := t.copyIn("item", []string{"space", "key", "until", "owners", "by", "value"}, items); err != nil {
		return err
	}
	return t.copyIn("ledger", []string{"name", "value"}, ledgers)
}

// one makes rows of one row.
func one(columns ...any) [][]any { return [][]any{columns} }

// cut takes integers from the beginning of a key, of so many bytes each; ok is false for one that is shorter, or longer than all of them.
func cut(key []byte, sizes ...int) (list []int64, ok bool) {
	for _, size := range sizes {
		if size > len(key) {
			return nil, false
		}
		var n uint64
		for _, b := range key[:size] {
			n = n<<8 | uint64(b)
		}
		if size == 8 && n > maxSeq || size == 4 && n > maxNum {
			return nil, false
		}
		list, key = append(list, int64(n)), key[size:]
	}
	return list, len(key) == 0
}

func hashOf(b []byte) pgtype.UUID { return pgtype.UUID{Bytes: [16]byte(b), Valid: true} }

// whole is a value that is not nothing.
func whole(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

func nameRows(e store.Entry) (rows [][]any, ok bool) {
	block, ok := cut(e.Key, 4)
	if !ok || len(e.Value)%encoding.NameSize != 0 || len(e.Value) > encoding.NameSize*encoding.NamesAtOnce {
		return nil, false
	}
	n := block[0] * encoding.NamesAtOnce
	for value := e.Value; len(value) > 0; value = value[encoding.NameSize:] {
		if n++; n > maxNum {
			return nil, false
		}
		rows = append(rows, []any{hashOf(value[:encoding.NameSize]), int32(n)})
	}
	return rows, true
}

func ownerRows(e store.Entry) ([][]any, bool) {
	handle, ok := cut(e.Key, 4)
	num, also := cut(e.Value, 4)
	if !ok || !also {
		return nil, false
	}
	return one(handle[0], num[0]), true
}

func contestedRows(e store.Entry) ([][]any, bool) {
	pair, ok := cut(e.Key, 4, 4)
	if !ok {
		return nil, false
	}
	return one(pair[0], pair[1]), true
}

func objectRows(e store.Entry) ([][]any, bool) {
	key, ok := cut(e.Key, 1, 4)
	if !ok || len(e.Value) < 3 {
		return nil, false
	}
	count, size := binary.Uvarint(e.Value[1:])
	if size <= 0 {
		return nil, false
	}
	rest := e.Value[1+size:]
	end := 0
	for range count {
		n, size := binary.Uvarint(rest[end:])
		if size <= 0 || n > maxNum {
			return nil, false
		}
		end += size
	}
	return one(key[0], key[1], int16(e.Value[0]), rest[:end:end], rest[end:]), true
}

func referrerRows(e store.Entry) ([][]any, bool) {
	key, ok := cut(e.Key, 1, 4, 4)
	if !ok {
		return nil, false
	}
	return one(key[0], key[1], key[2]), true
}

func memberRows(e store.Entry) (rows [][]any, ok bool) {
	key, ok := cut(e.Key, 4, 4)
	if !ok {
		return nil, false
	}
	fits := true
	ok = encoding.ParseMembers(e.Value, func(h store.Num) bool {
		fits = h <= maxNum
		rows = append(rows, []any{key[0], int32(h)})
		return fits
	})
	return rows, ok && fits
}

func digestRows(e store.Entry) ([][]any, bool) {
	group, ok := cut(e.Key, 4)
	if !ok || len(e.Value) != 24 {
		return nil, false
	}
	return one(group[0], int64(binary.BigEndian.Uint64(e.Value)), hashOf(e.Value[8:])), true
}

func dirtyRows(e store.Entry) ([][]any, bool) {
	key, ok := cut(e.Key, 1, 4)
	if !ok || len(e.Value) != 1 {
		return nil, false
	}
	return one(key[0], key[1], int16(e.Value[0])), true
}

func dueRows(e store.Entry) ([][]any, bool) {
	key, ok := cut(e.Key, 1, 4)
	if !ok || len(e.Value) != 8 {
		return nil, false
	}
	return one(key[0], key[1], int64(binary.BigEndian.Uint64(e.Value)^1<<63)), true
}

func textRows(e store.Entry) ([][]any, bool) {
	return one(string(e.Value)), isText(string(e.Value))
}

func bytesRows(e store.Entry) ([][]any, bool) { return one(whole(e.Value)), true }

func streamRows(e store.Entry) ([][]any, bool) {
	return one(string(e.Key), string(e.Value)), isText(string(e.Key)) && isText(string(e.Value))
}

// numbered takes a name and a number of so many bytes from a key.
func numbered(key []byte, size int) (name string, number int64, ok bool) {
	text, rest, ok := bytes.Cut(key, []byte{0})
	list, also := cut(rest, size)
	if !ok || !also || !isText(string(text)) {
		return "", 0, false
	}
	return string(text), list[0], true
}

func seenRows(e store.Entry) ([][]any, bool) {
	stream, seq, ok := numbered(e.Key, 8)
	return one(stream, seq, whole(e.Value)), ok
}

func numberedRows(e store.Entry) ([][]any, bool) {
	n, ok := cut(e.Key, 8)
	if !ok {
		return nil, false
	}
	return one(n[0], whole(e.Value)), true
}

func recordRows(e store.Entry) ([][]any, bool) {
	key, ok := cut(e.Key, 1, 4)
	active, err := directory.RecordActive(e.Value)
	if !ok || err != nil {
		return nil, false
	}
	return one(key[0], key[1], active, e.Value), true
}

// queueRows makes the row of an outbox. Where it begins is left open: whoever reads it first finds that out.
func queueRows(e store.Entry) ([][]any, bool) {
	var n [3]int64 // last, claimed, depth
	value := e.Value
	for i := range n {
		number, size := binary.Uvarint(value)
		if size <= 0 || number > maxSeq {
			return nil, false
		}
		n[i], value = int64(number), value[size:]
	}
	return one(string(e.Key), n[0], 1, n[1], n[2]), canBeTarget(string(e.Key))
}

func outboxRows(e store.Entry) ([][]any, bool) {
	target, seq, ok := numbered(e.Key, 8)
	queued, size := binary.Varint(e.Value)
	if !ok || size <= 0 {
		return nil, false
	}
	return one(target, seq, queued, e.Value[size:]), true
}

func parkedRows(e store.Entry) ([][]any, bool) {
	id, ok := cut(e.Key, 8)
	var p store.Parked
	if !ok || json.Unmarshal(e.Value, &p) != nil || !isText(p.Target) {
		return nil, false
	}
	a, indexed := aboutOf(&p)
	return one(id[0], a.target, a.kind, pgtype.UUID{Bytes: a.name, Valid: indexed}, e.Value), true
}

func runRows(e store.Entry) ([][]any, bool) {
	seq, ok := cut(e.Key, 8)
	var r store.Run
	if !ok || json.Unmarshal(e.Value, &r) != nil || !isText(r.ID) {
		return nil, false
	}
	return one(seq[0], r.ID, e.Value), true
}

func actionRows(e store.Entry) ([][]any, bool) {
	run, position, ok := numbered(e.Key, 4)
	return one(run, position, len(run)+partBytes+len(e.Value), e.Value), ok
}

func waitRows(e store.Entry) ([][]any, bool) {
	target, id, ok := numbered(e.Key, 8)
	w, also := encoding.ParseWait(e.Value)
	if !ok || !also || !isText(w.Cause) {
		return nil, false
	}
	var due *int64
	if !w.Due.IsZero() {
		n := dueNumber(w.Due)
		due = &n
	}
	var awaited pgtype.UUID
	if w.Key != "" {
		awaited = uuidOf(hashName(w.Key))
	}
	return one(target, id, uuidOf(hashName(w.Subject)), awaited, w.Cause, due, nanos(w.Since), w.Tried,
		[]byte(w.Subject), []byte(w.Key), []byte(w.Text), whole(w.Action)), true
}

func linkRows(e store.Entry) ([][]any, bool) {
	l, ok := encoding.ParseLink(e.Value)
	if !ok || len(e.Key) != 16 {
		return nil, false
	}
	data, err := encodeLink(&l)
	var id pgtype.UUID
	if l.ID != "" {
		id = uuidOf(hashName(l.ID))
	}
	return one(hashOf(e.Key), int16(l.Kind), id, int16(l.State), data), err == nil
}

func rejectedRows(e store.Entry) ([][]any, bool) {
	if len(e.Key) != 33 {
		return nil, false
	}
	return one(hashOf(e.Key[:16]), int16(e.Key[16]), hashOf(e.Key[17:]), e.Value), true
}

func reviewRows(e store.Entry) ([][]any, bool) {
	number, ok := cut(e.Key, 8)
	var r store.Review
	if !ok || json.Unmarshal(e.Value, &r) != nil {
		return nil, false
	}
	return one(number[0], uuidOf(hashName(r.Subject)), e.Value), true
}

func matchRows(e store.Entry) ([][]any, bool) {
	if len(e.Key) != 20 {
		return nil, false
	}
	num, ok := cut(e.Key[16:], 4)
	if !ok {
		return nil, false
	}
	return one(hashOf(e.Key[:16]), num[0]), true
}
