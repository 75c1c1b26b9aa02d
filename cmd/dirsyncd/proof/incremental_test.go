package proof

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/sync/engine"
)

// source is something that can be read and changed.
type source struct {
	name string
	// open makes a connector for it; it is closed with the test.
	open func(*testing.T) connectors.Connector
	// change makes one random change; false when the server did not take it.
	change func(*testing.T, *rand.Rand) bool
	// changes is how many to make.
	changes int
}

// However a directory changes: incremental runs lead to the records that a fresh start makes of the same directory. The race detector
// sees a third of the changes: all of them have a step of the gate without it.
func TestIncrementalAgreesWithAFreshStart(t *testing.T) {
	for _, make := range sources() {
		s := make(t)
		if s == nil {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if underRace {
				s.changes /= 3
			}
			rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 7))
			conn := s.open(t)
			deltas := slices.ContainsFunc(conn.Describe().Streams, func(s connectors.Stream) bool { return s.Delta })
			r := newRig(t, conn)
			r.mustRun("first sync", engine.Job{})
			made, runs, full := 0, 0, 0
			for made < s.changes && !t.Failed() {
				for range 1 + rnd.IntN(25) {
					if s.change(t, rnd) {
						made++
					}
				}
				for _, res := range r.mustRun("incremental", engine.Job{}) {
					runs++
					if res.Run.Mode == connectors.Full.String() {
						t.Logf("full: %v", res.Run.Notes)
						full++
					}
				}
				if runs%4 == 0 || made >= s.changes {
					fresh := newRig(t, s.open(t))
					fresh.mustRun("fresh start", engine.Job{})
					if diff := differences(r.records(), fresh.records()); diff != "" {
						t.Fatalf("after %d changes (+ incremental only, - fresh start only):\n%s", made, diff)
					}
				}
			}
			t.Logf("%d changes, %d runs, %d of them full", made, runs, full)
			if deltas && full > runs/2 {
				t.Errorf("%d of %d runs had to read in full", full, runs)
			}
		})
	}
}
