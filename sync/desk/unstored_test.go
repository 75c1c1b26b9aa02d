package desk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// flaky is a store of which some transactions fail, as its fields say (nil: none do).
type flaky struct {
	store.Store
	view func(store.Partition) bool // cannot be read
	lose func() bool                // of the desk's state: is not stored
	hide func() bool                // of the desk's state: is stored, and nobody hears of it
}

var errAway = &fault.Error{Class: fault.Transient, Op: "write state", Err: errors.New("the database is away")}

func (s *flaky) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if s.view != nil && s.view(p) {
		return errAway
	}
	return s.Store.View(ctx, p, fn)
}

func (s *flaky) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	desks := p == store.TargetPartition(helpdesk)
	switch {
	case desks && s.lose != nil && s.lose():
		return s.Store.Update(ctx, p, func(tx store.Writer) error {
			if err := fn(tx); err != nil {
				return err
			}
			return errAway
		})
	case desks && s.hide != nil && s.hide():
		if err := s.Store.Update(ctx, p, fn); err != nil {
			return err
		}
		return errAway
	}
	return s.Store.Update(ctx, p, fn)
}

// nth reports true of one call: the first, or a later one.
func nth(n int) func() bool {
	return func() bool {
		n--
		return n == 0
	}
}

// handed plays with a desk that nobody but the test hands something to. The first contact is over, and hq/first is linked.
func handed(t *testing.T, guard Guard, play func(t *testing.T, w *world, st *flaky)) {
	t.Helper()
	scene(t, func(o *Options) { o.Guard = guard }, func(t *testing.T, w *world) {
		st := &flaky{Store: storetest.Strict(t, w.store)}
		w.store, w.sim.Now = st, time.Now
		w.desk = New(st, helpdesk, w.sim, w.opts)
		w.stop = func() { _ = w.desk.Close() }
		if waits, err := w.hand(action(directory.Create, hq, "first")); err != nil || waits != 0 {
			t.Fatal(waits, err)
		}
		play(t, w, st)
	})
}

func action(op directory.Op, from store.Partition, id string) directory.Action {
	a := directory.Action{
		Op: op, Kind: directory.UserRecord, Record: from.Connection + "/" + id, Origin: directory.Origin{Connection: from.Connection, Connector: "ldap", ID: id},
		Rule: "all", Run: "r1", Time: time.Now().UTC().Truncate(time.Second), Fields: []directory.Field{{Name: "login", Value: directory.Text(id)}},
	}
	a.SealKey(1)
	return a
}

// hand hands actions to the desk in one delivery, and returns how many wait then.
func (w *world) hand(actions ...directory.Action) (waits int, err error) {
	w.t.Helper()
	list := make([]targets.Delivery, len(actions))
	for i := range actions {
		list[i].Action = actions[i]
	}
	outcomes, err := w.desk.Deliver(context.Background(), list)
	for _, o := range outcomes {
		if o.Err != nil {
			w.t.Fatal(o.Err)
		}
		if o.Wait != nil {
			waits++
		}
	}
	return waits, err
}

func (w *world) state() store.DeskState {
	w.t.Helper()
	state, err := w.desk.State(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// holdThree makes the guard hold three creations, and returns them and what they are held under.
func holdThree(t *testing.T, w *world) (three []directory.Action, hash string) {
	t.Helper()
	for i := range 3 {
		three = append(three, action(directory.Create, hq, fmt.Sprintf("u%d", i)))
	}
	if waits, err := w.hand(three...); err != nil || waits != 3 || w.state().Held == nil {
		t.Fatal(waits, err)
	}
	return three, w.state().Held.Hash
}

// None of what the guard knows may be done.
func nothing() Guard {
	none := 0
	return Guard{Creations: {Count: &none}, Deactivations: {Count: &none}}
}

// What was approved is spent once, also where the store begins a transaction again, or does not store it.
func TestApprovedIsSpentOnce(t *testing.T) {
	for name, lose := range map[string]func() bool{"begun again": nil, "not stored": nth(1)} {
		t.Run(name, func(t *testing.T) {
			handed(t, nothing(), func(t *testing.T, w *world, st *flaky) {
				three, hash := holdThree(t, w)
				if found, err := w.desk.Approve(t.Context(), hash); err != nil || !found {
					t.Fatal(found, err)
				}
				// In one round something of it is done, and something else is held.
				st.lose = lose
				round := []directory.Action{three[0], action(directory.Deactivate, hq, "first")}
				if _, err := w.hand(round...); err != nil {
					if _, err = w.hand(round...); err != nil {
						t.Fatal(err)
					}
				}
				s := w.state()
				if s.Held == nil || s.Held.Counts["user"]["deactivate"] != 1 || s.Granted == nil {
					t.Fatalf("held %+v, granted %+v", s.Held, s.Granted)
				}
				if left, spent := s.Granted.Counts["user"]["create"], s.Day; left+len(w.sim.Things(directory.UserRecord))-1 != 3 || spent != nil {
					t.Errorf("%d of 3 are left after %d; counted for the day: %+v", left, len(w.sim.Things(directory.UserRecord))-1, spent)
				}
				if waits, err := w.hand(three[1:]...); err != nil || waits != 0 {
					t.Errorf("%d of what was approved wait, %v", waits, err)
				}
			})
		})
	}
}

// A delivery that could not read all that waits leaves nothing behind that the next one takes for all of it.
func TestGuardCountsAllThatWaits(t *testing.T) {
	limit := 3
	handed(t, Guard{Creations: {Count: &limit}}, func(t *testing.T, w *world, st *flaky) {
		other := store.Partition{Connection: "zz"}
		queue := func(p store.Partition, ids ...string) (list []directory.Action) {
			for _, id := range ids {
				list = append(list, action(directory.Create, p, id))
			}
			err := w.store.Update(t.Context(), p, func(tx store.Writer) error {
				for i := range list {
					if err := tx.Enqueue(helpdesk, &list[i], time.Now()); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		two := queue(hq, "a", "b")
		queue(other, "c", "d")
		st.view = func(p store.Partition) bool { return p == other }
		if _, err := w.hand(two...); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		st.view = nil
		if waits, err := w.hand(two...); err != nil || waits != 2 || len(w.sim.Things(directory.UserRecord)) != 1 {
			t.Errorf("%d wait, %v; %d things", waits, err, len(w.sim.Things(directory.UserRecord)))
		}
	})
}

// What an operator was told is not stored is not acted on; and what is stored is, whatever the operator was told.
func TestApprovalThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*flaky)
		waits int
	}{
		"not stored": {func(st *flaky) { st.lose = nth(1) }, 3},
		"stored":     {func(st *flaky) { st.hide = nth(1) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			handed(t, nothing(), func(t *testing.T, w *world, st *flaky) {
				three, hash := holdThree(t, w)
				var woken []string
				w.desk.wake = func(keys ...string) { woken = append(woken, keys...) }
				c.set(st)
				if _, err := w.desk.Approve(t.Context(), hash); !errors.Is(err, errAway) {
					t.Fatal(err)
				}
				if len(woken) != 2 {
					t.Errorf("woken: %q", woken)
				}
				if waits, err := w.hand(three...); err != nil || waits != c.waits {
					t.Errorf("%d wait, not %d; %v", waits, c.waits, err)
				}
			})
		})
	}
}

// Of what a delivery did and may have stored all who wait for it hear.
func TestRoundThatFails(t *testing.T) {
	for name, set := range map[string]func(*flaky){
		"not stored": func(st *flaky) { st.lose = nth(1) },
		"stored":     func(st *flaky) { st.hide = nth(1) },
	} {
		t.Run(name, func(t *testing.T) {
			handed(t, Guard{}, func(t *testing.T, w *world, st *flaky) {
				woken := map[string]bool{}
				w.desk.wake = func(keys ...string) {
					for _, key := range keys {
						woken[key] = true
					}
				}
				set(st)
				a := action(directory.Create, hq, "a")
				if _, err := w.hand(a); !errors.Is(err, errAway) {
					t.Fatal(err)
				}
				outcomes, err := w.desk.Deliver(t.Context(), []targets.Delivery{{Action: a, Again: true}})
				if err != nil || outcomes[0] != (targets.Outcome{}) || !woken["user/hq/a"] {
					t.Errorf("%+v, %v; woken %v", outcomes, err, woken)
				}
				if n := len(w.sim.Things(directory.UserRecord)); n != 2 {
					t.Errorf("%d things", n)
				}
			})
		})
	}
}

// What an operator decided may be stored where the answer of the store was lost. What waits for it is looked at then, and not a day later.
func TestStoredUnheard(t *testing.T) {
	play := func(t *testing.T, set func(*Options), play func(t *testing.T, w *world, st *flaky)) {
		t.Helper()
		scene(t, set, func(t *testing.T, w *world) {
			st := &flaky{Store: w.store}
			w.store = st
			play(t, w, st)
		})
	}
	t.Run("decide", func(t *testing.T) {
		play(t, nil, func(t *testing.T, w *world, st *flaky) {
			first, _ := two(w)
			w.run()
			st.hide = nth(1)
			if _, err := w.desk.Decide(t.Context(), Decision{Number: w.reviews()[0].Number, Accept: true, ID: first}); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if got := w.fields("user/hq/u1"); got != "email=a@x login=a name=First" || len(w.waits()) > 0 {
				t.Error(got, w.waits())
			}
		})
	})
	t.Run("discard", func(t *testing.T) {
		play(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world, st *flaky) {
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			st.hide = nth(1)
			if _, err := w.desk.Discard(t.Context(), w.state().First.Hash); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if first := w.state().First; first == nil || w.waits()["guard"] != 1 {
				t.Errorf("nothing is held again: %+v, %v", first, w.waits())
			}
		})
	})
	t.Run("a part", func(t *testing.T) {
		play(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world, st *flaky) {
			w.sim.Add(person("u1", "login=a"))
			w.sim.Freeze()
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			part, err := w.desk.Offer(t.Context(), nil, "login")
			if err != nil {
				t.Fatal(err)
			}
			st.hide = nth(2) // the first finds that the hash is that of a part
			if _, err := w.desk.Approve(t.Context(), part.Hash); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if got := w.person("user/hq/u1").Mark; got != "hq/u1" {
				t.Errorf("it has the mark %q; waits %v", got, w.waits())
			}
		})
	})
	t.Run("another place", func(t *testing.T) {
		play(t, nil, func(t *testing.T, w *world, st *flaky) {
			two(w)
			w.run()
			w.stop()
			w.opts.Place, w.opts.Freely = "https://another.example", false
			w.start()
			st.hide = nth(1)
			if err := w.desk.Meet(t.Context()); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if waits := w.waits(); waits["review"] != 0 || waits["guard"] != 1 {
				t.Errorf("waits %v", waits)
			}
		})
	})
	t.Run("undo", func(t *testing.T) {
		play(t, nil, func(t *testing.T, w *world, st *flaky) {
			w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/u1", Active: true, Fields: map[string]string{"login": "a"}})
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			st.hide = nth(1)
			if err := w.desk.Undo(t.Context(), "user/hq/u1"); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			if w.desk.roster != nil && w.desk.roster.of["user/hq/u1"].id != "" {
				t.Error("it is taken for linked")
			}
		})
	})
}
