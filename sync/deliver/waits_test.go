package deliver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// clerk is a target that does not know something yet, and says of every delivery whether it comes again.
type clerk struct {
	scripted
	wake  func(...string)
	known map[string]bool         // keys that have come
	waits map[string]targets.Wait // by record; done when the key has come, or its time
}

func (c *clerk) WakeBy(wake func(...string)) { c.wake = wake }

func (c *clerk) CatchUp(context.Context) error { return nil }

func (c *clerk) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	out := make([]targets.Outcome, len(work))
	said := make([]string, len(work))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range work {
		a := &work[i].Action
		said[i] = a.Op.String() + " " + a.Key
		if work[i].Again {
			said[i] += " again"
		}
		if wait, waits := c.waits[a.Record]; waits && !c.known[wait.Key] {
			out[i].Wait = &wait
			said[i] += " waits"
		}
	}
	c.calls = append(c.calls, said)
	return out, nil
}

func (c *clerk) knows(key string) {
	c.mu.Lock()
	c.known[key] = true
	c.mu.Unlock()
}

func newClerk(batch int) *clerk {
	return &clerk{scripted: scripted{desc: targets.Description{Batch: batch}}, known: map[string]bool{}, waits: map[string]targets.Wait{}}
}

func waitsOf(t *testing.T, st store.Store) (list []store.Wait) {
	t.Helper()
	err := st.View(t.Context(), hq, func(tx store.Reader) error {
		list = nil
		return tx.Waits(journal, 0, func(w store.Wait) bool { list = append(list, w); return true })
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// drained drains until nothing more happens, and says what the clerk heard.
func (c *clerk) drained(t *testing.T, w *Worker) string {
	t.Helper()
	c.mu.Lock()
	c.calls = nil
	c.mu.Unlock()
	drain(t, w)
	return c.said()
}

func TestWaits(t *testing.T) {
	reference := targets.Wait{Cause: targets.CauseReference, Key: "customer/hq/acme", Text: "no customer Acme"}
	create := user("1", directory.Create, "k1", "name=Ann")
	tests := []struct {
		name string
		run  func(t *testing.T, st store.Store, c *clerk, w *Worker)
	}{
		{"until what it waits for comes", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			enqueue(t, st, create, user("2", directory.Create, "k2"))
			is(t, c.drained(t, w), "create k1 waits, create k2")
			is(t, c.drained(t, w), "")
			w.WakeWaiting("customer/hq/other")
			is(t, c.drained(t, w), "")
			c.knows(reference.Key)
			w.WakeWaiting("customer/hq/other", reference.Key)
			is(t, c.drained(t, w), "create k1")
			is(t, fmt.Sprint(len(waitsOf(t, st))), "0")
		}},
		{"folded by what comes next", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			enqueue(t, st, create)
			drain(t, w)
			enqueue(t, st, user("1", directory.Update, "k2", "name=Bea"))
			is(t, c.drained(t, w), "create k2 waits")
			c.knows(reference.Key)
			w.WakeWaiting(reference.Key)
			is(t, c.drained(t, w), "create k2")
		}},
		{"comes to nothing", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			enqueue(t, st, create)
			drain(t, w)
			enqueue(t, st, user("1", directory.Deactivate, "k2"))
			is(t, c.drained(t, w), "")
			is(t, fmt.Sprint(len(waitsOf(t, st))), "0")
		}},
		{"may have been done", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			settle := targets.Wait{Cause: targets.CauseSettle, NotBefore: time.Now().Add(2 * time.Minute)}
			c.waits["hq/1"] = settle
			enqueue(t, st, create)
			is(t, c.drained(t, w), "create k1 waits")
			delete(c.waits, "hq/1")
			enqueue(t, st, user("1", directory.Deactivate, "k2"))
			is(t, c.drained(t, w), "deactivate k2 again")
		}},
		{"until its time", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			c.waits["hq/1"] = targets.Wait{Cause: targets.CauseBusy, NotBefore: time.Now().Add(10 * time.Minute)}
			enqueue(t, st, create)
			go func() { _ = w.Run(t.Context()) }()
			synctest.Wait()
			is(t, c.said(), "create k1 waits")
			time.Sleep(10*time.Minute - time.Second)
			is(t, c.said(), "create k1 waits")
			c.mu.Lock()
			delete(c.waits, "hq/1")
			c.mu.Unlock()
			time.Sleep(2 * time.Second)
			is(t, c.said(), "create k1 waits | create k1")
		}},
		{"without a time that it should have", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			c.waits["hq/1"] = targets.Wait{Cause: targets.CauseBusy}
			c.waits["hq/2"] = targets.Wait{Cause: targets.CauseSettle, NotBefore: time.Now().Add(-time.Hour)}
			enqueue(t, st, create, user("2", directory.Create, "k2"))
			go func() { _ = w.Run(t.Context()) }()
			time.Sleep(10*time.Minute + time.Second)
			c.mu.Lock()
			n := strings.Count(strings.Join(flat(c.calls), ","), "k1")
			c.mu.Unlock()
			is(t, fmt.Sprint(n), "11") // and not as fast as the machine can
		}},
		{"an operator", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			c.waits["hq/1"] = targets.Wait{Cause: targets.CauseReview, Key: "4711"}
			enqueue(t, st, create)
			is(t, c.drained(t, w), "create k1 waits")
			n, err := w.WakeRecords(t.Context(), hq, "user/hq/1", "user/hq/2")
			is(t, fmt.Sprint(n, err), "1 <nil>")
			is(t, c.drained(t, w), "create k1 waits")
		}},
		{"a parked one", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			err := st.Update(t.Context(), hq, func(tx store.Writer) error {
				_, err := tx.Park(store.Parked{Stage: Stage, Class: string(fault.Invalid), Target: journal, Subject: "user/hq/1", Action: directory.AppendAction(nil, create)})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			enqueue(t, st, user("1", directory.Update, "k2", "name=Bea"))
			is(t, c.drained(t, w), "create k2 waits")
			is(t, fmt.Sprint(len(parked(t, st)), len(waitsOf(t, st))), "0 1")
		}},
		{"a new process", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			c.waits["hq/2"] = targets.Wait{Cause: targets.CauseReview}
			c.waits["hq/3"] = targets.Wait{Cause: targets.CauseSettle}
			enqueue(t, st, create, user("2", directory.Create, "k2"), user("3", directory.Create, "k3"))
			is(t, c.drained(t, w), "create k1 waits, create k2 waits, create k3 waits")
			c.knows(reference.Key) // and the process is killed before it says so
			is(t, c.drained(t, New(st, journal, c, Options{})), "create k1")
			time.Sleep(2 * time.Minute)
			is(t, c.drained(t, New(st, journal, c, Options{})), "create k3 again waits")
		}},
		{"no failure, no hold", func(t *testing.T, st store.Store, c *clerk, w *Worker) {
			const many = 3 * maxBackoffs
			for i := range many {
				id := fmt.Sprint(100 + i)
				c.waits["hq/"+id] = targets.Wait{Cause: targets.CauseReview}
				enqueue(t, st, user(id, directory.Create, "k"+id))
			}
			enqueue(t, st, user("2", directory.Create, "k2"))
			drain(t, w)
			time.Sleep(48 * time.Hour)
			sum := drain(t, w)
			status, err := w.Status(t.Context())
			if err != nil || status.State != Idle || status.Waits[targets.CauseReview] != many || status.Waiting != 0 || sum.Err != nil || w.Counts().Delivered != 1 {
				t.Errorf("%+v, %+v, %+v, %v", status, sum, w.Counts(), err)
			}
			if len(parked(t, st)) > 0 {
				t.Error("something is parked")
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, c := storetest.Strict(t, newMemory()), newClerk(3)
				c.waits["hq/1"] = reference
				w := New(st, journal, c, Options{})
				defer w.Close()
				test.run(t, st, c, w)
			})
		})
	}
}

func flat(calls [][]string) (list []string) {
	for _, call := range calls {
		list = append(list, call...)
	}
	return list
}

func is(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What comes while the answer that it is missing is on its way is not missed.
func TestWaitsRace(t *testing.T) {
	for _, when := range []string{"during the call", "before it is recorded"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newMemory()
				c := &scripted{desc: targets.Description{Batch: 1, Parallel: 2}}
				var w *Worker
				asked := 0
				c.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
					if actions[0].Key == "k2" {
						time.Sleep(time.Second) // keeps the window open
						return make([]targets.Outcome, 1), nil
					}
					if asked++; asked > 1 {
						return make([]targets.Outcome, 1), nil
					}
					if when == "during the call" {
						w.WakeWaiting("key")
					} else {
						go func() { time.Sleep(time.Millisecond); w.WakeWaiting("key") }()
					}
					return []targets.Outcome{{Wait: &targets.Wait{Cause: targets.CauseReference, Key: "key"}}}, nil
				}
				w = New(st, journal, c, Options{})
				defer w.Close()
				enqueue(t, st, user("1", directory.Create, "k1"), user("2", directory.Create, "k2"))
				go func() { _ = w.Run(t.Context()) }()
				time.Sleep(time.Minute)
				is(t, fmt.Sprint(asked, len(waitsOf(t, st))), "2 0")
			})
		})
	}
}

// An action is delivered as new until it may have been sent, whatever else was claimed with it.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, c := storetest.Strict(t, newMemory()), newClerk(1)
		enqueue(t, st, user("1", directory.Create, "k1"), user("2", directory.Create, "k2"))
		fails := true
		down := func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if fails {
				return nil, failWith(fault.Transient, "reset")
			}
			return make([]targets.Outcome, len(actions)), nil
		}
		f := &flaky{clerk: c, answer: down}
		w := New(st, journal, f, Options{Patience: time.Millisecond})
		drain(t, w)
		fails = false
		time.Sleep(time.Minute)
		is(t, c.drained(t, w), "create k1 again | create k2")

		fails = true
		enqueue(t, st, user("3", directory.Create, "k3"), user("4", directory.Create, "k4"))
		drain(t, w)
		w.Close()
		fails = false
		is(t, c.drained(t, New(st, journal, f, Options{})), "create k3 again | create k4 again")
	})
}

// flaky fails before its clerk hears of anything.
type flaky struct {
	*clerk
	answer func(context.Context, []directory.Action) ([]targets.Outcome, error)
	// outcome is what becomes of those that waited.
	outcome func(*directory.Action) error
}

func (f *flaky) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	if _, err := f.answer(ctx, targets.Actions(work)); err != nil {
		return nil, err
	}
	out, err := f.clerk.Deliver(ctx, work)
	for i := range out {
		if a := &work[i].Action; f.outcome != nil && a.Key != "k1" {
			out[i].Err = f.outcome(a)
		}
	}
	return out, err
}

// When very many records fail by themselves, none that waited is tried in addition.
func TestWokenAreHeldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, c := newMemory(), newClerk(50)
		const many = 4 * maxBackoffs
		for i := range many {
			id := fmt.Sprint(100 + i)
			c.waits["hq/"+id] = targets.Wait{Cause: targets.CauseReference, Key: "key"}
			enqueue(t, st, user(id, directory.Create, "k"+id))
		}
		w := New(st, journal, c, Options{})
		drain(t, w)
		c.knows("key")
		tried := map[string]bool{}
		f := &flaky{clerk: c, answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) { return nil, nil }}
		f.outcome = func(a *directory.Action) error {
			if strings.HasSuffix(a.Key, "0") {
				return nil // the others fail by themselves
			}
			tried[a.Key] = true
			return failWith(fault.Conflict, "locked")
		}
		w = New(st, journal, f, Options{Backoff: Backoff{First: time.Hour, Max: time.Hour}})
		drain(t, w)
		if len(tried) < maxBackoffs || len(tried) > maxBackoffs+smallestWindow {
			t.Errorf("%d were tried", len(tried))
		}
	})
}
