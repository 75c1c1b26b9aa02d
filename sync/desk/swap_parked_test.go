package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/deliver"
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

// parkedPartner has u1 and u2 swap their values, of which the place refuses what u2 is to have: u2 is parked, and u1 has interim values. What it
// returns lets the place take them.
func parkedPartner(w *world) (mend func()) {
	w.t.Helper()
	on := false
	w.place = func(d targets.Desk) targets.Desk { return refusing{Desk: d, email: "u1@x", on: &on} }
	own(w, "u1", "u2")
	w.run()
	on = true
	swapped(w, "u1", "u2")
	w.run()
	if list := w.parked(); len(list) != 1 || !strings.HasPrefix(list[0], "user/hq/u2: ") {
		w.t.Fatalf("parked %q", list)
	}
	return func() { on = false }
}

// waitTexts are what those say that wait.
func (w *world) waitTexts() (texts []string) {
	w.t.Helper()
	err := w.store.View(context.Background(), hq, func(tx store.Reader) error {
		texts = nil
		return tx.Waits(helpdesk, 0, func(wait store.Wait) bool {
			texts = append(texts, wait.Subject+": "+wait.Cause+": "+wait.Text)
			return true
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return texts
}

// parkedIDs are the ids of what is parked.
func (w *world) parkedIDs() (ids []uint64) {
	w.t.Helper()
	err := w.store.View(context.Background(), hq, func(tx store.Reader) error {
		ids = nil
		return tx.Parked(func(p store.Parked) bool { ids = append(ids, p.ID); return true })
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// Who waits for a value that another record does not give up, because its own change is parked, says so as soon as it is; when the other one is
// replayed and taken, both have what is theirs.
func TestSwapWithAParkedPartner(t *testing.T) {
	scene(t, swaps, func(t *testing.T, w *world) {
		mend := parkedPartner(w)
		if texts := w.waitTexts(); len(texts) != 1 || !strings.HasPrefix(texts[0], "user/hq/u1: busy: ") || !strings.Contains(texts[0], "its change is parked") {
			t.Errorf("waits %q", texts)
		}
		mend()
		if _, err := deliver.Replay(t.Context(), w.store, hq, w.parkedIDs(), time.Now()); err != nil {
			t.Fatal(err)
		}
		w.rest(time.Minute)
		w.have(t, "u1=u2,u2@x", "u2=u1,u1@x")
		if texts, parked := w.waitTexts(), w.parked(); len(texts)+len(parked) > 0 {
			t.Errorf("waits %q, parked %q", texts, parked)
		}
	})
}

// When what the other one was to do is dropped, nothing will come of it: a human is asked. What the other one does later solves it.
func TestSwapWithAPartnerThatIsDropped(t *testing.T) {
	for how, tell := range map[string]func(w *world){
		"told":     func(w *world) { w.worker.WakeWaiting("user/hq/u2"); w.rest(time.Minute) },
		"not told": func(w *world) { w.rest(2 * time.Hour) },
		"anew":     func(w *world) { w.stop(); w.start(); w.rest(2 * time.Hour) },
	} {
		t.Run(how, func(t *testing.T) {
			scene(t, swaps, func(t *testing.T, w *world) {
				mend := parkedPartner(w)
				for _, id := range w.parkedIDs() {
					if err := w.store.Update(t.Context(), hq, func(tx store.Writer) error { _, err := tx.Unpark(id); return err }); err != nil {
						t.Fatal(err)
					}
				}
				tell(w)
				if rs := w.reviews(); len(rs) != 1 || rs[0].Subject != "user/hq/u1" || Cause(rs[0].Cause) != Taken {
					t.Errorf("reviews %+v, waits %q", rs, w.waitTexts())
				}
				mend()
				w.put(directory.UserRecord, "u2", "login=other", "email=other@x")
				w.run()
				w.rest(25 * time.Hour) // what is asked is looked at once a day
				w.have(t, "u1=u2,u2@x", "u2=other,other@x")
				if rs, texts := w.reviews(), w.waitTexts(); len(rs)+len(texts) > 0 {
					t.Errorf("reviews %+v, waits %q", rs, texts)
				}
			})
		})
	}
}
