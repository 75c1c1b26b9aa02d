package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const secret = "token-5ecret"

// TestConformance runs the suite with every ability on and with each one off.
func TestConformance(t *testing.T) {
	for name, opts := range map[string]memory.Options{
		"everything":         {},
		"without delta":      {WithoutDelta: true},
		"without tombstones": {WithoutTombstones: true},
		"without resume":     {WithoutResume: true},
		"without count":      {WithoutCount: true},
		"rewritten":          {Rewritten: "id:"},
		"full reads only":    {WithoutDelta: true, WithoutResume: true, WithoutCount: true},
	} {
		t.Run(name, func(t *testing.T) { connectortest.Run(t, harness(opts)) })
	}
}

func harness(opts memory.Options) connectortest.Harness {
	opts.PageSize = 10
	return connectortest.Harness{
		Secrets: []string{secret},
		Start: func(testing.TB) *connectortest.Fixture {
			source := seeded()
			return fixture(source, memory.Open(source, opts))
		},
	}
}

// seeded is a source of 95 people and 95 groups.
func seeded() *memory.Source {
	s := memory.NewSource()
	for i := range 95 {
		s.Put("", person(i), group(i))
		s.AddMembers("", group(i).ID, directory.IDHandle(person(i).ID), "dn:nobody")
	}
	return s
}

func person(i int) directory.Object {
	o := directory.Object{Kind: directory.Person, ID: fmt.Sprintf("p%03d", i), Handles: []string{fmt.Sprintf("dn:uid=p%d", i)}}
	o.SetText(directory.FieldName, fmt.Sprintf("Person %d", i))
	o.Links = []directory.Link{{Type: directory.Manager, To: "id:p000"}}
	return o
}

func group(i int) directory.Object {
	o := directory.Object{Kind: directory.Group, ID: fmt.Sprintf("g%03d", i)}
	o.SetText(directory.FieldName, fmt.Sprintf("Group %d", i))
	return o
}

func fixture(source *memory.Source, c connectors.Connector) *connectortest.Fixture {
	kind := map[string]directory.Kind{"users": directory.Person, "groups": directory.Group}
	first := func(stream string, i int) directory.Ref { return source.Refs("", kind[stream])[i] }
	edit := func(stream string, i int, field, text string) directory.Ref {
		ref := first(stream, i)
		source.Edit("", ref, func(o *directory.Object) { o.SetText(field, text) })
		return ref
	}
	return &connectortest.Fixture{
		Connector: c,
		Add: func(_ testing.TB, stream string) directory.Ref {
			o := directory.Object{Kind: kind[stream], ID: "added"}
			source.Put("", o)
			return directory.Ref{Kind: o.Kind, ID: o.ID}
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, 3, directory.FieldDescription, "changed")
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, 4, directory.FieldName, "renamed")
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			ref := first(stream, 5)
			source.Remove("", ref)
			return ref
		},
		Break: func(tb testing.TB, how connectortest.Breakage) { breakSource(tb, source, how) },
	}
}

func breakSource(tb testing.TB, source *memory.Source, how connectortest.Breakage) {
	broken := func(class fault.Class) error {
		return &fault.Error{Class: class, Op: "read", Hint: "mend it", Err: errors.New("broken")}
	}
	switch how {
	case connectortest.BadCredentials:
		source.Break(broken(fault.Auth))
	case connectortest.MissingPermission:
		source.Break(broken(fault.Forbidden))
	case connectortest.MidListing, connectortest.Unreachable:
		source.Break(broken(fault.Transient))
	case connectortest.Silence:
		source.Silence(true)
	case connectortest.LostCursors:
		source.ExpireCursors()
	case connectortest.BadEntry:
		source.Script(memory.Misbehaviour{What: memory.InvalidEntryWithID, Page: 1})
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}

// TestSuiteFindsDefects runs the suite on connectors with a defect each, and it must find every one.
func TestSuiteFindsDefects(t *testing.T) {
	for _, tc := range []struct {
		script []memory.Misbehaviour
		check  string
		want   string
	}{
		{[]memory.Misbehaviour{{What: memory.Cut, Page: 3}}, "FullRead", "carries a Proof"},
		{[]memory.Misbehaviour{{What: memory.Cut, Page: 0}}, "FullRead", "emitted no page"},
		{[]memory.Misbehaviour{{What: memory.WrongCount, Count: 2}}, "FullRead", "Proof.Count"},
		{[]memory.Misbehaviour{{What: memory.EmitElsewhere}}, "FullRead", "emit was called on"},
		{[]memory.Misbehaviour{{What: memory.EmitAfterError}}, "EmitError", "emit was called again"},
		{[]memory.Misbehaviour{{What: memory.LeakGoroutine}}, "FullRead", "goroutines stayed behind"},
		{[]memory.Misbehaviour{{What: memory.EmptyListing, Times: 1}}, "Repeatable", "differ"},
		{[]memory.Misbehaviour{{What: memory.ChangedScope, Scope: "less", Times: 1}}, "Repeatable", "different proofs"},
		{[]memory.Misbehaviour{{What: memory.ChangedScope, Scope: "as " + secret}}, "FullRead", "shows a secret"},
		{[]memory.Misbehaviour{{What: memory.Fail, Page: 2, Err: errors.New("raw")}}, "FullRead", "raw"},
		{[]memory.Misbehaviour{{What: memory.Fail, Page: 2, Err: errors.New("raw")}}, "MidListing", "raw"},
		{[]memory.Misbehaviour{{What: memory.Fail, Page: 0, Err: errors.New("leak " + secret)}}, "FullRead", "shows a secret"},
		{[]memory.Misbehaviour{{What: memory.NoReferrers}}, "Referrers", "asked for what refers to a handle"},
	} {
		name := fmt.Sprintf("%s/%d", tc.check, tc.script[0].What)
		t.Run(name, func(t *testing.T) {
			h, opts := harness(memory.Options{}), memory.Options{PageSize: 10, Rewritten: "id:"}
			h.Start = func(testing.TB) *connectortest.Fixture {
				source := seeded()
				source.Script(tc.script...)
				return fixture(source, memory.Open(source, opts))
			}
			failures := strings.Join(connectortest.Failures(t, h, tc.check, "users"), "\n")
			if !strings.Contains(failures, tc.want) {
				t.Errorf("the suite must report %q, and reports:\n%s", tc.want, failures)
			}
		})
	}
}

// careless is a connector that leaves everything with a "9" in its id, and everybody's links, out of lists that it vouches for.
type careless struct {
	connectors.Connector
	short bool
}

func (c *careless) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return c.Connector.Read(ctx, req, func(p *connectors.Page) error {
		if c.short {
			p.Objects = slices.DeleteFunc(p.Objects, func(o directory.Object) bool { return strings.Contains(o.ID, "9") })
			for i := range p.Objects {
				p.Objects[i].Links = nil
			}
			for i := range p.Members {
				p.Members[i].Add = nil
			}
			if p.Proof != nil {
				p.Proof.Count = -1
			}
		}
		return emit(p)
	})
}

// TestSuiteFindsShortLists: a connector that vouches for lists that lack a part.
func TestSuiteFindsShortLists(t *testing.T) {
	for stream, wants := range map[string][]string{
		"users":  {"person p009 is missing from a short list", "person p001 has lost id:p000"},
		"groups": {"group g009 is missing", "group g001 has lost dn:nobody"},
	} {
		h := connectortest.Harness{Start: func(testing.TB) *connectortest.Fixture {
			source := seeded()
			c := &careless{Connector: memory.Open(source, memory.Options{PageSize: 10, WithoutCount: true})}
			f := fixture(source, c)
			f.Shorten = func(testing.TB) { c.short = true }
			return f
		}}
		failures := strings.Join(connectortest.Failures(t, h, "ShortLists", stream), "\n")
		for _, want := range wants {
			if !strings.Contains(failures, want) {
				t.Errorf("the suite must report %q, and reports:\n%s", want, failures)
			}
		}
	}
}
