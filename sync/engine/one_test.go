package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// asking is a world that can be asked for one person.
type asking struct {
	*world
	silent bool // who is not there is not said to be gone
	asked  []string
	others int // reads of any other kind
	err    error
}

func (a *asking) Describe() connectors.Description {
	d := a.world.Describe()
	d.Streams[0].ByID = true
	return d
}

func (a *asking) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	if req.Mode != connectors.ByID {
		a.others++
		return a.world.Read(ctx, req, emit)
	}
	a.asked = append(a.asked, req.IDs...)
	p := &connectors.Page{Proof: &connectors.Proof{Scope: a.scope, Count: -1}}
	for _, id := range req.IDs {
		if _, there := a.people[id]; there {
			p.Objects = append(p.Objects, a.object(id))
		} else if !a.silent {
			p.Removed = append(p.Removed, directory.Ref{Kind: directory.Person, ID: id})
		}
	}
	if a.err != nil {
		return a.err
	}
	return emit(p)
}

// TestOnePerson: one person is read and settled, and nobody else; cursors, the time of the last proof and failures stay.
func TestOnePerson(t *testing.T) {
	r := newAging(t)
	source := &asking{world: r.world}
	r.conn.Source = source
	r.world.delta = func(emit func(*connectors.Page) error) error { return errors.New("not asked for") }
	for i := range 6 {
		r.add(fmt.Sprint(i), fmt.Sprintf("Person %d", i))
	}
	one := func(what, who, outcome string, want ...string) Result {
		t.Helper()
		source.asked, source.others = nil, 0
		r.pass(1)
		r.job.User = who
		res := r.expect(what, outcome, want...)
		if source.others > 0 {
			t.Errorf("%s: %d other reads", what, source.others)
		}
		return res
	}
	first := one("before the first sync", "1", Failed)
	if fault.ClassOf(first.Err) != fault.Conflict || len(source.asked) > 0 {
		t.Errorf("before the first sync: %v, asked %v", first.Err, source.asked)
	}
	if _, res := r.sync(); res.Err != nil {
		t.Fatal(res.Err)
	}
	was, position := r.state(), r.position("users")
	for id := range r.people {
		r.people[id] = person{name: "New " + id}
	}
	one("by the name that is stored", "person 1", Clean, "update user 1 name:Person 1>New 1")
	one("by the key", "hq/2", Clean, "update user 2 name:Person 2>New 2")
	if res := one("again", "2", Clean); len(source.asked) != 1 || res.Run.Mode != "user" {
		t.Errorf("asked %v, mode %s", source.asked, res.Run.Mode)
	}
	r.add("7", "Joiner")
	one("who is new, by the id at the source", "7", Clean, "create user 7")
	delete(r.people, "3")
	source.silent = true
	if res := one("not named, which proves nothing", "3", Clean); len(res.Run.Notes) != 1 || !strings.Contains(res.Run.Notes[0], "nobody is removed") {
		t.Errorf("%q", res.Run.Notes)
	}
	if res := one("nobody anywhere", "nobody", Failed); fault.ClassOf(res.Err) != fault.Gone {
		t.Error(res.Err)
	}
	source.silent = false
	r.conn.RemovedInFull = []directory.Kind{directory.Person}
	if res := one("gone, where only a full read takes people away", "3", Clean); len(res.Run.Notes) != 1 || !strings.Contains(res.Run.Notes[0], "remove_in_full") {
		t.Errorf("%q", res.Run.Notes)
	}
	r.conn.RemovedInFull = nil
	one("gone, by the source's own word", "3", Clean, "deactivate user 3")
	r.add("3", "Back")
	one("back", "3", Clean, "reactivate user 3 name:Person 3>Back")
	source.err = &fault.Error{Class: fault.Auth, Op: "read", Err: errors.New("refused")}
	one("a source that fails", "4", Failed)
	source.err = nil
	if now := r.state(); !now.Proven.Equal(was.Proven) || now.Failing != nil || now.WantFull || now.HalfRead {
		t.Errorf("the state became %+v", now)
	}
	if now := r.position("users"); fmt.Sprint(now) != fmt.Sprint(position) {
		t.Errorf("the stream stands at %+v, was at %+v", now, position)
	}
	r.people["4"], r.people["5"] = person{name: "Same"}, person{name: "Same"}
	r.job.Full = true
	_, _ = r.sync()
	if res := one("two are called so", "Same", Failed); fault.ClassOf(res.Err) != fault.Conflict {
		t.Error(res.Err)
	}
	r.rules(user("everyone", "enabled"), user("nobody", `name == "X"`))
	if res := one("after an edit of the rules", "1", Failed); fault.ClassOf(res.Err) != fault.Conflict {
		t.Error(res.Err)
	}
	r.conn.Source = r.world
	r.job.Full = true
	_, _ = r.sync()
	if res := one("a source that cannot be asked", "1", Failed); fault.ClassOf(res.Err) != fault.Configuration {
		t.Error(res.Err)
	}
}

// TestOnePersonIsGuarded: the usual limits hold for one person, too, and what waits goes on waiting.
func TestOnePersonIsGuarded(t *testing.T) {
	r := company(t, 40)
	source := &asking{world: r.world}
	r.conn.Source = source
	r.leave(0, 20)
	r.job.Full = true
	if got, res := r.sync(); got != "" || res.Run.Held == "" {
		t.Fatal(got, res.Run)
	}
	held := r.state().Held
	gone, there := held.What["user"], "P25"
	if len(gone) == 0 {
		t.Fatalf("%+v", held)
	}
	r.people["25"] = person{name: there}
	r.job.User = "25"
	got, res := r.sync()
	if res.Run.Held != held.Hash || strings.Contains(got, "deactivate") || !strings.Contains(got, there) {
		t.Errorf("%s, held %s, was %s: %v", got, res.Run.Held, held.Hash, res.Err)
	}
}

// TestOnePersonOfManyTenants: those tenants are asked that know the person; of nobody, which tenant has to be said.
func TestOnePersonOfManyTenants(t *testing.T) {
	r := newRig(t)
	a, b := newWorld(), newWorld()
	a.people["1"], b.people["2"] = person{name: "Ann"}, person{name: "Bob"}
	source := &perTenant{world: r.world, of: map[string]*asking{"a": {world: a}, "b": {world: b}}}
	r.conn.Source = source
	run := func(job Job) string { return outcomes(r.engine.RunConnection(t.Context(), r.conn, job)) }
	if got := run(Job{}); got != "a:clean b:clean" {
		t.Fatal(got)
	}
	a.people["1"] = person{name: "Anne"}
	if got := run(Job{User: "Ann"}); got != "a:clean" || len(source.of["a"].asked) != 1 || len(source.of["b"].asked) != 0 {
		t.Error(got, source.of["a"].asked, source.of["b"].asked)
	}
	if got := run(Job{User: "9"}); got != ":failed" {
		t.Error(got)
	}
	b.people["9"] = person{name: "New"}
	if got := run(Job{User: "9", Tenant: "b"}); got != "b:clean" || len(source.of["b"].asked) != 1 {
		t.Error(got, source.of["b"].asked)
	}
	if state := r.state(); state.Failing != nil {
		t.Errorf("the connection is failing: %+v", state.Failing)
	}
}

// perTenant has a world for each tenant.
type perTenant struct {
	*world
	of map[string]*asking
}

func (p *perTenant) Describe() connectors.Description { return p.of["a"].Describe() }
func (p *perTenant) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{ID: "a"}, {ID: "b"}}, nil
}

func (p *perTenant) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return p.of[req.Tenant.ID].Read(ctx, req, emit)
}

// position is where a stream stands.
func (r *rig) position(stream string) (s store.StreamState) {
	r.Helper()
	if err := r.store.View(r.Context(), r.part(), func(tx store.Reader) (err error) { s, err = tx.Stream(stream); return err }); err != nil {
		r.Fatal(err)
	}
	return s
}
