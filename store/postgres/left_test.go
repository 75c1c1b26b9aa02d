package postgres_test

import (
	"context"
	"sync"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
)

func nothing(store.Reader) error { return nil }

// views has so many views open at the same time.
func views(t *testing.T, s *postgres.Store, n int) {
	t.Helper()
	var all, done sync.WaitGroup
	all.Add(n)
	for range n {
		done.Go(func() {
			err := s.View(t.Context(), hq, func(store.Reader) error {
				all.Done()
				all.Wait()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

// Of a server that was started anew, no connection is there any more: who comes next does not try one after the other.
func allEnded(t *testing.T, r *rig) {
	const connections, used = 30, 24
	s := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases, Connections: connections})
	views(t, s, used)
	if s.Left() < 10 {
		t.Fatalf("%d connections are kept", s.Left())
	}
	for _, wait := range []string{"", ", 600000"} { // one after the other is waited for: all are told before
		r.Exec("SELECT pg_terminate_backend(pid" + wait + ") FROM pg_stat_activity WHERE application_name = '" + s.Session() + "'")
	}
	if err := s.View(t.Context(), hq, nothing); err != nil {
		t.Error(err)
	}
	if err := s.Update(t.Context(), hq, count); err != nil {
		t.Error(err)
	}
}

// A store is closed while views are open: they come to their end, and so does Close.
func closedInView(t *testing.T, r *rig) {
	s := r.open(t)
	closed := make(chan error, 1)
	err := s.View(t.Context(), hq, func(store.Reader) error {
		go func() { closed <- s.Close() }()
		for s.View(t.Context(), hq, nothing) == nil { // the pool is closed last of all
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Nobody whose context has ended costs others their connections, and one that is too old is not kept.
func kept(t *testing.T, r *rig) {
	s := r.open(t)
	views(t, s, 3)
	had := s.Left()
	if had == 0 {
		t.Fatal("no connection is kept")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.View(over, hq, nothing); err == nil || s.Left() != had {
		t.Errorf("%d of %d connections are kept, %v", s.Left(), had, err)
	}
	s.Expire()
	for range had {
		if err := s.View(t.Context(), hq, nothing); err != nil {
			t.Error(err)
		}
	}
	if s.Left() != 0 {
		t.Errorf("%d connections are kept that are too old", s.Left())
	}
}
