package desk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

func swaps(o *Options) {
	o.Interim = map[string]string{"email": "*@interim.invalid", "login": "interim-*"}
}

// have holds the log-in names and addresses at the desk against "u1=a,a@x".
func (w *world) have(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		id, values, _ := strings.Cut(text, "=")
		f := w.person("user/hq/" + id).Fields
		if got := f["login"] + "," + f["email"]; got != values {
			t.Errorf("%s has %s, not %s", id, got, values)
		}
	}
}

// swapped puts people who take each other's values, in a ring.
func swapped(w *world, ids ...string) {
	for i, id := range ids {
		next := ids[(i+1)%len(ids)]
		w.put(directory.UserRecord, id, "login="+next, "email="+next+"@x")
	}
}

func own(w *world, ids ...string) {
	for _, id := range ids {
		w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x")
	}
}

// Records that take each other's values get them, where the operator allows an interim value.
func TestSwap(t *testing.T) {
	for _, ids := range [][]string{{"u1", "u2"}, {"u1", "u2", "u3"}, {"u1", "u2", "u3", "u4", "u5"}} {
		t.Run(fmt.Sprint(len(ids)), func(t *testing.T) {
			scene(t, swaps, func(t *testing.T, w *world) {
				own(w, ids...)
				w.run()
				swapped(w, ids...)
				w.run()
				check(t, w)
				for i, id := range ids {
					next := ids[(i+1)%len(ids)]
					w.have(t, id+"="+next+","+next+"@x")
				}
				if len(w.waits()) > 0 || len(w.reviews()) > 0 {
					t.Errorf("waits %v, %+v", w.waits(), w.reviews())
				}
				for who, l := range w.links() {
					if len(interims(&l)) > 0 {
						t.Errorf("%s: %v are noted", who, interims(&l))
					}
				}
				writes := w.sim.Counts().Writes
				w.rest(25 * time.Hour)
				if n := w.sim.Counts().Writes - writes; n > 0 {
					t.Errorf("%d writes later", n)
				}
			})
		})
	}
}

// Only fields that are named get interim values; without any, or at a place that refuses them, a human is asked.
func TestSwapThatIsNotAllowed(t *testing.T) {
	for name, allowed := range map[string]map[string]string{
		"nothing": nil, "another field": {"title": "*"}, "a value that somebody has": {"login": "u3"},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(o *Options) { o.Interim = allowed }, func(t *testing.T, w *world) {
				own(w, "u1", "u2", "u3")
				w.run()
				w.put(directory.UserRecord, "u1", "login=u2", "email=u1@x")
				w.put(directory.UserRecord, "u2", "login=u1", "email=u2@x")
				w.run()
				w.have(t, "u1=u1,u1@x", "u2=u2,u2@x", "u3=u3,u3@x")
				if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Swap) {
					t.Errorf("%+v, waits %v", rs, w.waits())
				}
			})
		})
	}
}

// halted does nothing more from the first interim value on, until it is open.
type halted struct {
	targets.Desk
	open, stepped atomic.Bool
}

func (h *halted) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	if !h.open.Load() && h.stepped.Load() {
		return nil, &fault.Error{Class: fault.Transient, Op: "write", Err: errors.New("502")}
	}
	if strings.HasSuffix(jobs[0].Key, ":interim") {
		h.stepped.Store(true)
	}
	return h.Desk.Apply(ctx, jobs)
}

// Who has an interim value when the source takes the swap back, when he leaves, or when he is to have another one, does not keep it.
func TestInterimValuesAreNeverKept(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(w *world)
		want []string
	}{
		"goes on":          {func(*world) {}, []string{"u1=u2,u2@x", "u2=u1,u1@x"}},
		"taken back":       {func(w *world) { own(w, "u1", "u2") }, []string{"u1=u1,u1@x", "u2=u2,u2@x"}},
		"a leaver":         {func(w *world) { w.leave(directory.UserRecord, "u2") }, []string{"u1=u2,u2@x", "u2=u1,u1@x"}},
		"the other leaves": {func(w *world) { w.leave(directory.UserRecord, "u1") }, []string{"u1=u1,u1@x"}},
		"no address any more": {func(w *world) {
			w.put(directory.UserRecord, "u2", "login=u1", "email=")
		}, []string{"u1=u2,u2@x", "u2=u1,"}},
		"another address": {func(w *world) { w.put(directory.UserRecord, "u2", "login=u9", "email=u9@x") }, []string{"u1=u2,u2@x", "u2=u9,u9@x"}},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", name, restarted), func(t *testing.T) {
				scene(t, swaps, func(t *testing.T, w *world) {
					place := &halted{}
					w.place = func(d targets.Desk) targets.Desk {
						place.Desk = d
						return place
					}
					own(w, "u1", "u2")
					w.run()
					swapped(w, "u1", "u2")
					w.run()
					if got := w.person("user/hq/u2").Fields["email"]; !strings.HasSuffix(got, "@interim.invalid") {
						t.Fatalf("u2 has %s", got)
					}
					if restarted {
						w.stop()
						w.start()
					}
					tt.then(w)
					w.sync()
					place.open.Store(true)
					w.rest(30 * time.Hour)
					check(t, w)
					w.have(t, tt.want...)
					for _, thing := range w.sim.Things(directory.UserRecord) {
						if text := thing.Fields["login"] + thing.Fields["email"]; name != "the other leaves" && strings.Contains(text, "interim") {
							t.Errorf("%s keeps %s", thing.Person, text)
						}
					}
					if len(w.waits()) > 0 && name != "the other leaves" {
						t.Errorf("waits %v, %+v", w.waits(), w.reviews())
					}
				})
			})
		}
	}
}

// Wherever the process is killed in a swap, the next one comes to its end, or back to where it began.
func TestKilledInASwap(t *testing.T) {
	ids := []string{"u1", "u2", "u3"}
	run := func(t *testing.T, killAt int, back bool) (steps int) {
		st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, st, 1)
			w.opts.Freely, w.opts.After = true, AfterAdopt
			swaps(&w.opts)
			own(w, ids...)
			w.run()
			w.stop()
			swapped(w, ids...)
			w.sync()
			w.killAt = killAt
			w.start()
			w.rest(time.Hour)
			steps = w.step
			w.stop()
			w.killAt = 0
			want := []string{"u1=u2,u2@x", "u2=u3,u3@x", "u3=u1,u1@x"}
			if back {
				own(w, ids...)
				w.sync()
				want = []string{"u1=u1,u1@x", "u2=u2,u2@x", "u3=u3,u3@x"}
			}
			w.start()
			w.rest(30 * time.Hour)
			w.stop()
			check(t, w)
			w.have(t, want...)
			if queued, parked := w.queued(); queued+parked > 0 || len(w.waits()) > 0 {
				t.Errorf("%d queued, %q parked, waits %v", queued, w.parked(), w.waits())
			}
		})
		return steps
	}
	steps := run(t, 0, false)
	if steps < 10 {
		t.Fatalf("%d steps", steps)
	}
	for at := range steps {
		t.Run(fmt.Sprintf("at %d of %d", at+1, steps), func(t *testing.T) { run(t, at+1, false) })
		t.Run(fmt.Sprintf("at %d of %d, and taken back", at+1, steps), func(t *testing.T) { run(t, at+1, true) })
	}
}

// An audit shows an interim value that was left, and puts it right.
func TestAuditOfAnInterimValue(t *testing.T) {
	scene(t, swaps, func(t *testing.T, w *world) {
		place := &halted{}
		w.place = func(d targets.Desk) targets.Desk {
			place.Desk = d
			return place
		}
		own(w, "u1", "u2")
		w.run()
		swapped(w, "u1", "u2")
		w.run()
		var found []Difference
		a, err := w.desk.Audit(t.Context(), nil, Repair{}, func(d Difference) error {
			found = append(found, d)
			return nil
		})
		if err != nil || len(found) != 1 || found[0].Subject != "user/hq/u2" || !slices.Equal(found[0].Fields, []string{"email", "login"}) || found[0].Finding != FoundChanged {
			t.Errorf("%+v, %+v, %v", a, found, err)
		}
	})
}
