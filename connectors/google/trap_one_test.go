package google

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func refusal(status int, reason, message string) googlesim.Fault {
	return googlesim.Fault{Status: status, Body: fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"reason":%q}]}}`, status, message, message, reason)}
}

// One group whose members cannot be read is named and stops nobody else, in full and incremental reads. When that is so
// of all of them, the read fails.
func TestOneUnreadableGroup(t *testing.T) {
	nobody := googlesim.Fault{Kind: googlesim.Change, Rewrite: func(doc map[string]any) { doc["members"] = []any{map[string]any{"type": "USER"}} }}
	for name, f := range map[string]googlesim.Fault{
		"forbidden":               refusal(403, "forbidden", "Not Authorized to access this resource/api"),
		"another organisation's":  refusal(403, "domainCannotUseApis", "Domain cannot use apis."),
		"not found":               refusal(404, "notFound", "Resource Not Found: groupKey"),
		"bad request":             refusal(400, "invalid", "Invalid Input"),
		"a member that is nobody": nobody,
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.Customer(0).Fill(30)
			c := r.open(t, nil)
			calm := r.full(t, c, streamGroups)
			one := r.Customer(0).Groups()[1]
			f.Match = "/groups/" + one.ID + "/members"
			r.Misbehave(f)
			w := r.full(t, c, streamGroups)
			if len(w.invalid) != 1 || w.invalid[0].ID != one.ID || !strings.Contains(w.invalid[0].Err.Error(), one.Email) || len(w.objects) != len(calm.objects)-1 {
				t.Errorf("%d of %d groups, %+v", len(w.objects), len(calm.objects), w.invalid)
			}
			r.Customer(0).EditGroup(one.ID, "ADD_GROUP_MEMBER", func(g *googlesim.Group) { g.Name = "edited" })
			calm.delta(t, c, streamGroups)
			if len(calm.invalid) != 1 || calm.invalid[0].ID != one.ID || len(calm.removed) > 0 {
				t.Errorf("incremental: %+v, removed %v", calm.invalid, calm.removed)
			}
			r.Behave()
			f.Match = "/members"
			r.Misbehave(f)
			var last *connectors.Page
			err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(p *connectors.Page) error { last = p; return nil })
			if err == nil || last != nil && last.Proof != nil {
				t.Errorf("no group can be read: %v", err)
			}
		})
	}
}

// A permission that is missing is no matter of one group.
func TestScopeOfMembersIsMissing(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(30)
	c := r.open(t, nil)
	f := refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
	f.Match, f.Skip = "/members", 2
	r.Misbehave(f)
	failing(t, c, streamGroups, fault.Forbidden)
}

// A list of members is held against Google's own count. Who left by the log's word has left.
func TestListsOfMembersAreCounted(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(30)
	c := r.open(t, nil)
	var pages []connectors.Members
	read := func(mode connectors.Mode, cursor []byte) (next []byte) {
		t.Helper()
		pages = nil
		err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
			pages = append(pages, p.Members...)
			next = append([]byte(nil), p.Cursor...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	cursor := read(connectors.Full, nil)
	group := ""
	for _, m := range pages {
		if !m.PeopleCounted {
			t.Errorf("group %s: the count does not agree", m.Group)
		}
		if len(m.Add) > 2 {
			group = m.Group
		}
	}
	short := googlesim.Fault{Match: "/groups/" + group + "/members", Kind: googlesim.Change, Rewrite: func(doc map[string]any) {
		doc["members"] = doc["members"].([]any)[1:]
	}}
	r.Misbehave(short)
	read(connectors.Full, nil)
	for _, m := range pages {
		if short := m.Group == group; m.PeopleCounted == short || (m.CountedMore == 1) != short {
			t.Errorf("group %s: counted %t, %d more", m.Group, m.PeopleCounted, m.CountedMore)
		}
	}
	cust.Note("GROUP_SETTINGS", "REMOVE_GROUP_MEMBER", "GROUP_EMAIL", emailOf(cust, group), "USER_EMAIL", "left@example.test")
	read(connectors.Delta, cursor)
	if len(pages) != 1 || pages[0].PeopleCounted || fmt.Sprint(pages[0].Remove) != "[mail:left@example.test]" {
		t.Errorf("%+v", pages)
	}
}

// What Google's count counts is not certain, and it can be behind the list.
func TestWhatIsCounted(t *testing.T) {
	for _, x := range []struct {
		count                string
		users, outside, rest int
		people               bool
		more                 int
	}{
		{"", 3, 0, 0, false, 0},
		{"3", 3, 0, 0, true, 0},
		{"3", 3, 1, 2, true, 0}, // users alone
		{"4", 3, 1, 2, true, 0}, // those from outside with them
		{"6", 3, 1, 2, true, 0}, // all
		{"5", 3, 1, 2, false, 1},
		{"7", 3, 1, 2, false, 1},
		{"26", 2, 0, 0, false, 24},
		{"26", 0, 0, 0, false, 26},
		{"2", 3, 0, 0, false, 0}, // somebody has just come
	} {
		one := roster{group: &group{Count: x.count}, users: x.users, outside: x.outside, all: x.users + x.outside + x.rest}
		if people, more := one.counted(); people != x.people || more != x.more {
			t.Errorf("%+v: %t, %d more", x, people, more)
		}
	}
	r := start(t, nil)
	cust := r.Customer(0)
	cust.AddGroup(googlesim.Group{Email: "odd@example.test", Odd: map[string]any{"directMembersCount": "5"}})
	for _, on := range []bool{true, false} {
		c := r.open(t, func(cfg *Config) { cfg.Groups.Counts = on })
		var more int
		err := c.Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(p *connectors.Page) error {
			for _, m := range p.Members {
				more += m.CountedMore
			}
			return nil
		})
		if err != nil || (more == 5) != on {
			t.Errorf("groups.counts: %t: %d more, %v", on, more, err)
		}
	}
}

func emailOf(c *googlesim.Customer, id string) string {
	for _, g := range c.Groups() {
		if g.ID == id {
			return g.Email
		}
	}
	return ""
}

// Devices that a list leaves out are asked for one by one.
func TestLookForDevices(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(30)
	r.Customer(0).AddChrome(googlesim.Device{ID: "c1"})
	r.Customer(0).AddMobile(googlesim.Device{ID: "m1"})
	c := r.open(t, func(cfg *Config) { cfg.Devices.ChromeOS, cfg.Devices.Mobile = true, true })
	err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamDevices, Mode: connectors.Full}, func(p *connectors.Page) error {
		if p.Proof == nil {
			return nil
		}
		there, err := p.Look(t.Context(), []string{"c1", "gone", "m1"})
		if err != nil || fmt.Sprint(there) != "[c1 m1]" {
			t.Errorf("there: %v, %v", there, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever was deleted lately, or is not made to the end, is answered with 412 and not with 404.
func TestDeletedUsersAreNotFoundBy412(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(20)
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)
	gone := cust.AddUser(googlesim.User{Email: "gone@example.test"})
	w.delta(t, c, streamUsers)
	cust.DeleteUser(gone)
	fresh := cust.AddUser(googlesim.User{Email: "fresh@example.test"})
	for _, key := range []string{gone, "gone@example.test"} {
		f := refusal(412, "conditionNotMet", "User is deleted.")
		f.Match = "/users/" + key
		r.Misbehave(f)
	}
	slow := refusal(412, "conditionNotMet", "User creation is not complete.")
	slow.Match = "/users/fresh@example.test"
	r.Misbehave(slow)
	before := r.Requests("")
	w.delta(t, c, streamUsers)
	if w.has(directory.Person, gone) || w.has(directory.Person, fresh) {
		t.Errorf("gone is there: %t, fresh: %t", w.has(directory.Person, gone), w.has(directory.Person, fresh))
	}
	if n := r.Requests("") - before; n > 10 {
		t.Errorf("%d requests", n)
	}
	r.Behave()
	w.delta(t, c, streamUsers)
	if !w.has(directory.Person, fresh) {
		t.Error("who was not made to the end is not told of afterwards")
	}
}

// 412 for somebody who is not on the list of the deleted is no removal.
func TestOnlyTheListOfTheDeletedRemoves(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(20)
	who := cust.AddUser(googlesim.User{Email: "who@example.test"})
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)
	cust.Note("USER_SETTINGS", "CHANGE_FIRST_NAME", "USER_EMAIL", "who@example.test")
	f := refusal(412, "conditionNotMet", "User is deleted.")
	f.Match = "/users/who@example.test"
	r.Misbehave(f)
	w.delta(t, c, streamUsers)
	if !w.has(directory.Person, who) || len(w.removed) > 0 {
		t.Errorf("removed %v", w.removed)
	}
}

// No role that was made by hand may get the customer. Its people name it, too.
func TestCustomRole(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(20)
	want := r.full(t, r.open(t, nil), streamUsers)
	f := refusal(403, "forbidden", "Not Authorized to access this resource/api")
	f.Match = "/v1/customers/"
	r.Misbehave(f)
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)
	if len(w.objects) != len(want.objects) || w.scope != want.scope {
		t.Errorf("%d of %d people, scope %q, want %q", len(w.objects), len(want.objects), w.scope, want.scope)
	}
	found, err := r.open(t, nil).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range found {
		if !one.OK {
			t.Errorf("%s: %s", one.Subject, one.Detail)
		}
	}
	// Who may list nobody either gets the refusal.
	g := refusal(403, "forbidden", "Not Authorized to access this resource/api")
	g.Match = "/v1/users?"
	r.Misbehave(g)
	failing(t, r.open(t, nil), streamUsers, fault.Forbidden)
}

// The Reports API says 401 to whoever lacks its privilege.
func TestReportsWithoutPrivilege(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).Fill(20)
	f := refusal(401, "authError", "Access denied. You are not authorized to read activity records.")
	f.Match = "/activity/"
	for mode, want := range map[string]fault.Class{eventsAuto: fault.CursorExpired, eventsOn: fault.Forbidden} {
		r.Behave()
		c := r.open(t, func(cfg *Config) { cfg.Events = mode })
		w := r.full(t, c, streamUsers)
		r.Misbehave(f)
		if err := w.read(t.Context(), c, "", streamUsers, connectors.Delta); fault.ClassOf(err) != want || !strings.Contains(fault.Hint(err), "privilege Reports") {
			t.Errorf("events %s: %s, %v", mode, fault.ClassOf(err), err)
		}
	}
	found, err := r.open(t, nil).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range found {
		if one.Subject == "audit log" && !one.OK {
			t.Errorf("what falls back is no failure: %+v", one)
		}
	}
}

// An event about somebody else's address costs one full read, not one in every run.
func TestForeignAddressCostsOneFullRead(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	cust.Fill(20)
	c := r.open(t, nil)
	w := r.full(t, c, streamUsers)
	r.advance(time.Minute)
	cust.Note("USER_SETTINGS", "CREATE_EMAIL_MONITOR", "USER_EMAIL", "partner@other.test")
	f := refusal(403, "forbidden", "Not Authorized to access this resource/api")
	f.Match = "/users/partner@other.test"
	r.Misbehave(f)
	expired := 0
	for range 8 {
		r.advance(2 * time.Minute)
		if err := w.read(t.Context(), c, "", streamUsers, connectors.Delta); fault.ClassOf(err) == fault.CursorExpired {
			expired++
			if err := w.read(t.Context(), c, "", streamUsers, connectors.Full); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if expired != 1 {
		t.Errorf("%d full reads", expired)
	}
	// Somebody who comes and may not be looked up yet is waited for.
	fresh := cust.AddUser(googlesim.User{Email: "fresh@example.test"})
	f.Match = "/users/fresh@example.test"
	r.Misbehave(f)
	w.delta(t, c, streamUsers)
	r.Behave()
	w.delta(t, c, streamUsers)
	if !w.has(directory.Person, fresh) {
		t.Error("who could not be looked up at first is not told of")
	}
}

// What Google says of a product names it.
func TestProductsThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		f    googlesim.Fault
		want fault.Class
		hint string
	}{
		{refusal(412, "conditionNotMet", "Domain not enabled"), fault.Configuration, "not bought"},
		{refusal(403, "forbidden", "Not authorized"), fault.Forbidden, "License Management"},
	} {
		r := start(t, nil)
		r.Customer(0).Fill(20)
		test.f.Match = "/licensing/"
		r.Misbehave(test.f)
		c := r.open(t, func(cfg *Config) { cfg.Licences.Products = []string{"101031"} })
		w := newWorld()
		err := w.read(t.Context(), c, "", streamLicences, connectors.Full)
		if fault.ClassOf(err) != test.want || !strings.Contains(fault.Hint(err), test.hint) || !strings.Contains(err.Error(), "product 101031") || r.slept.Load() > 0 {
			t.Errorf("%s, slept %s: %v", fault.ClassOf(err), time.Duration(r.slept.Load()), err)
		}
	}
}
