// Package connectortest is the suite that every connector must pass. It checks the promises of
// connectors.Connector, above all those that are easy to forget: what happens at the end of a listing, when
// something breaks in the middle of one, when somebody stops it, and whether declared abilities are real.
package connectortest

import (
	"context"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// Breakage is a way in which the suite asks a harness to break its source.
type Breakage string

// The breakages. Each lasts until the end of the test or until Mend is called.
const (
	// BadCredentials: the connector's credentials are not taken any more.
	BadCredentials Breakage = "bad credentials"
	// MissingPermission: the credentials are taken, but something that they need is not granted.
	MissingPermission Breakage = "missing permission"
	// MidListing: a listing that has begun ends with an error before its last page. It is asked for from within
	// emit, with the first page.
	MidListing Breakage = "error in mid-listing"
	// Silence: the source stays reachable and answers nothing. It is asked for from within emit, with the
	// first page.
	Silence Breakage = "silence"
	// Unreachable: nothing listens at the source's address.
	Unreachable Breakage = "unreachable"
	// LostCursors: every cursor that was handed out so far has expired.
	LostCursors Breakage = "lost cursors"
	// BadEntry: one entry of every stream cannot be translated.
	BadEntry Breakage = "bad entry"
)

// Harness says how to test one connector.
type Harness struct {
	// Start makes a source and a connector that reads it, both for one test alone. Every stream holds so many
	// objects that a full read takes at least eight pages. What is started ends with the test.
	Start func(tb testing.TB) *Fixture
	// Secrets are texts that no error, description, finding or scope may show.
	Secrets []string
	// Unsupported are the breakages that the source cannot suffer, each with the reason.
	Unsupported map[Breakage]string
}

// Fixture is a source under test. The functions that change it return when a read that begins now sees the
// change, and fail the test when that cannot be had. One that is nil is something that the source cannot do; the
// checks that need it are skipped.
type Fixture struct {
	Connector connectors.Connector
	// Tenant is the tenant to test; the first one that the connector lists when nil.
	Tenant *connectors.Tenant

	// Add adds an object to a stream.
	Add func(tb testing.TB, stream string) directory.Ref
	// Change changes a visible field of an object, the same one whenever it is called on a fixture.
	Change func(tb testing.TB, stream string) directory.Ref
	// Rename gives an object another name, address and place: everything by which people know it.
	Rename func(tb testing.TB, stream string) directory.Ref
	// Delete removes an object.
	Delete func(tb testing.TB, stream string) directory.Ref
	// Shorten makes every list of the source lack a part and look whole from then on.
	Shorten func(tb testing.TB)
	// Break breaks the source.
	Break func(tb testing.TB, how Breakage)
}

// check is one test of the suite, for one stream or for the connector as a whole.
type check struct {
	name string
	run  func(c *trial)
	// whole: the check is made once rather than for every stream.
	whole bool
}

func checks() []check {
	return []check{
		{name: "Describe", run: checkDescribe, whole: true},
		{name: "Tenants", run: checkTenants, whole: true},
		{name: "CheckHealthy", run: checkHealthy, whole: true},
		{name: "CheckCredentials", run: checkCredentials, whole: true},
		{name: "CheckPermission", run: checkPermission, whole: true},
		{name: "CheckUnreachable", run: checkUnreachable, whole: true},
		{name: "CheckCancelled", run: checkCheckCancelled, whole: true},
		{name: "UnknownStream", run: checkUnknownStream, whole: true},
		{name: "Concurrent", run: checkConcurrent, whole: true},
		{name: "FullRead", run: checkFullRead},
		{name: "Repeatable", run: checkRepeatable},
		{name: "EmitError", run: checkEmitError},
		{name: "Cancelled", run: checkCancelled},
		{name: "CancelledMidPage", run: checkCancelledMidPage},
		{name: "CancelledInSilence", run: checkSilence},
		{name: "BadCredentials", run: checkReadCredentials},
		{name: "Unreachable", run: checkReadUnreachable},
		{name: "MidListing", run: checkMidListing},
		{name: "BadEntry", run: checkBadEntry},
		{name: "ShortLists", run: checkShortLists},
		{name: "StableIDs", run: checkStableIDs},
		{name: "Changes", run: checkChanges},
		{name: "ForeignCursor", run: checkForeignCursor},
		{name: "LostCursors", run: checkLostCursors},
		{name: "Resume", run: checkResume},
		{name: "Delta", run: checkDelta},
		{name: "Referrers", run: checkReferrers},
		{name: "ByID", run: checkByID},
	}
}

// Run runs the suite. Every check starts a source of its own.
func Run(t *testing.T, h Harness) {
	streams := describe(t, h)
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if c.whole {
				c.do(t, h, connectors.Stream{}, leakPatience)
				return
			}
			for _, s := range streams {
				t.Run(s.Name, func(t *testing.T) { c.do(t, h, s, leakPatience) })
			}
		})
	}
}

// describe opens one fixture to learn what streams there are.
func describe(tb testing.TB, h Harness) []connectors.Stream {
	tb.Helper()
	f := h.Start(tb)
	defer func() { _ = f.Connector.Close() }()
	return f.Connector.Describe().Streams
}

// do runs the check, closes the connector and looks for goroutines that stayed behind for longer than they may.
func (c check) do(tb testing.TB, h Harness, s connectors.Stream, linger time.Duration) {
	tb.Helper()
	f := h.Start(tb)
	before := goroutines()
	trial := &trial{TB: tb, harness: h, Fixture: f, stream: s, ctx: context.Background()}
	trial.findTenant()
	c.run(trial)
	if err := f.Connector.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
	awaitGoroutines(tb, before, linger)
}

// Failures runs one check on one stream and returns what it finds wrong in place of failing: so the suite itself
// can be tested with connectors that are known to be wrong.
func Failures(tb testing.TB, h Harness, name, stream string) []string {
	tb.Helper()
	r := &recorder{TB: tb}
	done := make(chan struct{})
	go func() { // Fatal and Skip end the goroutine
		defer close(done)
		for _, c := range checks() {
			for _, s := range describe(tb, h) {
				if c.name == name && s.Name == stream {
					c.do(r, h, s, 100*time.Millisecond) // one that is to stay behind stays for ever
				}
			}
		}
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures
}
