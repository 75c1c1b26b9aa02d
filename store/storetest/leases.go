package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// ttl is how long a lease of the suite holds without a renewal.
const ttl = 10 * time.Second

// leases runs in a bubble, in which time passes when everybody waits.
func leases(run func(*env)) func(*env) {
	return func(e *env) {
		synctest.Test(e.T, func(t *testing.T) { run(&env{T: t, store: e.store, p: e.p}) })
	}
}

// lease takes a lease that must be free.
func (e *env) lease(ctx context.Context, name string) (context.Context, func()) {
	e.Helper()
	begun := time.Now()
	held, release, err := e.store.Lease(ctx, name, ttl)
	if err != nil {
		e.Fatalf("lease %s: %v", name, err)
	}
	if waited := time.Since(begun); waited > 0 {
		e.Errorf("lease %s: waited for %s", name, waited)
	}
	return held, release
}

// waiter asks for a lease on a goroutine of its own.
type waiter struct {
	ctx     context.Context //nolint:containedctx // that of the lease
	release func()
	err     error
	done    bool
	at      time.Time
}

func (e *env) waitForLease(ctx context.Context, name string) *waiter {
	w := &waiter{}
	go func() {
		w.ctx, w.release, w.err = e.store.Lease(ctx, name, ttl)
		w.done, w.at = true, time.Now()
	}()
	synctest.Wait()
	return w
}

// put stores something under a context.
func (e *env) put(ctx context.Context, id string) error {
	return e.store.Update(ctx, e.p, func(w store.Writer) error {
		_, err := w.PutRow(person(id, nil), store.Here)
		return err
	})
}

// refused checks that nothing can be stored under a context.
func (e *env) refused(ctx context.Context, what string) {
	e.Helper()
	called := func(store.Writer) error { e.Errorf("%s: a transaction was begun", what); return nil }
	for _, err := range []error{e.store.Update(ctx, e.p, called), e.store.DropPartition(ctx, e.p),
		e.store.MovePartition(ctx, e.p, store.Partition{Connection: "elsewhere"})} {
		if fault.ClassOf(err) != fault.Conflict || !errors.Is(err, store.ErrLeaseLost) {
			e.Errorf("%s: %v", what, err)
		}
	}
}

func leaseExcludes(e *env) {
	first, release := e.lease(e.Context(), "run hq")
	other, releaseOther := e.lease(e.Context(), "run hq2")
	second := e.waitForLease(e.Context(), "run hq")
	time.Sleep(5 * ttl) // it is renewed
	synctest.Wait()
	if second.done {
		e.Fatalf("two have one lease; %v", second.err)
	}
	must(0, errors.Join(first.Err(), other.Err(), e.put(first, "1"), e.put(other, "2")))
	begun := time.Now()
	release()
	synctest.Wait()
	if !second.done || second.err != nil || !second.at.Equal(begun) {
		e.Fatalf("handed over: %v, after %s, %v", second.done, second.at.Sub(begun), second.err)
	}
	release() // it has nothing to give back
	third := e.waitForLease(e.Context(), "run hq")
	e.equal("a second release hands over", third.done, false)
	e.equal("why it ended", context.Cause(first), context.Canceled)
	e.refused(context.WithoutCancel(first), "after its release")
	must(0, e.put(second.ctx, "3"))
	second.release()
	synctest.Wait()
	must(0, errors.Join(third.err, e.put(third.ctx, "4")))
	third.release()
	releaseOther()
	must(0, e.put(e.Context(), "5"))
	e.refused(context.WithoutCancel(second.ctx), "when nobody has it")
	e.view(func(r store.Reader) error { e.equal("count", must(r.Count(directory.Person)), 5); return nil })
}

func leaseEnds(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	held, release := e.lease(ctx, "x")
	waiting, giveUp := context.WithCancel(e.Context())
	w := e.waitForLease(waiting, "x")
	giveUp()
	synctest.Wait()
	if !w.done || fault.ClassOf(w.err) != fault.Canceled {
		e.Errorf("waiting ended: %v, %v", w.done, w.err)
	}
	cancel()
	if err := e.put(held, "1"); fault.ClassOf(err) != fault.Canceled {
		e.Errorf("after the end of its context: %v", err)
	}
	must(0, e.put(context.WithoutCancel(held), "1")) // it is still held
	w = e.waitForLease(e.Context(), "x")
	e.equal("taken before its release", w.done, false)
	release()
	synctest.Wait()
	e.equal("taken after its release", w.done, true)
	w.release()
	if _, _, err := e.store.Lease(held, "x", ttl); fault.ClassOf(err) == "" {
		e.Error("an ended context got a lease")
	}
}

func leaseNested(e *env) {
	outer, releaseOuter := e.lease(e.Context(), "outer")
	inner, releaseInner := e.lease(outer, "inner")
	must(0, e.put(inner, "1"))
	for _, name := range []string{"outer", "inner"} {
		if _, _, err := e.store.Lease(inner, name, ttl); err == nil {
			e.Errorf("%s was had twice", name)
		}
	}
	releaseOuter()
	e.refused(context.WithoutCancel(inner), "without the outer one")
	w := e.waitForLease(e.Context(), "inner")
	e.equal("the inner one is still held", w.done, false)
	releaseInner()
	synctest.Wait()
	e.equal("released", w.done, true)
	w.release()
	for name, ttl := range map[string]time.Duration{"": ttl, "x": 0} {
		if _, _, err := e.store.Lease(e.Context(), name, ttl); err == nil {
			e.Errorf("lease %q for %s was given", name, ttl)
		}
	}
}

// suspender is a store that can be told that the process stood still for a time.
type suspender interface{ Suspend(d time.Duration) }

func leaseLost(e *env) {
	s, ok := as[suspender](e.store)
	if !ok {
		e.Skip("the store cannot be suspended")
	}
	first, release := e.lease(e.Context(), "x")
	must(0, e.put(first, "1"))
	s.Suspend(ttl / 2)
	w := e.waitForLease(e.Context(), "x")
	e.equal("taken in time", w.done, false)
	time.Sleep(ttl) // it is renewed
	e.equal("taken after a renewal", w.done, false)
	s.Suspend(ttl)
	second, releaseSecond := e.lease(e.Context(), "x")
	e.equal("the first is over", first.Err() != nil, true)
	if !errors.Is(context.Cause(first), store.ErrLeaseLost) {
		e.Errorf("it ended for %v", context.Cause(first))
	}
	e.refused(first, "lost")
	e.refused(context.WithoutCancel(first), "lost, not ended")
	must(0, e.put(second, "2"))
	release()
	synctest.Wait()
	e.equal("the loser gave it away", w.done, false)
	must(0, e.put(second, "3"))
	releaseSecond()
	synctest.Wait()
	must(0, w.err)
	w.release()
}

// Nobody takes over between the beginning of a transaction and its commit, not even from somebody who stood still.
func leaseHoldsWhileWriting(e *env) {
	s, ok := as[suspender](e.store)
	if !ok {
		e.Skip("the store cannot be suspended")
	}
	e.store, _ = as[store.Store](e.store) // what happens during the transaction does so once
	first, release := e.lease(e.Context(), "x")
	var second *waiter
	must(0, e.store.Update(first, e.p, func(w store.Writer) error {
		_, err := w.PutRow(person("1", nil), store.Here)
		s.Suspend(2 * ttl)
		release()
		second = e.waitForLease(e.Context(), "x")
		e.equal("taken while it is written", second.done, false)
		return err
	}))
	synctest.Wait()
	must(0, second.err)
	e.equal("taken", second.done, true)
	must(0, e.put(second.ctx, "2"))
	second.release()
	e.view(func(r store.Reader) error { e.equal("count", must(r.Count(directory.Person)), 2); return nil })
}

// leaseRace: what many read, change and write under one lease is as if one did it.
func leaseRace(e *env) {
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 5 {
				ctx, release, err := e.store.Lease(e.Context(), "counter", ttl)
				if err != nil {
					e.Error(err)
					return
				}
				var state store.StreamState
				err = e.store.View(ctx, e.p, func(r store.Reader) (err error) { state, err = r.Stream("counter"); return err })
				state.Cursor = append(state.Cursor, 'x')
				if err == nil {
					err = e.store.Update(ctx, e.p, func(w store.Writer) error { return w.PutStream("counter", state) })
				}
				if err != nil {
					e.Error(err)
				}
				release()
			}
		})
	}
	done.Wait()
	e.view(func(r store.Reader) error { e.equal("counted", len(must(r.Stream("counter")).Cursor), 40); return nil })
}
