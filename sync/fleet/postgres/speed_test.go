package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fleet"
)

// TestSpeed is a measurement, for `make soak-workers`: what four workers do more than one, and what idle ones cost.
func TestSpeed(t *testing.T) {
	if os.Getenv(soakEnv) == "" {
		t.Skip(soakEnv + " is not set")
	}
	s := postgrestest.Start(t)
	const tenants, unit = 1000, 300 * time.Millisecond
	var names []string
	for i := range tenants {
		names = append(names, fmt.Sprintf("t%04d", i))
	}
	took := map[int]time.Duration{}
	for _, workers := range []int{1, 4} {
		p := newPlace(t, s)
		many := connection("c")
		many.AtOnce = tenants
		var runs sync.WaitGroup
		runs.Add(tenants)
		var began time.Time
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range workers {
			f := p.open(t, fmt.Sprintf("w%d", i), logOf(t))
			all.Go(func() {
				_ = f.Work(ctx, fleet.Worker{Name: fmt.Sprint(i), Lanes: 8}, plan("g", many), func(ctx context.Context, h fleet.Held) (fleet.Finish, error) {
					if h.Unit.Kind == fleet.List {
						began = time.Now()
						return fleet.Finish{Tenants: names}, nil
					}
					select {
					case <-time.After(unit):
					case <-ctx.Done():
						return fleet.Finish{}, ctx.Err()
					}
					runs.Done()
					return fleet.Finish{Proven: true}, nil
				})
			})
		}
		runs.Wait()
		took[workers] = time.Since(began)
		t.Logf("%d units of %s by %d workers of 8 lanes: %s", tenants, unit, workers, took[workers])
		// Nothing to do: how many statements, the statistics' own left out.
		time.Sleep(3 * time.Second)
		commits := func() int {
			return value[int](t, p, "select pg_stat_get_db_xact_commit(oid) from pg_database where datname = current_database()")
		}
		before := commits()
		time.Sleep(20 * time.Second)
		t.Logf("idle: %.1f transactions a second and worker", float64(commits()-before)/20/float64(workers))
		stop()
		all.Wait()
	}
	if ratio := float64(took[1]) / float64(took[4]); ratio < 3.2 {
		t.Errorf("four workers did %.1f times what one did", ratio)
	}
}
