package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// note makes a ledger's value another one, and returns what it was.
func (e *env) note(s store.Store, name string, is []byte) (before string) {
	e.Helper()
	err := s.Ledger(e.Context(), name, func(was []byte) ([]byte, error) {
		before = fmt.Sprintf("%t %s", was != nil, was)
		return is, nil
	})
	if err != nil {
		e.Errorf("ledger %s: %v", name, err)
	}
	return before
}

// ledger: a value is what was stored last, each by itself, of no partition and in no copy for a try.
func ledger(e *env) {
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	for _, step := range []struct {
		name string
		is   []byte
		was  string
	}{
		{"a", nil, "false "},
		{"a", []byte("1"), "false "},
		{"b", []byte("2"), "false "},
		{"a", []byte("1"), "true 1"},
		{"a", large, "true 1"},
		{"a", []byte{}, "true " + string(large)},
		{"a", []byte("3"), "true "},
		{"a", nil, "true 3"},
		{"a", nil, "false "},
		{"b", []byte("2"), "true 2"},
	} {
		if was := e.note(e.store, step.name, step.is); was != step.was {
			e.Errorf("%s was %.40q, want %.40q", step.name, was, step.was)
		}
	}
	err := e.store.Ledger(e.Context(), "b", func([]byte) ([]byte, error) { return []byte("never"), errStop })
	if !errors.Is(err, errStop) || e.note(e.store, "b", []byte("2")) != "true 2" {
		e.Errorf("an error of the function: %v", err)
	}
	if err := e.store.Ledger(e.Context(), "", func(was []byte) ([]byte, error) { return was, nil }); fault.ClassOf(err) != fault.Internal {
		e.Errorf("without a name: %v", err)
	}
	e.equal("partitions", len(must(e.store.Partitions(e.Context()))), 0)
	must(0, e.put(e.Context(), "1"))
	for _, parts := range [][]store.Partition{nil, {e.p}} {
		s := must(e.store.Scratch(e.Context(), parts...))
		e.equal("in a copy", e.note(s, "b", []byte("9")), "false ")
		e.verify(s)
		must(0, s.Close())
	}
	must(0, e.store.DropPartition(e.Context(), e.p))
	e.equal("after all partitions", e.note(e.store, "b", nil), "true 2")
}

// ledgerUnderLease: whoever lost a lease changes nothing.
func ledgerUnderLease(e *env) {
	held, release := e.lease(e.Context(), "run hq")
	count := func(was []byte) ([]byte, error) { return append(was, 'x'), nil }
	must(0, e.store.Ledger(held, "a", count))
	release()
	if err := e.store.Ledger(context.WithoutCancel(held), "a", count); fault.ClassOf(err) != fault.Conflict || !errors.Is(err, store.ErrLeaseLost) {
		e.Errorf("after the lease was given back: %v", err)
	}
	e.equal("then", e.note(e.store, "a", nil), "true x")
}

// ledgerRace: those who count at the same time lose nothing, beside those who write to partitions.
func ledgerRace(e *env) {
	const workers, each = 6, 24
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := range each {
				err := e.store.Ledger(e.Context(), fmt.Sprint(i%2), func(was []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(was))
					return strconv.AppendInt(nil, int64(n+1), 10), nil
				})
				if i%5 == 0 {
					err = errors.Join(err, e.put(e.Context(), fmt.Sprint(w, ".", i)))
				}
				if err != nil {
					e.Error(err)
				}
			}
		})
	}
	done.Wait()
	e.equal("counted", []string{e.note(e.store, "0", nil), e.note(e.store, "1", nil)}, []string{fmt.Sprint("true ", workers*each/2), fmt.Sprint("true ", workers*each/2)})
}
