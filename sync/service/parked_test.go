package service

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
)

// Who waits for many parked items to be tried again is told how far that is.
func TestReplayTellsItsProgress(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.join(fmt.Sprint("p", i), "Some Body")
	}
	w.write(t, "everyone")
	s := w.open(t)
	s = w.edit(t, s, "user: {name: = name}", "user: {name: = string(int(name))}")
	if _, err := s.Sync(t.Context(), api.SyncRequest{Connections: []string{"hq"}}, nil); err != nil {
		t.Fatal(err)
	}
	var steps []api.Progress
	n, err := s.Replay(t.Context(), nil, func(p api.Progress) { steps = append(steps, p) })
	if err != nil || n != 31 {
		t.Fatalf("%d, %v", n, err)
	}
	if !slices.Contains(steps, api.Progress{Connection: "hq", Stage: "retry", Done: 31, Total: 31}) ||
		!slices.ContainsFunc(steps, func(p api.Progress) bool { return p.Stage == "settle" }) {
		t.Errorf("told %+v", steps)
	}
}

// Who waits for a record whose parked action is dropped is handed over again at once, and not within the hour.
func TestDropWakesWhoWaits(t *testing.T) {
	w := newWorld(t)
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	hq := store.Partition{Connection: "hq"}
	err := s.store.Update(t.Context(), hq, func(tx store.Writer) error {
		a := directory.Action{Op: directory.Create, Kind: directory.UserRecord, Record: "hq/late", Key: "k1"}
		before := directory.Action{Op: directory.Update, Kind: directory.UserRecord, Record: "hq/first", Key: "k2"}
		if _, err := tx.Park(store.Parked{Since: time.Now(), Reason: "400", Class: "invalid", Stage: deliver.Stage, Target: "journal", Subject: "user/hq/first", Action: directory.AppendAction(nil, &before)}); err != nil {
			return err
		}
		_, err := tx.PutWait(store.Wait{Target: "journal", Subject: "user/hq/late", Action: directory.AppendAction(nil, &a), Cause: "busy", Key: "user/hq/first", Due: time.Now().Add(time.Hour)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	waits := func() (n int) {
		t.Helper()
		if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
			t.Fatal(err)
		}
		err := s.store.View(t.Context(), hq, func(tx store.Reader) error {
			counts, err := tx.WaitCounts("journal")
			n = counts["busy"]
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := waits(); n != 1 {
		t.Fatalf("%d wait before anything is dropped", n)
	}
	if n, err := s.Drop(t.Context(), nil); err != nil || n != 1 {
		t.Fatalf("dropped %d, %v", n, err)
	}
	if n := waits(); n != 0 {
		t.Errorf("%d wait still", n)
	}
}
