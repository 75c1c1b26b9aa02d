package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func update(t *testing.T, s store.Store, p store.Partition, fn func(store.Writer) error) {
	t.Helper()
	if err := s.Update(t.Context(), p, fn); err != nil {
		t.Fatal(err)
	}
}

func waiting(i int, key string) store.Wait {
	return store.Wait{Target: "journal", Subject: fmt.Sprint("user/", i), Cause: "reference", Key: key, Since: time.Unix(int64(i), 7).UTC(),
		Action: directory.AppendAction(nil, &directory.Action{Key: fmt.Sprint(i), Op: directory.Create, Kind: directory.UserRecord, Record: fmt.Sprint(i)})}
}

// manyOnDesk: where more is parked, or waits, than a transaction reads at once, it is found all the same.
func manyOnDesk(t *testing.T, r *rig) {
	const many = 10_050
	s := r.open(t)
	entry := func(i int) store.Parked {
		return store.Parked{Stage: "deliver", Target: "journal", Subject: fmt.Sprint("user/", i), Reason: "no"}
	}
	update(t, s, hq, func(w store.Writer) error {
		for i := range many {
			if id, err := w.Park(entry(i)); err != nil || id != uint64(i)+1 {
				return fmt.Errorf("parked under %d: %w", id, err)
			}
			if id, err := w.PutWait(waiting(i, "acme")); err != nil || id != uint64(i)+1 {
				return fmt.Errorf("waits under %d: %w", id, err)
			}
		}
		return nil
	})
	update(t, s, hq, func(w store.Writer) error {
		for _, i := range []int{7, 8, many - 1, many} { // the last is new
			old, found, err := w.ParkedAction("journal", fmt.Sprint("user/", i))
			if err != nil || found != (i < many) || found && old.ID != uint64(i)+1 {
				t.Errorf("found %d: %v, %+v, %v", i, found, old, err)
			}
			id, err := w.Park(entry(i))
			if err != nil || id != uint64(i)+1 {
				t.Errorf("parked %d again under %d: %v", i, id, err)
			}
			again := waiting(i, "other")
			again.Since = time.Unix(0, 1).UTC()
			if id, err = w.PutWait(again); err != nil || id != uint64(i)+1 {
				t.Errorf("%d waits again under %d: %v", i, id, err)
			}
			list, err := w.WaitsOf("journal", []string{again.Subject})
			if err != nil || len(list) != 1 || list[0].Key != "other" || i < many && list[0].Since.Unix() != int64(i) {
				t.Errorf("%d waits as %+v, %v", i, list, err)
			}
		}
		for want, id := range map[bool]uint64{true: 8, false: 4 * many} {
			if was, err := w.Unpark(id); was != want || err != nil {
				t.Errorf("unpark %d: %v, %v", id, was, err)
			}
		}
		n, err := w.ParkedCount()
		ended, more := w.EndWaits("journal", []string{"user/7", "user/7", "user/none"})
		counts, _ := w.WaitCounts("journal")
		if n != many || ended != 1 || counts["reference"] != many || err != nil || more != nil {
			t.Errorf("%d are parked, %d ended, %v wait: %v, %v", n, ended, counts, err, more)
		}
		return nil
	})
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// deskDamage: what is wrong with a table of the desk side is named by it, and nothing of a person is.
func deskDamage(t *testing.T, r *rig) {
	schema := r.schema(t)
	s := r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases})
	action := &directory.Action{Key: "k", Op: directory.Create, Kind: directory.UserRecord, Record: "secret"}
	fill := func(w store.Writer) error {
		_, err := w.Park(store.Parked{Stage: "deliver", Target: "journal", Subject: "user/secret"})
		if err != nil {
			return err
		}
		if _, err = w.PutWait(waiting(1, "acme")); err != nil {
			return err
		}
		if _, err = w.PutReview(store.Review{Subject: "user/secret", Cause: "ambiguous"}); err != nil {
			return err
		}
		for _, err := range []error{
			w.Enqueue("journal", action, time.Unix(1, 0)), w.PutRun(store.Run{ID: "r1"}), w.KeepActions("r1", 0, []directory.RunAction{{Op: directory.Create, Kind: directory.UserRecord, Num: 1, Key: "secret", Revision: 1}}),
			w.PutLink(store.Link{Subject: "user/secret", Kind: directory.UserRecord, ID: "7", State: store.Linked}),
			w.Reject(store.Rejection{Subject: "user/secret", Kind: directory.UserRecord, ID: "8"}), w.PutDesk(store.DeskState{Place: "desk"}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for damage, want := range map[string]string{
		"update outbox set data = ''":                                      "outbox: action 1 of target journal is damaged",
		"update outbox set seq = 5":                                        "outbox: action 5 of target journal is not between",
		"delete from outbox":                                               "queue: 1 actions of target journal are counted, 0 are there",
		"delete from queue":                                                "outbox: action 1 of target journal is not between",
		"update queue set claimed = 9":                                     "queue: more is claimed",
		"delete from parked":                                               "parked: 1 entries are counted, 0 are there",
		"update parked set name = gen_random_uuid()":                       "parked: entry 1 is damaged",
		"update parked set data = '{'":                                     "parked: entry 1 is damaged",
		"update wait set about = gen_random_uuid()":                        "wait: wait 1 is not found",
		"update wait set awaited = null":                                   "wait: wait 1 is not found",
		"update wait set action = ''":                                      "wait: wait 1 is damaged",
		"update wait_count set n = 7":                                      "wait_count: 7 for reference at target journal are counted, 1 are there",
		"delete from wait_count":                                           "wait_count: 1 for reference at target journal are not counted",
		"update run set id = 'other'":                                      "run: run other is damaged",
		"update run_action set data = '{}'":                                "run_action: part 0 of run r1 is damaged",
		"update history set bytes = 7":                                     "history: bytes are 7",
		"update desk_link set state = 2":                                   "desk_link: link",
		"update desk_link set id = null":                                   "desk_link: link",
		"delete from desk_link":                                            "desk_link: 1 links in state linked are counted, 0 are there",
		"update desk_review set subject = gen_random_uuid()":               "desk_review: review 1 is damaged",
		"delete from desk_review":                                          "desk_review: 1 reviews are counted, 0 are there",
		"update desk_rejected set kind = 9":                                "desk_rejected: pair",
		"update desk_state set state = '['":                                "desk_state",
		"insert into match select id, gen_random_uuid(), 1 from partition": "match: entry",
		"insert into item values ('s', 'k', null, '{secret}', '{}', '')":   "item: an item of \"s\" is damaged",
	} {
		t.Run(damage, func(t *testing.T) {
			update(t, s, hq, fill)
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.Exec("set search_path = " + schema + "; " + damage + "; reset search_path")
			err := s.Verify(t.Context())
			if fault.ClassOf(err) != fault.Internal || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %s", err, want)
			}
			r.Exec("delete from " + schema + ".item")
			if err := s.DropPartition(t.Context(), hq); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// itemLimit: a space takes no more than it may have, and still takes what replaces something.
func itemLimit(t *testing.T, r *rig) {
	s := r.open(t)
	s.LimitItems(100)
	put := func(space string, from, to int) error {
		var list []store.Item
		for i := from; i < to; i++ {
			list = append(list, store.Item{Key: []byte(fmt.Sprint(i))})
		}
		return s.Items().Put(t.Context(), space, list...)
	}
	for i := range 100 {
		if err := put("session", i, i+1); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	for what, test := range map[string]struct {
		space    string
		from, to int
		full     bool
	}{
		"one more": {"session", 100, 101, true}, "some of them new": {"session", 90, 101, true}, "too many at once": {"code", 0, 101, true},
		"those that are there": {"session", 0, 100, false}, "another space": {"token", 0, 100, false},
	} {
		if err := put(test.space, test.from, test.to); (fault.ClassOf(err) == fault.Throttled) != test.full || !test.full && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := s.Items().Count(t.Context(), "session"); n != 100 || err != nil {
		t.Errorf("%d items are there, %v", n, err)
	}
}
