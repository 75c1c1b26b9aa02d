package postgres

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What is parked is found by its id, and by what it is about: an object, or a record at a target. Those names are hashed: they may be longer
// than a key of an index can be.
const schemaParked = `
create table @.parked (part int, id int8, target text collate "C" not null, kind int2 not null, name uuid, data bytea not null, primary key (part, id));
create unique index parked_about on @.parked (part, target, kind, name) where name is not null;
`

// about is what an entry is looked up by.
type about struct {
	target string // empty for an object
	kind   int16  // of an object
	name   nameHash
}

func aboutObject(kind directory.Kind, id string) about {
	return about{kind: int16(kind), name: hashName(id)}
}

func aboutAction(target, subject string) about {
	return about{target: target, name: hashName(subject)}
}

// aboutOf says what an entry is about; ok is false for one that is about nothing in particular.
func aboutOf(p *store.Parked) (a about, ok bool) {
	switch {
	case p.Target != "":
		return aboutAction(p.Target, p.Subject), true
	case p.Object != "":
		return aboutObject(p.Kind, p.Object), true
	default:
		return about{}, false
	}
}

// parkedState is what a transaction knows of what is parked: the ids and what each is about, where they are not very many, and changes that
// are not in the table yet.
type parkedState struct {
	known  bool
	ids    map[about]int64
	abouts map[int64]*about // nil for one that is about nothing in particular
	near   map[int64][]byte // entries as they are in the table

	put    map[int64]*parkedRow
	remove map[int64]struct{}
}

type parkedRow struct {
	about *about
	data  []byte
}

// knownParked is of how many entries a transaction reads at once what they are about. Where there are more it asks for each.
const knownParked = 10_000

// knowParked reads what the entries are about, where that is worth it. It reports whether it is known.
func (t *tx) knowParked() (bool, error) {
	p := &t.desk.parked
	if p.known || t.count.desk[parkedCount] > knownParked {
		return p.known, nil
	}
	p.ids, p.abouts = map[about]int64{}, map[int64]*about{}
	if t.count.desk[parkedCount] > 0 {
		if err := t.flushParked(); err != nil {
			return false, err
		}
		err := t.query(func(rows pgx.Rows) error {
			id, a, err := scanAbout(rows)
			if p.abouts[id] = a; a != nil {
				p.ids[*a] = id
			}
			return err
		}, `select id, target, kind, name from @.parked where part = $1`)
		if err != nil {
			return false, err
		}
	}
	p.known = true
	return true, nil
}

func scanAbout(rows pgx.Rows) (id int64, _ *about, err error) {
	var a about
	var name pgtype.UUID
	if err = rows.Scan(&id, &a.target, &a.kind, &name); !name.Valid {
		return id, nil, err
	}
	a.name = name.Bytes
	return id, &a, err
}

// parkedID returns the id of the entry about something; zero when there is none.
func (t *tx) parkedID(a about) (id int64, err error) {
	if t.count.desk[parkedCount] == 0 {
		return 0, nil
	}
	known, err := t.knowParked()
	if known || err != nil {
		return t.desk.parked.ids[a], err
	}
	if err := t.flushParked(); err != nil {
		return 0, err
	}
	err = t.query(func(rows pgx.Rows) error { return rows.Scan(&id) },
		`select id from @.parked where part = $1 and target = $2 and kind = $3 and name = $4`, a.target, a.kind, uuidOf(a.name))
	return id, err
}

// Parked implements store.Reader.
func (t *tx) Parked(fn func(store.Parked) bool) error {
	if t.count.desk[parkedCount] == 0 {
		return nil
	}
	if err := t.flushParked(); err != nil {
		return err
	}
	last := int64(0)
	for f, more := newFetch(), true; more; more = f.more() {
		var list []store.Parked
		err := t.query(func(rows pgx.Rows) error {
			var data []byte
			if err := rows.Scan(&last, &data); err != nil {
				return err
			}
			f.got(len(data))
			p, err := t.parseParked(last, data)
			list = append(list, p)
			return err
		}, `select id, data from @.parked where part = $1 and id > $2 order by id limit $3`, last, f.limit)
		if err != nil {
			return err
		}
		for _, p := range list {
			if !fn(p) {
				return nil
			}
		}
	}
	return nil
}

func (t *tx) parseParked(id int64, data []byte) (store.Parked, error) {
	var p store.Parked
	if json.Unmarshal(data, &p) != nil || p.ID != uint64(id) {
		return store.Parked{}, t.s.corrupt("parked")
	}
	return p, nil
}

// ParkedObject implements store.Reader.
func (t *tx) ParkedObject(kind directory.Kind, id string) (store.Parked, bool, error) {
	return t.parkedAbout(aboutObject(kind, id))
}

// ParkedAction implements store.Reader.
func (t *tx) ParkedAction(target, subject string) (store.Parked, bool, error) {
	return t.parkedAbout(aboutAction(target, subject))
}

// ParkedCount implements store.Reader.
func (t *tx) ParkedCount() (int, error) { return int(t.count.desk[parkedCount]), nil }

func (t *tx) parkedAbout(a about) (store.Parked, bool, error) {
	id, err := t.parkedID(a)
	if err != nil || id == 0 {
		return store.Parked{}, false, err
	}
	data, err := t.parkedData(id)
	if err != nil {
		return store.Parked{}, false, err
	}
	p, err := t.parseParked(id, data)
	return p, err == nil, err
}

// nearParked is how many entries are read with one that is wanted: who wants one often wants the next ones.
const nearParked = 100

// parkedData returns what is stored under an id.
func (t *tx) parkedData(id int64) ([]byte, error) {
	p := &t.desk.parked
	if row := p.put[id]; row != nil {
		return row.data, nil
	}
	if data := p.near[id]; data != nil {
		return data, nil
	}
	p.near = map[int64][]byte{}
	err := t.query(func(rows pgx.Rows) error {
		var id int64
		var data []byte
		err := rows.Scan(&id, &data)
		if p.put[id] == nil { // else it is what was there before
			p.near[id] = data
		}
		return err
	}, `select id, data from @.parked where part = $1 and id >= $2 order by id limit $3`, id, nearParked)
	if err == nil && p.near[id] == nil {
		err = t.s.corrupt("parked")
	}
	return p.near[id], err
}

// parkedTargets lists the targets that have parked actions. One entry of each target is looked at, however many there are.
func (t *tx) parkedTargets() (list []string, err error) {
	if err := t.flushParked(); err != nil {
		return nil, err
	}
	err = t.query(func(rows pgx.Rows) error {
		var target string
		err := rows.Scan(&target)
		list = append(list, target)
		return err
	}, `with recursive p as (
			(select target from @.parked where part = $1 and target > '' and name is not null order by target limit 1)
			union all
			select (select n.target from @.parked n where n.part = $1 and n.target > p.target and n.name is not null order by n.target limit 1)
				from p where p.target is not null)
		select target from p where target is not null`)
	return list, err
}

// Park implements store.Writer. What replaces an entry takes over its id, and with it its place in the order.
func (t *tx) Park(entry store.Parked) (uint64, error) {
	if !isText(entry.Target) {
		return 0, misuse("target %q cannot be named", entry.Target)
	}
	row := &parkedRow{}
	id := int64(0)
	if a, ok := aboutOf(&entry); ok {
		var err error
		if id, err = t.parkedID(a); err != nil {
			return 0, err
		}
		row.about = &a
	}
	p := &t.desk.parked
	if id == 0 {
		t.count.desk[lastParked]++
		t.count.desk[parkedCount]++
		id = int64(t.count.desk[lastParked])
		if p.known {
			if p.abouts[id] = row.about; row.about != nil {
				p.ids[*row.about] = id
			}
		}
	}
	entry.ID = uint64(id)
	var err error
	if row.data, err = json.Marshal(entry); err != nil {
		return 0, misuse("park: %w", err)
	}
	if p.put == nil {
		p.put = map[int64]*parkedRow{}
	}
	p.put[id] = row
	delete(p.near, id)
	return entry.ID, nil
}

// Unpark implements store.Writer.
func (t *tx) Unpark(id uint64) (bool, error) {
	if id == 0 || id > t.count.desk[lastParked] || t.count.desk[parkedCount] == 0 {
		return false, nil
	}
	p, n := &t.desk.parked, int64(id)
	known, err := t.knowParked()
	if err != nil {
		return false, err
	}
	var there bool
	if known {
		var a *about
		if a, there = p.abouts[n]; a != nil {
			delete(p.ids, *a)
		}
		delete(p.abouts, n)
	} else {
		if err := t.flushParked(); err != nil {
			return false, err
		}
		if err := t.query(func(pgx.Rows) error { there = true; return nil }, `select from @.parked where part = $1 and id = $2`, n); err != nil {
			return false, err
		}
	}
	if !there {
		return false, nil
	}
	if p.remove == nil {
		p.remove = map[int64]struct{}{}
	}
	p.remove[n] = struct{}{}
	delete(p.put, n)
	delete(p.near, n)
	t.count.desk[parkedCount]--
	return true, nil
}

// flushParked turns what was collected into statements. What leaves does so first: something new may be about the same.
func (t *tx) flushParked() error {
	p := &t.desk.parked
	if len(p.remove) > 0 {
		ids := sortedKeys(p.remove)
		p.remove = nil
		if err := t.erase(`delete from @.parked where part = $1 and id = any($2::int8[])`, ids); err != nil {
			return err
		}
	}
	if len(p.put) == 0 {
		return nil
	}
	ids := sortedKeys(p.put)
	targets, kinds, names, data := make([]string, len(ids)), make([]int16, len(ids)), make([]pgtype.UUID, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		row := p.put[id]
		data[i] = row.data
		if a := row.about; a != nil {
			targets[i], kinds[i], names[i] = a.target, a.kind, uuidOf(a.name)
		}
	}
	p.put = nil
	return t.write(`insert into @.parked (part, id, target, kind, name, data)
			select $1, * from unnest($2::int8[], $3::text[], $4::int2[], $5::uuid[], $6::bytea[])
		on conflict (part, id) do update set data = excluded.data`, ids, targets, kinds, names, data)
}
