package postgres_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/fault"
)

// two opens a state twice, as two processes do.
func (r *rig) two(t *testing.T) (a, b *postgres.Store) {
	schema := r.schema(t)
	open := func() *postgres.Store { return r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases}) }
	return open(), open()
}

const wholeLife = 10 * time.Second // of a lease, as Suspend counts

// A process that stood still in a transaction loses it, and what it does afterwards is refused: somebody else has taken over.
func takeOver(t *testing.T, r *rig) {
	a, b := r.two(t)
	held, release, err := a.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := a.Update(held, hq, count); err != nil {
		t.Fatal(err)
	}
	begun, goOn, done := make(chan bool, 10), make(chan bool), make(chan error)
	go func() {
		done <- a.Update(context.WithoutCancel(held), hq, func(tx store.Writer) error {
			begun <- true
			<-goOn
			return count(tx)
		})
	}()
	<-begun
	a.Suspend(wholeLife)
	next, releaseNext, err := b.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNext()
	close(goOn)
	if err := <-done; fault.ClassOf(err) != fault.Conflict || !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("what was under way: %v", err)
	}
	if !errors.Is(context.Cause(held), store.ErrLeaseLost) {
		t.Errorf("the context ended for %v", context.Cause(held))
	}
	if err := a.Update(context.WithoutCancel(held), hq, count); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("what comes later: %v", err)
	}
	if err := b.Update(next, hq, count); err != nil {
		t.Errorf("the new holder: %v", err)
	}
	if n := counted(t, b, hq); n != 2 {
		t.Errorf("%d were stored", n)
	}
}

// Without the fence, the one that stood still writes beside the one that took over: what takeOver looks for is there to be found.
func withoutFence(t *testing.T, r *rig) {
	a, b := r.two(t)
	held, release, err := a.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	a.Suspend(wholeLife)
	next, releaseNext, err := b.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNext()
	a.Unfence()
	if err := errors.Join(b.Update(next, hq, count), a.Update(context.WithoutCancel(held), hq, count)); err != nil || counted(t, b, hq) != 2 {
		t.Errorf("the fence is taken twice: %v, stored %d times", err, counted(t, b, hq))
	}
}

// A process that is cut off knows by its own clock that its leases are over, before anybody can take over.
func cutOff(t *testing.T, r *rig) {
	const leaseFor = 3 * time.Minute
	c := newCutter(t, r.address)
	s := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: leaseFor, URL: r.through(c)})
	clock := s.Clock()
	held, release, err := s.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(20 * time.Second)
	if held.Err() != nil {
		t.Fatalf("it ended while the database was there: %v", context.Cause(held))
	}
	c.silent(true)
	clock.Advance(leaseFor - leaseFor/10)
	if !errors.Is(context.Cause(held), store.ErrLeaseLost) {
		t.Errorf("it has not ended before others may take it: %v", context.Cause(held))
	}
	release()
}

// A lease that was taken for somebody who had left when the answer came is given back, while the process has others.
func nobodysLease(t *testing.T, r *rig) {
	s := r.open(t)
	clock := s.Clock()
	_, release, err := s.Lease(t.Context(), "other", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := s.Lose("lost"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(5 * time.Second)
	for name, want := range map[string]bool{"lost": false, "other": true} {
		if held, err := s.IsHeld(name); err != nil || held != want {
			t.Errorf("lease %s is held: %v, %v", name, held, err)
		}
	}
}

// Who stops in good order keeps nobody waiting.
func handOver(t *testing.T, r *rig) {
	a, b := r.two(t)
	_, release, err := a.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	release()
	_, release, err = b.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	release()
	var workers int
	if err := r.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM "+a.Schema()+".worker").Scan(&workers); err != nil || workers != 0 {
		t.Errorf("%d rows of worker are left, %v", workers, err)
	}
}

// Who waits for leases that another process has asks once with each sign of life, however many they are, and has one soon after it is free.
func waitForOthers(t *testing.T, r *rig) {
	schema := r.schema(t)
	a := r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases})
	releases := map[string]func(){}
	for _, name := range []string{"x", "y", "z"} {
		_, release, err := a.Lease(t.Context(), name, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		releases[name] = release
	}
	trips := r.Trips(t, r.server)
	b := r.openSchema(t, postgres.Options{URL: trips.URL, Schema: schema, LeaseFor: longLeases})
	clock := b.Clock()
	_, release, err := b.Lease(t.Context(), "its own", time.Second) // as long as it has one it gives signs of life
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 3)
	var all sync.WaitGroup
	for name := range releases {
		all.Go(func() {
			if _, release, err := b.Lease(ctx, name, time.Second); err == nil {
				got <- name
				<-ctx.Done()
				release()
			}
		})
	}
	for b.Awaited() < len(releases) {
		runtime.Gosched()
	}
	const signs = 40
	if n := trips.Count(func() { clock.Advance(signs * 1500 * time.Millisecond) }); n > signs+1 {
		t.Errorf("%d round trips with %d signs of life", n, signs)
	}
	releases["y"]()
	clock.Advance(2 * time.Second)
	if name := <-got; name != "y" {
		t.Errorf("it got %s", name)
	}
	cancel()
	all.Wait()
	if len(got) > 0 {
		t.Errorf("it got %s, too", <-got)
	}
}

// A process that was late only, and takes part again, keeps its sessions when another one takes what it lost.
func lateOnly(t *testing.T, r *rig) {
	a, b := r.two(t)
	lost, release, err := a.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	a.Suspend(wholeLife)
	held, releaseOther, err := a.Lease(t.Context(), "run lab", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseOther()
	<-lost.Done()
	begun, goOn, done := make(chan bool, 10), make(chan bool), make(chan error)
	go func() {
		done <- a.Update(held, hq, func(tx store.Writer) error {
			begun <- true
			<-goOn
			return count(tx)
		})
	}()
	<-begun
	_, releaseNext, err := b.Lease(t.Context(), "run hq", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNext()
	close(goOn)
	if err := <-done; err != nil || len(begun) > 0 {
		t.Errorf("what was under way: begun %d times more, %v", len(begun), err)
	}
}
