package deliver

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/database/postgrestest"
)

// TestOnPostgreSQL runs what concerns the store on a real database.
func TestOnPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	trips := db.Trips(t, server)
	open := func(url, schema string) *postgres.Store {
		st, err := postgres.Open(t.Context(), postgres.Options{URL: url, Schema: schema, LeaseFor: 20 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		return st
	}
	st := open(trips.URL, "outside")
	// A bubble must not wait for a lock that somebody outside has: this store is used in bubbles only, where its leases give their signs of life,
	// and nobody looks after its pool.
	inBubbles := open(trips.URL+"&pool_health_check_period=24h", "bubbles")
	connect(t, inBubbles)
	// empty leaves nothing of the test before: a schema for each would cost more than the tests do.
	empty := func(t *testing.T, st *postgres.Store) {
		t.Helper()
		if err := st.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		parts, err := st.Partitions(t.Context())
		ofTargets, more := store.TargetPartitions(t.Context(), st)
		for _, p := range append(parts, ofTargets...) {
			err = errors.Join(err, st.DropPartition(t.Context(), p))
		}
		if err = errors.Join(err, more); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("random histories", func(t *testing.T) {
		for seed := range 4 {
			empty(t, inBubbles)
			synctest.Test(t, func(t *testing.T) { crashes(t, uncut{inBubbles}, uint64(1000+seed)) })
		}
	})
	t.Run("to a file", func(t *testing.T) {
		empty(t, st)
		fill(t, st, 5000)
		target := openFile(t, filepath.Join(t.TempDir(), "changes.jsonl"), false)
		if sum := drain(t, New(storetest.Strict(t, st), journal, target, Options{})); sum.Delivered != 5000 || sum.Waiting != 0 || sum.Err != nil {
			t.Errorf("summary %+v", sum)
		}
	})
	t.Run("killed at every transaction", func(t *testing.T) {
		killedAtEvery(t, func(t *testing.T) store.Store { empty(t, inBubbles); return uncut{inBubbles} })
	})
	t.Run("round trips", func(t *testing.T) {
		// A window is claimed, read and recorded in a few round trips, however much is in it.
		empty(t, st)
		few, many := trip{st, trips}.deliver(t, 500), trip{st, trips}.deliver(t, 5000)
		t.Logf("500 actions took %d round trips, 5000 took %d", few, many)
		if many > 2*few {
			t.Errorf("it grows with what is in it")
		}
	})
}

// connect makes the connections of a store: those that are made within a bubble of synctest cannot be closed outside of it.
func connect(t *testing.T, st store.Store) {
	t.Helper()
	const connections = 10
	var all, done sync.WaitGroup
	all.Add(connections)
	for range connections {
		done.Go(func() {
			err := st.View(t.Context(), hq, func(store.Reader) error {
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

// uncut is a store whose transactions go on when their context ends: a connection that is cut off within a bubble of synctest cannot be closed.
type uncut struct{ *postgres.Store }

func (u uncut) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return u.Store.View(context.WithoutCancel(ctx), p, fn)
}

func (u uncut) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return u.Store.Update(context.WithoutCancel(ctx), p, fn)
}

func (u uncut) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return u.Store.Waiting(context.WithoutCancel(ctx), target)
}

func (u uncut) Awaiting(ctx context.Context, target string, keys ...string) ([]store.Partition, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return u.Store.Awaiting(context.WithoutCancel(ctx), target, keys...)
}

func (u uncut) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return u.Store.Partitions(context.WithoutCancel(ctx), connections...)
}

// trip is a store whose round trips are counted.
type trip struct {
	*postgres.Store
	*postgrestest.Trips
}

// deliver returns how many round trips it takes to deliver so many actions.
func (p trip) deliver(t *testing.T, n int) int {
	t.Helper()
	fill(t, p.Store, n)
	target := openFile(t, filepath.Join(t.TempDir(), "changes.jsonl"), false)
	return p.Count(func() {
		if sum := drain(t, New(p.Store, journal, target, Options{})); sum.Delivered != n || sum.Err != nil {
			t.Errorf("summary %+v", sum)
		}
	})
}
