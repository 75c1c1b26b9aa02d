package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// outcome is what a read has shown.
type outcome struct {
	ids     []string
	invalid []connectors.Invalid
	proof   *connectors.Proof
	cursor  []byte
	removed []directory.Ref
	err     error
}

func read(ctx context.Context, c connectors.Connector, req connectors.Request) (o outcome) {
	o.err = c.Read(ctx, req, func(p *connectors.Page) error {
		for i := range p.Objects {
			o.ids = append(o.ids, p.Objects[i].ID)
		}
		o.invalid = append(o.invalid, p.Invalid...)
		o.removed = append(o.removed, p.Removed...)
		o.proof, o.cursor = p.Proof, append([]byte(nil), p.Cursor...)
		return nil
	})
	return o
}

func users(mode connectors.Mode, cursor []byte) connectors.Request {
	return connectors.Request{Stream: "users", Mode: mode, Cursor: cursor}
}

func TestScript(t *testing.T) {
	for name, tc := range map[string]struct {
		script memory.Misbehaviour
		want   func(outcome) bool
	}{
		"fail at a page": {memory.FailWith(2, fault.Forbidden), func(o outcome) bool {
			return len(o.ids) == 20 && fault.ClassOf(o.err) == fault.Forbidden && o.proof == nil
		}},
		"throttle": {memory.Throttle(0, time.Minute), func(o outcome) bool {
			return len(o.ids) == 0 && fault.ClassOf(o.err) == fault.Throttled && fault.After(o.err) == time.Minute
		}},
		"cut": {memory.Misbehaviour{What: memory.Cut, Page: 4}, func(o outcome) bool {
			return len(o.ids) == 40 && o.err == nil && o.proof == nil
		}},
		"empty": {memory.Misbehaviour{What: memory.EmptyListing}, func(o outcome) bool {
			return len(o.ids) == 0 && o.err == nil && o.proof != nil && o.proof.Count == 0
		}},
		"wrong count": {memory.Misbehaviour{What: memory.WrongCount, Count: -3}, func(o outcome) bool {
			return len(o.ids) == 95 && o.proof.Count == 92
		}},
		"repeated page": {memory.Misbehaviour{What: memory.RepeatPage, Page: 1}, func(o outcome) bool {
			return len(o.ids) == 105 && o.ids[10] == o.ids[20] && o.proof != nil
		}},
		"reordered": {memory.Misbehaviour{What: memory.Reorder}, func(o outcome) bool {
			return len(o.ids) == 95 && o.ids[0] == "p094"
		}},
		"invalid entry": {memory.Misbehaviour{What: memory.InvalidEntry, Page: 1}, func(o outcome) bool {
			return len(o.ids) == 95 && len(o.invalid) == 1 && o.invalid[0].ID == ""
		}},
		"invalid entry with id": {memory.Misbehaviour{What: memory.InvalidEntryWithID, Page: 1}, func(o outcome) bool {
			return len(o.ids) == 94 && len(o.invalid) == 1 && o.invalid[0].ID == "p010"
		}},
		"changed scope": {memory.Misbehaviour{What: memory.ChangedScope, Scope: "half"}, func(o outcome) bool {
			return o.proof.Scope == "half"
		}},
		"another stream's trouble": {memory.Misbehaviour{What: memory.EmptyListing, Stream: "groups"}, func(o outcome) bool {
			return len(o.ids) == 95
		}},
	} {
		t.Run(name, func(t *testing.T) {
			source := seeded()
			tc.script.Times = 1
			source.Script(tc.script)
			c := memory.Open(source, memory.Options{PageSize: 10})
			if o := read(t.Context(), c, users(connectors.Full, nil)); !tc.want(o) {
				t.Errorf("got %d objects, invalid %v, proof %+v, error %v", len(o.ids), o.invalid, o.proof, o.err)
			}
			source.Script()
			if o := read(t.Context(), c, users(connectors.Full, nil)); len(o.ids) != 95 || o.err != nil {
				t.Errorf("afterwards: %d objects, error %v", len(o.ids), o.err)
			}
		})
	}
}

func TestScriptHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := seeded()
		source.Script(memory.Misbehaviour{What: memory.Hang, Page: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		o := read(ctx, memory.Open(source, memory.Options{PageSize: 10}), users(connectors.Full, nil))
		if !errors.Is(o.err, context.DeadlineExceeded) || len(o.ids) != 10 {
			t.Errorf("%d objects, error %v", len(o.ids), o.err)
		}
	})
}

func TestScriptPanicAndTimes(t *testing.T) {
	source := seeded()
	source.Script(memory.Misbehaviour{What: memory.Panic, Times: 2})
	c := memory.Open(source, memory.Options{})
	panics := 0
	for range 3 {
		func() {
			defer func() {
				if recover() != nil {
					panics++
				}
			}()
			read(t.Context(), c, users(connectors.Full, nil))
		}()
	}
	if panics != 2 || source.Reads() != 3 {
		t.Errorf("%d panics in %d reads, want 2 in 3", panics, source.Reads())
	}
}

func TestScriptExpiredCursor(t *testing.T) {
	source := seeded()
	c := memory.Open(source, memory.Options{})
	cursor := read(t.Context(), c, users(connectors.Full, nil)).cursor
	source.Script(memory.Misbehaviour{What: memory.ExpiredCursor, Times: 1})
	if o := read(t.Context(), c, users(connectors.Delta, cursor)); fault.ClassOf(o.err) != fault.CursorExpired {
		t.Errorf("error %v", o.err)
	}
	source.Remove("", directory.Ref{Kind: directory.Person, ID: "p001"})
	if o := read(t.Context(), c, users(connectors.Delta, cursor)); o.err != nil || len(o.removed) != 1 {
		t.Errorf("removed %v, error %v", o.removed, o.err)
	}
}

// TestTenantsApart: what happens in one tenant is not seen in another.
func TestTenantsApart(t *testing.T) {
	source := memory.NewTenantSource(connectors.Tenant{ID: "a"}, connectors.Tenant{ID: "b", Name: "B"})
	source.Put("a", person(1))
	source.Put("b", person(2), person(3))
	source.Script(memory.Misbehaviour{What: memory.Fail, Tenant: "a", Err: errors.New("a is down")})
	c := memory.Open(source, memory.Options{})
	for id, want := range map[string]int{"a": 0, "b": 2} {
		req := users(connectors.Full, nil)
		req.Tenant.ID = id
		if o := read(t.Context(), c, req); len(o.ids) != want || (o.err != nil) != (id == "a") {
			t.Errorf("tenant %s: %d objects, error %v", id, len(o.ids), o.err)
		}
	}
	source.RemoveTenant("a")
	req := users(connectors.Full, nil)
	req.Tenant.ID = "a"
	if o := read(t.Context(), c, req); fault.ClassOf(o.err) != fault.Gone {
		t.Errorf("a removed tenant: %v", o.err)
	}
}

// TestChangedWhileRead: what changes during a full read is seen by it or by the next delta.
func TestChangedWhileRead(t *testing.T) {
	source := seeded()
	c := memory.Open(source, memory.Options{PageSize: 10})
	known := make(map[string]bool)
	var cursor []byte
	err := c.Read(t.Context(), users(connectors.Full, nil), func(p *connectors.Page) error {
		if len(known) == 30 {
			source.Put("", directory.Object{Kind: directory.Person, ID: "p000-late"})
			source.Remove("", directory.Ref{Kind: directory.Person, ID: "p002"}, directory.Ref{Kind: directory.Person, ID: "p090"})
		}
		for i := range p.Objects {
			known[p.Objects[i].ID] = true
		}
		cursor = append([]byte(nil), p.Cursor...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o := read(t.Context(), c, users(connectors.Delta, cursor))
	for _, id := range o.ids {
		known[id] = true
	}
	for _, ref := range o.removed {
		delete(known, ref.ID)
	}
	if o.err != nil || len(known) != 94 || !known["p000-late"] || known["p002"] {
		t.Errorf("%d objects known, error %v", len(known), o.err)
	}
}
