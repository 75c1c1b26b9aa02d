package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// What was not read for a while is there until a list proves that it is gone: that nobody read it proves nothing.
func TestReadAgainProvesItsOwnAbsences(t *testing.T) {
	t.Run("a short list", func(t *testing.T) {
		r := shortRig(t)
		for i := range 12 {
			r.devices[fmt.Sprint("x", i)] = "p:0"
		}
		r.sync()
		r.off["devices"] = true
		r.sync()
		delete(r.off, "devices")
		r.skip["pc1"] = true
		if got, res := r.sync(); got != "" || len(res.Run.Notes) == 0 {
			t.Errorf("a device that one short list lacks: %q, notes %q", got, res.Run.Notes)
		}
	})
	t.Run("an empty list", func(t *testing.T) {
		r := newRig(t, agent("desk", `"g" in groups`), user("everyone", "enabled"))
		for i := range 40 {
			r.add(fmt.Sprintf("%02d", i), "P")
		}
		r.groups["g"] = []string{"p:01", "p:02", "p:03"}
		r.sync()
		r.off["groups"] = true
		r.sync()
		delete(r.off, "groups")
		r.conn.Guard = plan.Guard{}
		r.hide["groups"] = true
		if got, res := r.sync(); got != "" || res.Run.Held == "" {
			t.Errorf("no groups at all: %q, held %q", got, res.Run.Held)
		}
	})
}

// A full read that was cut is not gone on with after changes were read: what its pages listed is older than they are.
func TestChangesEndACutList(t *testing.T) {
	r := newRig(t)
	r.conn.Guard, r.resumable = plan.Guard{}, true
	delta := func(cursor string, objects ...directory.Object) {
		r.delta = func(emit func(*connectors.Page) error) error {
			return emit(&connectors.Page{Objects: objects, Cursor: []byte(cursor), Proof: &connectors.Proof{Scope: "all", Count: -1}})
		}
	}
	delta("one")
	for i := range 8 {
		r.add(fmt.Sprintf("%02d", i*10), "P")
	}
	r.sync()
	r.failAfter, r.err, r.job.Full = 3, &fault.Error{Class: fault.Forbidden, Op: "read", Err: errors.New("403")}, true
	if _, res := r.sync(); res.Err == nil {
		t.Fatal("the full read was not cut")
	}
	r.failAfter = 0
	r.add("05", "joiner")
	delta("two", r.object("05"))
	r.sync()
	delta("one")
	r.job.Full = true
	if got, res := r.sync(); got != "" || res.Err != nil {
		t.Errorf("the next full read: %q, error %v", got, res.Err)
	}
}

// Another name changes nothing about what waits.
func TestHeldPlanSurvivesARename(t *testing.T) {
	r := newRig(t)
	for i := range 40 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	r.sync()
	for i := range 5 {
		delete(r.people, fmt.Sprintf("%02d", i))
	}
	r.sync()
	for i := range 40 { // those who leave are a smaller share now
		r.add(fmt.Sprintf("n%02d", i), "P")
	}
	if got, res := r.sync(); strings.Contains(got, "deactivate") || res.Run.Held == "" {
		t.Fatalf("before: %q, held %q", got, res.Run.Held)
	}
	if err := r.engine.Rename(t.Context(), "hq", "hq2"); err != nil {
		t.Fatal(err)
	}
	r.renamed("hq2")
	r.name = "hq2"
	if got, res := r.sync(); got != "" || res.Run.Held == "" {
		t.Errorf("after: %q, held %q", got, res.Run.Held)
	}
}

// A rename takes nobody's place, not even that of a connection that once had the name.
func TestRenameTwiceIsRefused(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.sync()
	if err := r.engine.Rename(t.Context(), "hq", "hq2"); err != nil {
		t.Fatal(err)
	}
	r.engine.opts.Configured = func(c string) bool { return c == "hq" }
	r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}) // a configuration of before the rename, for one run
	err := r.engine.Rename(t.Context(), "hq", "hq2")
	all, listed := Residents(t.Context(), r.store)
	active := 0
	for _, one := range all {
		active += one.Active
	}
	if err == nil || listed != nil || active != 1 {
		t.Errorf("error %v, %v; %d active records are left of 1", err, listed, active)
	}
}

// What a newcomer of some streams would create can be approved: the others are none of its own.
func TestHeldNewcomerIsApproved(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.add("1", "P1")
	r.sync()
	r.renamed("hq2")
	res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{Streams: []string{"users", "groups"}}, Job{})
	if res.Run.Held == "" || res.Err != nil {
		t.Fatalf("held %q, error %v", res.Run.Held, res.Err)
	}
	if res = r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); res.Err != nil {
		t.Error(res.Err)
	}
}
