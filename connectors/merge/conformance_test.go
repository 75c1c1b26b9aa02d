package merge

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// stored is two connections as runs would leave them in the state, journals and all.
type stored struct {
	testing.TB
	store store.Store
}

func newStored(tb testing.TB) *stored {
	tb.Helper()
	st, err := bolt.Open(filepath.Join(tb.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	return &stored{TB: tb, store: st}
}

// change changes a connection in one transaction.
func (s *stored) change(connection string, fn func(w store.Writer) []store.JournalEntry) {
	s.Helper()
	err := s.store.Update(context.Background(), store.Partition{Connection: connection}, func(w store.Writer) error {
		if err := w.PutTenant(store.TenantState{RulesHash: "settled"}); err != nil {
			return err
		}
		return w.AppendJournal(1000, 100, fn(w))
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stored) put(connection string, objects ...directory.Object) {
	s.Helper()
	s.change(connection, func(w store.Writer) (entries []store.JournalEntry) {
		for i := range objects {
			n, err := w.PutRow(&objects[i], store.Here)
			if err != nil {
				s.Fatal(err)
			}
			entries = append(entries, store.JournalEntry{Kind: objects[i].Kind, Num: n})
		}
		return entries
	})
}

func someone(id string, fields ...string) directory.Object {
	o := directory.Object{Kind: directory.Person, ID: id}
	for i := 0; i < len(fields); i += 2 {
		o.SetText(fields[i], fields[i+1])
	}
	return o
}

// remembering is a connector whose reads are stored as the engine would store them: it is the connector's memory.
type remembering struct {
	connectors.Connector
	store store.Store
}

func (r *remembering) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	own := store.Partition{Connection: "people"}
	req.View = func(ctx context.Context, fn func(store.Reader) error) error { return r.store.View(ctx, own, fn) }
	return r.Connector.Read(ctx, req, func(p *connectors.Page) error {
		err := r.store.Update(ctx, own, func(w store.Writer) error {
			for i := range p.Objects {
				if _, err := w.PutRow(&p.Objects[i], store.Here); err != nil {
					return err
				}
			}
			for _, ref := range p.Removed {
				nums, err := w.Lookup([]string{directory.IDHandle(ref.ID)}, nil)
				if err == nil {
					err = w.DeleteRow(ref.Kind, nums[0])
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return emit(p)
	})
}

func fixture(tb testing.TB) *connectortest.Fixture {
	tb.Helper()
	s := newStored(tb)
	var ad, hr []directory.Object
	for i := range 120 {
		ad = append(ad, someone(fmt.Sprint("g", i), "name", fmt.Sprint("P", i), "employee_id", fmt.Sprint(i), "email", fmt.Sprintf("p%d@example.com", i)))
		hr = append(hr, someone(fmt.Sprint("h", i), "name", fmt.Sprint("H", i), "employee_id", fmt.Sprint(i)))
		ad = append(ad, directory.Object{Kind: directory.Group, ID: fmt.Sprint("team", i), Fields: []directory.Field{{Name: "name", Value: directory.Text("Team")}}})
	}
	s.put("ad", ad...)
	s.put("hr", hr...)
	cfg := &Config{From: []string{"ad", "hr"}, Leaver: leaverLast, Join: []Join{{Field: "employee_id", As: asText}}}
	c := open(cfg, connectors.Env{Connection: "people", Stored: s.store})
	c.pageSize = 20
	person := func(id string) directory.Ref { return directory.Ref{Kind: directory.Person, ID: "ad/" + id} }
	forget := func(id string) {
		for _, connection := range []string{"ad", "hr"} {
			s.change(connection, func(w store.Writer) []store.JournalEntry {
				name := map[string]string{"ad": "g", "hr": "h"}[connection] + id
				nums, err := w.Lookup([]string{directory.IDHandle(name)}, nil)
				if err == nil {
					err = w.DeleteRow(directory.Person, nums[0])
				}
				if err != nil {
					tb.Fatal(err)
				}
				return []store.JournalEntry{{Kind: directory.Person, Num: nums[0]}}
			})
		}
	}
	return &connectortest.Fixture{
		Connector: connectors.Guard(&remembering{c, s.store}),
		Add: func(testing.TB, string) directory.Ref {
			s.put("ad", someone("new", "name", "New"))
			return person("new")
		},
		Change: func(testing.TB, string) directory.Ref {
			s.put("ad", someone("g3", "name", "Changed", "employee_id", "3"))
			return person("g3")
		},
		Rename: func(testing.TB, string) directory.Ref {
			s.put("ad", someone("g4", "name", "Other", "employee_id", "4", "email", "other@example.com"))
			return person("g4")
		},
		Delete: func(testing.TB, string) directory.Ref {
			forget("5")
			return person("g5")
		},
		Break: func(tb testing.TB, how connectortest.Breakage) {
			switch how {
			case connectortest.MissingPermission, connectortest.BadCredentials:
				if err := s.store.DropPartition(context.Background(), store.Partition{Connection: "hr"}); err != nil {
					tb.Fatal(err)
				}
			case connectortest.LostCursors:
				for _, connection := range []string{"ad", "hr"} {
					s.change(connection, func(w store.Writer) []store.JournalEntry {
						if err := w.DropJournal(); err != nil {
							tb.Fatal(err)
						}
						return nil
					})
					err := s.store.Update(context.Background(), store.Partition{Connection: connection}, func(w store.Writer) error {
						if err := w.DropJournal(); err != nil {
							return err
						}
						return w.AppendJournal(5000, 10, nil)
					})
					if err != nil {
						tb.Fatal(err)
					}
				}
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
