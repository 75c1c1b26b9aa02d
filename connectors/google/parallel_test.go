package google

import (
	"context"
	"testing"

	"dirsyncd/sync/fault"
)

// A defect in what one of several requests answers ends the read, and not the program.
func TestParallelPanics(t *testing.T) {
	var taken []int
	err := orderedParallel(t.Context(), 4, 2, func(_ context.Context, i int) (int, error) {
		if i == 2 {
			panic("at 2")
		}
		return i, nil
	}, func(i, _ int) error { taken = append(taken, i); return nil })
	if fault.ClassOf(err) != fault.Internal || len(taken) != 2 {
		t.Errorf("took %v, then %v", taken, err)
	}
}
