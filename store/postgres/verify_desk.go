package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What is delivered and known of targets' places is checked here: every value decodes, counters are right, and what is found by something is what
// that says.

func (v *verifier) checkQueues() error {
	depths := map[string]int64{}
	err := v.query(func(rows pgx.Rows) error {
		var target string
		var seq int64
		var data []byte
		var last, first *int64
		if err := rows.Scan(&target, &seq, &data, &last, &first); err != nil {
			return err
		}
		depths[target]++
		if _, err := directory.ParseAction(data); err != nil {
			v.bad("outbox", "action %d of target %s is damaged", seq, target)
		}
		if last == nil || seq > *last || seq < *first {
			v.bad("outbox", "action %d of target %s is not between the queue's numbers", seq, target)
		}
		return nil
	}, `select o.target, o.seq, o.data, q.last, q.first from @.outbox o left join @.queue q on q.part = o.part and q.target = o.target where o.part = $1`)
	if err != nil {
		return err
	}
	return v.query(func(rows pgx.Rows) error {
		var target string
		var last, claimed, depth int64
		err := rows.Scan(&target, &last, &claimed, &depth)
		if claimed > last {
			v.bad("queue", "more is claimed for target %s than there ever was", target)
		}
		if depth != depths[target] {
			v.bad("queue", "%d actions of target %s are counted, %d are there", depth, target, depths[target])
		}
		return err
	}, `select target, last, claimed, depth from @.queue where part = $1`)
}

func (v *verifier) checkParked() error {
	found := uint64(0)
	err := v.query(func(rows pgx.Rows) error {
		var id int64
		var stored about
		var name pgtype.UUID
		var data []byte
		if err := rows.Scan(&id, &stored.target, &stored.kind, &name, &data); err != nil {
			return err
		}
		stored.name = name.Bytes
		found++
		p, err := v.parseParked(id, data)
		if want, indexed := aboutOf(&p); err != nil || p.ID > v.count.desk[lastParked] || indexed != name.Valid || want != stored {
			v.bad("parked", "entry %d is damaged", id)
		}
		return nil
	}, `select id, target, kind, name, data from @.parked where part = $1`)
	if counted := v.count.desk[parkedCount]; err == nil && counted != found {
		v.bad("parked", "%d entries are counted, %d are there", counted, found)
	}
	return err
}

func (v *verifier) checkWaits() error {
	counts := map[waitCause]int64{}
	err := v.query(func(rows pgx.Rows) error {
		var target, cause string
		var id int64
		var about, awaited pgtype.UUID
		var subject, key, action []byte
		if err := rows.Scan(&target, &id, &cause, &about, &awaited, &subject, &key, &action); err != nil {
			return err
		}
		counts[waitCause{target, cause}]++
		if _, err := directory.ParseAction(action); err != nil || uint64(id) > v.count.desk[lastWait] || len(subject) == 0 {
			v.bad("wait", "wait %d is damaged", id)
		}
		if about != uuidOf(hashName(string(subject))) || awaited.Valid != (len(key) > 0) || awaited.Valid && awaited != uuidOf(hashName(string(key))) {
			v.bad("wait", "wait %d is not found by what it is about", id)
		}
		return nil
	}, `select target, id, cause, about, awaited, subject, key, action from @.wait where part = $1`)
	if err != nil {
		return err
	}
	err = v.query(func(rows pgx.Rows) error {
		var c waitCause
		var n int64
		err := rows.Scan(&c.target, &c.cause, &n)
		if counts[c] != n {
			v.bad("wait_count", "%d for %s at target %s are counted, %d are there", n, c.cause, c.target, counts[c])
		}
		delete(counts, c)
		return err
	}, `select target, cause, n from @.wait_count where part = $1`)
	for c, n := range counts {
		v.bad("wait_count", "%d for %s at target %s are not counted", n, c.cause, c.target)
	}
	return err
}

func (v *verifier) checkRuns() error {
	err := v.query(func(rows pgx.Rows) error {
		var id string
		var data []byte
		err := rows.Scan(&id, &data)
		var r store.Run
		if json.Unmarshal(data, &r) != nil || r.ID != id {
			v.bad("run", "run %s is damaged", id)
		}
		return err
	}, `select id, data from @.run where part = $1`)
	if err != nil {
		return err
	}
	var taken, counted int64
	err = v.query(func(rows pgx.Rows) error {
		var run string
		var position, size int
		var data []byte
		err := rows.Scan(&run, &position, &size, &data)
		if _, parseErr := directory.ParseRunActions(data, ""); parseErr != nil || size != len(run)+partBytes+len(data) {
			v.bad("run_action", "part %d of run %s is damaged", position, run)
		}
		taken += int64(size)
		return err
	}, `select run, position, size, data from @.run_action where part = $1`)
	if err != nil {
		return err
	}
	err = v.query(func(rows pgx.Rows) error { return rows.Scan(&counted) }, `select bytes from @.history where part = $1`)
	if counted != taken {
		v.bad("history", "bytes are %d and should be %d", counted, taken)
	}
	return err
}

func (v *verifier) checkDeskLinks() error {
	var counts [8]uint64
	err := v.query(func(rows pgx.Rows) error {
		var subject, id pgtype.UUID
		var kind, state int16
		var data []byte
		if err := rows.Scan(&subject, &kind, &id, &state, &data); err != nil {
			return err
		}
		l, ok := parseLink(data)
		if !ok || l.State != store.LinkState(state) || int16(l.Kind) != kind || uuidOf(hashName(l.Subject)) != subject ||
			id.Valid != (l.ID != "") || id.Valid && uuidOf(hashName(l.ID)) != id {
			v.bad("desk_link", "link %x is damaged", subject.Bytes)
			return nil
		}
		counts[l.State]++
		return nil
	}, `select subject, kind, id, state, data from @.desk_link where part = $1`)
	for _, s := range store.LinkStates() {
		if counted := v.count.desk[linkCounts+int(s)]; err == nil && counted != counts[s] {
			v.bad("desk_link", "%d links in state %s are counted, %d are there", counted, s, counts[s])
		}
	}
	return err
}

func (v *verifier) checkReviews() error {
	found := uint64(0)
	err := v.query(func(rows pgx.Rows) error {
		var number int64
		var subject pgtype.UUID
		var data []byte
		err := rows.Scan(&number, &subject, &data)
		found++
		var r store.Review
		if json.Unmarshal(data, &r) != nil || r.Number != uint64(number) || r.Number > v.count.desk[lastReview] || uuidOf(hashName(r.Subject)) != subject {
			v.bad("desk_review", "review %d is damaged", number)
		}
		return err
	}, `select number, subject, data from @.desk_review where part = $1`)
	if err != nil {
		return err
	}
	if counted := v.count.desk[reviewCount]; counted != found {
		v.bad("desk_review", "%d reviews are counted, %d are there", counted, found)
	}
	err = v.query(func(rows pgx.Rows) error {
		var subject, id pgtype.UUID
		var kind int16
		var data []byte
		err := rows.Scan(&subject, &kind, &id, &data)
		var r store.Rejection
		if json.Unmarshal(data, &r) != nil || uuidOf(hashName(r.Subject)) != subject || int16(r.Kind) != kind || uuidOf(hashName(r.ID)) != id {
			v.bad("desk_rejected", "pair %x is damaged", subject.Bytes)
		}
		return err
	}, `select subject, kind, id, data from @.desk_rejected where part = $1`)
	if err != nil {
		return err
	}
	return v.query(func(rows pgx.Rows) error {
		var state []byte
		err := rows.Scan(&state)
		if json.Unmarshal(state, new(store.DeskState)) != nil {
			v.bad("desk_state", "it is damaged")
		}
		return err
	}, `select state from @.desk_state where part = $1`)
}

// matchProblems checks that the index says what the people do.
func (v *verifier) checkMatches() error {
	fields, err := v.matchFields()
	if err != nil || len(fields) == 0 && v.desk.match.stored {
		return err // one of other normal forms is made anew
	}
	want := map[matchEntry]struct{}{}
	if len(fields) > 0 {
		list, err := v.allMatches()
		if err != nil {
			return err
		}
		for _, e := range list {
			want[e] = struct{}{}
		}
	}
	err = v.query(func(rows pgx.Rows) error {
		var key pgtype.UUID
		var num int32
		err := rows.Scan(&key, &num)
		e := matchEntry{key.Bytes, store.Num(num)}
		if _, ok := want[e]; !ok {
			v.bad("match", "entry %x is of no person", key.Bytes)
		}
		delete(want, e)
		return err
	}, `select key, num from @.match where part = $1`)
	for e := range want {
		v.bad("match", "a key of person %d is missing", e.num)
	}
	return err
}

// checkItems checks what sign-in keeps.
func (s *Store) checkItems(ctx context.Context, bad func(table, format string, args ...any)) error {
	return s.ask(ctx, "verify state", func(rows pgx.Rows) error {
		var space string
		var by []pgtype.UUID
		var item store.Item
		err := rows.Scan(&space, &item.Key, &item.Owners, &by)
		same := len(by) == len(item.Owners)
		for i := 0; same && i < len(by); i++ {
			same = by[i] == ownerHash(item.Owners[i])
		}
		if store.CheckItemKeys(space, item.Key) != nil || !same {
			bad("item", "an item of %q is damaged", space)
		}
		return err
	}, `select space, key, owners, by from @.item`)
}
