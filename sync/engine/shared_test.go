package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// posix is a source whose groups carry numbers and list members by log-in names, as RFC 2307 has them.
type posix struct {
	*world
	logins  map[string]string // people's log-in names
	primary map[string]string // the number of an account's own group; who has none has no account
	numbers map[string]string // the groups' numbers
}

func newPosix(t *testing.T, desk string) (*rig, *posix) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m",
		Rules:  []mapping.RuleSpec{agent("desk", desk), user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
	p := &posix{world: r.world, logins: map[string]string{}, primary: map[string]string{}, numbers: map[string]string{}}
	r.conn.Source = p
	return r, p
}

func (p *posix) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return p.world.Read(ctx, req, func(page *connectors.Page) error {
		for i := range page.Objects {
			o := &page.Objects[i]
			if login := p.logins[o.ID]; login != "" {
				o.Handles = append(o.Handles, directory.NameHandle(login))
			}
			if number := p.primary[o.ID]; number != "" {
				o.Links = append(o.Links, directory.Link{Type: directory.MemberOf, To: directory.NumberHandle(number)})
			}
			if number := p.numbers[o.ID]; number != "" {
				o.Handles = append(o.Handles, directory.NumberHandle(number))
			}
		}
		return emit(page)
	})
}

func (p *posix) account(id, name, login string) {
	p.people[id] = person{name: name}
	p.logins[id], p.primary[id] = login, "500"
}

// told reports whether a run told of something.
func told(res Result, text string) bool {
	return strings.Contains(strings.Join(res.Run.Notes, "\n"), text)
}

// Two groups with one number: whoever has it as primary group is in both, whichever was written last.
func TestGroupNumberTwice(t *testing.T) {
	r, p := newPosix(t, `"a" in groups and "b" in groups`)
	p.account("1", "Ann", "ann")
	p.groups["a"], p.groups["b"], p.groups["c"] = nil, nil, nil
	p.numbers["a"], p.numbers["b"], p.numbers["c"] = "500", "500", "100"
	res := r.expect("first", Clean, "create agent 1", "create group a +hq/1 -", "create group b +hq/1 -", "create group c")
	if !told(res, "groups: 1 group number is not unique, groups have the same: a and b") {
		t.Errorf("notes %q", res.Run.Notes)
	}
	p.groups["a"] = []string{"p:nobody"} // the group is stored again
	r.expect("one group edited", Clean)
	p.numbers["b"] = "100"
	r.expect("another number", Clean, "deactivate agent 1", "create user 1", "update group b + -hq/1")
	p.numbers["b"] = "500"
	r.expect("and back", Clean, "deactivate user 1", "reactivate agent 1", "update group b +hq/1 -")
	delete(p.groups, "a")
	r.expect("one is gone", Clean, "deactivate agent 1", "reactivate user 1", "deactivate group a")
}

// A log-in name that two accounts have from the first read on means neither of them, and both views say so.
func TestLoginTwiceFromTheStart(t *testing.T) {
	r, p := newPosix(t, `"desk" in groups`)
	p.account("1", "Ann North", "ann")
	p.account("2", "Ann South", "ann")
	p.groups["desk"] = []string{"uid:ann"}
	res := r.expect("first", Clean, "create user 1", "create user 2", "create group desk")
	if !told(res, "users: 1 log-in name is not unique, people have the same: 1 and 2") {
		t.Errorf("notes %q", res.Run.Notes)
	}
	for _, name := range []string{"Ann of the North", "Ann"} {
		p.people["1"] = person{name: name}
		if res := r.expect("an edit", Clean, "update user 1 name:"+map[string]string{"Ann of the North": "Ann North", "Ann": "Ann of the North"}[name]+">"+name); !told(res, "not unique") {
			t.Errorf("notes %q", res.Run.Notes)
		}
	}
	p.logins["2"] = "ann2"
	r.expect("mended", Clean, "deactivate user 1", "create agent 1", "update group desk +hq/1 -")
	p.logins["2"] = "ann"
	r.expect("somebody else takes the name", Clean) // who has it keeps it
	p.people["2"] = person{name: "Ann of the South"}
	r.expect("an edit of theirs", Clean, "update user 2 name:Ann South>Ann of the South")
	delete(p.people, "1")
	r.expect("who had it is gone", Clean, "deactivate agent 1", "deactivate user 2", "create agent 2", "update group desk +hq/2 -hq/1")
	p.account("1", "Ann", "ann")
	r.expect("and comes back", Clean, "reactivate user 1")
}

// Somebody who has no account is meant by a log-in name that no account has.
func TestLoginWithoutAccount(t *testing.T) {
	r, p := newPosix(t, `"desk" in groups`)
	p.people["1"], p.people["2"], p.people["3"] = person{name: "Plain"}, person{name: "Other plain"}, person{name: "Account"}
	p.logins["1"], p.logins["2"], p.logins["3"], p.primary["3"] = "ann", "bob", "bob", "500"
	p.groups["desk"] = []string{"uid:ann", "uid:bob"}
	r.expect("first", Clean, "create agent 1", "create user 2", "create agent 3", "create group desk +hq/1,hq/3 -")
	p.account("4", "Ann's account", "ann")
	r.expect("an account with the name of somebody who has one", Clean, "create user 4")
}

// doubtful is a source whose listings prove no absence.
type doubtful struct {
	*world
	doubt string
}

func (d *doubtful) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return d.world.Read(ctx, req, func(p *connectors.Page) error {
		if p.Proof != nil {
			p.Proof.Doubt = d.doubt
		}
		return emit(p)
	})
}

// A listing that the connector doubts brings joiners and changes, and removes nobody until one comes without doubt.
func TestDoubtfulListing(t *testing.T) {
	r := newRig(t)
	d := &doubtful{r.world, "it is a proxy"}
	r.conn.Source = d
	r.add("1", "P1")
	r.add("2", "P2")
	r.expect("first", Clean, "create user 1", "create user 2")
	delete(r.people, "1")
	r.add("3", "P3")
	if res := r.expect("doubtful", Clean, "create user 3"); !told(res, "users: it is a proxy, so nobody's absence is certain") {
		t.Errorf("notes %q", res.Run.Notes)
	}
	d.doubt = ""
	r.expect("certain", Clean, "deactivate user 1")
}

// Somebody who had a log-in name with others is let go without proof: the operator approved it. Whom the name means then
// is what a fresh start would make of it.
func TestLoginTwiceAndLetGo(t *testing.T) {
	for _, test := range []struct {
		others string // who has the name, too
		then   string
	}{
		{"2", "deactivate user 2; create agent 2; update group desk +hq/2 -"},
		{"23", ""},
	} {
		t.Run(test.others, func(t *testing.T) {
			r, p := newPosix(t, `"desk" in groups`)
			p.account("1", "Ann", "ann")
			p.groups["desk"] = []string{"uid:ann"}
			r.sync()
			for _, id := range test.others {
				p.account(string(id), "Ann", "ann")
			}
			r.sync()
			r.scope = "less"
			delete(p.people, "1")
			held := r.expect("another scope", Held).Run.Held
			r.job = Job{Offline: true, Approve: held}
			if got, res := r.sync(); res.Run.Outcome != Clean || got != "deactivate agent 1; update group desk + -hq/1" {
				t.Errorf("approved: %s, %s, %v", got, res.Run.Outcome, res.Err)
			}
			if got, res := r.sync(); res.Run.Outcome != Clean || got != test.then {
				t.Errorf("the next run: %s, %s, %v", got, res.Run.Outcome, res.Err)
			}
			r.expect("and then nothing", Clean)
			spec := r.spec
			spec.Rules = append(slices.Clone(spec.Rules), user("nobody", "false"))
			r.mapping(spec)
			r.expect("everybody is looked at", Clean)
		})
	}
}
