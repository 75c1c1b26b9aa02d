package move_test

import (
	"context"
	"errors"
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

// filled is a state file with so many people of two tenants, that nobody has open.
func filled(t *testing.T, people int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"a", "b"} {
		err := s.Update(t.Context(), store.Partition{Connection: "hq", Tenant: tenant}, func(w store.Writer) error {
			for i := range people {
				o := directory.Object{Kind: directory.Person, ID: fmt.Sprint(i)}
				if _, err := w.PutRow(&o, store.Here); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, from, to string, m encoding.Moving) (*bolt.Store, *bolt.Store) {
	t.Helper()
	source, err := bolt.OpenToExport(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	target, _, err := bolt.OpenToImport(t.Context(), to, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return source, target
}

// Every stage says of each tenant how far it is, and whoever loses patience in any of them is heard.
func TestProgress(t *testing.T) {
	const people = 3 * store.ToldEvery
	path := filled(t, people)
	from, to := open(t, path, filepath.Join(t.TempDir(), "next.db"), encoding.Moving{})
	most := map[string]uint64{}
	if _, err := move.Run(t.Context(), from, to, func(p move.Progress) {
		of := p.Stage + " " + p.Partition.Tenant
		most[of] = max(most[of], p.Done)
	}); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{move.Checking, move.Copying, move.Comparing, move.Verifying} {
		if a, b := most[stage+" a"], most[stage+" b"]; a < people || b < 2*people {
			t.Errorf("%s: %d, then %d entries", stage, a, b)
		}
	}
	if most[move.Checking+" "] == 0 {
		t.Error("nobody sees how far the pages are")
	}

	_ = to.Close()
	for _, stage := range []string{move.Checking, move.Copying, move.Comparing, move.Verifying} {
		ctx, cancel := context.WithCancel(t.Context())
		to, _, err := bolt.OpenToImport(ctx, filepath.Join(t.TempDir(), stage+".db"), encoding.Moving{})
		if err != nil {
			t.Fatal(err)
		}
		after := 0
		_, err = move.Run(ctx, from, to, func(p move.Progress) {
			if ctx.Err() != nil {
				after++
			}
			if p.Stage == stage && p.Partition.Tenant == "a" {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || after > 1 {
			t.Errorf("%s: it went on %d times: %v", stage, after, err)
		}
		cancel()
		_ = to.Close()
	}
}

// unsound is a state that is damaged.
type unsound struct{ *bolt.Store }

var errUnsound = errors.New("it is damaged")

func (unsound) Check(context.Context, func(store.Progress)) error { return errUnsound }

// What was moved and comes back takes the place of what it was. A state that is not what that became does not, nor does a damaged one: the older one may be
// all there is then.
func TestMovedBack(t *testing.T) {
	path, next := filled(t, 3), filepath.Join(t.TempDir(), "next.db")
	gone := encoding.Moved{To: "next", At: time.Unix(0, 0).UTC()}
	from, to := open(t, path, next, encoding.Moving{})
	_, err := move.Run(t.Context(), from, to, nil)
	if err := errors.Join(err, from.MarkMoved(t.Context(), gone), from.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		if _, err := bolt.Open(path, bolt.Options{ReadOnly: readOnly}); !errors.Is(err, encoding.ErrMoved) {
			t.Errorf("it is opened: %v", err)
		}
	}
	if _, err := bolt.OpenToExport(path); !errors.Is(err, encoding.ErrMoved) {
		t.Errorf("it is moved again: %v", err)
	}
	if _, _, err := bolt.OpenToImport(t.Context(), path, encoding.Moving{From: "another"}); err == nil || errors.Is(err, encoding.ErrMoved) {
		t.Errorf("another one takes its place: %v", err)
	}

	from, to = open(t, next, path, encoding.Moving{From: "next"})
	_, err = move.Run(t.Context(), unsound{from}, to, nil)
	if closed := errors.Join(from.Close(), to.Close()); !errors.Is(err, errUnsound) || closed != nil {
		t.Fatal(err, closed)
	}
	if was, err := bolt.Reopen(t.Context(), path); err != nil || was == nil || *was != gone {
		t.Fatalf("the older one is not there any more: %v, %v", was, err)
	}
	if was, err := bolt.Reopen(t.Context(), path); err != nil || was != nil {
		t.Errorf("reopened again: %v, %v", was, err)
	}
	older, err := bolt.OpenToExport(path)
	if err != nil {
		t.Fatal(err)
	}
	if parts, err := older.Partitions(t.Context()); err != nil || len(parts) != 2 {
		t.Errorf("the older one has %v, %v", parts, err)
	}
	if err := errors.Join(older.MarkMoved(t.Context(), gone), older.Close()); err != nil {
		t.Fatal(err)
	}

	from, to = open(t, next, path, encoding.Moving{From: "next"})
	report, err := move.Run(t.Context(), from, to, nil)
	if err != nil || report.Replaced == nil || *report.Replaced != gone {
		t.Errorf("%+v, %v", report, err)
	}
	if err := errors.Join(from.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	back, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(back.Verify(t.Context()), back.Close()); err != nil {
		t.Error(err)
	}
}

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
