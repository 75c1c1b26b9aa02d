package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// However a directory changes and whatever its server does wrong meanwhile: after a good read, the records are
// those that a fresh start would make of the same directory.
func TestRandomChangesAgreeWithAFreshStart(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		seed := uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			r := randomStory(t, rnd)
			if seed%2 == 0 {
				r.basis = "b"
			}
			for range 12 {
				r.randomRun(rnd)
			}
			r.likeAFreshStart()
		})
	}
}

// randomStory is a story whose source and rules are of one kind or another.
func randomStory(t *testing.T, rnd *rand.Rand) *rig {
	t.Helper()
	r := newStory(t, rnd.IntN(2) == 0, rnd.IntN(2) == 0)
	if rnd.IntN(2) == 0 {
		r.spec.Leavers = mapping.DeleteLeavers
		r.mapping(r.spec)
	}
	return r
}

// randomRun is a run after a few changes, in which the source may misbehave.
func (r *rig) randomRun(rnd *rand.Rand) Result {
	r.Helper()
	for range rnd.IntN(6) {
		r.mutate(rnd)
	}
	r.misbehave(rnd)
	_, res := r.sync()
	r.behave()
	return res
}

// likeAFreshStart demands that the records are in the end those that a fresh start makes, and that who followed the events
// has the same picture.
func (r *rig) likeAFreshStart() {
	r.Helper()
	r.settleDown()
	fresh := newStory(r.T, false, false)
	fresh.people, fresh.groups = r.people, r.groups
	fresh.licences, fresh.devices, fresh.customers, fresh.sites, fresh.belongTo = r.licences, r.devices, r.customers, r.sites, r.belongTo
	fresh.sync()
	if got, want := r.active(), fresh.active(); got != want {
		r.Errorf("after random changes:\n%s\na fresh start:\n%s", got, want)
	}
	r.mustFollow()
}

// mutate changes one thing in the world.
func (r *rig) mutate(rnd *rand.Rand) {
	id := fmt.Sprint(rnd.IntN(12))
	group := []string{"desk", "inner", "team-a", "team-b", "other"}[rnd.IntN(5)]
	licence := fmt.Sprint("e", rnd.IntN(3))
	switch rnd.IntN(17) {
	case 9:
		r.licences[licence] = fmt.Sprint("L", rnd.IntN(5))
	case 10:
		delete(r.licences, licence)
	case 11:
		if p, ok := r.people[id]; ok {
			p.holds = [][]string{nil, {licence}, {"e0", "e1"}}[rnd.IntN(3)]
			r.people[id] = p
		}
	case 14:
		if p, ok := r.people[id]; ok {
			p.in = [][]string{nil, {group}, {group, "desk"}}[rnd.IntN(3)]
			r.people[id] = p
		}
	case 12:
		r.devices[fmt.Sprint("d", rnd.IntN(3))] = fmt.Sprint("p:", rnd.IntN(20))
		delete(r.devices, fmt.Sprint("d", rnd.IntN(6)))
	case 13:
		r.customers[fmt.Sprint("c", rnd.IntN(3))] = fmt.Sprint("C", rnd.IntN(5))
		delete(r.customers, fmt.Sprint("c", rnd.IntN(6)))
	case 15:
		r.sites[fmt.Sprint("s", rnd.IntN(3))] = fmt.Sprint("c", rnd.IntN(4))
		delete(r.sites, fmt.Sprint("s", rnd.IntN(6)))
	case 16:
		r.belongTo[[]string{id, fmt.Sprint("d", rnd.IntN(3))}[rnd.IntN(2)]] = belongs(fmt.Sprint("c", rnd.IntN(4)), fmt.Sprint("s", rnd.IntN(4)))
	case 0, 1:
		r.people[id] = person{name: fmt.Sprint("P", rnd.IntN(100)), manager: fmt.Sprint("p:", rnd.IntN(12)), holds: r.people[id].holds, in: r.people[id].in}
	case 2:
		delete(r.people, id)
	case 3:
		if p, ok := r.people[id]; ok {
			p.handle = fmt.Sprint("p:", rnd.IntN(20))
			r.people[id] = p
		}
	case 4:
		if p, ok := r.people[id]; ok {
			p.disabled = !p.disabled
			r.people[id] = p
		}
	case 5:
		r.groups[group] = append(slices.Clone(r.groups[group]), fmt.Sprint("p:", rnd.IntN(20)))
	case 6:
		r.groups[group] = append(slices.Clone(r.groups[group]), "g:"+[]string{"desk", "inner", "team-a"}[rnd.IntN(3)])
	case 7:
		if m := r.groups[group]; len(m) > 0 {
			r.groups[group] = slices.Delete(slices.Clone(m), 0, 1)
		}
	case 8:
		delete(r.groups, group)
	}
	// A directory has one entry of a name at a time.
	taken := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(r.people)) {
		p := r.people[id]
		if h := p.handle; h != "" && (taken[h] || r.isID(h)) {
			p.handle = ""
			r.people[id] = p
		} else if h != "" {
			taken[h] = true
		}
	}
}

func (r *rig) isID(handle string) bool {
	_, ok := r.people[strings.TrimPrefix(handle, "p:")]
	return ok
}

func (r *rig) misbehave(rnd *rand.Rand) {
	switch rnd.IntN(7) {
	case 0:
		r.failAfter, r.err = 1+rnd.IntN(3), &fault.Error{Class: fault.Auth, Op: "read"}
	case 1:
		r.noProof = true
	case 2:
		r.hide["users"] = true
	case 3:
		r.hide["groups"] = true
	case 4:
		r.hide["licences"] = true
	}
}

func (r *rig) behave() { r.failAfter, r.noProof, r.hide = 0, false, map[string]bool{} }

// settleDown syncs in good order, and approves what is held.
func (r *rig) settleDown() {
	r.Helper()
	for i := range 4 {
		_, res := r.sync()
		if res.Err != nil {
			r.Fatal(res.Err)
		}
		// The first read may go on with an interrupted one, whose pages tell of earlier days.
		if res.Run.Held == "" && i > 0 {
			return
		}
		if res.Run.Held == "" {
			continue
		}
		r.job = Job{Offline: true, Approve: res.Run.Held}
		if _, res := r.sync(); res.Err != nil {
			r.Fatal(res.Err)
		}
	}
	r.Fatalf("the plan is held for ever: %+v", r.state().Held)
}

// active renders the active records, members by key.
func (r *rig) active() string {
	r.Helper()
	var lines []string
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		ids := map[uint32]string{}
		err := tx.Rows(directory.Person, 0, func(row store.Row) bool {
			o, err := directory.ParseObject(row.Data)
			if err != nil {
				r.Error(err)
			}
			ids[uint32(row.Num)] = o.ID
			return true
		})
		if err != nil {
			return err
		}
		for _, kind := range directory.RecordKinds() {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				if !rec.Active {
					return true
				}
				text := fmt.Sprintf("%s %s %s", kind, rec.Key, rec.Rule)
				for _, f := range rec.Fields {
					if !f.Value.Blank() {
						text += fmt.Sprintf(" %s=%v", f.Name, f.Value)
					}
				}
				var members []string
				for _, m := range rec.Members {
					members = append(members, ids[m])
				}
				slices.Sort(members)
				lines = append(lines, fmt.Sprintf("%s %v", text, members))
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// mustFollow checks that the journal alone leads to the records: who follows the events has the same picture.
func (r *rig) mustFollow() {
	r.Helper()
	alive, keys := map[string]bool{}, map[string]bool{}
	members := map[string]map[string]bool{}
	for i := range r.journal {
		a := &r.journal[i]
		subject := directory.Subject(a.Kind, a.Record)
		was := alive[subject]
		switch a.Op {
		case directory.Create, directory.Reactivate:
			if was {
				r.Errorf("%s of %s, which is active", a.Op, subject)
			}
			alive[subject] = true
		case directory.Update, directory.Deactivate:
			if !was {
				r.Errorf("%s of %s, which is not active", a.Op, subject)
			}
			alive[subject] = a.Op == directory.Update
		case directory.Delete:
			alive[subject] = false
			delete(members, subject)
		}
		if keys[a.Key] {
			r.Errorf("%s of %s has a key that was used before", a.Op, subject)
		}
		keys[a.Key] = true
		for _, s := range a.Sets {
			if members[subject] == nil {
				members[subject] = map[string]bool{}
			}
			for _, m := range s.Added {
				if members[subject][m] {
					r.Errorf("%s gets the member %s twice", subject, m)
				}
				members[subject][m] = true
			}
			for _, m := range s.Removed {
				if !members[subject][m] {
					r.Errorf("%s loses %s, which is no member", subject, m)
				}
				delete(members[subject], m)
			}
		}
	}
	for _, line := range strings.Split(r.active(), "\n") {
		if f := strings.Fields(line); len(f) > 1 && !alive[f[0]+"/"+f[1]] {
			r.Errorf("%s is active, but the events do not say so", f[0]+"/"+f[1])
		}
	}
}

// Whoever signs in at whatever moment of a run: after a good read, and when those whom the directory never named have not come back, the records are those
// of a fresh start, and the events lead to them.
func TestRandomSignInsAgreeWithAFreshStart(t *testing.T) {
	rounds, came := 16, 0
	if testing.Short() {
		rounds = 6
	}
	for i := range rounds {
		seed := uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			r := randomStory(t, rnd)
			plain := r.engine
			created := 0
			var one sync.Mutex // rnd is no other goroutine's
			come := func() {
				if !one.TryLock() {
					return
				}
				defer one.Unlock()
				if rnd.IntN(20) > 0 {
					return
				}
				a := arriving(fmt.Sprint(rnd.IntN(12)), fmt.Sprint("S", rnd.IntN(100)))
				a.Until = time.Now().Add(time.Hour)
				a.Object.Set(directory.FieldEnabled, directory.Bool(true))
				a.Beyond = rnd.IntN(6) == 0
				got, err := plain.SettleOne(t.Context(), r.conn, connectors.Tenant{}, a)
				if err != nil && fault.ClassOf(err) != fault.Conflict {
					t.Error(err)
				}
				if got.Created {
					created++
				}
			}
			crowded := New(comers{r.store, come}, plain.opts)
			crowded.chunk = plain.chunk
			for range 12 {
				one.Lock()
				for range rnd.IntN(6) {
					r.mutate(rnd)
				}
				r.misbehave(rnd)
				one.Unlock()
				r.engine = crowded
				r.sync()
				r.behave()
			}
			came += created
			r.engine = plain
			r.engine.opts.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			r.likeAFreshStart()
		})
	}
	if came == 0 {
		t.Error("nobody came")
	}
}

// comers calls a function before each transaction.
type comers struct {
	store.Store
	come func()
}

func (c comers) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	c.come()
	return c.Store.View(ctx, p, fn)
}

func (c comers) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	c.come()
	return c.Store.Update(ctx, p, fn)
}
