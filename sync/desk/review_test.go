package desk

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// two is a record and two things that have its mail address.
func two(w *world) (first, second string) {
	a, b := there("email=a@x", "name=First"), there("email=a@x", "name=Second")
	b.Person = "somebody"
	first, second = w.sim.Add(a), w.sim.Add(b)
	w.sim.Freeze()
	w.put(directory.UserRecord, "u1", "login=a", "email=a@x", "name=Ada")
	return first, second
}

func TestDecisions(t *testing.T) {
	decide := func(t *testing.T, w *world, by Decision) error {
		t.Helper()
		rs := w.reviews()
		if len(rs) != 1 {
			t.Fatalf("%d reviews", len(rs))
		}
		by.Number = rs[0].Number
		if by.Fingerprint == "" {
			by.Fingerprint = rs[0].Fingerprint
		}
		_, err := w.desk.Decide(t.Context(), by)
		w.rest(time.Minute)
		return err
	}
	t.Run("shows both sides", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			first, second := two(w)
			w.run()
			r := w.reviews()[0]
			if r.Cause != string(Ambiguous) || len(r.Candidates) != 2 || r.Candidates[0].ID != first || r.Candidates[1].ID != second ||
				r.Candidates[0].Name != "First" || r.Candidates[0].Key != "email" || fmt.Sprint(r.Candidates[0].Differ) != "[login name]" {
				t.Errorf("%+v", r)
			}
			if w.sim.Counts().Writes > 0 {
				t.Error("it was written to")
			}
		})
	})
	t.Run("accept", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			first, _ := two(w)
			w.run()
			if err := decide(t, w, Decision{Accept: true, ID: first}); err != nil {
				t.Fatal(err)
			}
			if got := w.fields("user/hq/u1"); got != "email=a@x login=a name=First" || len(w.waits()) > 0 {
				t.Error(got, w.waits())
			}
			check(t, w)
		})
	})
	t.Run("accept --new", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.sim.Set(func(f *desktest.Faults) { f.ExistsSilently = true })
			two(w)
			w.run()
			if err := decide(t, w, Decision{Accept: true, New: true}); err != nil {
				t.Fatal(err)
			}
			if n := len(w.sim.Things(directory.UserRecord)); n != 3 || len(w.waits()) > 0 {
				t.Error(n, w.waits())
			}
		})
	})
	t.Run("reject leaves the other", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			_, second := two(w)
			w.run()
			if err := decide(t, w, Decision{ID: second}); err != nil {
				t.Fatal(err)
			}
			if got := w.fields("user/hq/u1"); got != "email=a@x login=a name=First" || len(w.waits()) > 0 {
				t.Error(got, w.waits())
			}
			check(t, w)
		})
	})
	t.Run("what changed since it was shown", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			first, _ := two(w)
			w.run()
			w.sim.Human(directory.UserRecord, first, "edit", func(t *desktest.Thing) { t.Fields["login"] = "zoe" })
			if err := decide(t, w, Decision{Accept: true, ID: first}); !errors.Is(err, ErrLapsed) {
				t.Error(err)
			}
			if err := decide(t, w, Decision{Accept: true, ID: first, Fingerprint: "another"}); !errors.Is(err, ErrLapsed) {
				t.Error(err)
			}
		})
	})
	t.Run("what changed since it was decided", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			first, _ := two(w)
			w.run()
			r := w.reviews()[0]
			w.desk.wake = func(...string) {} // as if the process had ended there
			if _, err := w.desk.Decide(t.Context(), Decision{Number: r.Number, Accept: true, ID: first}); err != nil {
				t.Fatal(err)
			}
			w.stop()
			w.sim.Human(directory.UserRecord, first, "edit", func(t *desktest.Thing) { t.Fields["login"] = "zoe" })
			w.start()
			w.rest(25 * time.Hour)
			if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Lapsed) || w.sim.Counts().Writes > 0 {
				t.Errorf("%+v, %+v", rs, w.sim.Counts())
			}
		})
	})
	t.Run("it becomes clear by itself", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			_, second := two(w)
			w.run()
			w.sim.Human(directory.UserRecord, second, "edit", func(t *desktest.Thing) { t.Fields["email"] = "other@x" })
			w.rest(25 * time.Hour)
			if got := w.fields("user/hq/u1"); got != "email=a@x login=a name=First" || len(w.reviews()) > 0 {
				t.Error(got, w.reviews())
			}
		})
	})
	t.Run("undo", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.sim.Add(there("login=a"))
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			writes := w.sim.Counts().Writes
			if err := w.desk.Undo(t.Context(), "user/hq/u1"); err != nil {
				t.Fatal(err)
			}
			if len(w.links()) != 0 || w.sim.Counts().Writes != writes {
				t.Error(w.links())
			}
			if err := w.desk.Undo(t.Context(), "user/hq/u1"); err == nil {
				t.Error("twice")
			}
		})
	})
	t.Run("the first contact is over", func(t *testing.T) {
		scene(t, func(o *Options) { o.After = AfterReview }, func(t *testing.T, w *world) {
			w.put(directory.CustomerRecord, "c", "name=Acme")
			w.run()
			w.sim.Add(there("login=a"))
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Late) {
				t.Errorf("%+v", rs)
			}
		})
	})
}

// An entity that says that it was made, and belongs to somebody else, is nobody's.
func TestTakeover(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a", "email=a@x")
		w.run()
		// The place hides whom it takes over, and says nothing.
		w.sim.Set(func(f *desktest.Faults) { f.Takeover, f.HideInactive = true, true })
		p := w.person("user/hq/u1")
		w.sim.Human(p.Kind, p.ID, "deactivate", func(t *desktest.Thing) { t.Active = false })
		w.put(directory.UserRecord, "u2", "login=b", "email=a@x")
		w.rest(time.Hour)
		w.run()
		links := w.links()
		if links["user/hq/u1"].ID != p.ID || links["user/hq/u2"].ID == p.ID {
			t.Errorf("%+v", links)
		}
	})
}

func TestGuard(t *testing.T) {
	limit := 5
	scene(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &limit}, Deactivations: {Count: &limit}} }, func(t *testing.T, w *world) {
		for i := range 5 {
			w.put(directory.UserRecord, fmt.Sprintf("u%d", i), fmt.Sprintf("login=l%d", i))
		}
		w.run()
		if n := w.sim.Counts().Writes; n != 5 {
			t.Fatalf("%d writes", n)
		}
		w.rest(25 * time.Hour)
		for i := range 9 {
			w.put(directory.UserRecord, fmt.Sprintf("v%d", i), fmt.Sprintf("login=m%d", i))
		}
		w.run()
		if n := w.sim.Counts().Writes; n != 5 || w.waits()["guard"] != 9 {
			t.Fatalf("%d writes, waits %v", n, w.waits())
		}
		_, held, err := w.desk.Held(t.Context())
		if err != nil || held == nil || held.Counts["user"]["create"] != 9 || len(held.Reasons) != 1 {
			t.Fatalf("%+v %v", held, err)
		}
		w.put(directory.UserRecord, "v0", "login=m0", "title=Boss") // what was changed meanwhile goes along
		w.run()
		w.approve()
		w.rest(time.Minute)
		if n := w.sim.Counts().Writes; n != 14 || len(w.waits()) != 0 {
			t.Errorf("%d writes, waits %v", n, w.waits())
		}
		// What was approved does not count for the day.
		w.put(directory.UserRecord, "next", "login=next")
		w.run()
		if n := w.sim.Counts().Writes; n != 15 || len(w.waits()) != 0 {
			t.Errorf("%d writes, waits %v", n, w.waits())
		}
		w.rest(25 * time.Hour)
		for i := range 9 {
			w.leave(directory.UserRecord, fmt.Sprintf("v%d", i))
		}
		w.run()
		if n := w.sim.Counts().Writes; n != 15 || w.waits()["guard"] != 9 {
			t.Errorf("%d writes, waits %v", n, w.waits())
		}
	})
}

func TestReferences(t *testing.T) {
	user := func(w *world) map[string]string { return w.person("user/hq/u1").Refs }
	t.Run("a record of that name comes first", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a", "customer=acme")
			w.run()
			if w.waits()["reference"] != 1 {
				t.Fatal(w.waits())
			}
			w.put(directory.CustomerRecord, "c", "name=Acme")
			w.run()
			w.rest(time.Hour)
			if user(w)["customer"] != w.person("customer/hq/c").ID || len(w.waits()) > 0 {
				t.Error(user(w), w.waits())
			}
		})
	})
	t.Run("a record by its key, whatever it is called", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a", "customer=hq/c", "site=hq/s")
			w.put(directory.SiteRecord, "s", "name=Main", "customer=hq/c")
			w.run()
			if w.waits()["reference"] != 2 {
				t.Fatal(w.waits())
			}
			w.put(directory.CustomerRecord, "c", "name=Acme")
			w.run()
			w.rest(2 * time.Hour)
			refs := user(w)
			if refs["customer"] != w.person("customer/hq/c").ID || refs["site"] != w.person("site/hq/s").ID || len(w.waits()) > 0 {
				t.Fatal(refs, w.waits())
			}
			// Another name of either is nobody's business.
			w.put(directory.CustomerRecord, "c", "name=Acme Ltd")
			w.put(directory.SiteRecord, "s", "name=Head office", "customer=hq/c")
			w.put(directory.UserRecord, "u2", "login=b", "customer=hq/c", "site=hq/s")
			w.run()
			w.rest(2 * time.Hour)
			if other := w.person("user/hq/u2").Refs; other["customer"] != refs["customer"] || other["site"] != refs["site"] || len(w.waits()) > 0 {
				t.Error(other, w.waits())
			}
		})
	})
	t.Run("a thing of that name", func(t *testing.T) {
		scene(t, func(o *Options) {
			o.References = map[string]Reference{"customer": {Alias: map[string]string{"ACME Ltd.": "Acme"}}}
		}, func(t *testing.T, w *world) {
			id := w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Active: true, Fields: map[string]string{"name": "ACME"}})
			w.put(directory.UserRecord, "u1", "login=a", "customer=ACME Ltd.")
			w.run()
			if user(w)["customer"] != id {
				t.Error(user(w))
			}
		})
	})
	t.Run("two of that name", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			for range 2 {
				w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Active: true, Fields: map[string]string{"name": "Acme"}})
			}
			w.put(directory.UserRecord, "u1", "login=a", "customer=Acme")
			w.run()
			if w.waits()["reference"] != 1 || len(w.sim.Things(directory.UserRecord)) > 0 {
				t.Error(w.waits())
			}
		})
	})
	t.Run("made, within the customer", func(t *testing.T) {
		scene(t, func(o *Options) { o.References = map[string]Reference{"site": {Create: true, Default: "Main"}} }, func(t *testing.T, w *world) {
			w.put(directory.CustomerRecord, "c", "name=Acme")
			w.put(directory.CustomerRecord, "d", "name=Beta")
			w.put(directory.UserRecord, "u1", "login=a", "customer=Acme")
			w.put(directory.UserRecord, "u2", "login=b", "customer=Beta", "site=Main")
			w.run()
			sites := w.sim.Things(directory.SiteRecord)
			if len(sites) != 2 || sites[0].Refs["customer"] == sites[1].Refs["customer"] || user(w)["site"] == "" {
				t.Errorf("%+v %v", sites, w.waits())
			}
		})
	})
}
