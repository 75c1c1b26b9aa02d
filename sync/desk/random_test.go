package desk

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

var histories = flag.Int("histories", 40, "how many random histories are tried")

var firstHistory = flag.Uint64("history", 0, "the first one")

// Whatever happens at a desk and to the process, nobody becomes two, nothing becomes two records', what belongs to others
// stays as it is, and in the end nothing is left to be done but what waits for a reason.
func TestRandomHistories(t *testing.T) {
	for _, seed := range []uint64{9562} { // that once found something
		t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, seed) })
	}
	for seed := *firstHistory; seed < *firstHistory+uint64(*histories); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, seed) })
	}
}

func history(t *testing.T, seed uint64) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 3))
		path := filepath.Join(dir, "0.db")
		st, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		w := newWorld(t, st, seed)
		w.opts.Batch = 1 + r.IntN(8)
		w.sim.Batch = 1 + r.IntN(3)
		w.sim.Parallel = 1 + r.IntN(3)
		w.opts.After = After(r.IntN(2))
		w.opts.Missing = Missing(r.IntN(3))
		w.opts.Adopt = Adopt(r.IntN(3))
		if r.IntN(4) == 0 { // an address counts within a customer only
			w.opts.Match[directory.UserRecord][2].Within = true
		}
		w.opts.ExactMembers = r.IntN(4) == 0
		w.opts.CreatedOnly = r.IntN(4) == 0
		if r.IntN(4) == 0 {
			w.opts.Settle = 3 * time.Minute
		}
		if r.IntN(5) == 0 { // a place without marks
			for i := range w.sim.Kinds {
				w.sim.Kinds[i].Marked = false
			}
		}
		w.opts.Fresh = []time.Duration{time.Second, 10 * time.Minute, time.Hour}[r.IntN(3)]
		w.opts.ReactivateAlways = false
		h := &chance{Rand: r, w: w}
		h.populate()
		w.sim.Freeze()
		var log []string
		w.sim.Trace = func(line string) { log = append(log, time.Now().Format("02 15:04:05 ")+line) }
		older := ""
		faulty, restored := false, false
		for step := range 12 {
			w.sync()
			if r.IntN(3) == 0 {
				w.killAt = 1 + r.IntN(60)
			}
			w.start()
			w.rest(time.Duration(1+r.IntN(180)) * time.Minute)
			if !w.isDead() && r.IntN(3) > 0 {
				w.approve()
				w.rest(time.Duration(1+r.IntN(180)) * time.Minute)
			}
			if w.isDead() {
				log = append(log, fmt.Sprintf("killed at %d", w.killAt))
			}
			w.stop()
			w.killAt = 0
			for _, p := range w.problems(restored) {
				t.Fatalf("seed %d after step %d: %s\n%s", seed, step, p, strings.Join(log, "\n"))
			}
			if older == "" && r.IntN(3) == 0 {
				older = filepath.Join(dir, fmt.Sprintf("%d.db", step+1))
				snapshot(t, st, older)
				log = append(log, "backup")
			} else if older != "" && r.IntN(4) == 0 {
				_ = st.Close()
				if st, err = bolt.Open(older, bolt.Options{NoSync: true}); err != nil {
					t.Fatal(err)
				}
				w.store, older, restored = st, "", true
				log = append(log, "restored")
			}
			switch {
			case faulty:
				w.sim.Mend()
				faulty = false
				log = append(log, "mended")
			case r.IntN(2) == 0:
				log = append(log, h.fault())
				faulty = true
			}
			for range r.IntN(6) {
				log = append(log, h.directory())
			}
			for range r.IntN(3) {
				log = append(log, h.human())
			}
		}
		w.sim.Mend()
		w.sync()
		w.start()
		before := w.sim.Counts().Requests
		w.rest(time.Hour)
		if n := w.sim.Counts().Requests - before; n > 1000 {
			t.Fatal("requests", n, strings.Join(log, "\n"))
		}
		w.rest(3 * 24 * time.Hour)
		for range 3 {
			w.approve()
			w.rest(3 * 24 * time.Hour)
		}
		queued, parked := w.queued()
		if queued > 0 || parked > 0 {
			t.Errorf("seed %d: %d queued, %d parked: %q", seed, queued, parked, w.parked())
		}
		waits := w.waits()
		if waits["review"] != len(w.reviews()) || waits["guard"] > 0 || waits["settle"] > 0 {
			t.Errorf("seed %d: waits %v, %d reviews", seed, waits, len(w.reviews()))
		}
		writes := w.sim.Counts().Writes
		w.sync()
		w.rest(time.Hour)
		w.stop()
		w.start()
		w.rest(3 * 24 * time.Hour)
		w.stop()
		if n := w.sim.Counts().Writes - writes; n > 0 {
			t.Errorf("seed %d: the last run wrote %d", seed, n)
		}
		for _, p := range w.problems(restored) {
			t.Errorf("seed %d: %s", seed, p)
		}
		if t.Failed() {
			t.Log(strings.Join(log, "\n"))
		}
	})
	_ = os.RemoveAll(dir)
}

func (w *world) problems(restored bool) []string {
	links := map[string]string{}
	for s, l := range w.links() {
		if l.State.String() == "linked" {
			links[s] = l.ID
		}
	}
	list := w.sim.Problems(links)
	return slices.DeleteFunc(list, func(p string) bool {
		// An older state may not know that it brought somebody back, whom a human has taken out of use since.
		return restored && strings.HasSuffix(p, "mails")
	})
}

// chance makes things happen.
type chance struct {
	*rand.Rand
	w    *world
	last int
}

func (h *chance) pick(list ...string) string { return list[h.IntN(len(list))] }

func (h *chance) populate() {
	h.w.put(directory.CustomerRecord, "c1", "name=Acme")
	h.w.put(directory.CustomerRecord, "c2", "name=Beta")
	acme := ""
	if h.IntN(2) == 0 {
		acme = h.w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Person: "customer/hq/c1", Active: true, Fields: map[string]string{"name": "ACME"}})
	}
	for range 12 + h.IntN(10) {
		id := h.join()
		if h.IntN(2) == 0 {
			t := desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + id, Active: h.IntN(5) > 0, Fields: map[string]string{"name": "old " + id, "title": h.pick("", "Boss")}}
			switch h.IntN(4) {
			case 0:
				t.Anchor = id
			case 1:
				t.Fields["login"] = "LOGIN" + id
			default:
				t.Fields["email"] = id + "@Example.test"
			}
			if len(acme) > 0 && h.IntN(2) == 0 {
				t.Refs = map[string]string{"customer": acme}
			}
			h.w.sim.Add(t)
		}
	}
	for i := range 8 {
		id := fmt.Sprintf("u%d", h.IntN(20))
		t := desktest.Thing{Kind: directory.UserRecord, Person: fmt.Sprintf("foreign%d", i), Active: true, Fields: map[string]string{"name": "Person " + id}}
		switch h.IntN(4) {
		case 0:
			t.Anchor, t.Fields["email"] = "other"+id, id+"@example.test" // an address that was given on
		case 1:
			t.Protected = "an administrator"
		default:
			t.Fields["email"] = id + "@other.test"
		}
		h.w.sim.Add(t)
	}
	for i := range 3 {
		h.group(fmt.Sprintf("g%d", i))
	}
}

func (h *chance) join() string {
	id := fmt.Sprintf("u%d", h.last)
	h.last++
	h.w.put(directory.UserRecord, id, "name=Person "+id, "login=login"+id, "email="+id+"@example.test", "title="+h.pick("", "Engineer"), "customer="+h.pick("Acme", "Beta"))
	return id
}

func (h *chance) group(id string) {
	var members []string
	for i := range h.last {
		if h.IntN(3) == 0 {
			members = append(members, fmt.Sprintf("u%d", i))
		}
	}
	fields := []string{"name=Group " + id}
	if len(members) > 0 {
		fields = append(fields, "members="+strings.Join(members, ","))
	}
	h.w.put(directory.GroupRecord, id, fields...)
}

func (h *chance) directory() string {
	id := fmt.Sprintf("u%d", h.IntN(h.last))
	subject := "user/hq/" + id
	e := h.w.people[subject]
	switch h.IntN(6) {
	case 0:
		return "joins " + h.join()
	case 1:
		e.fields["title"] = fmt.Sprintf("T%d", h.IntN(100))
	case 2:
		e.gone = !e.gone
		h.w.people[subject] = e
		return fmt.Sprintf("%s gone %v", id, e.gone)
	case 3:
		other := h.w.people[fmt.Sprintf("user/hq/u%d", h.IntN(h.last))]
		if links := h.w.links(); links[subject].ID == "" || links[subjectOf(other)].ID == "" {
			return "" // an address is all by which some are recognised
		}
		e.fields["email"], other.fields["email"] = other.fields["email"], e.fields["email"]
		return id + " and " + other.key + " swap addresses"
	case 4:
		h.group(fmt.Sprintf("g%d", h.IntN(3)))
		return "a group changes"
	default:
		e.fields["customer"] = h.pick("Acme", "Beta")
	}
	return id + " changes"
}

func (h *chance) human() string {
	things := h.w.sim.Things(directory.UserRecord)
	if len(things) == 0 {
		return ""
	}
	t := things[h.IntN(len(things))]
	own := strings.HasPrefix(t.Person, "user/")
	var what string
	switch h.IntN(7) {
	case 5:
		if !own {
			return ""
		}
		twin := h.w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "walk-in", Active: true, Fields: map[string]string{"name": t.Fields["name"]}})
		what = "merges " + t.ID + " into " + twin
		h.w.sim.Merge(t.Kind, twin, t.ID)
	case 0:
		what = "edits " + t.ID
		h.w.sim.Human(t.Kind, t.ID, "edit", func(t *desktest.Thing) { t.Fields["title"], t.Fields["phone"] = "by hand", "1" })
	case 1:
		if !t.Active || h.w.isDead() {
			return "" // who is out of use already is so for our reason; what a killed process did last is not known to have been done
		}
		what = "deactivates " + t.ID
		h.w.sim.Human(t.Kind, t.ID, "deactivate", func(t *desktest.Thing) { t.Active = false })
	case 2:
		what = "reactivates " + t.ID
		h.w.sim.Human(t.Kind, t.ID, "reactivate", func(t *desktest.Thing) { t.Active = true })
	case 3:
		what = "renames " + t.ID
		h.w.sim.Human(t.Kind, t.ID, "rename", func(t *desktest.Thing) { t.Fields["name"] = "renamed" })
	case 4:
		if own {
			what = "removes " + t.ID
			h.w.sim.Human(t.Kind, t.ID, "remove", nil)
		}
	default:
		what = "makes somebody"
		h.w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "walk-in", Active: true, Fields: map[string]string{"name": "Person u1", "email": fmt.Sprintf("w%d@walk.test", h.IntN(1000))}})
	}
	return "a human " + what
}

// fault switches one to three faults on.
func (h *chance) fault() string {
	faults := map[string]func(*desktest.Faults){
		"down":                  func(f *desktest.Faults) { f.Down = 0.3 },
		"throttled":             func(f *desktest.Faults) { f.Throttle, f.ThrottleFor = 0.3, time.Minute },
		"throttled, no time":    func(f *desktest.Faults) { f.Throttle = 0.3 },
		"token ends":            func(f *desktest.Faults) { f.TokenEnds = 0.1 },
		"hangs":                 func(f *desktest.Faults) { f.Hang = 0.1 },
		"any order":             func(f *desktest.Faults) { f.Shuffle = true },
		"overlap":               func(f *desktest.Faults) { f.Overlap = true },
		"lists end":             func(f *desktest.Faults) { f.SurveyCap = 5 },
		"wrong count":           func(f *desktest.Faults) { f.WrongCount = true },
		"no count":              func(f *desktest.Faults) { f.NoCount = true },
		"short lists":           func(f *desktest.Faults) { f.ShortLists = true },
		"inactive hidden":       func(f *desktest.Faults) { f.HideInactive = true },
		"cannot find":           func(f *desktest.Faults) { f.CannotFind = []string{h.pick("mark", "anchor", "login"), "email"} },
		"filter ignored":        func(f *desktest.Faults) { f.FilterIgnored = true },
		"case":                  func(f *desktest.Faults) { f.CaseSensitive = true },
		"effect without answer": func(f *desktest.Faults) { f.EffectWithoutAnswer = 0.4 },
		"answer without effect": func(f *desktest.Faults) { f.AnswerWithoutEffect = 0.2 },
		"error inside":          func(f *desktest.Faults) { f.ErrorInside = 0.3 },
		"part refused":          func(f *desktest.Faults) { f.PartRefused = 0.3 },
		"partial batch":         func(f *desktest.Faults) { f.PartialBatch = 0.3 },
		"later failed":          func(f *desktest.Faults) { f.LaterFailed = 0.2 },
		"revisions":             func(f *desktest.Faults) { f.Revisions = true },
		"cut":                   func(f *desktest.Faults) { f.Cut, f.Trim, f.Upper = 12, true, true },
		"unknown fields":        func(f *desktest.Faults) { f.Unknown = []string{"title"} },
		"ids move":              func(f *desktest.Faults) { f.RenameMoves = true },
		"null ignored":          func(f *desktest.Faults) { f.NullIgnored = true },
		"words":                 func(f *desktest.Faults) { f.Words = true },
		"lists replaced":        func(f *desktest.Faults) { f.ArrayReplaced = true },
		"quota":                 func(f *desktest.Faults) { f.Quota = 40 },
		"clock ahead":           func(f *desktest.Faults) { f.ClockOff = 5 * time.Minute },
		"clock behind":          func(f *desktest.Faults) { f.ClockOff = -5 * time.Minute },
		"second end":            func(f *desktest.Faults) { f.SecondEnd = true },
		"another first":         func(f *desktest.Faults) { f.AnotherFirst = 0.5 },
	}
	if h.w.opts.Settle > 0 {
		faults["index late"] = func(f *desktest.Faults) { f.IndexLag = 2 * time.Minute }
	}
	var names []string
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	var on []string
	for range 1 + h.IntN(3) {
		name := names[h.IntN(len(names))]
		h.w.sim.Set(faults[name])
		on = append(on, name)
	}
	return "faults: " + strings.Join(on, ", ")
}
