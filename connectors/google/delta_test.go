package google

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestIdle: with nothing new in the log, an incremental read is one request, whatever the size of the customer.
func TestIdle(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(120)
	c := r.open(t, func(cfg *Config) { cfg.Licences.Products = []string{"Google-Apps", "101031"} })
	for _, stream := range []string{streamLicences, streamUsers, streamGroups} {
		w := r.full(t, c, stream)
		w.delta(t, c, stream) // signs in for the log
		meter := &connectors.Meter{}
		if err := w.read(connectors.WithMeter(t.Context(), meter), c, "", stream, connectors.Delta); err != nil {
			t.Fatal(err)
		}
		if meter.Requests() != 1 || w.pages != 1 {
			t.Errorf("%s: %d requests, %d pages; want one", stream, meter.Requests(), w.pages)
		}
	}
}

// TestOverlap: what was acted upon once is not acted upon again, and what comes late is.
func TestOverlap(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.Lag = 20 * time.Minute })
	cust := r.Customer(0)
	id := cust.AddUser(googlesim.User{Email: "late@example.test"})
	r.advance(time.Hour)
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)
	cust.EditUser(id, "CHANGE_USER_ORGANIZATION", func(u *googlesim.User) { u.Title = "Late" })
	for range 4 {
		w.delta(t, c, streamUsers)
		r.advance(6 * time.Minute)
	}
	if text(w.person(t, id), "title") != "" {
		t.Error("the event shows too early for this test")
	}
	w.delta(t, c, streamUsers)
	if text(w.person(t, id), "title") != "Late" {
		t.Error("an event that came late was missed")
	}
	before := r.Requests("directory/v1/users/")
	for range 3 {
		r.advance(5 * time.Minute)
		w.delta(t, c, streamUsers)
	}
	if n := r.Requests("directory/v1/users/") - before; n > 0 {
		t.Errorf("%d more look-ups for an event that was acted upon", n)
	}
}

func TestDeletion(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(20)
	leaver := cust.AddUser(googlesim.User{Email: "leaver@example.test"})
	r.advance(time.Hour)
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)

	cust.DeleteUser(leaver)
	heir := cust.AddUser(googlesim.User{Email: "leaver@example.test", GivenName: "Heir"})
	// The list of the deleted lags.
	r.Misbehave(googlesim.Fault{Match: "showDeleted=true", Kind: googlesim.Change, Rewrite: func(doc map[string]any) { delete(doc, "users") }})
	w.delta(t, c, streamUsers)
	if !w.has(directory.Person, leaver) || !w.has(directory.Person, heir) {
		t.Error("without proof nobody may be removed, and whoever has the address now is there")
	}
	r.Behave()
	r.advance(10 * time.Minute)
	w.delta(t, c, streamUsers)
	if w.has(directory.Person, leaver) || !w.has(directory.Person, heir) || len(w.removed) != 1 {
		t.Errorf("removed %v; the leaver is known: %t", w.removed, w.has(directory.Person, leaver))
	}

	// A proof that never comes leads to a full read, once.
	gone := cust.Users()[3].ID
	cust.DeleteUser(gone)
	r.Misbehave(googlesim.Fault{Match: "showDeleted=true", Kind: googlesim.Change, Rewrite: func(doc map[string]any) { delete(doc, "users") }})
	w.delta(t, c, streamUsers)
	r.advance(3 * time.Hour)
	err := w.read(t.Context(), c, "", streamUsers, connectors.Delta)
	if fault.ClassOf(err) != fault.CursorExpired || w.pages > 0 {
		t.Errorf("after three hours without proof: %v, %d pages", err, w.pages)
	}
	w = r.full(t, c, streamUsers)
	w.delta(t, c, streamUsers)
	if w.has(directory.Person, gone) {
		t.Error("a full read has left somebody who is gone")
	}
}

// TestUndeleted: the list of the deleted still names somebody who is back, under the same address or another.
func TestUndeleted(t *testing.T) {
	for _, address := range []string{"back@example.test", "again@example.test"} {
		r := start(t, nil)
		cust := r.Customer(0)
		id := cust.AddUser(googlesim.User{Email: "back@example.test"})
		r.advance(time.Hour)
		c := r.open(t, nil)
		w := r.full(t, c, streamUsers)
		cust.DeleteUser(id)
		grave := cust.Deleted()[0]
		cust.Quietly(func() {
			cust.UndeleteUser(id)
			cust.EditUser(id, "", func(u *googlesim.User) { u.Email = address })
		})
		r.Misbehave(googlesim.Fault{Match: "showDeleted=true", Kind: googlesim.Change, Rewrite: func(doc map[string]any) {
			doc["users"] = []any{map[string]any{"id": id, "primaryEmail": grave.Email, "deletionTime": grave.Deleted.UTC().Format(time.RFC3339)}}
		}})
		w.delta(t, c, streamUsers)
		if !w.has(directory.Person, id) || len(w.removed) > 0 {
			t.Errorf("%s: somebody who is there was removed on the word of a list that lags", address)
		}
	}
}

// TestUndeletedGroups: Google does not say into which groups somebody is back.
func TestUndeletedGroups(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	id := cust.AddUser(googlesim.User{Email: "back@example.test"})
	c := r.open(t, nil)
	g := r.full(t, c, streamGroups)
	cust.DeleteUser(id)
	r.advance(time.Hour)
	cust.UndeleteUser(id)
	if err := g.read(t.Context(), c, "", streamGroups, connectors.Delta); fault.ClassOf(err) != fault.CursorExpired {
		t.Errorf("groups after an undeletion: %v", err)
	}
}

func TestWhatNeedsAFullRead(t *testing.T) {
	many := func(c *googlesim.Customer) {
		for i := range mostLookups + 1 {
			c.Note("USER_SETTINGS", "CHANGE_FIRST_NAME", "USER_EMAIL", fmt.Sprintf("x%d@example.test", i))
		}
	}
	for name, tc := range map[string]struct {
		do   func(r *rig)
		want fault.Class
	}{
		"an org unit is renamed": {func(r *rig) { r.Customer(0).MoveUnit("/a", "/b") }, fault.CursorExpired},
		"licences of an org unit": {func(r *rig) {
			r.Customer(0).Note("LICENSES_SETTINGS", "ORG_USERS_LICENSE_ASSIGNMENT", "ORG_UNIT_NAME", "/a")
		}, fault.CursorExpired},
		"thousands are changed":   {func(r *rig) { many(r.Customer(0)) }, fault.CursorExpired},
		"the log does not reach":  {func(r *rig) { r.advance(181 * 24 * time.Hour) }, fault.CursorExpired},
		"the clock was set back":  {func(r *rig) { r.advance(-2 * time.Hour) }, fault.CursorExpired},
		"the log may not be read": {func(r *rig) { r.Deny("admin.reports.audit.readonly") }, fault.CursorExpired},
		"the log is refused": {func(r *rig) {
			r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 403, Body: `{"error":{"errors":[{"reason":"forbidden"}]}}`})
		}, fault.CursorExpired},
		"an event that is no event": {func(r *rig) {
			r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 200, Body: `{"kind":"x","items":[7]}`})
		}, fault.CursorExpired},
		"an event without a time": {func(r *rig) {
			r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 200, Body: `{"kind":"x","items":[{"id":{}}]}`})
		}, fault.CursorExpired},
		"a foreign address": {func(r *rig) {
			r.Customer(0).Note("USER_SETTINGS", "X", "USER_EMAIL", "a@x")
			r.Misbehave(googlesim.Fault{Match: "/users/", Status: 403, Body: `{"error":{"errors":[{"reason":"forbidden"}]}}`})
		}, fault.CursorExpired},
		"the log fails":          {func(r *rig) { r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 503, Body: "{}"}) }, fault.Transient},
		"the log is no document": {func(r *rig) { r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 200, Body: "{}"}) }, fault.Transient},
		"a look-up fails": {func(r *rig) {
			r.Customer(0).Note("USER_SETTINGS", "X", "USER_EMAIL", "a@x")
			r.Misbehave(googlesim.Fault{Match: "/users/", Status: 503, Body: "{}"})
		}, fault.Transient},
		"the list of deleted fails": {func(r *rig) {
			r.Customer(0).Note("USER_SETTINGS", "X", "USER_EMAIL", "a@x")
			r.Misbehave(googlesim.Fault{Match: "showDeleted", Status: 200, Body: "{}"})
		}, fault.Transient},
		"a word about somebody long gone": {func(r *rig) {
			r.Customer(0).Note("USER_SETTINGS", "CREATE_DATA_TRANSFER_REQUEST", "USER_EMAIL", "gone@example.test")
			r.advance(3 * time.Hour)
		}, ""},
		"somebody who never shows": {func(r *rig) {
			r.Customer(0).Note("USER_SETTINGS", "CREATE_USER", "USER_EMAIL", "never@example.test")
			r.advance(3 * time.Hour)
		}, fault.CursorExpired},
		"a group nobody knows": {func(r *rig) {
			r.Customer(0).Note("GROUP_SETTINGS", "DELETE_GROUP", "GROUP_EMAIL", "never@example.test")
		}, ""},
		"nothing at all":            {func(*rig) {}, ""},
		"what is nobody's business": {func(r *rig) { r.Customer(0).Note("APPLICATION_SETTINGS", "CHANGE_GMAIL_SETTING", "SETTING_NAME", "x") }, ""},
		"another customer's mistake": {func(r *rig) {
			r.Misbehave(googlesim.Fault{Match: "/activity/", Status: 200, Body: `{"kind":"x","items":[{"id":{"time":"2026-01-01T00:00:00Z","customerId":"C9"},"events":[{"name":"MOVE_ORG_UNIT"}]}]}`})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(o *googlesim.Options) { o.PageCap = 0 })
			r.Customer(0).Fill(10)
			c := r.open(t, func(cfg *Config) { cfg.Licences.Products = []string{"Google-Apps"} })
			w := r.full(t, c, streamUsers)
			r.advance(10 * time.Minute)
			tc.do(r)
			err := w.read(t.Context(), c, "", streamUsers, connectors.Delta)
			if fault.ClassOf(err) != tc.want {
				t.Errorf("class %q, want %q: %v", fault.ClassOf(err), tc.want, err)
			}
			if err != nil && w.pages > 0 {
				t.Errorf("%d pages before the error", w.pages)
			}
		})
	}
}

// TestEventsOn: who asks for the log gets an error when it may not be read, and Check names what is missing.
func TestEventsOn(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(10)
	r.Deny("admin.reports.audit.readonly")
	c := r.open(t, func(cfg *Config) { cfg.Events = eventsOn })
	w := r.full(t, c, streamUsers)
	if err := w.read(t.Context(), c, "", streamUsers, connectors.Delta); fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "admin.reports.audit.readonly") {
		t.Errorf("delta: %v", err)
	}
	auto := r.open(t, nil)
	found, err := auto.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(f connectors.Finding) bool { return f.Subject == "audit log" })
	if i < 0 || !found[i].OK || !strings.Contains(found[i].Detail, "every read is a full one") || found[i].Hint == "" {
		t.Errorf("findings %+v", found)
	}
}

// TestSettingsVoidCursors: what was read under other settings cannot be followed.
func TestSettingsVoidCursors(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.Customers = []string{"C01one"} })
	r.Customer(0).Fill(10)
	w := r.full(t, r.open(t, nil), streamUsers)
	for name, change := range map[string]func(*Config){
		"attributes": func(c *Config) { c.Attributes = []string{"recoveryEmail"} }, "org units": func(c *Config) { c.Users.OrgUnits = []string{"/Sales"} },
		"suspended": func(c *Config) { c.Users.IncludeSuspended = false }, "licences": func(c *Config) { c.Licences.Products = []string{"Google-Apps"} },
		"last login": func(c *Config) { c.Users.LastLogin = true }, "organisation": func(c *Config) { c.Groups.Organisation = false },
	} {
		if err := w.read(t.Context(), r.open(t, change), "", streamUsers, connectors.Delta); fault.ClassOf(err) != fault.CursorExpired {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.delta(t, r.open(t, func(c *Config) { c.Customer, c.Parallel = "C01one", 1 }), streamUsers)
}

func TestInOrder(t *testing.T) {
	ctx := t.Context()
	var got []int
	double := func(_ context.Context, i int) (int, error) { return 2 * i, nil }
	if err := orderedParallel(ctx, 50, 7, double, func(i, v int) error { got = append(got, v-i); return nil }); err != nil || len(got) != 50 || !slices.IsSorted(got) {
		t.Errorf("%v %v", got, err)
	}
	stop := errors.New("stop")
	err := orderedParallel(ctx, 50, 7, func(ctx context.Context, i int) (int, error) {
		if i > 10 {
			<-ctx.Done() // must be let go
			return 0, ctx.Err()
		}
		return i, nil
	}, func(i, _ int) error {
		if i == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	err = orderedParallel(ctx, 3, 7, func(_ context.Context, i int) (int, error) {
		if i == 1 {
			return 0, stop
		}
		return i, nil
	}, func(i, _ int) error {
		if i > 0 {
			t.Errorf("took %d after the error of 1", i)
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}
