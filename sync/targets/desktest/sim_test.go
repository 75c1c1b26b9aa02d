package desktest

import (
	"testing"

	"dirsyncd/sync/targets"
)

func TestSim(t *testing.T) {
	Run(t, func(*testing.T) *Place {
		sim := NewSim(1)
		sim.Batch, sim.Parallel = 3, 4
		return &Place{
			Open: func(*testing.T) targets.Desk { return sim }, Many: 250,
			Break: func(*testing.T) { sim.Set(func(f *Faults) { f.Down = 1 }) }, Mend: func(*testing.T) { sim.Mend() },
		}
	})
}
