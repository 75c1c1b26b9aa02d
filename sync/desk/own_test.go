package desk

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// scene runs a test in a world whose first contact needs no approval.
func scene(t *testing.T, set func(*Options), play func(t *testing.T, w *world)) {
	t.Helper()
	st := openStore(t, statePath(t))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, st, 1)
		w.opts.Freely, w.opts.After = true, AfterAdopt
		if set != nil {
			set(&w.opts)
		}
		defer func() {
			if w.stop != nil {
				w.stop()
			}
		}()
		play(t, w)
	})
}

// run queues what changed and lets the process do what it can in some minutes.
func (w *world) run() {
	w.sync()
	if w.stop == nil {
		w.start()
	}
	w.rest(10 * time.Minute)
}

// person is the only thing at the desk that is who.
func (w *world) person(who string) desktest.Thing {
	w.t.Helper()
	var found []desktest.Thing
	for _, kind := range directory.RecordKinds() {
		for _, t := range w.sim.Things(kind) {
			if t.Person == who {
				found = append(found, t)
			}
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%s has %d things", who, len(found))
	}
	return found[0]
}

func (w *world) fields(who string) string {
	t := w.person(who)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.Fields)) {
		list = append(list, name+"="+t.Fields[name])
	}
	return strings.Join(list, " ")
}

func there(fields ...string) desktest.Thing {
	t := desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/u1", Active: true, Fields: map[string]string{}}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		t.Fields[name] = value
	}
	return t
}

func TestAdoptionWrites(t *testing.T) {
	for _, tt := range []struct {
		name        string
		adopt       Adopt
		want, later string
	}{
		{"what is blank there", AdoptBlank, "email=a@x login=a name=Hers title=Boss", "email=a@x login=a name=Hers title=Chief"},
		{"nothing", AdoptLink, "login=a name=Hers title=", "login=a name=Hers title=Chief"},
		{"all", AdoptOverwrite, "email=a@x login=a name=Ada title=Boss", "email=a@x login=a name=Ada title=Chief"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scene(t, func(o *Options) { o.Adopt = tt.adopt }, func(t *testing.T, w *world) {
				w.sim.Add(there("login=a", "name=Hers", "title="))
				w.put(directory.UserRecord, "u1", "login=a", "name=Ada", "title=Boss", "email=a@x", "phone=")
				w.run()
				if got := w.fields("user/hq/u1"); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				if p := w.person("user/hq/u1"); p.Mark != "hq/u1" || p.Anchor != "u1" {
					t.Errorf("mark %q, anchor %q", p.Mark, p.Anchor)
				}
				// What was left to the people there stays theirs until the source changes.
				w.put(directory.UserRecord, "u1", "login=a", "name=Ada", "title=Chief", "email=a@x", "phone=")
				w.run()
				if got := w.fields("user/hq/u1"); got != tt.later {
					t.Errorf("after a change: got  %s\nwant %s", got, tt.later)
				}
			})
		})
	}
}

func TestEditsThereLive(t *testing.T) {
	scene(t, func(o *Options) { o.Clear = []string{"phone"} }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada", "title=Boss", "phone=1")
		w.run()
		p := w.person("user/hq/u1")
		w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["name"], t.Fields["title"] = "Ada L.", "Countess" })
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada", "title=", "phone=")
		w.run()
		if got := w.fields("user/hq/u1"); got != "login=a name=Ada L. phone= title=Countess" {
			t.Errorf("no value at the source clears only what it is to clear: %s", got)
		}
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada King", "title=", "phone=")
		w.run()
		if got := w.fields("user/hq/u1"); got != "login=a name=Ada King phone= title=Countess" {
			t.Errorf("a change at the source is written: %s", got)
		}
	})
}

func TestOnceIsWrittenOnce(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.once = []string{"title"}
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada", "title=Boss")
		w.run()
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada K.", "title=Other")
		w.run()
		if got := w.fields("user/hq/u1"); got != "login=a name=Ada K. title=Boss" {
			t.Error(got)
		}
	})
}

func TestMembersThatAreNotOursStay(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		foreign := w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "foreign", Active: true, Fields: map[string]string{"name": "Eve"}})
		first := w.sim.Add(there("login=a"))
		w.sim.Add(desktest.Thing{Kind: directory.GroupRecord, Person: "group/hq/g", Active: true, Fields: map[string]string{"name": "Team"}, Members: []string{foreign, first}})
		w.put(directory.UserRecord, "u1", "login=a")
		w.put(directory.UserRecord, "u2", "login=b")
		w.put(directory.GroupRecord, "g", "name=Team", "members=u1,u2")
		w.run()
		second := w.person("user/hq/u2").ID
		if got := w.person("group/hq/g").Members; !slices.Equal(got, []string{foreign, first, second}) {
			t.Fatalf("members %v", got)
		}
		w.put(directory.GroupRecord, "g", "name=Team")
		w.run()
		if got := w.person("group/hq/g").Members; !slices.Equal(got, []string{foreign, first}) {
			t.Errorf("members %v: only those go that we have added", got)
		}
	})
}

// A group is written without the members that are not known yet; they come when they are.
func TestMembersAreOwed(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		a, b := there("email=b@x"), there("email=b@x")
		b.Person = "foreign"
		w.sim.Add(a)
		w.sim.Add(b)
		w.put(directory.UserRecord, "u1", "login=a", "email=b@x")
		w.put(directory.UserRecord, "u2", "login=b", "email=c@x")
		w.put(directory.GroupRecord, "g", "name=Team", "members=u1,u2")
		w.run()
		if got := w.person("group/hq/g").Members; len(got) != 1 {
			t.Errorf("members %v", got)
		}
		if waits := w.waits(); waits["reference"] != 1 || waits["review"] != 1 {
			t.Errorf("waits %v", waits)
		}
		r := w.reviews()[0]
		if _, err := w.desk.Decide(t.Context(), Decision{Number: r.Number, Fingerprint: r.Fingerprint, Accept: true, ID: w.person("user/hq/u1").ID}); err != nil {
			t.Fatal(err)
		}
		w.rest(time.Minute)
		if got := w.person("group/hq/g").Members; len(got) != 2 || len(w.waits()) != 0 {
			t.Errorf("members %v, waits %v", got, w.waits())
		}
	})
}

func TestEnds(t *testing.T) {
	leave := func(w *world, kind directory.RecordKind) {
		w.leave(kind, "u1")
		w.run()
	}
	t.Run("a person is taken out of use, and comes back", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			leave(w, directory.UserRecord)
			if w.person("user/hq/u1").Active {
				t.Error("in use")
			}
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			if !w.person("user/hq/u1").Active {
				t.Error("out of use")
			}
		})
	})
	t.Run("an agent waits for a human", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.AgentRecord, "u1", "login=a")
			w.run()
			leave(w, directory.AgentRecord)
			rs := w.reviews()
			if !w.person("agent/hq/u1").Active || len(rs) != 1 || rs[0].Cause != string(Leaving) {
				t.Fatalf("%+v", rs)
			}
			if _, err := w.desk.Decide(t.Context(), Decision{Number: rs[0].Number, Accept: true}); err != nil {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if w.person("agent/hq/u1").Active || len(w.reviews()) != 0 {
				t.Error("in use after it was accepted")
			}
		})
	})
	t.Run("or is left alone", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.AgentRecord, "u1", "login=a")
			w.run()
			leave(w, directory.AgentRecord)
			if _, err := w.desk.Decide(t.Context(), Decision{Number: w.reviews()[0].Number}); err != nil {
				t.Fatal(err)
			}
			w.rest(3 * 24 * time.Hour)
			if !w.person("agent/hq/u1").Active || len(w.waits()) != 0 {
				t.Errorf("waits %v", w.waits())
			}
		})
	})
	t.Run("open tickets are awaited", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			p := w.person("user/hq/u1")
			w.sim.Human(p.Kind, p.ID, "ticket", func(t *desktest.Thing) { t.Busy = "2 open tickets" })
			leave(w, directory.UserRecord)
			if !w.person("user/hq/u1").Active || w.waits()["busy"] != 1 {
				t.Errorf("waits %v", w.waits())
			}
			w.sim.Human(p.Kind, p.ID, "done", func(t *desktest.Thing) { t.Busy = "" })
			w.rest(25 * time.Hour)
			if w.person("user/hq/u1").Active || w.sim.Counts().Automations > 0 {
				t.Error("in use after its tickets were closed")
			}
		})
	})
	t.Run("what a human took out of use is not brought back unasked", func(t *testing.T) {
		scene(t, nil, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			p := w.person("user/hq/u1")
			w.sim.Human(p.Kind, p.ID, "deactivate", func(t *desktest.Thing) { t.Active = false })
			w.put(directory.UserRecord, "u1", "login=a", "title=Boss")
			w.run()
			leave(w, directory.UserRecord)
			writes := w.sim.Counts().Writes
			w.put(directory.UserRecord, "u1", "login=a", "title=Boss")
			w.run()
			rs := w.reviews()
			if w.person("user/hq/u1").Active || len(rs) != 1 || rs[0].Cause != string(Return) || w.sim.Counts().Writes != writes {
				t.Fatalf("%+v", rs)
			}
			if _, err := w.desk.Decide(t.Context(), Decision{Number: rs[0].Number, Accept: true}); err != nil {
				t.Fatal(err)
			}
			w.rest(time.Minute)
			if !w.person("user/hq/u1").Active {
				t.Error("out of use after it was accepted")
			}
		})
	})
	t.Run("nothing that was there, where only what we made is ours", func(t *testing.T) {
		scene(t, func(o *Options) { o.CreatedOnly = true }, func(t *testing.T, w *world) {
			w.sim.Add(there("login=a"))
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			leave(w, directory.UserRecord)
			if !w.person("user/hq/u1").Active || len(w.waits()) != 0 {
				t.Errorf("waits %v", w.waits())
			}
		})
	})
	t.Run("removed only where we made it", func(t *testing.T) {
		scene(t, func(o *Options) { o.Leavers = map[directory.RecordKind]Leaver{directory.UserRecord: {Do: EndDelete}} }, func(t *testing.T, w *world) {
			w.sim.Add(there("login=a"))
			w.put(directory.UserRecord, "u1", "login=a")
			w.put(directory.UserRecord, "u2", "login=b")
			w.run()
			w.leave(directory.UserRecord, "u2")
			leave(w, directory.UserRecord)
			if all := w.sim.Things(directory.UserRecord); len(all) != 1 || all[0].Active {
				t.Errorf("%+v", all)
			}
		})
	})
	t.Run("never what is protected", func(t *testing.T) {
		scene(t, func(o *Options) {
			o.Protect = func(e *targets.Entity) string {
				if e.Fields["title"] == "keep" {
					return "somebody ticked it"
				}
				return ""
			}
		}, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u1", "login=a")
			w.run()
			p := w.person("user/hq/u1")
			w.sim.Human(p.Kind, p.ID, "keep", func(t *desktest.Thing) { t.Fields["title"] = "keep" })
			leave(w, directory.UserRecord)
			if !w.person("user/hq/u1").Active || w.waits()["review"] != 1 {
				t.Errorf("waits %v", w.waits())
			}
		})
	})
}

func TestMissing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		missing Missing
		things  int
		reviews int
	}{{"a human decides", MissingReview, 0, 1}, {"made again", MissingRecreate, 1, 0}, {"left", MissingLeave, 0, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			scene(t, func(o *Options) { o.Missing = tt.missing }, func(t *testing.T, w *world) {
				w.put(directory.UserRecord, "u1", "login=a")
				w.run()
				p := w.person("user/hq/u1")
				w.sim.Human(p.Kind, p.ID, "remove", nil)
				for range 2 {
					w.put(directory.UserRecord, "u1", "login=a", "title="+time.Now().String())
					w.run()
				}
				if n := len(w.sim.Things(directory.UserRecord)); n != tt.things || len(w.reviews()) != tt.reviews {
					t.Errorf("%d things, reviews %+v", n, w.reviews())
				}
				if tt.reviews == 0 {
					return
				}
				if _, err := w.desk.Decide(t.Context(), Decision{Number: w.reviews()[0].Number, Accept: true, New: true}); err != nil {
					t.Fatal(err)
				}
				w.rest(time.Minute)
				w.person("user/hq/u1")
			})
		})
	}
}

func TestAnIDThatMoves(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.sim.Set(func(f *desktest.Faults) { f.RenameMoves = true })
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada")
		w.run()
		p := w.person("user/hq/u1")
		w.sim.Human(p.Kind, p.ID, "remove", nil)
		p.ID = "moved"
		w.sim.Add(p)
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada King")
		w.run()
		w.put(directory.UserRecord, "u1", "login=a", "name=Ada Lovelace")
		w.run()
		if got := w.fields("user/hq/u1"); got != "login=a name=Ada Lovelace" || w.links()["user/hq/u1"].State != store.Linked {
			t.Error(got, w.links())
		}
	})
}

// Who gives an address up goes before who takes it; two that swap theirs wait for a human.
func TestValuesMove(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a", "email=info@x")
		w.put(directory.UserRecord, "u2", "login=b", "email=b@x")
		w.run()
		w.put(directory.UserRecord, "u1", "login=a", "email=a@x")
		w.put(directory.UserRecord, "u2", "login=b", "email=info@x")
		w.put(directory.UserRecord, "u0", "login=c", "email=b@x")
		w.run()
		for who, email := range map[string]string{"user/hq/u0": "b@x", "user/hq/u1": "a@x", "user/hq/u2": "info@x"} {
			if got := w.person(who).Fields["email"]; got != email {
				t.Errorf("%s has %s", who, got)
			}
		}
		w.put(directory.UserRecord, "u1", "login=a", "email=info@x")
		w.put(directory.UserRecord, "u2", "login=b", "email=a@x")
		w.run()
		if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Swap) {
			t.Errorf("%+v, waits %v", rs, w.waits())
		}
	})
}
