package settle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// What a hold keeps back, by class of outcome.
func TestHoldCovers(t *testing.T) {
	created, removed := ops(0).with(directory.Create), ops(0).with(directory.Deactivate)
	for _, c := range []struct {
		name string
		hold *hold
		of   class
		want bool
	}{
		{"no hold", nil, class{ops: removed}, false},
		{"all", &hold{all: true}, class{ops: created}, true},
		{"all, but lists wait with their outcomes", &hold{all: true, lists: true}, class{lists: true}, false},
		{"an operation", &hold{ops: removing}, class{ops: removed}, true},
		{"an outcome that also does something else", &hold{ops: removing}, class{ops: removed | created}, true},
		{"another operation", &hold{ops: removing}, class{ops: created}, false},
		{"what is not proven", &hold{unproven: true}, class{ops: removed, unproven: true}, true},
		{"what is", &hold{unproven: true}, class{ops: removed}, false},
		{"lists", &hold{lists: true}, class{lists: true}, true},
		{"other outcomes than lists", &hold{lists: true}, class{ops: removed}, false},
		{"lists, of which the hold says nothing", &hold{ops: removing}, class{lists: true}, false},
	} {
		if got := c.hold.covers(c.of); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
	var none *hold
	if none.waiting() != nil {
		t.Error("people wait in no hold")
	}
}

// What waits, what goes ahead, and why.
func TestWhatIsHeld(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *tenant)
		ahead  string // what is queued
		held   string // the counts of the plan that waits; "" for none
		whole  bool
		reason string
		marks  string // that are left
	}{
		{
			name:   "few leavers, and a joiner",
			change: func(r *tenant) { r.gone(directory.Person, store.Absent, "01"); r.people("new") },
			ahead:  "deactivate user 01; create user new",
		},
		{
			name: "many leavers, and a joiner",
			change: func(r *tenant) {
				r.gone(directory.Person, store.Absent, "01", "02", "03", "04")
				r.people("new")
			},
			ahead: "create user new", held: "map[user:map[deactivate:4]]", reason: "deactivate 4 of 30 user records", marks: "p:01 p:02 p:03 p:04",
		},
		{
			name: "many joiners: removals wait with them, changes do not",
			change: func(r *tenant) {
				r.task.Guard = at(2, directory.Create)
				r.people("new", "newer", "newest")
				r.gone(directory.Person, store.Absent, "01")
				r.put(directory.Person, "02", "Two")
			},
			ahead: "update user 02 name:02>Two", held: "map[user:map[create:3 deactivate:1]]", reason: "create 3 records", marks: "p:01 p:new p:newer p:newest",
		},
		{
			name:   "one without proof",
			change: func(r *tenant) { r.gone(directory.Person, store.OutOfScope, "01"); r.people("new") },
			ahead:  "create user new", held: "map[user:map[deactivate:1]]", reason: "1 removal for which there is no proof", marks: "p:01",
		},
		{
			name: "one without proof, one with",
			change: func(r *tenant) {
				r.gone(directory.Person, store.OutOfScope, "01")
				r.gone(directory.Person, store.Absent, "02")
			},
			ahead: "deactivate user 02", held: "map[user:map[deactivate:1]]", reason: "1 removal for which there is no proof", marks: "p:01",
		},
		{
			name:   "less is read",
			change: func(r *tenant) { r.task.Less = []string{"act on less"}; r.people("new") },
			held:   "map[user:map[create:1]]", whole: true, reason: "act on less", marks: "p:new",
		},
		{
			name:   "an older source",
			change: func(r *tenant) { r.task.Older = "an hour"; r.people("new") },
			held:   "map[user:map[create:1]]", whole: true, reason: "what an older source knows: an hour", marks: "p:new",
		},
		{
			name:   "less is read, and nothing follows",
			change: func(r *tenant) { r.task.Less = []string{"act on less"} },
		},
		{
			name:   "a group is missing without proof",
			change: func(r *tenant) { r.group("g"); r.gone(directory.Group, store.OutOfScope, "g"); r.people("new") },
			held:   "map[user:map[create:1]]", whole: true, reason: "missing without proof", marks: "g:g p:new",
		},
		{
			name: "all tenants together",
			change: func(r *tenant) {
				r.task.Charge = func(_ contextOf, c plan.Done) ([]plan.Breach, error) {
					if c.Counts().Of(directory.Deactivate) == 0 {
						return nil, nil
					}
					return []plan.Breach{{Op: directory.Deactivate, Text: fmt.Sprint("together ", c.Counts().Total())}}, nil
				}
				r.gone(directory.Person, store.Absent, "01")
				r.people("new")
			},
			ahead: "create user new", held: "map[user:map[deactivate:1]]", reason: "together 2", marks: "p:01",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, users("true"))
			r.people(ids(30)...)
			r.settle()
			r.task.Guard = plan.DefaultGuard()
			c.change(r)
			p := r.expect("settled", slices.DeleteFunc([]string{c.ahead}, func(s string) bool { return s == "" })...)
			switch {
			case p.Held == nil && c.held != "", p.Held != nil && fmt.Sprint(p.Held.Counts) != c.held:
				t.Errorf("held %+v, want %s", p.Held, c.held)
			case p.Held != nil && (!strings.Contains(strings.Join(p.Held.Reasons, "; "), c.reason) || p.Whole != c.whole || p.Held.RemovalsOnly == c.whole):
				t.Errorf("whole %t, removals only %t, reasons %q", p.Whole, p.Held.RemovalsOnly, p.Held.Reasons)
			}
			if got := r.marks(); got != c.marks {
				t.Errorf("marks of %q are left, want %q", got, c.marks)
			}
		})
	}
}

// What goes ahead is charged last, whatever is beyond the limits of all tenants: a list waits with its record.
func TestChargedIsWhatGoesAhead(t *testing.T) {
	for _, c := range []struct {
		name   string
		beyond []directory.Op // each that is among what is charged; 0: memberships
		want   string         // what was charged, one after the other
		ahead  string
	}{
		{"nothing", nil, "create:1 deactivate:1 update:2 memberships:1", "deactivate user 04; update user 05 name:05>Five; create user 06; update group g -01"},
		{"memberships", []directory.Op{0}, "create:1 deactivate:1 update:2 memberships:1, create:1 deactivate:1 update:2", "deactivate user 04; update user 05 name:05>Five; create user 06"},
		{"removals", []directory.Op{directory.Deactivate}, "create:1 deactivate:1 update:2 memberships:1, create:1 update:2 memberships:1", "update user 05 name:05>Five; create user 06; update group g -01"},
		{"changes", []directory.Op{directory.Update}, "create:1 deactivate:1 update:2 memberships:1, create:1", "create user 06"},
		{"memberships, then joiners", []directory.Op{0, directory.Create}, "create:1 deactivate:1 update:2 memberships:1, create:1 deactivate:1 update:2, update:2", "update user 05 name:05>Five"},
		{"all", []directory.Op{directory.Update, directory.Create}, "create:1 deactivate:1 update:2 memberships:1, create:1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := users("true")
			spec.Groups = rule("true", directory.GroupRecord)
			r := newTenant(t, spec)
			r.people(ids(5)...)
			r.group("g", "p:01", "p:02", "p:03")
			r.settle()
			r.task.Guard = plan.Guard{}
			var charged []string
			r.task.Charge = func(_ contextOf, done plan.Done) ([]plan.Breach, error) {
				var words []string
				lost := done[plan.Entry{All: true}]
				for _, op := range []directory.Op{directory.Create, directory.Deactivate, directory.Update} {
					if n := done.Counts().Of(op); n > 0 {
						words = append(words, fmt.Sprintf("%s:%d", op, n))
					}
				}
				if lost > 0 {
					words = append(words, fmt.Sprint("memberships:", lost))
				}
				charged = append(charged, strings.Join(words, " "))
				for _, op := range c.beyond {
					if op == 0 && lost > 0 || op != 0 && done.Counts().Of(op) > 0 {
						return []plan.Breach{{Op: op, Text: "together"}}, nil
					}
				}
				return nil, nil
			}
			r.group("g", "p:02", "p:03")
			r.gone(directory.Person, store.Absent, "04")
			r.put(directory.Person, "05", "Five")
			r.people("06")
			if got, _ := r.settle(); got != c.ahead || strings.Join(charged, ", ") != c.want {
				t.Errorf("charged %s, want %s\nahead %s, want %s", strings.Join(charged, ", "), c.want, got, c.ahead)
			}
		})
	}
}

// What waited goes on waiting when it becomes a smaller share, and is judged anew when the limits are edited or some of it
// is no longer wanted. Its hash is that of what waits.
func TestWhatWaitedWaits(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *tenant)
		want   string // the counts of what waits then
		same   bool   // as before
	}{
		{"nothing else", func(*tenant) {}, "map[user:map[deactivate:4]]", true},
		{"many join", func(r *tenant) { r.people(ids(200)[100:]...) }, "map[user:map[deactivate:4]]", true},
		{"somebody else leaves", func(r *tenant) { r.people(ids(200)[100:]...); r.gone(directory.Person, store.Absent, "20") }, "map[user:map[deactivate:5]]", false},
		{"some are back, and the rest is an everyday number", func(r *tenant) { r.people("01", "02") }, "", false},
		{"higher limits", func(r *tenant) { r.task.Guard = at(4, directory.Deactivate) }, "", false},
		{"it was thrown away", func(r *tenant) { r.people(ids(200)[100:]...); r.task.Held.Run = "" }, "map[user:map[deactivate:4]]", true},
		{"too many to remember who", func(r *tenant) { r.people(ids(200)[100:]...); r.task.Held.What = nil }, "map[user:map[deactivate:4]]", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, users("true"))
			r.people(ids(30)...)
			r.settle()
			r.task.Guard = plan.DefaultGuard()
			r.gone(directory.Person, store.Absent, "01", "02", "03", "04")
			held := r.expect("too many").Held
			if held == nil {
				t.Fatal("nothing waits")
			}
			c.change(r)
			r.settle() // whoever joins is a record from now on
			_, p := r.settle()
			switch {
			case p.Held == nil:
				if c.want != "" {
					t.Errorf("nothing waits, want %s", c.want)
				}
			case fmt.Sprint(p.Held.Counts) != c.want || (p.Held.Hash == held.Hash) != c.same:
				t.Errorf("%v waits, hash %s, before %s", p.Held.Counts, p.Held.Hash, held.Hash)
			}
		})
	}
}
