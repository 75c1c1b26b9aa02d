package engine

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fleet"
	workers "dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// diesBeforeFinish: a unit is given back in a transaction of its own, after the last one of its run. A worker that dies between the two costs one
// run more, which finds nothing new, sends nothing and stores nothing.
func diesBeforeFinish(t *testing.T, db *postgrestest.Database, server *postgrestest.Server) {
	st, err := postgres.Open(t.Context(), postgres.Options{URL: db.Trips(t, server).URL, Schema: "finish", LeaseFor: longLease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.GroupsPerPerson, cfg.PageSize = 300, 20, 3, 100
	rules, problems := mapping.Compile(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name")}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := &Connection{Name: "hq", Connector: "memory", Source: memory.OpenSynthetic(cfg), Rules: rules, Guard: plan.DefaultGuard(), Targets: []string{target}}
	stored := func() (queued, runs int) {
		err := st.View(t.Context(), store.Partition{Connection: "hq"}, func(tx store.Reader) (err error) {
			if queued, _, err = tx.OutboxDepth(target); err != nil {
				return err
			}
			return tx.Runs(func(store.Run) bool { runs++; return true })
		})
		if err != nil {
			t.Error(err)
		}
		return queued, runs
	}

	pool, err := pgxpool.New(t.Context(), server.DSN(db.Name)+" application_name='dirsyncd dies'")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	f, err := workers.Open(t.Context(), workers.Options{Pool: pool, Schema: "finish_fleet", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	second, calls := make(chan Result, 10), 0 // the calls follow each other
	var fences []int64
	work.Go(func() {
		_ = f.Work(ctx, fleet.Worker{Name: "dies", Lanes: 1}, fleet.Plan{Generation: "g", Units: []fleet.Planned{{Unit: fleet.Unit{Kind: fleet.List, Connection: "hq"}}}},
			func(ctx context.Context, h fleet.Held) (fleet.Finish, error) {
				calls++
				fences = append(fences, h.Fence)
				e := New(st, Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}) // as of a process of its own
				res := e.Run(context.WithoutCancel(ctx), c, connectors.Tenant{}, Job{Trigger: h.Request.Cause})
				if calls == 1 { // all is stored, and it dies
					if _, err := pool.Exec(ctx, "update finish_fleet.worker set expires = clock_timestamp()"); err != nil {
						t.Error(err)
					}
					<-ctx.Done()
				} else {
					second <- res
				}
				return fleet.Finish{Proven: res.Err == nil}, res.Err
			})
	})
	res := <-second
	queued, runs := stored()
	if res.Err != nil || res.Run.Changed+res.Run.Removed+len(res.Run.Counts) != 0 || queued != 300 || runs != 1 {
		t.Errorf("the run after a death: %+v; %d actions are queued, %d runs stored", res, queued, runs)
	}
	if fences[1] <= fences[0] {
		t.Errorf("the fences are %d", fences)
	}
}
