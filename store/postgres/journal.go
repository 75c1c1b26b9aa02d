package postgres

import (
	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// journal is where a partition's journal begins and ends, as a writer knows it, and what of it is not flushed.
type journal struct {
	read        bool
	first, last uint64 // zeros where there is none
	dropped     bool
	parts       [][]byte // those that end with last
	forgotten   bool     // some before first may be there
}

// JournalBounds implements store.Reader.
func (t *tx) JournalBounds() (first, last uint64, err error) {
	j := &t.journal
	if !j.read {
		j.read = true
		err := t.query(func(rows pgx.Rows) error {
			var from, to *int64
			if err := rows.Scan(&from, &to); err != nil || from == nil {
				return err
			}
			j.first, j.last = uint64(*from), uint64(*to)
			return nil
		}, `select (select n from @.journal where part = $1 order by n limit 1), (select n from @.journal where part = $1 order by n desc limit 1)`)
		if err != nil {
			return 0, 0, err
		}
	}
	return j.first, j.last, t.failed
}

// Journal implements store.Reader.
func (t *tx) Journal(after uint64, fn func(n uint64, entries []store.JournalEntry) bool) error {
	if err := t.flushJournal(); err != nil {
		return err
	}
	type part struct {
		n    int64
		data []byte
	}
	var entries []store.JournalEntry
	return chunks(firstJournal, func(limit int) (more bool, err error) {
		list := make([]part, 0, limit)
		err = t.query(func(rows pgx.Rows) error {
			var p part
			err := rows.Scan(&p.n, &p.data)
			list = append(list, p)
			return err
		}, `select n, entries from @.journal where part = $1 and n > $2 order by n limit $3`, int64(min(after, 1<<63-1)), limit)
		if err != nil {
			return false, err
		}
		for _, p := range list {
			after = uint64(p.n)
			var ok bool
			if entries, ok = encoding.ParseJournal(p.data, entries[:0]); !ok {
				return false, t.s.corrupt("journal")
			}
			if !fn(after, entries) {
				return false, nil
			}
		}
		return len(list) == limit, nil
	})
}

// firstJournal is how many parts are asked for first.
const firstJournal = 20

// AppendJournal implements store.Writer.
func (t *tx) AppendJournal(begin uint64, keep int, entries []store.JournalEntry) error {
	if begin == 0 || keep < 1 {
		return misuse("a journal begins with %d and keeps %d", begin, keep)
	}
	if _, _, err := t.JournalBounds(); err != nil {
		return err
	}
	j := &t.journal
	if j.last == 0 {
		j.first, j.last = begin, begin-1
	}
	j.last++
	j.parts = append(j.parts, encoding.AppendJournal(nil, entries))
	if oldest := j.last - min(uint64(keep)-1, j.last-1); oldest > j.first {
		j.first, j.forgotten = oldest, true
	}
	return nil
}

// DropJournal implements store.Writer.
func (t *tx) DropJournal() error {
	t.journal = journal{read: true, dropped: true}
	return t.failed
}

func (t *tx) flushJournal() error {
	j := &t.journal
	if j.dropped {
		if err := t.erase(`delete from @.journal where part = $1`); err != nil {
			return err
		}
	}
	if len(j.parts) > 0 {
		err := t.write(`insert into @.journal (part, n, entries) select $1, $2 + p.at, p.entries from unnest($3::bytea[]) with ordinality p(entries, at)`,
			int64(j.last)-int64(len(j.parts)), j.parts)
		if err != nil {
			return err
		}
	}
	if j.forgotten {
		if err := t.erase(`delete from @.journal where part = $1 and n < $2`, int64(j.first)); err != nil {
			return err
		}
	}
	j.dropped, j.parts, j.forgotten = false, nil, false
	return nil
}
