package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

var _ store.Portable = (*Store)(nil)

// portableForm says how a table that all stores have (package encoding) is kept here.
type portableForm struct {
	table   string
	columns []string // all of them but part, in the order in which rows has them
	// entries asks for key and value, in the order of the keys; $1 is the partition. Where it asks for more, or a row is no entry, export does.
	entries string
	export  func(t *tx, sql string, put func(store.Entry) error) error
	// rows makes the rows of an entry, each with its columns; ok is false for what the table cannot have.
	rows func(store.Entry) (rows [][]any, ok bool)
}

// What is within keys and values (package encoding) the server makes by the functions with which it sends its types: big-endian integers, the bytes of a uuid.
const kindAndNum = `substr(int2send(kind), 2) || int4send(num)`

// portableForms are those of all tables of a partition but wait_count, which follows from wait, and history, which is a counter.
func portableForms() map[string]portableForm {
	return map[string]portableForm{
		encoding.TableNames: {"name", []string{"hash", "num"}, `select hash from @.name where part = $1 order by num`, exportNames, nameRows},
		encoding.TableOwner: {"owner", []string{"handle", "num"}, `select int4send(handle), int4send(num) from @.owner where part = $1 order by handle`, nil, ownerRows},
		encoding.TableContested: {"contested", []string{"handle", "num"},
			`select int4send(handle) || int4send(num), ''::bytea from @.contested where part = $1 order by handle, num`, nil, contestedRows},
		encoding.TableObjects: {"object", []string{"kind", "num", "gone", "handles", "data"},
			`select ` + kindAndNum + `, gone, handles, data from @.object where part = $1 order by kind, num`, exportObjects, objectRows},
		encoding.TableReferrers: {"link", []string{"type", "target", "num"},
			`select substr(int2send(type), 2) || int4send(target) || int4send(num), ''::bytea from @.link where part = $1 order by type, target, num`, nil, referrerRows},
		encoding.TableMembers: {"member", []string{"grp", "handle"}, `select grp, handle from @.member where part = $1 order by grp, handle`, exportMembers, memberRows},
		encoding.TableDigests: {"digest", []string{"grp", "count", "sum"},
			`select int4send(grp), int8send(count) || uuid_send(sum) from @.digest where part = $1 order by grp`, nil, digestRows},
		encoding.TableDirty: {"dirty", []string{"kind", "num", "why"},
			`select ` + kindAndNum + `, substr(int2send(why), 2) from @.dirty where part = $1 order by kind, num`, nil, dirtyRows},
		encoding.TableDue: {"due", []string{"kind", "num", "at"},
			`select ` + kindAndNum + `, int8send(at # '-9223372036854775808'::int8) from @.due where part = $1 order by kind, num`, nil, dueRows},
		encoding.TableTenant:  {"tenant", []string{"state"}, `select ''::bytea, convert_to(state, 'UTF8') from @.tenant where part = $1`, nil, textRows},
		encoding.TableStreams: {"stream", []string{"name", "state"}, `select convert_to(name, 'UTF8'), convert_to(state, 'UTF8') from @.stream where part = $1 order by name`, nil, streamRows},
		encoding.TableSeen: {"seen", []string{"stream", "seq", "chunk"},
			`select convert_to(stream, 'UTF8') || '\x00'::bytea || int8send(seq), chunk from @.seen where part = $1 order by stream, seq`, nil, seenRows},
		encoding.TableJournal: {"journal", []string{"n", "entries"}, `select int8send(n), entries from @.journal where part = $1 order by n`, nil, numberedRows},
		encoding.TableRecords: {"record", []string{"kind", "num", "active", "data"},
			`select ` + kindAndNum + `, data from @.record where part = $1 order by kind, num`, nil, recordRows},
		encoding.TableQueues: {"queue", []string{"target", "last", "first", "claimed", "depth"},
			`select target, last, claimed, depth from @.queue where part = $1 order by target`, exportQueues, queueRows},
		encoding.TableOutbox: {"outbox", []string{"target", "seq", "queued", "data"},
			`select convert_to(target, 'UTF8') || '\x00'::bytea || int8send(seq), queued, data from @.outbox where part = $1 order by target, seq`, exportOutbox, outboxRows},
		encoding.TableParked: {"parked", []string{"id", "target", "kind", "name", "data"}, `select int8send(id), data from @.parked where part = $1 order by id`, nil, parkedRows},
		encoding.TableRuns:   {"run", []string{"seq", "id", "data"}, `select int8send(seq), data from @.run where part = $1 order by seq`, nil, runRows},
		encoding.TableActions: {"run_action", []string{"run", "position", "size", "data"},
			`select convert_to(run, 'UTF8') || '\x00'::bytea || int4send(position), data from @.run_action where part = $1 order by run, position`, nil, actionRows},
		encoding.TableWaits: {"wait", []string{"target", "id", "about", "awaited", "cause", "due", "since", "tried", "subject", "key", "said", "action"},
			`select ` + waitColumns + ` from @.wait where part = $1 order by target, id`, exportWaits, waitRows},
		encoding.TableLinks: {"desk_link", []string{"subject", "kind", "id", "state", "data"},
			`select uuid_send(subject), data from @.desk_link where part = $1 order by subject`, exportLinks, linkRows},
		encoding.TableRejected: {"desk_rejected", []string{"subject", "kind", "id", "data"},
			`select uuid_send(subject) || substr(int2send(kind), 2) || uuid_send(id), data from @.desk_rejected where part = $1 order by subject, kind, id`, nil, rejectedRows},
		encoding.TableReviews:  {"desk_review", []string{"number", "subject", "data"}, `select int8send(number), data from @.desk_review where part = $1 order by number`, nil, reviewRows},
		encoding.TableDesk:     {"desk_state", []string{"state"}, `select ''::bytea, state from @.desk_state where part = $1`, nil, bytesRows},
		encoding.TableMatching: {"matching", []string{"form"}, `select ''::bytea, convert_to(form, 'UTF8') from @.matching where part = $1`, nil, textRows},
		encoding.TableMatch: {"match", []string{"key", "num"},
			`select uuid_send(key) || int4send(num), ''::bytea from @.match where part = $1 order by key, num`, nil, matchRows},
		encoding.TableCounters: {table: "partition", export: exportCounters},
	}
}

// Export implements store.Portable.
func (s *Store) Export(ctx context.Context, p store.Partition, put func(store.Entry) error) error {
	if p != (store.Partition{}) {
		if err := checkName(p); err != nil {
			return err
		}
	}
	return s.transact(ctx, "read state", &tx{name: p, long: true}, func(t *tx) error {
		if err := t.letWait(); err != nil {
			return err
		}
		if p == (store.Partition{}) {
			return exportBeside(t, put)
		}
		if t.part == 0 {
			return nil
		}
		forms := portableForms()
		for _, table := range encoding.Tables() {
			export := forms[table].export
			if export == nil {
				export = exportEntries(table)
			}
			if err := export(t, forms[table].entries, put); err != nil {
				return err
			}
		}
		return nil
	})
}

// letWait lets whoever is handed rows take its time: a server that cannot send for some seconds would end the connection (tcp_user_timeout).
func (t *tx) letWait() error {
	_, err := t.conn.Exec(t.ctx, `select set_config('tcp_user_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`)
	return t.fail(err)
}

// stream asks for rows and hands them out as they come. $1 is the partition's number.
func (t *tx) stream(sql string, each func(pgx.Rows) error, args ...any) error {
	rows, err := t.conn.Query(t.ctx, t.s.in(sql), args...)
	if err != nil {
		return t.fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return t.fail(rows.Err())
}

// rawBytes are valid until the next row.
type rawBytes = pgtype.DriverBytes

// exportEntries hands out a table whose rows are entries.
func exportEntries(table string) func(*tx, string, func(store.Entry) error) error {
	return func(t *tx, sql string, put func(store.Entry) error) error {
		return t.stream(sql, func(rows pgx.Rows) error {
			var key, value rawBytes
			if err := rows.Scan(&key, &value); err != nil {
				return t.fail(err)
			}
			return put(store.Entry{Table: table, Key: key, Value: value})
		}, t.part)
	}
}

func exportNames(t *tx, sql string, put func(store.Entry) error) error {
	entries := encoding.NameEntries{Put: put}
	err := t.stream(sql, func(rows pgx.Rows) error {
		var hash pgtype.UUID
		if err := rows.Scan(&hash); err != nil {
			return t.fail(err)
		}
		return entries.Add(hash.Bytes)
	}, t.part)
	if err != nil {
		return err
	}
	return entries.End()
}

func exportMembers(t *tx, sql string, put func(store.Entry) error) error {
	entries := encoding.MemberEntries{Put: put}
	err := t.stream(sql, func(rows pgx.Rows) error {
		var group, handle int32
		if err := rows.Scan(&group, &handle); err != nil {
			return t.fail(err)
		}
		return entries.Add(store.Num(group), store.Num(handle))
	}, t.part)
	if err != nil {
		return err
	}
	return entries.End()
}

func exportObjects(t *tx, sql string, put func(store.Entry) error) error {
	var buf []byte
	return t.stream(sql, func(rows pgx.Rows) error {
		var key, handles, data rawBytes
		var gone int16
		if err := rows.Scan(&key, &gone, &handles, &data); err != nil {
			return t.fail(err)
		}
		count := uint64(0)
		for _, b := range handles {
			if b < 0x80 { // the last byte of a varint
				count++
			}
		}
		buf = binary.AppendUvarint(append(buf[:0], byte(gone)), count)
		buf = append(append(buf, handles...), data...)
		return put(store.Entry{Table: encoding.TableObjects, Key: key, Value: buf})
	}, t.part)
}

func exportQueues(t *tx, sql string, put func(store.Entry) error) error {
	return t.stream(sql, func(rows pgx.Rows) error {
		var target string
		var last, claimed, depth int64
		if err := rows.Scan(&target, &last, &claimed, &depth); err != nil {
			return t.fail(err)
		}
		var value []byte
		for _, n := range []int64{last, claimed, depth} {
			value = binary.AppendUvarint(value, uint64(n))
		}
		return put(store.Entry{Table: encoding.TableQueues, Key: []byte(target), Value: value})
	}, t.part)
}

func exportOutbox(t *tx, sql string, put func(store.Entry) error) error {
	var buf []byte
	return t.stream(sql, func(rows pgx.Rows) error {
		var key, data rawBytes
		var queued int64
		if err := rows.Scan(&key, &queued, &data); err != nil {
			return t.fail(err)
		}
		buf = append(binary.AppendVarint(buf[:0], queued), data...)
		return put(store.Entry{Table: encoding.TableOutbox, Key: key, Value: buf})
	}, t.part)
}

func exportWaits(t *tx, sql string, put func(store.Entry) error) error {
	return t.stream(sql, func(rows pgx.Rows) error {
		w, _, err := scanWait(rows)
		if err != nil {
			return t.fail(err)
		}
		key := binary.BigEndian.AppendUint64([]byte(w.Target+"\x00"), w.ID)
		return put(store.Entry{Table: encoding.TableWaits, Key: key, Value: encoding.AppendWait(nil, &w)})
	}, t.part)
}

func exportLinks(t *tx, sql string, put func(store.Entry) error) error {
	return t.stream(sql, func(rows pgx.Rows) error {
		var key, data rawBytes
		if err := rows.Scan(&key, &data); err != nil {
			return t.fail(err)
		}
		l, ok := parseLink(data)
		if !ok {
			return t.s.corrupt("desk_link")
		}
		return put(store.Entry{Table: encoding.TableLinks, Key: key, Value: encoding.AppendLink(nil, &l)})
	}, t.part)
}

// exportCounters hands out what is in the partition's row, which the transaction has read, and how much is kept of actions.
func exportCounters(t *tx, _ string, put func(store.Entry) error) error {
	var history int64
	err := t.stream(`select bytes from @.history where part = $1`, func(rows pgx.Rows) error { return t.fail(rows.Scan(&history)) }, t.part)
	if err != nil {
		return err
	}
	c := encoding.Counters{encoding.CounterHandles: t.count.lastNum, encoding.CounterMemberships: t.count.members, encoding.CounterHistory: uint64(history)}
	for i := range maxKinds {
		c[encoding.CounterOf(encoding.CounterPresent, i)], c[encoding.CounterOf(encoding.CounterActive, i)] = t.count.present[i], t.count.active[i]
	}
	for i, n := range t.count.desk {
		c[deskCounter(i)] = n
	}
	return c.Export(put)
}

// deskCounter is how a counter of the desk side is called in a move.
func deskCounter(i int) string {
	switch i {
	case parkedCount:
		return encoding.CounterParked
	case lastParked:
		return encoding.CounterLastParked
	case lastWait:
		return encoding.CounterLastWait
	case lastReview:
		return encoding.CounterLastReview
	case reviewCount:
		return encoding.CounterReviews
	default:
		return encoding.CounterOf(encoding.CounterLinks, i-linkCounts)
	}
}

func exportBeside(t *tx, put func(store.Entry) error) error {
	err := t.stream(`select '\x00'::bytea || key, until from @.used order by key`, func(rows pgx.Rows) error {
		var key rawBytes
		var item store.Item
		var until int64
		if err := rows.Scan(&key, &until); err != nil {
			return t.fail(err)
		}
		item.Until = time.Unix(until, 0).UTC()
		return put(store.Entry{Table: encoding.TableItems, Key: key, Value: encoding.AppendItem(nil, &item)})
	})
	if err != nil {
		return err
	}
	var buf []byte
	err = t.stream(`select space, `+itemColumns+` from @.item order by space, key`, func(rows pgx.Rows) error {
		var space string
		item, err := scanItem(rows, &space)
		if err != nil {
			return t.fail(err)
		}
		buf = encoding.AppendItem(buf[:0], &item)
		return put(store.Entry{Table: encoding.TableItems, Key: append([]byte(space+"\x00"), item.Key...), Value: buf})
	})
	if err != nil {
		return err
	}
	return t.stream(`select convert_to(name, 'UTF8'), value from @.ledger order by 1`, func(rows pgx.Rows) error {
		var name, value rawBytes
		if err := rows.Scan(&name, &value); err != nil {
			return t.fail(err)
		}
		return put(store.Entry{Table: encoding.TableLedger, Key: name, Value: value})
	})
}
