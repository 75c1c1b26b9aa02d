package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
)

// TestIdle: what a worker with nothing to do asks of the database, River's part included. Whoever looks less often than he means to, because the
// machine is busy, asks less.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	p := newPlace(t, s)
	trips := p.Trips(t, s)
	config, err := pgxpool.ParseConfig(trips.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = "dirsyncd idle"
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // see trusted in the state's store
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	f, err := postgres.Open(t.Context(), postgres.Options{Pool: pool, Schema: schema, Log: logOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	ran := make(chan bool)
	work.Go(func() {
		_ = f.Work(ctx, fleet.Worker{Name: "idle", Lanes: 8}, plan("g", connection("c")), func(context.Context, fleet.Held) (fleet.Finish, error) {
			close(ran)
			return fleet.Finish{Proven: true}, nil
		})
	})
	<-ran
	until(t, "it has nothing to do", func() bool {
		return value[int](t, p, "select count(*) from "+schema+".unit where holder is not null or job is not null or want <> 0") == 0
	})
	const settling, watched, most = 4 * time.Second, 15 * time.Second, 2.7
	<-time.After(settling) // what is asked for the first time is prepared first
	since := time.Now()
	n := trips.Count(func() { <-time.After(watched) })
	perSecond := float64(n) / time.Since(since).Seconds()
	t.Logf("%.2f round trips a second", perSecond)
	if perSecond > most {
		t.Errorf("an idle worker asks %.2f times a second, more than %.1f", perSecond, most)
	}
}
