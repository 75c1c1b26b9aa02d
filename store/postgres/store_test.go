package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/database/postgrestest"
)

// TestPostgreSQL runs everything that needs a server, on one.
func TestPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	r := &rig{Database: server.Database(t)}
	r.url = fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", postgrestest.Admin, postgrestest.AdminPassword, server.Port, r.Name)
	t.Run("conformance", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) store.Store { return r.open(t) })
	})
	t.Run("conformance, strict", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) store.Store { return storetest.Strict(t, r.open(t)) })
	})
}

// rig is a database in which each test has a schema of its own.
type rig struct {
	*postgrestest.Database
	url     string
	schemas atomic.Int64
}

// longLeases are such that nobody loses one because the machine is busy.
const longLeases = 20 * time.Minute

// open opens a new, empty state that is removed when the test ends.
func (r *rig) open(t testing.TB) *postgres.Store {
	t.Helper()
	schema := fmt.Sprintf("state%d", r.schemas.Add(1))
	t.Cleanup(func() { r.Exec("DROP SCHEMA IF EXISTS " + schema + " CASCADE") })
	s := r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases})
	warm(t, s)
	return s
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
	const connections = 4
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
