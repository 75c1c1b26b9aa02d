package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func person(id string, handles ...string) *directory.Object {
	o := &directory.Object{Kind: directory.Person, ID: id, Handles: handles}
	o.SetText(directory.FieldName, "Person "+id)
	return o
}

// count adds one to a number that is stored, and stores a person with that number.
func count(tx store.Writer) error {
	state, err := tx.Stream("counter")
	if err != nil {
		return err
	}
	state.Cursor = append(state.Cursor, 'x')
	n, err := tx.PutRow(person(fmt.Sprint(len(state.Cursor)), fmt.Sprint("uid:", len(state.Cursor)), "shared"), store.Here)
	if err != nil {
		return err
	}
	action := &directory.Action{Op: directory.Create, Kind: directory.UserRecord, Record: fmt.Sprint("hq/", n)}
	return errors.Join(tx.PutStream("counter", state), tx.MarkDirty(directory.Person, n, store.Changed),
		tx.PutRecord(n, &directory.Record{Kind: directory.UserRecord, Key: fmt.Sprint("hq/", n), Active: true}),
		tx.Enqueue("journal", action, time.Unix(0, 0)))
}

// counted is how often count was stored; it fails the test unless all of each was.
func counted(t *testing.T, s store.Store, p store.Partition) (n int) {
	t.Helper()
	err := s.View(t.Context(), p, func(r store.Reader) error {
		state, err := r.Stream("counter")
		if err != nil {
			return err
		}
		n = len(state.Cursor)
		people, err := r.Count(directory.Person)
		if err != nil {
			return err
		}
		records, err := r.ActiveRecords(directory.UserRecord)
		if err != nil {
			return err
		}
		depth, _, err := r.OutboxDepth("journal")
		if people != n || records != n || depth != n {
			t.Errorf("%s: of %d transactions, %d people, %d records and %d actions were stored", p, n, people, records, depth)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// Wherever and however the connection ends, what was stored is stored once, and whole.
func cuts(t *testing.T, r *rig) {
	c := newCutter(t, r.address)
	s := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases, Connections: 1, URL: r.through(c)})
	work := func(p store.Partition) {
		t.Helper()
		for range 3 {
			if err := s.Update(t.Context(), p, count); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	partition := func(name string) store.Partition { return store.Partition{Connection: "hq", Tenant: name} }
	for range 2 { // the first time statements are prepared
		c.begin(0, unheard)
		p := partition("undisturbed")
		if err := s.DropPartition(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		c.begin(0, unheard)
		work(p)
	}
	at := 1
	for was := true; was; at++ { // until the work is over before the place comes
		was = false
		for _, how := range []cut{unheard, unanswered, ended, crashed} {
			p := partition(fmt.Sprint(at, how))
			c.begin(at, how)
			work(p)
			was = c.wasCut() || was
			c.begin(0, unheard)
			if n := counted(t, s, p); n != 3 {
				t.Errorf("%s: stored %d times", p, n)
			}
		}
	}
	if at < 10 {
		t.Errorf("the work was over after %d round trips", at)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A transaction whose session the server ends, as at a restart, runs again.
func endedByServer(t *testing.T, r *rig) {
	s := r.open(t)
	calls := 0
	err := s.Update(t.Context(), hq, func(tx store.Writer) error {
		if calls++; calls == 1 {
			if err := errors.Join(count(tx), tx.Dirty(directory.Person, 0, func(store.Num, store.DirtyReason) bool { return true })); err != nil {
				return err
			}
			r.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + s.Session() + "' AND state = 'idle in transaction'")
		}
		return count(tx)
	})
	if err != nil || calls != 2 || counted(t, s, hq) != 1 {
		t.Errorf("called %d times, stored %d times, %v", calls, counted(t, s, hq), err)
	}
}

// While the server is away, errors say so once, and it goes on by itself.
func away(t *testing.T, r *rig) {
	c := newCutter(t, r.address)
	var log strings.Builder
	s := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases, Log: logTo(&log), URL: r.through(c)})
	c.silent(true)
	for range 3 {
		err := s.Update(t.Context(), hq, count)
		if fault.ClassOf(err) != fault.Transient {
			t.Errorf("without a server: %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "postgres-admin") {
			t.Errorf("it tells the password: %v", err)
		}
	}
	c.silent(false)
	if err := s.Update(t.Context(), hq, count); err != nil || counted(t, s, hq) != 1 {
		t.Errorf("with a server: %v", err)
	}
	if gone, back := strings.Count(log.String(), "is not reached"), strings.Count(log.String(), "is reached again"); gone != 1 || back != 1 {
		t.Errorf("the log says %d times that it is gone and %d times that it is back:\n%s", gone, back, &log)
	}
}
