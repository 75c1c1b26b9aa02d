package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/plan"
)

// stateURL names the environment variable that makes the tests of the engine keep their states in a database.
const stateURL = "DIRSYNCD_ENGINE_STATE"

// longLease is one that nobody loses, and for which no sign of life is due, because the machine is busy.
const longLease = 20 * time.Minute

// TestOnPostgreSQL runs the tests of the engine once more, on a real database: all but those that cannot (bubbles) and those that take long (long). The
// latter can be run so, too, with the URL of an empty database in stateURL.
func TestOnPostgreSQL(t *testing.T) {
	if os.Getenv(stateURL) != "" {
		t.Skip("this is one of them")
	}
	server := postgrestest.Start(t)
	db := server.Database(t)
	t.Run("round trips", func(t *testing.T) { roundTrips(t, db, db.Trips(t, server)) })
	t.Run("several processes", func(t *testing.T) { severalProcesses(t, db.Trips(t, server).URL) })
	t.Run("a death before the finish", func(t *testing.T) { diesBeforeFinish(t, db, server) })
	t.Run("tests", func(t *testing.T) {
		run := exec.CommandContext(t.Context(), os.Args[0], "-test.skip", bubbles+"|"+long)
		run.Env = append(os.Environ(), fmt.Sprintf("%s=postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", stateURL, postgrestest.Admin, postgrestest.AdminPassword, server.Port, db.Name))
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

const (
	// bubbles are tests that run in a bubble of synctest and cut what they began there.
	bubbles = "^Test(OnPostgreSQL|Queue|Transient|Hanging|Stalled|TenantQueue)"
	// long are sweeps over all points at which to cut, histories of weeks and random ones: thousands of transactions each, of which a database
	// makes a hundred while a file makes a thousand.
	long = "Random|CutAnywhere|AfterACut|AtAnyMoment|^TestCut|^TestStrangerCut|SurvivesKills|Bleed|IsNeverHeld|RenamesOfMany|ThatTheSourceRewrites|SameEntries|ComeInBatches|OfAllTenantsTogether|^TestQuietRuns|^TestInitial$"
)

// severalProcesses: what processes that have nothing in common but the database let the tenants of a connection do is what one lets them do.
func severalProcesses(t *testing.T, url string) {
	var processes []store.Store
	for range 2 {
		st, err := postgres.Open(t.Context(), postgres.Options{URL: url, Schema: "processes", LeaseFor: longLease})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		processes = append(processes, st)
	}
	c := newCrew(t, 40, 22, processes...)
	c.conn.Shared = plan.DefaultShared()
	c.conn.WholeOver = c.mostWithin(60)
	c.runTogether()
}

// states are states that tests keep in one schema of a database: one for each would cost more than the tests do.
type states struct {
	open func() (*postgres.Store, error)

	mu           sync.Mutex
	given, alive int
}

func newStates() *states {
	return &states{open: sync.OnceValues(func() (*postgres.Store, error) {
		return postgres.Open(context.Background(), postgres.Options{URL: os.Getenv(stateURL), LeaseFor: longLease})
	})}
}

// take returns an empty store, which is the test's until that ends.
func (s *states) take(t *testing.T) store.Store {
	t.Helper()
	st, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	connect(t, st)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
	s.alive++
	t.Cleanup(func() { s.giveBack(t, st) })
	return &own{Store: st, prefix: fmt.Sprint(s.given, ".")}
}

// giveBack checks and empties the store when nobody has a part of it any more.
func (s *states) giveBack(t *testing.T, st *postgres.Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive--; s.alive > 0 {
		return
	}
	ctx := context.Background()
	err := st.Verify(ctx)
	parts, more := st.Partitions(ctx)
	ofTargets, andMore := store.TargetPartitions(ctx, st)
	for _, p := range append(parts, ofTargets...) {
		err = errors.Join(err, st.DropPartition(ctx, p))
	}
	if err = errors.Join(err, more, andMore); err != nil {
		t.Error(err)
	}
}

// own is a part of a store that has all connections and targets to itself. Its transactions go on when their context ends: a connection that
// is cut off within a bubble of synctest cannot be closed.
type own struct {
	store.Store
	prefix string
}

func (o *own) in(p store.Partition) store.Partition {
	if _, ok := p.Target(); ok {
		return store.TargetPartition(o.prefix + p.Tenant)
	}
	return store.Partition{Connection: o.prefix + p.Connection, Tenant: p.Tenant}
}

// out takes those of a list that are its own.
func (o *own) out(list []store.Partition, err error) ([]store.Partition, error) {
	var mine []store.Partition
	for _, p := range list {
		if target, ok := p.Target(); ok && strings.HasPrefix(target, o.prefix) {
			mine = append(mine, store.TargetPartition(strings.TrimPrefix(target, o.prefix)))
		} else if !ok && strings.HasPrefix(p.Connection, o.prefix) {
			mine = append(mine, store.Partition{Connection: strings.TrimPrefix(p.Connection, o.prefix), Tenant: p.Tenant})
		}
	}
	return mine, err
}

func (o *own) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return o.Store.View(context.WithoutCancel(ctx), o.in(p), fn)
}

func (o *own) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return o.Store.Update(context.WithoutCancel(ctx), o.in(p), fn)
}

func (o *own) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	var names []string
	for _, name := range connections {
		names = append(names, o.in(store.Partition{Connection: name}).Connection)
	}
	return o.out(o.Store.Partitions(context.WithoutCancel(ctx), names...))
}

func (o *own) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	return o.out(o.Store.Waiting(context.WithoutCancel(ctx), target))
}

func (o *own) Awaiting(ctx context.Context, target string, keys ...string) ([]store.Partition, error) {
	return o.out(o.Store.Awaiting(context.WithoutCancel(ctx), target, keys...))
}

func (o *own) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	return o.Store.Lease(ctx, o.prefix+name, ttl)
}

func (o *own) Ledger(ctx context.Context, name string, fn func(was []byte) (is []byte, err error)) error {
	return o.Store.Ledger(ctx, o.prefix+name, fn)
}

func (o *own) DropPartition(ctx context.Context, p store.Partition) error {
	return o.Store.DropPartition(ctx, o.in(p))
}

func (o *own) MovePartition(ctx context.Context, from, to store.Partition) error {
	return o.Store.MovePartition(ctx, o.in(from), o.in(to))
}

func (o *own) Scratch(ctx context.Context, parts ...store.Partition) (store.Store, error) {
	var list []store.Partition
	for _, p := range parts {
		list = append(list, o.in(p))
	}
	st, err := o.Store.Scratch(ctx, list...)
	return &own{Store: st, prefix: o.prefix}, err
}

// connect makes the connections of a store: those that are made within a bubble of synctest cannot be closed outside of it.
func connect(t *testing.T, st store.Store) {
	t.Helper()
	const connections = 10
	var all, done sync.WaitGroup
	all.Add(connections)
	for range connections {
		done.Go(func() {
			err := st.View(context.Background(), store.Partition{Connection: "hq"}, func(store.Reader) error {
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
