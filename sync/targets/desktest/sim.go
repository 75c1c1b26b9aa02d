// Package desktest holds the suite that every place with things of its own must pass (Run), a place in memory that does
// whatever real ones were seen to do wrong (Sim), and what must be true of it after any of that (Sim.Problems).
package desktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Sim is a service desk in memory: customers, sites, people, agents, groups and tickets. It outlives those who work with
// it. Its faults are switches that can be combined; where one happens by chance, the seed decides.
type Sim struct {
	// Kinds are what the desk knows; set before the first use. Default DefaultKinds.
	Kinds []targets.DeskKind
	// Batch is the largest number of jobs of a call. Default 1.
	Batch int
	// Parallel is how many calls it takes at a time. Default 1.
	Parallel int
	// Now is the desk's clock. Default time.Now.
	Now func() time.Time
	// Before is called before every request, by name ("create user", "find user"), outside of the desk's lock: tests stop the
	// program there.
	Before func(request string)
	// Trace is told what every job came to; nil for nobody.
	Trace func(line string)

	mu     sync.Mutex
	faults Faults
	rand   *rand.Rand
	things map[directory.RecordKind]map[string]*Thing
	order  map[directory.RecordKind][]*Thing // as they came
	finds  int                               // searches since the faults were set
	next   int
	counts Counts
	last   string // the last request
	// hour is when the present hour of Faults.Quota began, spent how many requests it has had.
	hour  time.Time
	spent int
	// before are the things of others, as they were when Freeze was called.
	before map[string]Thing
}

// Counts are what happened at the desk.
type Counts struct {
	// Requests count all, Writes those that had an effect.
	Requests, Writes int
	// Mails count what a person is told by the desk: that it has a second account, or has one again.
	Mails int
	// Automations count what goes off by itself: tickets that lose their agent.
	Automations int
}

// Thing is something at the desk.
type Thing struct {
	Kind   directory.RecordKind
	ID     string
	Person string // who it really is, which only the test knows
	Mark   string
	Anchor string
	Fields map[string]string
	Refs   map[string]string
	// Members are ids.
	Members   []string
	Active    bool
	Protected string
	Busy      string
	Changed   time.Time
	// Ours: it was made by a job, or changed by one.
	Ours bool
	// Human is what somebody at the desk did with it since: it is for the checks.
	Human    string
	Revision int
}

// DefaultKinds are those of a full desk. Anchor is the id of a source; people are told apart by their log-in, and by their
// mail address within a customer.
func DefaultKinds() []targets.DeskKind {
	person := []targets.DeskKey{{Name: "anchor", Anchor: true}, {Name: "login", Folded: true}, {Name: "email", Folded: true}}
	named := []targets.DeskKey{{Name: "name", Folded: true}}
	ends := []directory.Op{directory.Deactivate, directory.Delete}
	return []targets.DeskKind{
		{Kind: directory.CustomerRecord, Keys: named, Title: "name", Marked: true, Ends: ends},
		{Kind: directory.SiteRecord, Keys: []targets.DeskKey{{Name: "name", Folded: true, Within: true}}, Title: "name", Marked: true, Ends: ends,
			References: map[string]directory.RecordKind{"customer": directory.CustomerRecord}},
		{Kind: directory.AgentRecord, Keys: person, Marked: true, Ends: ends},
		{Kind: directory.UserRecord, Keys: person, Marked: true, Ends: ends,
			References: map[string]directory.RecordKind{"customer": directory.CustomerRecord, "site": directory.SiteRecord}},
		{Kind: directory.GroupRecord, Keys: named, Title: "name", Marked: true, Members: true, Ends: ends},
		{Kind: directory.TicketRecord, Marked: true, References: map[string]directory.RecordKind{"customer": directory.CustomerRecord, "user": directory.UserRecord}},
	}
}

// NewSim makes an empty desk.
func NewSim(seed uint64) *Sim {
	return &Sim{Kinds: DefaultKinds(), Batch: 1, Now: time.Now, rand: rand.New(rand.NewPCG(seed, 7)),
		things: map[directory.RecordKind]map[string]*Thing{}, order: map[directory.RecordKind][]*Thing{}, next: 100}
}

// Add puts a thing there, as somebody at the desk does, and returns its id.
func (s *Sim) Add(t Thing) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(&t).ID
}

func (s *Sim) add(t *Thing) *Thing {
	s.next++
	t.ID = cmp.Or(t.ID, strconv.Itoa(s.next))
	t.Fields, t.Refs, t.Members = cloned(t.Fields), cloned(t.Refs), slices.Clone(t.Members)
	t.Changed = s.Now()
	if s.things[t.Kind] == nil {
		s.things[t.Kind] = map[string]*Thing{}
	}
	s.things[t.Kind][t.ID] = t
	s.order[t.Kind] = append(s.order[t.Kind], t)
	return t
}

func (s *Sim) remove(t *Thing) {
	delete(s.things[t.Kind], t.ID)
	s.order[t.Kind] = slices.DeleteFunc(s.order[t.Kind], func(o *Thing) bool { return o == t })
}

func cloned(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

// Things returns copies of what is there, as it came.
func (s *Sim) Things(kind directory.RecordKind) []Thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Thing
	for _, t := range s.sorted(kind) {
		list = append(list, t.copy())
	}
	return list
}

func (t *Thing) copy() Thing {
	c := *t
	c.Fields, c.Refs, c.Members = cloned(t.Fields), cloned(t.Refs), slices.Clone(t.Members)
	return c
}

func (s *Sim) sorted(kind directory.RecordKind) []*Thing { return s.order[kind] }

// Counts returns what happened so far.
func (s *Sim) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Human lets somebody at the desk change a thing, or with a nil change remove it. It reports whether it was there.
func (s *Sim) Human(kind directory.RecordKind, id, what string, change func(*Thing)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.things[kind][id]
	if !ok {
		return false
	}
	if change == nil {
		s.remove(t)
		return true
	}
	change(t)
	t.Human, t.Changed = what, s.Now()
	t.Revision++
	return true
}

// Merge lets somebody at the desk make one of two things of a kind: what was gone's is the survivor's from then on, where that has
// nothing of its own. It reports whether both were there.
func (s *Sim) Merge(kind directory.RecordKind, survivor, gone string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.things[kind][survivor], s.things[kind][gone]
	if a == nil || b == nil || a == b {
		return false
	}
	a.Person, a.Mark, a.Anchor = b.Person, cmp.Or(a.Mark, b.Mark), cmp.Or(a.Anchor, b.Anchor)
	for name, value := range b.Fields {
		a.Fields[name] = cmp.Or(a.Fields[name], value)
	}
	a.Human, a.Changed = "merge", s.Now()
	a.Revision++
	s.remove(b)
	for _, of := range s.things {
		for _, t := range of {
			if slices.Contains(t.Members, gone) {
				t.Members = slices.DeleteFunc(t.Members, func(id string) bool { return id == gone || id == survivor })
				t.Members = append(t.Members, survivor)
			}
		}
	}
	return true
}

// request counts a request and lets a fault happen before it.
func (s *Sim) request(ctx context.Context, name string) error {
	if s.Before != nil {
		s.Before(name)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Requests++
	s.last = name
	if now := s.Now(); now.Sub(s.hour) >= time.Hour {
		s.hour, s.spent = now, 0
	}
	s.spent++
	switch f := &s.faults; {
	case f.Quota > 0 && s.spent > f.Quota:
		return &fault.Error{Class: fault.Throttled, Op: name, Where: "the desk", After: s.hour.Add(time.Hour).Sub(s.Now()), Err: errors.New("429: the quota of the tenant is used up")}
	case s.happens(f.Hang):
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	case s.happens(f.Down):
		return &fault.Error{Class: fault.Transient, Op: name, Where: "the desk", Err: errors.New("502 Bad Gateway")}
	case s.happens(f.Throttle):
		return &fault.Error{Class: fault.Throttled, Op: name, Where: "the desk", After: f.ThrottleFor, Err: errors.New("429")}
	case s.happens(f.TokenEnds):
		return &fault.Error{Class: fault.Auth, Op: name, Where: "the desk", Err: errors.New("401")}
	}
	return nil
}

func (s *Sim) happens(p float64) bool { return p > 0 && (p >= 1 || s.rand.Float64() < p) }

// Describe implements targets.Desk.
func (s *Sim) Describe() targets.DeskDescription {
	return targets.DeskDescription{Batch: max(s.Batch, 1), Parallel: max(s.Parallel, 1), Kinds: s.Kinds}
}

// Check implements targets.Desk.
func (s *Sim) Check(ctx context.Context) error { return s.request(ctx, "check") }

// Probe implements targets.Desk.
func (s *Sim) Probe(ctx context.Context) ([]targets.Ability, error) {
	return []targets.Ability{{Name: "find by login", Has: true}}, s.request(ctx, "probe")
}

// Reopen and Close implement targets.Desk.
func (s *Sim) Reopen() error { return nil }

// Close does nothing: the desk goes on.
func (s *Sim) Close() error { return nil }

// Survey implements targets.Desk.
func (s *Sim) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	s.mu.Lock()
	var list []targets.Entity
	f := s.faults
	count := len(s.things[kind])
	for i, t := range s.sorted(kind) {
		if f.HideInactive && !t.Active || f.RightsShrink && i%2 == 1 {
			if f.RightsShrink {
				count--
			}
			continue
		}
		list = append(list, s.entity(t, f.ShortLists))
	}
	if f.Shuffle {
		s.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	s.mu.Unlock()
	proof := targets.Proof{Count: count}
	switch {
	case f.NoCount:
		proof.Count = -1
	case f.WrongCount:
		proof.Count++
	}
	if f.SurveyCap > 0 && len(list) > f.SurveyCap {
		list = list[:f.SurveyCap]
	}
	if f.Overlap && len(list) > 1 {
		list = append(list, list[len(list)-1])
	}
	if f.Doubt {
		proof.Doubt = "the place ignores what page it is asked for"
	}
	for i := range list {
		if i%100 == 0 {
			if err := s.request(ctx, "survey "+kind.String()); err != nil {
				return targets.Proof{}, err
			}
		}
		if err := yield(&list[i]); err != nil {
			return targets.Proof{}, err
		}
	}
	if len(list) == 0 {
		if err := s.request(ctx, "survey "+kind.String()); err != nil {
			return targets.Proof{}, err
		}
	}
	return proof, nil
}

// entity is a thing as the desk shows it.
func (s *Sim) entity(t *Thing, short bool) targets.Entity {
	e := targets.Entity{
		Kind: t.Kind, ID: t.ID, Keys: map[string]string{}, Fields: cloned(t.Fields), Refs: cloned(t.Refs), Members: slices.Clone(t.Members),
		MembersKnown: true, Active: t.Active, Protected: t.Protected, Busy: t.Busy, ChangedAt: t.Changed.Add(s.faults.ClockOff), Short: short,
	}
	for _, name := range []string{"name", "email", "login", "title", "phone"} {
		if _, ok := e.Fields[name]; !ok {
			e.Fields[name] = ""
		}
	}
	kind, _ := (&targets.DeskDescription{Kinds: s.Kinds}).Of(t.Kind)
	for _, k := range kind.Keys {
		if v := t.key(k.Name); v != "" && (!short || k.Name != "anchor") {
			e.Keys[k.Name] = v
		}
	}
	if kind.Marked && t.Mark != "" && !short {
		e.Keys[targets.Mark] = t.Mark
	}
	if short {
		e.Members, e.MembersKnown = nil, false
	}
	if s.faults.Revisions {
		e.Revision = strconv.Itoa(t.Revision)
	}
	return e
}

func (t *Thing) key(name string) string {
	switch name {
	case targets.Mark:
		return t.Mark
	case "anchor":
		return t.Anchor
	default:
		return t.Fields[name]
	}
}

// Find implements targets.Desk.
func (s *Sim) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	if err := s.request(ctx, "find "+kind.String()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.faults
	s.finds++
	if slices.Contains(f.CannotFind, key) || f.FewFinds > 0 && s.finds > f.FewFinds {
		return nil, &fault.Error{Class: fault.Invalid, Op: "find", Where: "the desk", Err: targets.ErrCannotFind}
	}
	var list []targets.Entity
	for _, t := range s.sorted(kind) {
		switch {
		case f.HideInactive && !t.Active, f.IndexEmpty, f.IndexLag > 0 && s.Now().Sub(t.Changed) < f.IndexLag:
		case f.FilterIgnored && len(list) < 20,
			!f.FilterIgnored && f.CaseSensitive && t.key(key) == value && value != "",
			!f.FilterIgnored && !f.CaseSensitive && strings.EqualFold(t.key(key), value) && value != "":
			list = append(list, s.entity(t, false))
		}
	}
	return list, nil
}

// Fetch implements targets.Desk.
func (s *Sim) Fetch(ctx context.Context, kind directory.RecordKind, id string) (targets.Entity, error) {
	if err := s.request(ctx, "fetch "+kind.String()); err != nil {
		return targets.Entity{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.things[kind][id]
	if !ok {
		return targets.Entity{}, gone(id)
	}
	return s.entity(t, false), nil
}

func gone(id string) error {
	return &fault.Error{Class: fault.Gone, Op: "fetch", Where: "the desk", Err: fmt.Errorf("there is no %s", id)}
}
