package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// kept are the positions of a run's actions that are kept.
func (r *rig) kept(run string) (list []int) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		list = nil
		return tx.RunActions(run, 0, func(at int, _ directory.RunAction) bool { list = append(list, at); return true })
	})
	if err != nil {
		r.Fatal(err)
	}
	return list
}

// What was sent is kept for as long and as much as was said: the oldest goes first, also while nothing is sent.
func TestHistoryIsBounded(t *testing.T) {
	a := newAging(t)
	a.conn.History = History{Age: 30 * 24 * time.Hour}
	for i := range 9 {
		a.add(fmt.Sprint(i), "P")
	}
	_, first := a.sync()
	if got := fmt.Sprint(a.kept(first.Run.ID)); got != "[0 1 2 3 4 5 6 7 8]" {
		t.Fatalf("kept %s", got)
	}
	a.pass(20 * 24 * time.Hour)
	a.people["1"] = person{name: "Q"}
	_, second := a.sync()
	a.pass(11 * 24 * time.Hour)
	a.sync()
	if n, m := len(a.kept(first.Run.ID)), len(a.kept(second.Run.ID)); n != 0 || m != 1 {
		t.Errorf("after 31 days %d of the first run and %d of the second are kept", n, m)
	}
	a.pass(20 * 24 * time.Hour)
	a.sync()
	if n := len(a.kept(second.Run.ID)); n != 0 {
		t.Errorf("%d are kept for longer than they may", n)
	}

	a.conn.History = History{Bytes: 300} // some parts of two actions
	for i := range 9 {
		a.people[fmt.Sprint(i)] = person{name: "R"}
	}
	_, third := a.sync()
	list := a.kept(third.Run.ID)
	if len(list) == 0 || len(list) > 8 || list[len(list)-1] != 8 {
		t.Errorf("of nine within 300 bytes %v are kept", list)
	}
	p, err := a.engine.UndoPlan(t.Context(), a.conn, connectors.Tenant{}, Undo{Run: third.Run.ID}, nil)
	if err != nil || p.Forgotten != list[0] || p.Counts.Total() != len(list) {
		t.Errorf("the undo says %+v, %v", p, err)
	}

	a.conn.History = History{Off: true}
	a.people["1"] = person{name: "S"}
	_, off := a.sync()
	if n, m := len(a.kept(off.Run.ID)), len(a.kept(third.Run.ID)); n+m > 0 {
		t.Errorf("switched off, %d and %d are kept", n, m)
	}
	if off.Run.Counts["user"]["update"] != 1 {
		t.Errorf("the run: %+v", off.Run)
	}
}

// The names of runs sort by time, also within a second, and behind those that former versions gave in it.
func TestRunsSortByName(t *testing.T) {
	at := time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC)
	for range 20 {
		list := []string{"20260131T081459-ffff", "20260131T081500-ffff", newRunID(at), newRunID(at.Add(time.Millisecond)), newRunID(at.Add(999 * time.Millisecond)),
			"20260131T081501-0000", newRunID(at.Add(1001 * time.Millisecond))}
		if !slices.IsSorted(list) {
			t.Fatal(list)
		}
	}
}
