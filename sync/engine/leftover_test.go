package engine

import (
	"errors"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// renamed makes the rig's connection one of another name; the one before is not configured any more.
func (r *rig) renamed(name string) {
	conn := *r.conn
	conn.Name = name
	r.conn = &conn
	r.engine.opts.Configured = func(connection string) bool { return connection == name }
}

// A connection under another name: what it would create waits while the records of the former one are there.
func TestRenamedConnectionIsHeld(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	r.add("1", "P1")
	r.add("2", "P2")
	r.sync()
	r.renamed("hq2")
	held := func(what string) store.HeldPlan {
		t.Helper()
		res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{})
		state := r.engine.stateOf(store.Partition{Connection: "hq2"})
		if err := state.load(t.Context()); err != nil || res.Run.Outcome != Held || state.Held == nil || len(state.Held.Reasons) != 1 {
			t.Fatalf("%s: %s, %+v, %v", what, res.Run.Outcome, state.Held, err)
		}
		return *state.Held
	}
	const why = "create the records of a connection that is new, while the state holds 2 active records of connection hq, which is not configured"
	first := held("first run")
	if first.Reasons[0] != why {
		t.Errorf("reason: %s", first.Reasons[0])
	}
	held("nobody decided yet")
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, first.Hash); res.Run.Outcome != Clean || res.Run.Counts["user"]["create"] != 2 {
		t.Errorf("approved: %+v", res)
	}
	r.add("3", "P3")
	if res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}); res.Run.Outcome != Clean {
		t.Errorf("it is no longer new: %+v", res)
	}
}

// A connection that comes to have tenants, or no longer has any, is a new one as well.
func TestDividedConnectionIsHeld(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.sync()
	r.conn.Source = &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a"}, {ID: "b"}}}
	results := r.engine.RunConnection(t.Context(), r.conn, Job{})
	if got := outcomes(results); got != "a:held b:held :held" {
		t.Fatalf("got %s", got)
	}
	r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, results[2].Run.Held)
	if got := outcomes(r.engine.RunConnection(t.Context(), r.conn, Job{})); got != "a:clean b:clean :clean" {
		t.Errorf("the whole one is gone: %s", got)
	}
	r.conn.Source = r.world
	if got := outcomes(r.engine.RunConnection(t.Context(), r.conn, Job{})); got != ":held a:held b:held" && got != ":clean a:held b:held" {
		t.Errorf("and back: %s", got)
	}
}

// A name that still stands in the keys of another connection's records is taken.
func TestNameOfAnOriginIsTaken(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.sync()
	r.renamed("hq2")
	if err := r.engine.Rename(t.Context(), "hq", "hq2"); err != nil {
		t.Fatal(err)
	}
	other := *r.conn
	other.Name = "hq"
	r.engine.opts.Configured = func(string) bool { return true }
	if res := r.engine.Run(t.Context(), &other, connectors.Tenant{}, Job{}); fault.ClassOf(res.Err) != fault.Configuration {
		t.Errorf("%+v", res)
	}
}

// After a rename the targets hear of the same records, under the keys that they know, and rules see the new name.
func TestRename(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	r.mapping(teamsSpec())
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["g"] = []string{"p:1"}
	r.sync()
	r.renamed("hq2")
	r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}) // it is held, and what it has read does not matter
	for range 2 {                                                 // the second one finds what the first has made
		if err := r.engine.Rename(t.Context(), "hq", "hq2"); err != nil && !errors.Is(err, ErrNotRenamed) {
			t.Fatal(err)
		}
	}
	parts, err := r.store.Partitions(t.Context())
	if err != nil || len(parts) != 1 || parts[0].Connection != "hq2" {
		t.Fatalf("partitions: %v, %v", parts, err)
	}
	r.conn.Name = "hq2"
	next := &rig{T: t, world: r.world, store: r.store, engine: r.engine, conn: r.conn, name: "hq2"}
	next.expect("renamed", Clean)
	delete(r.people, "1")
	r.people["3"] = person{name: "P3"}
	r.groups["g"] = []string{"p:2", "p:3"}
	next.expect("changes", Clean, "deactivate user 1", "create user 3", "update group g +hq/2,hq/3 -hq/1")
	for i := range next.journal {
		if a := &next.journal[i]; a.Record != "hq/"+a.Origin.ID || a.Origin.Connection != "hq" {
			t.Errorf("%s of %s, origin %+v", a.Op, a.Record, a.Origin)
		}
	}
	reasons, err := r.engine.Why(t.Context(), r.conn, connectors.Tenant{}, directory.UserRecord, "hq/3")
	if err != nil || len(reasons) != 1 || reasons[0].Key != "hq/3" || reasons[0].Connection != "hq2" {
		t.Errorf("why: %+v, %v", reasons, err)
	}

	// Back to where it was.
	if err := r.engine.Rename(t.Context(), "hq2", "hq"); err != nil {
		t.Fatal(err)
	}
	if got := r.state().Origin; got != "" {
		t.Errorf("origin %q", got)
	}
}

// Two connections that both have records stay two.
func TestRenameOntoAnother(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.sync()
	other := *r.conn
	other.Name = "hq2"
	r.engine.Run(t.Context(), &other, connectors.Tenant{}, Job{})
	for from, to := range map[string]string{"hq": "hq2", "nobody": "hq3"} {
		if err := r.engine.Rename(t.Context(), from, to); !errors.Is(err, ErrNotRenamed) || fault.Hint(err) == "" {
			t.Errorf("%s to %s: %v", from, to, err)
		}
	}
}
