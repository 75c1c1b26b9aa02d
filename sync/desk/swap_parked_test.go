package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// refusing is a place that never takes a change of one record to its right values.
type refusing struct {
	targets.Desk
	email string
	on    *bool
}

func (r refusing) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	results := make([]targets.Result, len(jobs))
	for i := range jobs {
		refused := *r.on && slices.ContainsFunc(jobs[i].Fields, func(f directory.Field) bool { return f.Name == "email" && f.Value.Text() == r.email })
		if refused {
			results[i].Err = &fault.Error{Class: fault.Invalid, Op: "update", Err: errors.New("400: this address is not allowed")}
			continue
		}
		one, err := r.Desk.Apply(ctx, jobs[i:i+1])
		if err != nil {
			return nil, err
		}
		results[i] = one[0]
	}
	return results, nil
}

// Who waits for a value that another record does not give up, because its own change is parked, says so.
func TestSwapWithAParkedPartner(t *testing.T) {
	scene(t, swaps, func(t *testing.T, w *world) {
		on := false
		w.place = func(d targets.Desk) targets.Desk { return refusing{Desk: d, email: "u1@x", on: &on} }
		own(w, "u1", "u2")
		w.run()
		on = true
		swapped(w, "u1", "u2")
		w.run()
		w.rest(3 * time.Hour)
		var texts []string
		err := w.store.View(t.Context(), hq, func(tx store.Reader) error {
			return tx.Waits(helpdesk, 0, func(wait store.Wait) bool { texts = append(texts, wait.Text); return true })
		})
		if err != nil || len(w.parked()) != 1 || len(texts) != 1 || !strings.Contains(texts[0], "its change is parked") {
			t.Errorf("parked %q, waits %q, %v", w.parked(), texts, err)
		}
	})
}
