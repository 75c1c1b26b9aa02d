package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/signin/key"
)

// strangerRig is a rig beside which somebody has signed in to a connection of the provider's own, "staff".
type strangerRig struct {
	*rig
	own   *Connection
	moves []string
}

func newStrangerRig(t *testing.T, strangers ...string) *strangerRig {
	r := &strangerRig{rig: arrivalRig(t)}
	fields := []key.Field{{Kind: key.Mail, Name: directory.FieldEmail}}
	r.own = &Connection{Name: "staff", Connector: "sign-in", Source: newWorld(), Rules: r.conn.Rules, Guard: plan.DefaultGuard(), Lists: plan.DefaultLists(), Targets: []string{target}, Match: fields}
	r.conn.Match = fields
	r.conn.Strangers = []Strangers{{Own: r.own, Domains: []string{"example.test"}, Moved: func(_ context.Context, from, to Owner) error {
		r.moves = append(r.moves, from.Record+" "+to.Record)
		return nil
	}}}
	if err := r.engine.Index(t.Context(), r.conn); err != nil {
		t.Fatal(err)
	}
	if res := r.engine.Run(t.Context(), r.own, connectors.Tenant{}, Job{}); res.Err != nil {
		t.Fatal(res.Err)
	}
	for _, id := range strangers {
		a := arriving(id, "Zoe")
		a.Until = time.Time{}
		a.Object.SetText(directory.FieldEmail, "zoe@example.test")
		if got, err := r.engine.SettleOne(t.Context(), r.own, connectors.Tenant{}, a); err != nil || !got.Created {
			t.Fatalf("%+v, error %v", got, err)
		}
	}
	r.ofStaff()
	return r
}

// ofStaff drains the outbox of the provider's own connection.
func (r *strangerRig) ofStaff() string {
	r.Helper()
	r.name = "staff"
	defer func() { r.name = "" }()
	return r.drain()
}

// TestStranger: whom the directory gets is that person from then on; the other record ends before theirs is made, and each names the other.
func TestStranger(t *testing.T) {
	r := newStrangerRig(t, "z")
	r.people["9"] = person{name: "Zoe Z", mail: "Zoe@Example.test"}
	r.people["8"] = person{name: "Cid", mail: "cid@example.test"}
	r.expect("the directory has them", Clean, "create user 8", "create user 9")
	if said := r.ofStaff(); said != "deactivate user z" {
		t.Errorf("of staff: %s", said)
	}
	replaces, replaced := r.rig.journal[len(r.rig.journal)-2], r.rig.journal[len(r.rig.journal)-1]
	if replaces.Other != "user/staff/z" || replaced.Other != "user/hq/9" || replaced.Reason == "" {
		t.Errorf("%+v, %+v", replaces, replaced)
	}
	if len(r.moves) != 1 || r.moves[0] != "staff/z hq/9" {
		t.Errorf("moved: %v", r.moves)
	}
	if s, err := r.engine.Standing(t.Context(), Owner{Partition: store.Partition{Connection: "staff"}, ID: "z"}); err != nil || s.There || len(s.Kinds) > 0 {
		t.Errorf("the stranger: %+v, error %v", s, err)
	}
	r.expect("once more", Clean)
}

// TestStrangerWhoStays: as long as nobody can tell who somebody is, or the directory's record is not made, they stay who they were.
func TestStrangerWhoStays(t *testing.T) {
	for name, c := range map[string]struct {
		strangers []string
		people    map[string]person
		guard     plan.Guard
		outcome   string
		actions   []string
	}{
		"two people of one address": {strangers: []string{"z"}, people: map[string]person{"8": {name: "Zoe Y", mail: "zoe@example.test"}, "9": {name: "Zoe Z", mail: "zoe@example.test"}},
			outcome: Clean, actions: []string{"create user 8", "create user 9"}},
		"two strangers of one address": {strangers: []string{"y", "z"}, people: map[string]person{"9": {name: "Zoe Z", mail: "zoe@example.test"}}, outcome: Clean, actions: []string{"create user 9"}},
		"left out by the rules":        {strangers: []string{"z"}, people: map[string]person{"9": {name: "Zoe Z", mail: "zoe@example.test", department: "Contractors"}}, outcome: Clean},
		"another domain":               {strangers: []string{"z"}, people: map[string]person{"9": {name: "Zoe Z", mail: "zoe@other.test"}}, outcome: Clean, actions: []string{"create user 9"}},
		"held": {strangers: []string{"z"}, people: map[string]person{"9": {name: "Zoe Z", mail: "zoe@example.test"}},
			guard: plan.Guard{directory.Create: {Count: new(int)}}, outcome: Held},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStrangerRig(t, c.strangers...)
			if c.guard != nil {
				r.conn.Guard = c.guard
			}
			for id, p := range c.people {
				r.people[id] = p
			}
			res := r.expect(name, c.outcome, c.actions...)
			if said := r.ofStaff(); said != "" || len(r.moves) > 0 {
				t.Errorf("of staff: %s, moved %v", said, r.moves)
			}
			if c.outcome != Held {
				return
			}
			if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); res.Err != nil {
				t.Fatal(res.Err)
			}
			if said := r.drain() + "; " + r.ofStaff(); said != "create user 9; deactivate user z" {
				t.Errorf("approved: %s", said)
			}
		})
	}
}

// TestStrangersInPlenty: many at once are no accident that happens unasked.
func TestStrangersInPlenty(t *testing.T) {
	r := newStrangerRig(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		a := arriving(id, "N"+id)
		a.Until = time.Time{}
		a.Object.SetText(directory.FieldEmail, id+"@example.test")
		if _, err := r.engine.SettleOne(t.Context(), r.own, connectors.Tenant{}, a); err != nil {
			t.Fatal(err)
		}
		r.people["hq"+id] = person{name: "N" + id, mail: id + "@example.test"}
	}
	r.ofStaff()
	res := r.expect("all of them", Held)
	if said := r.ofStaff(); said != "" {
		t.Errorf("of staff: %s", said)
	}
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); res.Err != nil {
		t.Fatal(res.Err)
	}
	if said := r.drain() + "; " + r.ofStaff(); strings.Count(said, "create") != 4 || strings.Count(said, "deactivate") != 4 {
		t.Errorf("approved: %s", said)
	}
}

// TestStrangerCut: a run that is killed at any transaction is made good by the next one: the former record ends once, and the other is made once.
func TestStrangerCut(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			r := newStrangerRig(t, "z")
			r.people["9"] = person{name: "Zoe Z", mail: "zoe@example.test"}
			plain := r.engine
			r.engine = New(&cutStore{Store: r.store, left: at, after: after}, plain.opts)
			_, res := r.sync()
			r.engine = plain
			if !errors.Is(res.Err, errCut) {
				if at < 4 {
					t.Errorf("only %d moments", at)
				}
				break
			}
			if _, res := r.sync(); res.Run.Outcome != Clean {
				t.Errorf("after %t at %d: %v", after, at, res.Err)
			}
			r.expect("once more", Clean)
			said := ""
			for _, a := range r.rig.journal {
				said += say(&a) + "; "
			}
			if of := r.ofStaff(); strings.Count(said, "create user 9") != 1 || of != "deactivate user z" || len(r.moves) == 0 {
				t.Errorf("after %t at %d: %s, of staff %s", after, at, said, of)
			}
		}
	}
}
