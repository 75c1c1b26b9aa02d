// Package storetest holds the suite that every implementation of package store must pass.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Run runs the suite. open returns a new, empty store and closes it when its test ends. A store.Verifier is asked after
// each test whether it is still consistent. One that has a method
// Suspend(time.Duration), which does to it what happens when the process stands still, has leases to lose.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		run  func(*env)
	}{
		{"empty partition", emptyPartition},
		{"error rolls back", errorRollsBack},
		{"panic rolls back", panicRollsBack},
		{"goexit rolls back", goexitRollsBack},
		{"canceled context", canceledContext},
		{"view is a snapshot", viewIsSnapshot},
		{"concurrent use", concurrentUse},
		{"partitions", partitions},
		{"drop partition", dropPartition},
		{"move partition", movePartition},
		{"scratch", scratch},
		{"numbers", numbers},
		{"rows", rows},
		{"row order", rowOrder},
		{"gone rows", goneRows},
		{"handles", handles},
		{"referrers", referrers},
		{"delete row", deleteRow},
		{"one id, two kinds", twoKinds},
		{"unknown kinds and numbers", misuse},
		{"members", members},
		{"many members", manyMembers},
		{"member digest", memberDigest},
		{"delete group", deleteGroup},
		{"batches", batches},
		{"expected", expected},
		{"dirty", dirty},
		{"due", due},
		{"streams", streams},
		{"seen", seen},
		{"journal", journal},
		{"records", records},
		{"outbox", outbox},
		{"claim and replace", claimAndReplace},
		{"targets", targets},
		{"waiting", waiting},
		{"parked", parked},
		{"parked again", parkedAgain},
		{"waits", waits},
		{"woken waits", wokenWaits},
		{"awaiting", awaiting},
		{"random waits", randomWaits},
		{"partitions of targets", targetPartitions},
		{"links", links},
		{"links to one thing", linkConflicts},
		{"random links", randomLinks},
		{"links of connections", linksOfConnections},
		{"reviews", reviews},
		{"rejected pairs", rejectedPairs},
		{"desk", desk},
		{"tenant", tenant},
		{"runs", runs},
		{"actions of runs", runActions},
		{"forgotten actions of runs", forgottenActions},
		{"results outlive transactions", resultsOutlive},
		{"match", match},
		{"random changes", randomChanges},
		{"lease excludes", leases(leaseExcludes)},
		{"lease ends", leases(leaseEnds)},
		{"lease nested", leases(leaseNested)},
		{"lease lost", leases(leaseLost)},
		{"lease holds while writing", leases(leaseHoldsWhileWriting)},
		{"lease race", leaseRace},
		{"ledger", ledger},
		{"ledger under a lease", leases(ledgerUnderLease)},
		{"ledger race", ledgerRace},
		{"items", keeps(items)},
		{"items by owner", keeps(itemsByOwner)},
		{"items used once", keeps(itemsOnce)},
		{"items expire", keeps(itemsExpire)},
		{"items and their bounds", keeps(itemBounds)},
		{"items race", keeps(itemsRace)},
		{"items are beside partitions", keeps(itemsBeside)},
		{"random items", keeps(randomItems)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := &env{T: t, store: open(t), p: store.Partition{Connection: "hq", Tenant: "contoso"}}
			test.run(e)
			e.verify(e.store)
		})
	}
}

// env is one test with its store.
type env struct {
	*testing.T
	store store.Store
	p     store.Partition
}

var errStop = errors.New("stop")

// now is a time below whose precision nothing may be lost, in UTC as everything stored is.
var now = time.Date(2026, 1, 31, 8, 15, 0, 123456789, time.UTC)

// as returns a store as something that it can be beside a store, whether or not it is wrapped.
func as[T any](s store.Store) (T, bool) {
	if w, ok := s.(*strict); ok {
		s = w.Store
	}
	v, ok := s.(T)
	return v, ok
}

func (e *env) verify(s store.Store) {
	e.Helper()
	v, ok := as[store.Verifier](s)
	if !ok {
		return
	}
	if err := v.Verify(e.Context()); err != nil {
		e.Errorf("the store is inconsistent: %v", err)
	}
}

// view and update run fn in a transaction and fail the test on an error.
func (e *env) view(fn func(store.Reader) error) {
	e.Helper()
	if err := e.store.View(e.Context(), e.p, fn); err != nil {
		e.Fatalf("view: %v", err)
	}
}

func (e *env) update(fn func(store.Writer) error) {
	e.Helper()
	if err := e.store.Update(e.Context(), e.p, fn); err != nil {
		e.Fatalf("update: %v", err)
	}
}

// both runs a check at the end of the transaction that changed something, and in a later one.
func (e *env) both(change func(store.Writer) error, check func(store.Reader)) {
	e.Helper()
	e.update(func(w store.Writer) error {
		err := change(w)
		if err == nil {
			check(w)
		}
		return err
	})
	e.view(func(r store.Reader) error { check(r); return nil })
}

// must panics on an error, which ends the test with its stack.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (e *env) equal(what string, got, want any) {
	e.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		e.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// person makes an object; links are its manager's handles.
func person(id string, handles []string, managers ...string) *directory.Object {
	o := &directory.Object{Kind: directory.Person, ID: id, Handles: handles}
	o.SetText(directory.FieldName, "Person "+id)
	for _, m := range managers {
		o.Links = append(o.Links, directory.Link{Type: directory.Manager, To: m})
	}
	return o
}

func group(id string) *directory.Object { return &directory.Object{Kind: directory.Group, ID: id} }

func data(o *directory.Object) []byte { return directory.AppendObject(nil, o) }

// number returns the number of one handle.
func number(r store.Reader, handle string) store.Num {
	return must(r.Lookup([]string{handle}, nil))[0]
}

func intern(w store.Writer, handles ...string) []store.Num { return must(w.Intern(handles, nil)) }

// collect gathers what an iteration hands out; err is what the iteration returned.
func collect[T any](iterate func(fn func(T) bool) error) []T {
	var list []T
	if err := iterate(func(v T) bool { list = append(list, v); return true }); err != nil {
		panic(err)
	}
	return list
}

func membersOf(r store.Reader, group store.Num) []store.Num {
	return collect(func(fn func(store.Num) bool) error { return r.Members(group, fn) })
}

func groupsOf(r store.Reader, handle store.Num) []store.Num {
	return collect(func(fn func(store.Num) bool) error {
		return r.GroupsOf([]store.Num{handle}, func(_, group store.Num) bool { return fn(group) })
	})
}

func ownerOf(r store.Reader, handle store.Num) store.Num {
	return must(r.Owners([]store.Num{handle}, nil))[0]
}

func contestantsOf(r store.Reader, handle store.Num) []store.Num {
	return collect(func(fn func(store.Num) bool) error {
		return r.Contestants([]store.Num{handle}, func(_, object store.Num) bool { return fn(object) })
	})
}

func referrersOf(r store.Reader, link directory.LinkType, handle store.Num) []store.Num {
	return collect(func(fn func(store.Num) bool) error {
		return r.ReferrersOf(link, []store.Num{handle}, func(_, object store.Num) bool { return fn(object) })
	})
}

func rowNums(r store.Reader, kind directory.Kind, after store.Num) []store.Num {
	var list []store.Num
	err := r.Rows(kind, after, func(row store.Row) bool { list = append(list, row.Num); return true })
	return must(list, err)
}

func dirtyOf(r store.Reader, kind directory.Kind, after store.Num) []string {
	var list []string
	err := r.Dirty(kind, after, func(n store.Num, why store.DirtyReason) bool {
		list = append(list, fmt.Sprint(n, ":", uint8(why)))
		return true
	})
	return must(list, err)
}

func sorted(nums []store.Num) []store.Num {
	nums = slices.Clone(nums)
	slices.Sort(nums)
	return nums
}
