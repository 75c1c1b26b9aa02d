package engine

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// BenchmarkNothingDue: what an idle run costs does not grow with how much is due later.
func BenchmarkNothingDue(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, c, _ := dueIn(b, n)
			for b.Loop() {
				if res := e.Run(b.Context(), c, connectors.Tenant{}, Job{Offline: true}); res.Err != nil || res.Run.Outcome != Clean {
					b.Fatal(res)
				}
			}
		})
	}
}

// dueIn is an engine whose tenant has so many things that are due, one each second from a day on.
func dueIn(b *testing.B, n int) (*Engine, *Connection, *time.Time) {
	b.Helper()
	st, err := bolt.Open(filepath.Join(b.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	rules, problems := mapping.Compile(graceSpec(30 * day))
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := New(st, Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	c := &Connection{Name: "hq", Connector: "world", Source: newWorld(), Rules: rules, Guard: plan.Guard{}, Targets: []string{target}}
	if res := e.Run(b.Context(), c, connectors.Tenant{}, Job{}); res.Err != nil {
		b.Fatal(res.Err)
	}
	err = st.Update(b.Context(), store.Partition{Connection: "hq"}, func(tx store.Writer) error {
		handles := make([]string, n)
		for i := range handles {
			handles[i] = fmt.Sprint("id:", i)
		}
		nums, err := tx.Intern(handles, nil)
		if err != nil {
			return err
		}
		for i, num := range nums {
			if err := tx.PutDue(directory.Person, num, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return e, c, &now
}
