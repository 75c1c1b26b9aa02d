package service

import (
	"fmt"
	"slices"
	"testing"

	"dirsyncd/sync/api"
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
