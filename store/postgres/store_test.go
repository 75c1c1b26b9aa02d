package postgres_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
)

// TestPostgreSQL runs everything that needs a server, on one.
func TestPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	r := &rig{Database: server.Database(t), server: server, address: testserver.Address(server.Port), ca: server.CAFile}
	r.url = fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", postgrestest.Admin, postgrestest.AdminPassword, server.Port, r.Name)
	t.Run("conformance", func(t *testing.T) {
		if raceDetector {
			t.Skip("the strict one does the same and more")
		}
		t.Parallel()
		storetest.Run(t, func(t *testing.T) store.Store { return r.open(t) })
	})
	t.Run("conformance, strict", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) store.Store { return storetest.Strict(t, r.open(t)) })
	})

	for name, test := range map[string]func(*testing.T, *rig){
		"like bolt": likeBolt, "plans": plans, "long views": longViews, "longest views": longestViews, "cuts": cuts, "ended sessions": endedByServer, "all sessions ended": allEnded, "closed in a view": closedInView, "kept connections": kept, "away": away, "leftovers": leftovers,
		"take over": takeOver, "without fence": withoutFence, "cut off": cutOff, "hand over": handOver, "nobody's lease": nobodysLease, "wait for others": waitForOthers, "late only": lateOnly, "without the right to make schemas": noCreate, "ignored settings": ignoredSettings,
		"migrations": migrations, "strangers": strangers, "encrypted": encrypted, "behind PgBouncer": behindBouncer, "many on the desk": manyOnDesk, "damage of the desk": deskDamage, "limit of items": itemLimit,
		"moves": moves, "cut moves": cutMoves, "what is not moved": notMoved, "every column is moved": everyColumn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, r)
		})
	}
}

var hq = store.Partition{Connection: "hq", Tenant: "contoso"}

func logTo(b *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// rig is a database in which each test has a schema of its own.
type rig struct {
	*postgrestest.Database
	server  *postgrestest.Server
	url     string
	address string
	ca      string // of the server's certificate
	schemas atomic.Int64
}

// longLeases are such that nobody loses one because the machine is busy.
const longLeases = 20 * time.Minute

// open opens a new, empty state that is removed when the test ends.
func (r *rig) open(t testing.TB) *postgres.Store {
	t.Helper()
	// The suite has bubbles: nobody outside of them looks after the pool, whose locks would be waited for by those within.
	s := r.openSchema(t, postgres.Options{URL: r.url + "&pool_health_check_period=24h", Schema: r.schema(t), LeaseFor: longLeases})
	warm(t, s)
	return s
}

// through is the URL by a way that can be cut.
func (r *rig) through(c *cutter) string {
	return strings.Replace(r.url, r.address, c.l.Addr().String(), 1)
}

// schema is the name of a new one, which goes when the test ends.
func (r *rig) schema(t testing.TB) string {
	schema := fmt.Sprintf("state%d", r.schemas.Add(1))
	t.Cleanup(func() { r.Exec("DROP SCHEMA IF EXISTS " + schema + " CASCADE") })
	return schema
}

func (r *rig) openSchema(t testing.TB, opts postgres.Options) *postgres.Store {
	t.Helper()
	if opts.URL == "" {
		opts.URL = r.url
	}
	s, err := postgres.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// warm makes connections: one that is made within a bubble of synctest cannot be closed outside of it.
func warm(t testing.TB, s *postgres.Store) {
	const connections = 10
	var all, done sync.WaitGroup
	all.Add(connections)
	for range connections {
		done.Go(func() {
			err := s.View(t.Context(), store.Partition{Connection: "warm"}, func(store.Reader) error {
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
