package desk

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/halo"
	"dirsyncd/sync/targets/halo/halosim"
	"dirsyncd/sync/targets/sql"
)

// ticketWatch stands before a place: it keeps people out or loses the answers about tickets, and counts what is done to tickets.
type ticketWatch struct {
	targets.Desk
	keepsOut, loses    bool
	made, other, lists int
}

func (w *ticketWatch) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	broken := &fault.Error{Class: fault.Transient, Op: "apply", Err: errors.New("connection reset")}
	tickets := 0
	for _, j := range jobs {
		switch {
		case j.Kind == directory.UserRecord && w.keepsOut:
			return nil, broken
		case j.Kind != directory.TicketRecord:
			continue
		case j.Op == directory.Create:
			w.made++
		default:
			w.other++
		}
		tickets++
	}
	results, err := w.Desk.Apply(ctx, jobs)
	if tickets > 0 && w.loses {
		return nil, broken
	}
	return results, err
}

func (w *ticketWatch) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	if kind == directory.TicketRecord {
		w.lists++
	}
	return w.Desk.Survey(ctx, kind, yield)
}

// openPlace opens a target by its block of the configuration.
func openPlace(t *testing.T, f targets.Factory, block string) targets.Desk {
	t.Helper()
	cfg := f.NewConfig()
	doc := strict.Parse([]byte(block), strict.Options{})
	doc.Root().Into(cfg)
	d, err := f.OpenDesk(cfg, targets.Env{Target: helpdesk, Now: time.Now})
	if err != nil || len(doc.Problems()) > 0 {
		t.Fatal(err, doc.Problems())
	}
	return d
}

func haloPlace(t *testing.T) targets.Desk {
	s := halosim.Start(t, 1)
	t.Setenv("HALO_SECRET", halosim.Secret)
	return openPlace(t, halo.Factory(), fmt.Sprintf("{url: %q, client_id: %s, client_secret: {env: HALO_SECRET}, rate: 1000, module: %d, ticket: {type: 27}}",
		s.URL, halosim.ClientID, halosim.Module))
}

func sqlPlace(t *testing.T) targets.Desk {
	path := filepath.Join(t.TempDir(), "register.db")
	db, err := stdsql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, table := range []string{"customers (id INTEGER PRIMARY KEY, dirsync_mark TEXT UNIQUE, name TEXT)", "sites (id INTEGER PRIMARY KEY, dirsync_mark TEXT UNIQUE, name TEXT, customer_id INT)",
		"people (id INTEGER PRIMARY KEY, dirsync_mark TEXT UNIQUE, name TEXT, login TEXT, email TEXT, customer_id INT, site_id INT, in_use INT NOT NULL DEFAULT 1)",
		"calls (id INTEGER PRIMARY KEY, dirsync_mark TEXT UNIQUE, summary TEXT, person_id INT)"} {
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	return openPlace(t, sql.Factory(), fmt.Sprintf(`{driver: sqlite, file: %q, tables: {customer: {table: customers, keys: [name], columns: {name: name}},
		site: {table: sites, keys: [name], columns: {name: name}, references: {customer: customer_id}},
		user: {table: people, keys: [login], columns: {name: name, login: login, email: email}, active: in_use, references: {customer: customer_id, site: site_id}},
		ticket: {table: calls, columns: {summary: summary}, references: {user: person_id}}}}`, path))
}

// TestTicketsAtPlaces: at a place of its own kind, too, a ticket waits for the person, is made once for each stay whatever becomes of
// the answer, and nothing else is done to it.
func TestTicketsAtPlaces(t *testing.T) {
	for name, place := range map[string]func(*testing.T) targets.Desk{"halo": haloPlace, "sql": sqlPlace} {
		t.Run(name, func(t *testing.T) {
			at := &ticketWatch{Desk: place(t)}
			w := newWorld(t, openStore(t, statePath(t)), 1)
			clock := time.Now()
			w.opts.Now, w.opts.Freely = func() time.Time { return clock }, true
			w.opts.Match = map[directory.RecordKind][]Match{
				directory.CustomerRecord: matches()[directory.CustomerRecord], directory.SiteRecord: matches()[directory.SiteRecord],
				directory.UserRecord: matches()[directory.UserRecord][1:2],
			}
			w.desk = New(w.store, helpdesk, at, w.opts)
			worker := deliver.New(w.store, helpdesk, w.desk, deliver.Options{Now: w.opts.Now, Patience: time.Nanosecond})
			t.Cleanup(func() { worker.Close(); _ = w.desk.Close() })
			// Back-offs and waits end with the clock, and not with the time of the machine.
			run := func() {
				t.Helper()
				w.sync()
				for range 3 {
					if _, err := worker.Drain(t.Context()); err != nil {
						t.Fatal(err)
					}
					clock = clock.Add(3 * time.Hour)
				}
			}
			join := func(id string, number int) {
				w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x.test", "name="+id, "customer=hq/acme", "site=hq/london")
				w.put(directory.TicketRecord, fmt.Sprintf("%s/ticket/joiner/%d", id, number), "summary=New "+id, "user=hq/"+id)
			}
			// there counts the tickets of each person at the place.
			there := func() map[string]int {
				t.Helper()
				counts := map[string]int{}
				_, err := at.Desk.Survey(t.Context(), directory.TicketRecord, func(e *targets.Entity) error {
					full, err := at.Fetch(t.Context(), e.Kind, e.ID)
					counts[full.Refs["user"]]++
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return counts
			}
			idOf := func(id string) string { return w.links()[directory.Subject(directory.UserRecord, "hq/"+id)].ID }

			w.put(directory.CustomerRecord, "acme", "name=Acme")
			w.put(directory.SiteRecord, "london", "name=London", "customer=hq/acme")
			w.put(directory.UserRecord, "u0", "login=u0", "email=u0@x.test", "name=u0", "customer=hq/acme", "site=hq/london")
			run()
			if idOf("u0") == "" {
				t.Fatalf("u0 is not there: waits %v, parked %v", w.waits(), w.parked())
			}
			at.keepsOut = true
			join("u1", 1)
			run()
			if at.made != 0 || len(there()) != 0 {
				t.Fatalf("%d tickets of somebody who is not there", at.made)
			}
			at.keepsOut, at.loses = false, true
			run()
			at.loses = false
			run()
			if got := there(); at.made != 1 || len(got) != 1 || got[idOf("u1")] != 1 {
				t.Fatalf("made %d times, tickets %v, want one of %q; waits %v, parked %v", at.made, got, idOf("u1"), w.waits(), w.parked())
			}
			if _, err := w.desk.Audit(t.Context(), nil, Repair{}, func(d Difference) error { t.Error(d); return nil }); err != nil {
				t.Error(err)
			}
			w.put(directory.TicketRecord, "u1/ticket/joiner/1", "summary=Another", "user=hq/u1")
			run()
			w.leave(directory.TicketRecord, "u1/ticket/joiner/1")
			run()
			if at.other != 0 || at.made != 1 || at.lists != 0 {
				t.Errorf("%d other writes to tickets, %d made, %d lists of all", at.other, at.made, at.lists)
			}
			join("u1", 2)
			run()
			if got := there(); got[idOf("u1")] != 2 || at.made != 2 {
				t.Errorf("another stay: tickets %v, made %d; waits %v, parked %v", got, at.made, w.waits(), w.parked())
			}
		})
	}
}
