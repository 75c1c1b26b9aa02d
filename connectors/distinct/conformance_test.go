package distinct

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// stored is the records of a connection as runs would leave them in the state, journal and all.
type stored struct {
	testing.TB
	store store.Store
	part  store.Partition
}

func newStored(tb testing.TB) *stored {
	tb.Helper()
	st, err := bolt.Open(filepath.Join(tb.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	return &stored{TB: tb, store: st, part: store.Partition{Connection: "ad"}}
}

func (s *stored) update(fn func(w store.Writer) error) {
	s.Helper()
	if err := s.store.Update(context.Background(), s.part, fn); err != nil {
		s.Fatal(err)
	}
}

// put changes the records of people: id, customer, site, and so on. Without a site somebody is out of use.
func (s *stored) put(people ...string) {
	s.Helper()
	s.update(func(w store.Writer) error {
		var entries []store.JournalEntry
		for i := 0; i < len(people); i += 3 {
			nums, err := w.Intern([]string{directory.IDHandle(people[i])}, nil)
			if err != nil {
				return err
			}
			e := store.JournalEntry{Kind: directory.Person, Num: nums[0], Record: directory.UserRecord}
			before, _, err := w.Record(directory.UserRecord, nums[0])
			if err != nil {
				return err
			}
			for _, name := range []string{"customer", "site"} {
				if v, _ := before.Get(name); before.Active {
					e.Former = append(e.Former, directory.Field{Name: name, Value: v})
				}
			}
			rec := directory.Record{Kind: directory.UserRecord, Key: "ad/" + people[i], Active: people[i+2] != ""}
			for n, name := range []string{"customer", "site"} {
				rec.Fields = append(rec.Fields, directory.RecordField{Field: directory.Field{Name: name, Value: directory.Text(people[i+1+n])}})
			}
			if err := w.PutRecord(nums[0], &rec); err != nil {
				return err
			}
			entries = append(entries, e)
		}
		if err := w.PutTenant(store.TenantState{RulesHash: "settled"}); err != nil {
			return err
		}
		return w.AppendJournal(1000, 100, entries)
	})
}

func fixture(tb testing.TB) *connectortest.Fixture {
	tb.Helper()
	s := newStored(tb)
	var people []string
	for i := range 120 {
		people = append(people, fmt.Sprint("p", i), "Acme", fmt.Sprint("Office ", i))
	}
	s.put(people...)
	cfg := valid()
	delete(cfg.Make, "group")
	c := open(cfg, connectors.Env{Connection: "places", Stored: s.store})
	c.pageSize = 20
	site := func(name string) directory.Ref { return directory.Ref{Kind: directory.Site, ID: "site:acme/" + name} }
	return &connectortest.Fixture{
		Connector: connectors.Guard(c),
		Add: func(testing.TB, string) directory.Ref {
			s.put("new", "Acme", "Leeds")
			return site("leeds")
		},
		Change: func(testing.TB, string) directory.Ref {
			s.put("p3", "Acme", "OFFICE 3")
			return site("office 3")
		},
		Rename: func(testing.TB, string) directory.Ref {
			s.put("p4", "Acme", "office 4")
			return site("office 4")
		},
		Delete: func(testing.TB, string) directory.Ref {
			s.put("p5", "Acme", "")
			return site("office 5")
		},
		Break: func(tb testing.TB, how connectortest.Breakage) {
			switch how {
			case connectortest.MissingPermission:
				if err := s.store.DropPartition(context.Background(), s.part); err != nil {
					tb.Fatal(err)
				}
			case connectortest.LostCursors:
				s.update(func(w store.Writer) error { return w.DropJournal() })
				s.update(func(w store.Writer) error { return w.AppendJournal(5000, 10, nil) })
			default:
				tb.Fatalf("a state cannot suffer %s", how)
			}
		},
	}
}

func TestConformance(t *testing.T) {
	none := "what is stored is there or the run itself fails"
	connectortest.Run(t, connectortest.Harness{Start: fixture, Unsupported: map[connectortest.Breakage]string{
		connectortest.BadCredentials: "there are none", connectortest.MidListing: none, connectortest.Silence: none, connectortest.Unreachable: none,
		connectortest.BadEntry: "what is stored was translated before",
	}})
}

// read reads and returns what came of it, the cursor, and the error.
func read(t *testing.T, s *stored, cfg *Config, from []byte) (objects, removed []string, cursor []byte, err error) {
	t.Helper()
	mode := connectors.Full
	if from != nil {
		mode = connectors.Delta
	}
	c := open(cfg, connectors.Env{Connection: "places", Stored: s.store})
	err = c.Read(t.Context(), connectors.Request{Stream: streamName, Mode: mode, Cursor: from}, func(p *connectors.Page) error {
		for _, o := range p.Objects {
			objects = append(objects, o.ID)
		}
		for _, ref := range p.Removed {
			removed = append(removed, ref.ID)
		}
		cursor = p.Cursor
		return nil
	})
	return objects, removed, cursor, err
}

// TestReadsWhatChanged: a delta looks at those whom the journal names, whatever else there is, and refuses a journal that does not say enough.
func TestReadsWhatChanged(t *testing.T) {
	s, cfg := newStored(t), valid()
	delete(cfg.Make, "group")
	s.put("1", "Acme", "London", "2", "Acme", "London", "3", "Acme", "Oslo")
	objects, _, cursor, err := read(t, s, cfg, nil)
	if err != nil || len(objects) != 3 {
		t.Fatalf("%q, %v", objects, err)
	}
	objects, _, same, err := read(t, s, cfg, cursor)
	if err != nil || len(objects) > 0 || string(same) != string(cursor) {
		t.Errorf("nothing changed: %q, %q, %v", objects, same, err)
	}
	s.put("1", "Acme", "Leeds")
	s.put("1", "Acme", "Oslo")
	objects, removed, next, err := read(t, s, cfg, cursor)
	if fmt.Sprint(objects, removed) != "[customer:acme site:acme/london site:acme/oslo] []" || err != nil {
		t.Errorf("one moved twice: %q, %q, %v", objects, removed, err)
	}
	s.put("2", "Acme", "Oslo")
	if _, removed, _, err = read(t, s, cfg, next); fmt.Sprint(removed) != "[site:acme/london]" || err != nil {
		t.Errorf("the last one left: %q, %v", removed, err)
	}
	// A connection that was configured otherwise told of other fields.
	cfg.Make["group"] = Make{Value: "department"}
	if _, _, _, err := read(t, s, cfg, next); err == nil {
		t.Error("a cursor of other settings was taken")
	}
	if _, _, next, err = read(t, s, cfg, nil); err != nil {
		t.Fatal(err)
	}
	s.put("2", "Acme", "Leeds")
	if _, _, _, err = read(t, s, cfg, next); err == nil {
		t.Error("a journal without the field was taken")
	}
}

// TestWaitsForSettled: records of two times are not gone by.
func TestWaitsForSettled(t *testing.T) {
	s, cfg := newStored(t), valid()
	s.put("1", "Acme", "London")
	state := func(state store.TenantState, dirty bool) error {
		s.update(func(w store.Writer) error {
			nums, err := w.Lookup([]string{directory.IDHandle("1")}, nil)
			if err == nil && dirty {
				err = w.MarkDirty(directory.Person, nums[0], store.Changed)
			} else if err == nil {
				err = w.ClearDirty(directory.Person, nums)
			}
			if err != nil {
				return err
			}
			return w.PutTenant(state)
		})
		_, _, _, err := read(t, s, cfg, nil)
		return err
	}
	if err := state(store.TenantState{RulesHash: "a"}, true); err == nil {
		t.Error("read while somebody waits to be settled")
	}
	if err := state(store.TenantState{RulesHash: store.Settling("b")}, false); err == nil {
		t.Error("read while other rules are applied")
	}
	if err := state(store.TenantState{RulesHash: "a", Held: &store.HeldPlan{Hash: "h"}}, true); err != nil {
		t.Errorf("what waits for the operator stops it: %v", err)
	}
	if err := state(store.TenantState{RulesHash: "a"}, false); err != nil {
		t.Error(err)
	}
}

// TestCheckBeforeAFirstSync: where there is no state yet, a probe finds nothing wrong.
func TestCheckBeforeAFirstSync(t *testing.T) {
	findings, err := open(valid(), connectors.Env{}).Check(t.Context())
	if err != nil || len(findings) != 1 || !findings[0].OK || findings[0].Detail == "" {
		t.Errorf("%+v, %v", findings, err)
	}
}

// TestCost: a delta of 100 changes among 100,000 people looks at those 100 records, and at no others.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand records")
	}
	s, cfg := newStored(t), valid()
	delete(cfg.Make, "group")
	var people []string
	for i := range 100_000 {
		people = append(people, fmt.Sprint(i), "Acme", fmt.Sprint("Office ", i%200))
	}
	s.put(people...)
	_, _, cursor, err := read(t, s, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	people = nil
	for i := range 100 {
		people = append(people, fmt.Sprint(i*7), "Acme", fmt.Sprint("Office ", i%150))
	}
	s.put(people...)
	counting := &countingStored{Stored: s.store}
	c := open(cfg, connectors.Env{Connection: "places", Stored: counting})
	began := time.Now()
	err = c.Read(t.Context(), connectors.Request{Stream: streamName, Mode: connectors.Delta, Cursor: cursor}, func(*connectors.Page) error { return nil })
	t.Logf("100 changes in %v, %d records read, cursor of %d bytes", time.Since(began).Round(time.Microsecond), counting.records, len(cursor))
	if err != nil || counting.records != 100 {
		t.Errorf("%d records were read, %v", counting.records, err)
	}
}

// countingStored counts the records that are read.
type countingStored struct {
	connectors.Stored
	records int
}

func (c *countingStored) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return c.Stored.View(ctx, p, func(tx store.Reader) error { return fn(&countingReader{tx, c}) })
}

type countingReader struct {
	store.Reader
	of *countingStored
}

func (c *countingReader) Records(kind directory.RecordKind, after store.Num, fn func(store.Num, directory.Record) bool) error {
	return c.Reader.Records(kind, after, func(n store.Num, rec directory.Record) bool { c.of.records++; return fn(n, rec) })
}

func (c *countingReader) RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []store.Num, fn func(store.Num, directory.Record) bool) error {
	return c.Reader.RecordsOf(m, kinds, nums, func(n store.Num, rec directory.Record) bool { c.of.records++; return fn(n, rec) })
}

// A journal that was kept for a while for others, who look at no records, does not tell what changed.
func TestJournalKeptForOthers(t *testing.T) {
	s := newStored(t)
	s.put("a", "Acme", "Leeds")
	cfg := valid()
	delete(cfg.Make, "group")
	c := open(cfg, connectors.Env{Connection: "places", Stored: s.store})
	var at []byte
	read := func(mode connectors.Mode) error {
		return c.Read(t.Context(), connectors.Request{Stream: streamName, Mode: mode, Cursor: at}, func(p *connectors.Page) error {
			if len(p.Cursor) > 0 {
				at = p.Cursor
			}
			return nil
		})
	}
	if err := errors.Join(read(connectors.Full), read(connectors.Delta)); err != nil {
		t.Fatal(err)
	}
	s.update(func(w store.Writer) error {
		return w.AppendJournal(1000, 100, []store.JournalEntry{{Kind: directory.Person, Record: directory.UserRecord}})
	})
	if err := read(connectors.Delta); fault.ClassOf(err) != fault.CursorExpired {
		t.Errorf("read all the same: %v", err)
	}
}
