package move_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/encoding"
	"dirsyncd/store/move"
	"dirsyncd/sync/directory"
)

// What a partition counts comes in one transaction, wherever in the partition the room of one ends.
func TestCountersComeTogether(t *testing.T) {
	const atOnce = 20_000 // entries of a transaction
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	queue := func(n int) {
		t.Helper()
		err := s.Update(t.Context(), store.Partition{Connection: "hq"}, func(w store.Writer) error {
			for i := range n {
				a := &directory.Action{Op: directory.Create, Kind: directory.UserRecord, Key: fmt.Sprint(n, i)}
				if err := w.Enqueue("desk", a, time.Unix(0, 0)); err != nil {
					return err
				}
			}
			o := directory.Object{Kind: directory.Person, ID: "somebody"}
			_, err := w.PutRow(&o, store.Here)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	queue(1)
	others, counters := 0, 0
	err = s.Export(t.Context(), store.Partition{Connection: "hq"}, func(e store.Entry) error {
		if e.Table == encoding.TableCounters {
			counters++
		} else {
			others++
		}
		return nil
	})
	if err != nil || counters < 2 {
		t.Fatal(counters, err)
	}
	queue(atOnce - others - 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	from, err := bolt.OpenToExport(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, _, err := bolt.OpenToImport(t.Context(), filepath.Join(t.TempDir(), "next.db"), encoding.Moving{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	if report, err := move.Run(t.Context(), from, to, nil); err != nil || report.Entries != uint64(atOnce-1+counters) {
		t.Error(report.Entries, err)
	}
}
