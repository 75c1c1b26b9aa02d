package settle

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
)

// staff is a tenant where everybody is something to somebody: 2 and 3 report to 1, inner is in outer, 4 holds e3, pc is 5's.
func staff(t *testing.T, spec mapping.Spec) *tenant {
	r := newTenant(t, spec)
	r.people("1", "6")
	r.put(directory.Person, "2", "2", "manager:p:1")
	r.put(directory.Person, "3", "3", "manager:p:1")
	r.put(directory.Person, "4", "4", "holds:l:e3")
	r.people("5")
	r.group("inner", "p:2", "p:4")
	r.group("outer", "g:inner", "p:5")
	r.put(directory.Licence, "e3", "E3")
	r.put(directory.Device, "pc", "PC", "owner:p:5")
	r.settle()
	if left := r.marks(); left != "" {
		t.Fatalf("marks of %s are left", left)
	}
	return r
}

// list says who is looked at.
func (r *tenant) list(s *Settlement) string {
	r.Helper()
	var all []string
	for _, kind := range directory.Kinds() {
		for _, n := range relations.Nums(s.worklist[kind]) {
			all = append(all, handle(kind, r.id(kind, n)))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// Who is looked at: whoever is marked, and whom the rules make look at the one.
func TestWorklist(t *testing.T) {
	type m struct {
		kind directory.Kind
		id   string
		why  store.DirtyReason
	}
	devices := mapping.Spec{Rules: rule("true", directory.UserRecord), Devices: rule(`owner.name != nil`, directory.AssetRecord)}
	plain, managers, groups, licences := users("true"), users(`manager.name != "x"`), users(`"outer" in groups`), users(`"E3" in licences`)
	for _, c := range []struct {
		name string
		spec mapping.Spec
		mark m
		want string
	}{
		{"a person", plain, m{directory.Person, "1", store.Changed}, "p:1"},
		{"a manager, of whom the rules ask", managers, m{directory.Person, "1", store.Changed}, "p:1 p:2 p:3"},
		{"a manager's report", managers, m{directory.Person, "2", store.Changed}, "p:2"},
		{"an owner, of whom the rules ask", devices, m{directory.Person, "5", store.Changed}, "d:pc p:5"},
		{"a group of owners, of which the rules ask", mapping.Spec{Rules: rule("true", directory.UserRecord), Devices: rule(`"x" in owner.groups`, directory.AssetRecord)}, m{directory.Group, "outer", store.Changed}, "d:pc g:outer p:2 p:4 p:5"},
		{"an owner, of whom they do not", plain, m{directory.Person, "5", store.Changed}, "p:5"},
		{"a group, of which they ask", groups, m{directory.Group, "outer", store.Changed}, "g:outer p:2 p:4 p:5"},
		{"a group below, too", groups, m{directory.Group, "inner", store.Regrouped}, "g:inner p:2 p:4"},
		{"a group's list: who moved has marks", groups, m{directory.Group, "outer", store.MembersChanged}, "g:outer"},
		{"a group, of which they do not ask", plain, m{directory.Group, "outer", store.Changed}, "g:outer"},
		{"a licence, of which they ask", licences, m{directory.Licence, "e3", store.Changed}, "l:e3 p:4"},
		{"a licence, of which they do not", plain, m{directory.Licence, "e3", store.Changed}, "l:e3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := staff(t, c.spec)
			if got := r.list(r.prepare()); got != "" {
				t.Errorf("without a mark %s", got)
			}
			r.mark(c.mark.kind, c.mark.id, c.mark.why)
			if got := r.list(r.prepare()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			r.task.SameRules = false
			if got := r.list(r.prepare()); got != "d:pc g:inner g:outer l:e3 p:1 p:2 p:3 p:4 p:5 p:6" {
				t.Errorf("under other rules %s", got)
			}
		})
	}
}

// Nothing is settled from a store that never held everything.
func TestNeverReadToTheEnd(t *testing.T) {
	r := staff(t, users("true"))
	r.update(func(tx store.Writer) error { return tx.PutStream("groups", store.StreamState{Partial: []byte("x")}) })
	if _, err := Prepare(t.Context(), &r.task); fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "groups of hq were never read to the end") {
		t.Errorf("error %v", err)
	}
}

// Everything waits when something is missing without proof by which the rules tell people apart.
func TestBasisWithoutProof(t *testing.T) {
	for _, c := range []struct {
		name   string
		spec   mapping.Spec
		change func(r *tenant)
		want   string
	}{
		{"nothing", users("true"), func(*tenant) {}, ""},
		{"a group", users("true"), func(r *tenant) { r.gone(directory.Group, store.OutOfScope, "inner") }, "go by what is left of the groups: some are missing without proof that they are gone, and the rules look at them"},
		{"a group that is proven gone", users("true"), func(r *tenant) { r.gone(directory.Group, store.Absent, "inner") }, ""},
		{"a person", users("true"), func(r *tenant) { r.gone(directory.Person, store.OutOfScope, "1") }, ""},
		{"a person, and managers count", users(`manager.name != "x"`), func(r *tenant) { r.gone(directory.Person, store.OutOfScope, "1") }, "go by what is left of the people: some are missing without proof that they are gone, and the rules look at them"},
		{"a licence", users("true"), func(r *tenant) { r.gone(directory.Licence, store.EmptyListing, "e3") }, ""},
		{"a licence, and they count", users(`"E3" in licences`), func(r *tenant) { r.gone(directory.Licence, store.EmptyListing, "e3") }, "go by what is left of the licences: some are missing without proof that they are gone, and the rules look at them"},
		{"all members", users("true"), func(r *tenant) { r.stream("groups", store.StreamState{Emptied: true}) }, "take everybody out of their groups: groups came without a single member"},
		{"the scope of groups was edited", users("true"), func(r *tenant) { r.stream("groups", store.StreamState{NewScope: "less"}) }, "follow from an edited scope of groups: what is missing may only be out of sight, and the rules look at it"},
		{"the scope of devices was edited", users("true"), func(r *tenant) { r.stream("devices", store.StreamState{NewScope: "less"}) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := staff(t, c.spec)
			c.change(r)
			if got := strings.Join(r.prepare().basis, "; "); got != c.want {
				t.Errorf("everything waits: %q, want %q", got, c.want)
			}
		})
	}
}

func (r *tenant) stream(name string, s store.StreamState) {
	r.Helper()
	s.Complete = r.task.Run.Time
	r.update(func(tx store.Writer) error { return tx.PutStream(name, s) })
}
