package deliver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
	"dirsyncd/sync/targets/targettest"
)

func openBolt(t testing.TB, opts bolt.Options) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), opts)
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

var errBroken = &fault.Error{Class: fault.Internal, Op: "store", Err: errors.New("broken")}

// mortal is a store that a dead process can no longer read or write.
type mortal struct {
	store.Store
	broken atomic.Bool
}

func (m *mortal) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if m.broken.Load() {
		return errBroken
	}
	return m.Store.View(ctx, p, fn)
}

func (m *mortal) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	return m.Store.Update(ctx, p, func(tx store.Writer) error {
		if m.broken.Load() {
			return errBroken
		}
		return fn(tx)
	})
}

func TestRandomHistoriesOnBolt(t *testing.T) {
	for seed := range 15 {
		st := openBolt(t, bolt.Options{NoSync: true})
		synctest.Test(t, func(t *testing.T) { crashes(t, st, uint64(1000+seed)) })
	}
}

func TestBoltToFile(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	fill(t, st, 5000)
	target := openFile(t, filepath.Join(t.TempDir(), "changes.jsonl"), false)
	if sum := drain(t, New(storetest.Strict(t, st), journal, target, Options{})); sum.Delivered != 5000 || sum.Waiting != 0 || sum.Err != nil {
		t.Errorf("summary %+v", sum)
	}
}

func openFile(t testing.TB, path string, fsync bool) targets.Target {
	t.Helper()
	target, err := file.Factory().Open(&file.Config{Path: path, Mode: "0600", Fsync: fsync}, targets.Env{Target: journal, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func fill(t testing.TB, st store.Store, n int) {
	t.Helper()
	const perTx = 10_000
	for at := 0; at < n; at += perTx {
		err := st.Update(context.Background(), hq, func(tx store.Writer) error {
			for i := at; i < min(at+perTx, n); i++ {
				a := targettest.Action(directory.Create, i)
				a.Key = fmt.Sprintf("%032d", i)
				for _, name := range []string{"customer", "department", "phone", "site", "title"} {
					a.Fields = append(a.Fields, directory.Field{Name: name, Value: directory.Text("the " + name)})
				}
				if err := tx.Enqueue(journal, &a, time.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkOutboxToFile empties a ready outbox into a file: synced to the disk as in service, and not, which
// shows what the disk costs.
func BenchmarkOutboxToFile(b *testing.B) {
	const n = 100_000
	for _, synced := range []bool{true, false} {
		b.Run(fmt.Sprintf("fsync=%v", synced), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				st := openBolt(b, bolt.Options{NoSync: !synced})
				fill(b, st, n)
				w := New(st, journal, openFile(b, filepath.Join(b.TempDir(), "changes.jsonl"), synced), Options{})
				b.StartTimer()
				if sum := drain(b, w); sum.Delivered != n {
					b.Fatalf("summary %+v", sum)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
