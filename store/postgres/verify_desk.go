package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// problem notes what is wrong with a table, without personal data.
type problem func(table, format string, args ...any)

// deskProblems checks what a partition has of the desk side: every value decodes, counters are right, and what is found by something is what that
// says.
func (t *tx) deskProblems(bad problem) error {
	for _, check := range []func(problem) error{
		t.queueProblems, t.parkedProblems, t.waitProblems, t.runProblems, t.linkProblems, t.reviewProblems, t.matchProblems,
	} {
		if err := check(bad); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) queueProblems(bad problem) error {
	depths := map[string]int64{}
	err := t.query(func(rows pgx.Rows) error {
		var target string
		var seq int64
		var data []byte
		var last, first *int64
		if err := rows.Scan(&target, &seq, &data, &last, &first); err != nil {
			return err
		}
		depths[target]++
		if _, err := directory.ParseAction(data); err != nil {
			bad("outbox", "action %d of target %s is damaged", seq, target)
		}
		if last == nil || seq > *last || seq < *first {
			bad("outbox", "action %d of target %s is not between the queue's numbers", seq, target)
		}
		return nil
	}, `select o.target, o.seq, o.data, q.last, q.first from @.outbox o left join @.queue q on q.part = o.part and q.target = o.target where o.part = $1`)
	if err != nil {
		return err
	}
	return t.query(func(rows pgx.Rows) error {
		var target string
		var last, claimed, depth int64
		err := rows.Scan(&target, &last, &claimed, &depth)
		if claimed > last {
			bad("queue", "more is claimed for target %s than there ever was", target)
		}
		if depth != depths[target] {
			bad("queue", "%d actions of target %s are counted, %d are there", depth, target, depths[target])
		}
		return err
	}, `select target, last, claimed, depth from @.queue where part = $1`)
}

func (t *tx) parkedProblems(bad problem) error {
	found := uint64(0)
	err := t.query(func(rows pgx.Rows) error {
		var id int64
		var stored about
		var name pgtype.UUID
		var data []byte
		if err := rows.Scan(&id, &stored.target, &stored.kind, &name, &data); err != nil {
			return err
		}
		stored.name = name.Bytes
		found++
		p, err := t.parseParked(id, data)
		if want, indexed := aboutOf(&p); err != nil || p.ID > t.count.desk[lastParked] || indexed != name.Valid || want != stored {
			bad("parked", "entry %d is damaged", id)
		}
		return nil
	}, `select id, target, kind, name, data from @.parked where part = $1`)
	if counted := t.count.desk[parkedCount]; err == nil && counted != found {
		bad("parked", "%d entries are counted, %d are there", counted, found)
	}
	return err
}

func (t *tx) waitProblems(bad problem) error {
	counts := map[waitCause]int64{}
	err := t.query(func(rows pgx.Rows) error {
		var target, cause string
		var id int64
		var about, awaited pgtype.UUID
		var subject, key, action []byte
		if err := rows.Scan(&target, &id, &cause, &about, &awaited, &subject, &key, &action); err != nil {
			return err
		}
		counts[waitCause{target, cause}]++
		if _, err := directory.ParseAction(action); err != nil || uint64(id) > t.count.desk[lastWait] || len(subject) == 0 {
			bad("wait", "wait %d is damaged", id)
		}
		if about != uuidOf(hashName(string(subject))) || awaited.Valid != (len(key) > 0) || awaited.Valid && awaited != uuidOf(hashName(string(key))) {
			bad("wait", "wait %d is not found by what it is about", id)
		}
		return nil
	}, `select target, id, cause, about, awaited, subject, key, action from @.wait where part = $1`)
	if err != nil {
		return err
	}
	err = t.query(func(rows pgx.Rows) error {
		var c waitCause
		var n int64
		err := rows.Scan(&c.target, &c.cause, &n)
		if counts[c] != n {
			bad("wait_count", "%d for %s at target %s are counted, %d are there", n, c.cause, c.target, counts[c])
		}
		delete(counts, c)
		return err
	}, `select target, cause, n from @.wait_count where part = $1`)
	for c, n := range counts {
		bad("wait_count", "%d for %s at target %s are not counted", n, c.cause, c.target)
	}
	return err
}

func (t *tx) runProblems(bad problem) error {
	err := t.query(func(rows pgx.Rows) error {
		var id string
		var data []byte
		err := rows.Scan(&id, &data)
		var r store.Run
		if json.Unmarshal(data, &r) != nil || r.ID != id {
			bad("run", "run %s is damaged", id)
		}
		return err
	}, `select id, data from @.run where part = $1`)
	if err != nil {
		return err
	}
	return t.query(func(rows pgx.Rows) error {
		var run string
		var position int32
		var data []byte
		err := rows.Scan(&run, &position, &data)
		var a store.RunAction
		if json.Unmarshal(data, &a) != nil || a.Key == "" {
			bad("run_action", "action %d of run %s is damaged", position, run)
		}
		return err
	}, `select run, position, data from @.run_action where part = $1`)
}

func (t *tx) linkProblems(bad problem) error {
	var counts [8]uint64
	err := t.query(func(rows pgx.Rows) error {
		var subject, id pgtype.UUID
		var kind, state int16
		var data []byte
		if err := rows.Scan(&subject, &kind, &id, &state, &data); err != nil {
			return err
		}
		l, ok := parseLink(data)
		if !ok || l.State != store.LinkState(state) || int16(l.Kind) != kind || uuidOf(hashName(l.Subject)) != subject ||
			id.Valid != (l.ID != "") || id.Valid && uuidOf(hashName(l.ID)) != id {
			bad("desk_link", "link %x is damaged", subject.Bytes)
			return nil
		}
		counts[l.State]++
		return nil
	}, `select subject, kind, id, state, data from @.desk_link where part = $1`)
	for _, s := range store.LinkStates() {
		if counted := t.count.desk[linkCounts+int(s)]; err == nil && counted != counts[s] {
			bad("desk_link", "%d links in state %s are counted, %d are there", counted, s, counts[s])
		}
	}
	return err
}

func (t *tx) reviewProblems(bad problem) error {
	found := uint64(0)
	err := t.query(func(rows pgx.Rows) error {
		var number int64
		var subject pgtype.UUID
		var data []byte
		err := rows.Scan(&number, &subject, &data)
		found++
		var r store.Review
		if json.Unmarshal(data, &r) != nil || r.Number != uint64(number) || r.Number > t.count.desk[lastReview] || uuidOf(hashName(r.Subject)) != subject {
			bad("desk_review", "review %d is damaged", number)
		}
		return err
	}, `select number, subject, data from @.desk_review where part = $1`)
	if err != nil {
		return err
	}
	if counted := t.count.desk[reviewCount]; counted != found {
		bad("desk_review", "%d reviews are counted, %d are there", counted, found)
	}
	err = t.query(func(rows pgx.Rows) error {
		var subject, id pgtype.UUID
		var kind int16
		var data []byte
		err := rows.Scan(&subject, &kind, &id, &data)
		var r store.Rejection
		if json.Unmarshal(data, &r) != nil || uuidOf(hashName(r.Subject)) != subject || int16(r.Kind) != kind || uuidOf(hashName(r.ID)) != id {
			bad("desk_rejected", "pair %x is damaged", subject.Bytes)
		}
		return err
	}, `select subject, kind, id, data from @.desk_rejected where part = $1`)
	if err != nil {
		return err
	}
	return t.query(func(rows pgx.Rows) error {
		var state []byte
		err := rows.Scan(&state)
		if json.Unmarshal(state, new(store.DeskState)) != nil {
			bad("desk_state", "it is damaged")
		}
		return err
	}, `select state from @.desk_state where part = $1`)
}

// matchProblems checks that the index says what the people do.
func (t *tx) matchProblems(bad problem) error {
	fields, err := t.matchFields()
	if err != nil || len(fields) == 0 && t.desk.match.stored {
		return err // one of other normal forms is made anew
	}
	want := map[matchEntry]struct{}{}
	if len(fields) > 0 {
		list, err := t.allMatches()
		if err != nil {
			return err
		}
		for _, e := range list {
			want[e] = struct{}{}
		}
	}
	err = t.query(func(rows pgx.Rows) error {
		var key pgtype.UUID
		var num int32
		err := rows.Scan(&key, &num)
		e := matchEntry{key.Bytes, store.Num(num)}
		if _, ok := want[e]; !ok {
			bad("match", "entry %x is of no person", key.Bytes)
		}
		delete(want, e)
		return err
	}, `select key, num from @.match where part = $1`)
	for e := range want {
		bad("match", "a key of person %d is missing", e.num)
	}
	return err
}

// itemProblems checks what sign-in keeps.
func (s *Store) itemProblems(ctx context.Context, bad problem) error {
	return s.ask(ctx, "verify state", func(rows pgx.Rows) error {
		var space string
		var by []pgtype.UUID
		var item store.Item
		err := rows.Scan(&space, &item.Key, &item.Owners, &by)
		same := len(by) == len(item.Owners)
		for i := 0; same && i < len(by); i++ {
			same = by[i] == ownerHash(item.Owners[i])
		}
		if checkSpace(space) != nil || checkKey(item.Key) != nil || !same {
			bad("item", "an item of %q is damaged", space)
		}
		return err
	}, `select space, key, owners, by from @.item`)
}
