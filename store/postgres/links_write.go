package postgres

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// PutLink implements store.Writer.
func (t *tx) PutLink(l store.Link) error {
	if l.Subject == "" || !l.State.Known() || !l.Owner.Known() || (l.State == store.Linked) && l.ID == "" {
		return misuse("link of %q cannot be stored: state %d, owner %d, id %q", l.Subject, l.State, l.Owner, l.ID)
	}
	if err := checkRecordKind(l.Kind); err != nil {
		return err
	}
	subject, now := hashName(l.Subject), headOfLink(&l)
	old, holder, err := t.linkBefore(subject, now)
	if err != nil {
		return err
	}
	if now.state == store.Linked && holder != (nameHash{}) && holder != subject {
		return t.taken(&l, holder)
	}
	if old.state != 0 {
		t.count.desk[linkCounts+int(old.state)]--
	}
	t.count.desk[linkCounts+int(now.state)]++
	s := &t.desk.links
	s.know(subject, now)
	// One statement writes a record once, and all in the order in which they were put: that is how no thing is two records' at any time.
	if s.put[subject] != nil {
		if err := t.flushDeskLinks(); err != nil {
			return err
		}
	}
	if s.put == nil {
		s.put = map[nameHash]*store.Link{}
	}
	l = cloneLink(&l)
	l.Once, l.Members = sortedTexts(l.Once), sortedTexts(l.Members)
	s.put[subject], s.order = &l, append(s.order, subject)
	return nil
}

// linkBefore returns what is stored of a record, and who has the thing that its link is to name.
func (t *tx) linkBefore(subject nameHash, now linkHead) (old linkHead, holder nameHash, err error) {
	s := &t.desk.links
	old, knownOld := s.heads[subject]
	holder, knownHolder := s.holders[now.thing]
	if knownOld && (knownHolder || now.state != store.Linked) || t.part == 0 {
		return old, holder, nil
	}
	if err := t.flushDeskLinks(); err != nil {
		return old, holder, err
	}
	found := map[nameHash]linkHead{subject: {}}
	err = t.query(func(rows pgx.Rows) error {
		var at, id pgtype.UUID
		var h linkHead
		var state, kind int16
		err := rows.Scan(&at, &state, &kind, &id)
		if h.state = store.LinkState(state); id.Valid {
			h.thing = thing{kind, id.Bytes}
		}
		found[at.Bytes] = h
		return err
	}, `select subject, state, kind, id from @.desk_link where part = $1 and subject = $2
		union select subject, state, kind, id from @.desk_link where part = $1 and state = 1 and kind = $3 and id = $4`, uuidOf(subject), now.thing.kind, uuidOf(now.thing.id))
	if err != nil {
		return old, holder, err
	}
	for at, h := range found {
		s.know(at, h)
	}
	s.knowNobody(now.thing)
	return s.heads[subject], s.holders[now.thing], nil
}

// taken is the error for a link to a thing that another record has.
func (t *tx) taken(l *store.Link, holder nameHash) error {
	if err := t.flushDeskLinks(); err != nil {
		return err
	}
	list, err := t.fetchLinks(newFetch(), `select data from @.desk_link where part = $1 and subject = $2`, uuidOf(holder))
	if err != nil || len(list) == 0 {
		return err
	}
	return &fault.Error{Class: fault.Conflict, Op: "link a record",
		Err: fmt.Errorf("%s and %s would both be %s %s at the target", list[0].Subject, l.Subject, l.Kind, l.ID)}
}

func sortedTexts(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// DeleteLink implements store.Writer.
func (t *tx) DeleteLink(subject string) (bool, error) {
	s, hash := &t.desk.links, hashName(subject)
	old, _, err := t.linkBefore(hash, linkHead{})
	if err != nil || old.state == 0 {
		return false, err
	}
	if s.put[hash] != nil {
		if err := t.flushDeskLinks(); err != nil {
			return false, err
		}
	}
	t.count.desk[linkCounts+int(old.state)]--
	s.know(hash, linkHead{})
	if s.remove == nil {
		s.remove = map[nameHash]struct{}{}
	}
	s.remove[hash] = struct{}{}
	return true, nil
}

// flushLinks turns what was collected into statements: first what leaves, whose thing another record may have now.
func (t *tx) flushDeskLinks() error {
	s := &t.desk.links
	if len(s.remove) > 0 {
		hashes := make([]pgtype.UUID, 0, len(s.remove))
		for hash := range s.remove {
			hashes = append(hashes, uuidOf(hash))
		}
		s.remove = nil
		if err := t.erase(`delete from @.desk_link where part = $1 and subject = any($2::uuid[])`, hashes); err != nil {
			return err
		}
	}
	if len(s.order) == 0 {
		return nil
	}
	n := len(s.order)
	subjects, ids := make([]pgtype.UUID, n), make([]pgtype.UUID, n)
	kinds, states, data := make([]int16, n), make([]int16, n), make([][]byte, n)
	for i, subject := range s.order {
		l := s.put[subject]
		form, err := encodeLink(l)
		if err != nil {
			return misuse("link: %w", err)
		}
		subjects[i], kinds[i], states[i], data[i] = uuidOf(subject), int16(l.Kind), int16(l.State), form
		if l.ID != "" {
			ids[i] = uuidOf(hashName(l.ID))
		}
	}
	s.order, s.put = nil, nil
	return t.write(`insert into @.desk_link (part, subject, kind, id, state, data)
			select $1, * from unnest($2::uuid[], $3::int2[], $4::uuid[], $5::int2[], $6::bytea[])
		on conflict (part, subject) do update set kind = excluded.kind, id = excluded.id, state = excluded.state, data = excluded.data`,
		subjects, kinds, ids, states, data)
}
