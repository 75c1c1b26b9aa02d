package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// errCut stands for the end of the process: nothing after it is stored.
var errCut = errors.New("cut")

// cutStore ends the process, as far as the store can tell, at one transaction: before it is durable, or after.
type cutStore struct {
	store.Store
	left  int // transactions until the cut
	after bool
	dead  atomic.Bool
}

func (c *cutStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	c.left--
	if c.dead.Load() || (c.left <= 0 && !c.after) {
		c.dead.Store(true)
		return errCut
	}
	err := c.Store.Update(ctx, p, fn)
	if c.left <= 0 {
		c.dead.Store(true)
		return errors.Join(err, errCut)
	}
	return err
}

func (c *cutStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if c.dead.Load() {
		return errCut
	}
	return c.Store.View(ctx, p, fn)
}

// story is a scenario of three runs; it touches every kind of write that a run has.
func (r *rig) story() []func() {
	return []func(){
		func() {
			for i := range 9 {
				r.people[fmt.Sprint(i)] = person{name: fmt.Sprint("P", i), manager: "p:0"}
			}
			r.groups["desk"] = []string{"p:1", "g:inner"}
			r.groups["inner"] = []string{"p:2", "p:3"}
			r.groups["team"] = []string{"p:4", "p:5", "g:desk"}
			r.groups["team of leavers"] = []string{"p:7", "p:6"}
			r.people["6"] = person{name: "P6", holds: []string{"e3"}}
			r.licences["e3"], r.customers["c"], r.devices["pc"], r.sites["s"] = "E3", "Acme", "p:8", "c"
			r.belongTo["3"], r.belongTo["pc"] = belongs("c", "s"), belongs("", "s")
			r.people["8"] = person{name: "P8", holds: []string{"e3"}}
		},
		func() {
			r.people["0"] = person{name: "Boss"}
			r.people["8"] = person{name: "8", handle: "p:moved"}
			r.licences["e3"] = "E5"
			r.devices["pc"] = "p:0"
			r.customers["c"] = "Acme Ltd"
			r.belongTo["4"] = belongs("c", "")
			delete(r.people, "7")
			r.add("10", "Joiner")
			r.groups["inner"] = []string{"p:3", "p:6"}
			r.groups["team"] = []string{"p:4", "p:10"}
		},
		func() {
			delete(r.people, "6") // nothing changes but this
		},
		func() {
			r.add("7", "Back")
			delete(r.licences, "e3")
			delete(r.customers, "c")
			delete(r.sites, "s")
			delete(r.groups, "inner")
			r.groups["late"] = []string{"p:7"}
		},
	}
}

func newStory(t *testing.T, parts, resumable bool) *rig {
	r := newRig(t)
	r.wide = true
	boss := field("boss", "= manager.name")
	boss.Blank = mapping.ClearBlank
	has := field("has", "= licences")
	has.Blank = mapping.ClearBlank
	wide := wideSpec()
	r.mapping(mapping.Spec{Name: "m", Licences: wide.Licences, Devices: wide.Devices, Customers: wide.Customers, Sites: wide.Sites,
		Rules:  []mapping.RuleSpec{agent("desk", `"desk" in groups`), user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", `name startsWith "team"`, directory.GroupRecord)},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name"), boss, has, clearing("customer", "= customer.name")},
			directory.SiteRecord:    {clearing("customer", "= customer.name")},
			directory.LicenceRecord: {field("name", "= name")}, directory.AssetRecord: {field("owner", "= owner.name"), clearing("site", "= site.name")}}})
	r.conn.Guard, r.conn.Lists = nil, plan.Lists{}
	r.parts, r.resumable, r.sometimes = parts, resumable, parts
	return r
}

// What a run that is cut at any transaction and started again comes to is what it comes to undisturbed: the
// same records, and the same actions under the same keys, each once.
func TestCutAnywhere(t *testing.T) {
	cuts := 0
	// Whole lists that cannot be resumed, that can be after every page, and parts that can be after some pages.
	for _, kind := range []struct{ parts, resumable bool }{{false, false}, {false, true}, {true, true}} {
		parts, resumable := kind.parts, kind.resumable
		whole := newStory(t, parts, resumable)
		var want []string
		for _, change := range whole.story() {
			change()
			if _, res := whole.sync(); res.Err != nil {
				t.Fatal(res.Err)
			}
			want = append(want, whole.outcome())
		}
		for round := range want {
			for _, after := range []bool{false, true} {
				for n := 1; ; n++ {
					cuts++
					if !cutAt(t, parts, resumable, round, n, after, want[round]) {
						break
					}
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 120 {
		t.Errorf("only %d cuts: the sweep does not reach what it should", cuts)
	}
}

// cutAt plays the story up to a round, cuts that one at its n-th transaction, and starts again. It reports
// whether the round had that many transactions.
func cutAt(t *testing.T, parts, resumable bool, round, n int, after bool, want string) bool {
	t.Helper()
	r := newStory(t, parts, resumable)
	story := r.story()
	for _, change := range story[:round] {
		change()
		r.sync()
	}
	story[round]()
	cut := &cutStore{Store: r.store, left: n, after: after}
	r.engine.store = cut
	r.sync()
	r.engine = New(r.store, r.engine.opts)
	if _, res := r.sync(); res.Err != nil {
		t.Errorf("parts %t resumable %t round %d cut %d after %t: %v", parts, resumable, round, n, after, res.Err)
	}
	if got := r.outcome(); got != want {
		t.Errorf("parts %t resumable %t round %d cut %d after %t:\n got %s\nwant %s", parts, resumable, round, n, after, got, want)
	}
	return cut.dead.Load()
}

// outcome is all that matters to anybody outside: records and actions, in a comparable form without times.
func (r *rig) outcome() string {
	r.Helper()
	records := map[string]string{}
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		for _, kind := range directory.RecordKinds() {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				text := fmt.Sprintf("active %t rule %s", rec.Active, rec.Rule)
				for _, f := range rec.Fields {
					text += fmt.Sprintf(" %s=%v", f.Name, f.Value)
				}
				records[directory.Subject(kind, rec.Key)] = fmt.Sprintf("%s revision %d members %d", text, rec.Revision, len(rec.Members))
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
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(records)) {
		lines = append(lines, key+" "+records[key])
	}
	keys := map[string]int{}
	for i := range r.journal {
		keys[r.journal[i].Key]++
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		lines = append(lines, fmt.Sprintf("%s ×%d", key, keys[key]))
	}
	return strings.Join(lines, "\n")
}
