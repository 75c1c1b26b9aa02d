package proof

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/connectors/merge"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// houses are three connections with directories in memory, run as any others, of which one is made.
type houses struct {
	t       *testing.T
	rig     *rig
	sources map[string]*memory.Source
	conns   map[string]*engine.Connection
	named   int
	undo    []func()
	edit    func(*merge.Config)
	// wild: numbers move from one to another, and people leave one house and stay in others. Keys remember that, so a fresh
	// start has others; where one is compared with, it is left out.
	wild bool
}

func houseNames() []string { return []string{"ad", "entra", "hr"} }

func mergeWorld(t *testing.T) *world {
	h := &houses{t: t, wild: strings.HasPrefix(t.Name(), "TestKilledAnywhere"), rig: newRig(t, nil), sources: map[string]*memory.Source{}, conns: map[string]*engine.Connection{}}
	rules, problems := mapping.Compile(mapping.Spec{Name: "all", Rules: []mapping.RuleSpec{
		{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: nil}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h.rig.engine = engine.New(h.rig.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: instantly})
	share := 20.0
	for _, name := range houseNames() {
		s := memory.NewSource()
		h.sources[name] = s
		h.conns[name] = &engine.Connection{Name: name, Connector: "memory", Rules: rules, Followed: true,
			Guard:  plan.Guard{directory.Deactivate: plan.Limit{Percent: &share, Minimum: 5}},
			Source: connectors.Guard(memory.Open(s, memory.Options{PageSize: 10, WithoutCount: true}))}
		for i := range 30 {
			if i%3 != len(name)%3 { // not everybody is everywhere
				h.person(name, i, fmt.Sprint("P", i, " of ", name), fmt.Sprint(i))
			}
		}
		for i := range 3 {
			s.Put("", directory.Object{Kind: directory.Group, ID: fmt.Sprint("team", i), Fields: []directory.Field{{Name: "name", Value: directory.Text(fmt.Sprint("Team ", i))}}})
			s.AddMembers("", fmt.Sprint("team", i), directory.IDHandle(fmt.Sprint(i)), directory.IDHandle(fmt.Sprint(i+7)))
		}
		h.read(name)
	}
	return &world{
		name: "merge", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := merge.Defaults()
			cfg.From = settings.Names(houseNames())
			cfg.Join = []merge.Join{{Field: "employee_id"}, {Field: "email", Domains: []string{"acme.test"}}}
			cfg.Fields = map[string]settings.Names{"title": {"hr"}}
			if h.edit != nil {
				h.edit(cfg)
			}
			if issues := cfg.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			env.Stored = h.rig.store
			c, err := merge.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
		join:   func(*testing.T) { h.named++; h.person("hr", 1000+h.named, "New", ""); h.read("hr") },
		leave:  func(*testing.T) { h.leave(houseNames(), 3) },
		change: h.change,
		hurt:   h.hurt,
		mend: func() {
			h.edit = nil
			for _, f := range h.undo {
				f()
			}
			h.undo = nil
		},
	}
}

func (h *houses) person(house string, n int, name, number string) {
	o := directory.Object{Kind: directory.Person, ID: fmt.Sprint(n)}
	o.SetText("name", name)
	o.SetText("employee_id", number)
	o.SetText("title", house)
	o.SetText("email", fmt.Sprintf("p%d@acme.test", n))
	o.Links = []directory.Link{{Type: directory.Manager, To: directory.IDHandle(fmt.Sprint(n / 7))}}
	h.sources[house].Put("", o)
}

func (h *houses) leave(from []string, n int) {
	for _, house := range from {
		h.sources[house].Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint(n)})
		h.read(house)
	}
}

// read runs a contributor.
func (h *houses) read(house string) []engine.Result {
	return h.rig.engine.RunConnection(context.Background(), h.conns[house], engine.Job{})
}

// change changes one of them and reads it.
func (h *houses) change(_ *testing.T, rnd *rand.Rand) bool {
	house := pick(rnd, houseNames())
	s := h.sources[house]
	ids := s.Refs("", directory.Person)
	slices.SortFunc(ids, func(a, b directory.Ref) int { return len(a.ID)*1000 + int(a.ID[0]) - len(b.ID)*1000 - int(b.ID[0]) })
	if len(ids) == 0 {
		return false
	}
	var n int
	_, err := fmt.Sscan(pick(rnd, ids).ID, &n)
	check(h.t, err)
	team := fmt.Sprint("team", rnd.IntN(3))
	h.named++
	switch rnd.IntN(7) {
	case 0:
		number := fmt.Sprint(100 + h.named)
		if h.wild {
			number = fmt.Sprint(rnd.IntN(40))
		}
		h.person(house, 100+h.named, "New", number)
	case 1:
		if h.wild {
			h.leave([]string{house}, n)
		} else {
			h.leave(houseNames(), n)
		}
	case 2:
		h.person(house, n, fmt.Sprint("Named ", h.named), fmt.Sprint(n))
	case 3: // another number, maybe somebody's
		if !h.wild {
			return false
		}
		h.person(house, n, fmt.Sprint("Numbered ", h.named), fmt.Sprint(rnd.IntN(40)))
	case 4:
		s.AddMembers("", team, directory.IDHandle(fmt.Sprint(n)))
	case 5:
		s.RemoveMembers("", team, directory.IDHandle(fmt.Sprint(n)))
	default:
		s.Edit("", directory.Ref{Kind: directory.Group, ID: team}, func(o *directory.Object) { o.SetText("name", fmt.Sprint("Team ", h.named)) })
	}
	h.read(house)
	return true
}

// hurt is what can go wrong with those of which one is made.
func (h *houses) hurt(t *testing.T, w *wrong) {
	t.Helper()
	s := h.sources[w.where]
	if s == nil && w.where != "config" {
		t.Fatalf("line %d: there is no house %q", w.line, w.where)
	}
	switch w.kind {
	case "half": // a contributor answers with less than everything, and its guard holds that
		var gone []directory.Object
		for i, ref := range s.Refs("", directory.Person) {
			if i%2 == 0 {
				o, _ := s.Get("", ref)
				gone = append(gone, o)
				s.Remove("", ref)
			}
		}
		h.undo = append(h.undo, func() { s.Put("", gone...); h.read(w.where) })
		h.read(w.where)
	case "broken": // it cannot be read
		s.Break(fmt.Errorf("down"))
		h.undo = append(h.undo, func() { s.Break(nil); h.read(w.where) })
		h.read(w.where)
	case "without": // it is one of them no longer
		h.edit = func(cfg *merge.Config) {
			cfg.From = slices.DeleteFunc(slices.Clone(cfg.From), func(name string) bool { return name == w.where })
			delete(cfg.Fields, "title")
		}
	case "other-join":
		h.edit = func(cfg *merge.Config) { cfg.Join = cfg.Join[1:] }
	default:
		t.Fatalf("line %d: houses do not know %q", w.line, w.kind)
	}
}
