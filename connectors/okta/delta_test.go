package okta

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestIdle counts what an incremental read without changes costs: one request for the list of changes and one
// for the log, for each stream; and its cursor keeps its size.
func TestIdle(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*Config)
		want map[string]int
	}{
		"with the log":    {nil, map[string]int{"/api/v1/users": 1, "/api/v1/groups": 1, "/api/v1/logs": 2}},
		"with apps":       {func(c *Config) { c.Apps = true }, map[string]int{"/api/v1/users": 1, "/api/v1/groups": 1, "/api/v1/logs": 2}},
		"without the log": {func(c *Config) { c.Log = false }, map[string]int{"/api/v1/users": 1, "/api/v1/groups": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 300, Groups: 50, Apps: 5}, tc.edit)
			cursors := map[string][]byte{}
			for _, s := range []string{streamUsers, streamGroups} {
				cursors[s] = b.full(s).cursor
				b.clock.advance(time.Minute)
				cursors[s] = b.delta(s, cursors[s]).cursor
			}
			size := len(cursors[streamGroups])
			before := b.org.Requests()
			const cycles = 20
			for range cycles {
				b.clock.advance(2 * time.Minute)
				for _, s := range []string{streamUsers, streamGroups} {
					g := b.delta(s, cursors[s])
					cursors[s] = g.cursor
					if len(g.objects)+len(g.removed)+len(g.members) > 0 {
						t.Errorf("an idle delta of %s: %+v", s, g)
					}
				}
			}
			for path, n := range b.org.Requests() {
				if n-before[path] != tc.want[path]*cycles {
					t.Errorf("%s: %d requests in %d cycles, want %d in each", path, n-before[path], cycles, tc.want[path])
				}
			}
			if d := len(cursors[streamGroups]) - size; d > 4 {
				t.Errorf("the cursor grew by %d bytes", d)
			}
		})
	}
}

// TestMembersAreReadTwice: a group whose members changed is read at once, and once more when it has settled,
// although lists with an overlap name it for longer.
func TestMembersAreReadTwice(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 6}, nil)
	cursor := b.full(streamGroups).cursor
	b.clock.advance(time.Hour)
	cursor = b.delta(streamGroups, cursor).cursor
	g, u := b.org.Groups()[2], b.org.Users()[0]
	b.org.RemoveMember(g.ID, u.ID)
	b.org.AddMember(g.ID, u.ID)
	before := b.org.Requests()["/api/v1/groups/{id}"]
	for range 20 {
		b.clock.advance(time.Minute)
		got := b.delta(streamGroups, cursor)
		cursor = got.cursor
		if list, ok := got.members[g.ID]; ok && !slices.Contains(list, directory.IDHandle(u.ID)) {
			t.Error("the member is missing")
		}
	}
	if n := b.org.Requests()["/api/v1/groups/{id}"] - before; n != 2 {
		t.Errorf("members were read %d times, want 2", n)
	}
}

// TestEveryone: nobody is asked for the members of Everyone; people say themselves that they are in it.
func TestEveryone(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 6}, nil)
	groups := b.full(streamGroups)
	everyone := b.org.Groups()[0]
	if _, read := groups.members[everyone.ID]; read || !slices.Contains(groups.objects[everyone.ID].Handles, everyoneHandle) {
		t.Errorf("Everyone: members read %t, handles %v", read, groups.objects[everyone.ID].Handles)
	}
	for _, o := range b.full(streamUsers).objects {
		in := slices.Contains(o.Links, directory.Link{Type: directory.MemberOf, To: everyoneHandle})
		if deactivated := textOf(&o, "status") == statusDeprovisioned; in == deactivated {
			t.Errorf("%s: deactivated %t, in Everyone %t", o.ID, deactivated, in)
		}
	}
}

// TestMovesBetweenLists: people who are deactivated or reactivated while the two lists are read are in neither,
// and are not lost, even when the list of changes is behind.
func TestMovesBetweenLists(t *testing.T) {
	for name, o := range map[string]oktasim.Options{"prompt": {}, "without the log": {}, "a lagging index": {IndexLag: 10 * time.Minute, LagFilter: true}} {
		t.Run(name, func(t *testing.T) {
			o.People = 200
			b := start(t, o, func(c *Config) { c.Log = name != "without the log" })
			b.conn.pageSize = 25
			var active, inactive []string
			for _, u := range b.org.Users() {
				switch u.Status {
				case "ACTIVE":
					active = append(active, u.ID)
				case statusDeprovisioned:
					inactive = append(inactive, u.ID)
				}
			}
			last := active[len(active)-1]
			b.org.Break(oktasim.Fault{Path: "/api/v1/users", Exact: true, Kind: oktasim.NoRates, Match: func(r *http.Request) bool {
				if r.URL.Query().Get("filter") == "" && r.URL.Query().Get("after") == "" {
					go b.org.SetStatus(last, statusDeprovisioned) // before its page comes
				}
				if r.URL.Query().Get("filter") == "" && r.URL.Query().Get("after") != "" { // its page has come
					go b.org.SetStatus(inactive[0], "ACTIVE")
				}
				return false
			}})
			seen := map[string]string{}
			err := connectors.Guard(b.conn).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
				b.clock.advance(time.Second)
				for _, o := range p.Objects {
					seen[o.ID] = textOf(&o, "status")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range b.org.Users() {
				if seen[u.ID] == "" {
					t.Errorf("%s (%s) is missing from a proven full read", u.ID, u.Status)
				}
			}
		})
	}
}

// TestStaleListBringsNobodyBack: a list that is behind still names somebody who was deleted.
func TestStaleListBringsNobodyBack(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, IndexLag: 5 * time.Minute, LagFilter: true}, nil)
	cursor := b.full(streamUsers).cursor
	b.clock.advance(time.Hour)
	id := b.org.Users()[2].ID
	b.org.SetProfile(id, "title", "Leaver")
	b.clock.advance(6 * time.Minute)
	cursor = b.delta(streamUsers, cursor).cursor
	b.org.DeleteUser(id)
	b.clock.advance(time.Second)
	g := b.delta(streamUsers, cursor)
	if !slices.Contains(g.removed, id) {
		t.Fatalf("removed %v", g.removed)
	}
	for range 8 {
		b.clock.advance(time.Minute)
		g = b.delta(streamUsers, g.cursor)
		if _, back := g.objects[id]; back {
			t.Fatal("a deleted user came back")
		}
		full := b.full(streamUsers)
		if _, back := full.objects[id]; back {
			t.Fatal("a deleted user came back with a full read")
		}
		full = b.delta(streamUsers, full.cursor)
		if _, back := full.objects[id]; back {
			t.Fatal("a deleted user came back after a full read")
		}
	}
}

// TestLog looks at what the System Log can do wrong.
func TestLog(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 8}, nil)
	cursor := b.full(streamUsers).cursor
	b.clock.advance(time.Hour)
	cursor = b.delta(streamUsers, cursor).cursor
	users := b.org.Users()

	// An event that tells of a failure removes nobody.
	b.org.FailedEvent("user.lifecycle.delete.completed", "User", users[0].ID)
	// One whose target is somebody else's kind removes nobody either.
	b.org.FailedEvent("user.lifecycle.delete.completed", "AppUser", users[1].ID)
	g := b.delta(streamUsers, cursor)
	if len(g.removed) > 0 {
		t.Errorf("removed %v", g.removed)
	}

	// Late events are stored behind newer ones.
	b.org.HoldEvents()
	b.org.DeleteUser(users[3].ID)
	b.clock.advance(20 * time.Minute)
	g = b.delta(streamUsers, g.cursor)
	b.org.ReleaseEvents()
	b.clock.advance(time.Minute)
	g = b.delta(streamUsers, g.cursor)
	if !slices.Contains(g.removed, users[3].ID) {
		t.Errorf("a late event: removed %v", g.removed)
	}

	// The org no longer takes its own link: the time does as well.
	b.org.DeleteUser(users[4].ID)
	b.clock.advance(time.Minute)
	b.org.ExpirePages()
	g = b.delta(streamUsers, g.cursor)
	if !slices.Contains(g.removed, users[4].ID) {
		t.Errorf("after the link was lost: removed %v", g.removed)
	}

	// An answer without the eternal link, or one that follows itself, is no end.
	for _, kind := range []oktasim.Kind{oktasim.NoLinks, oktasim.BadLink, oktasim.ForeignNext} {
		b.org.Break(oktasim.Fault{Path: "/api/v1/logs", Kind: kind})
		if bad := b.read(streamUsers, connectors.Delta, g.cursor); fault.ClassOf(bad.err) != fault.Invalid || bad.proof != nil {
			t.Errorf("kind %d: %v", kind, bad.err)
		}
		b.org.Mend()
	}
	b.org.DeleteUser(users[9].ID)
	b.clock.advance(time.Minute)
	b.org.Break(oktasim.Fault{Path: "/api/v1/logs", Kind: oktasim.SelfNext})
	before := b.org.Total()
	if bad := b.read(streamUsers, connectors.Delta, g.cursor); fault.ClassOf(bad.err) != fault.Invalid || b.org.Total()-before > 6 {
		t.Errorf("a log that goes round in circles: %v after %d requests", bad.err, b.org.Total()-before)
	}
	b.org.Mend()

	// The log reaches back 90 days.
	b.clock.advance(91 * 24 * time.Hour)
	if g := b.read(streamUsers, connectors.Delta, g.cursor); fault.ClassOf(g.err) != fault.CursorExpired || g.pages > 0 {
		t.Errorf("after 91 days: %v", g.err)
	}
}

// TestMembershipsOfTheLog: the log names members of groups whose own times do not move.
func TestMembershipsOfTheLog(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 30}, func(c *Config) { c.Groups.Types = []string{"OKTA_GROUP"} })
	cursor := b.full(streamGroups).cursor
	b.clock.advance(time.Hour)
	cursor = b.delta(streamGroups, cursor).cursor
	groups, u := b.org.Groups(), b.org.Users()[0]
	// Groups of another type stay out, whatever the log says of them.
	outside := groups[slices.IndexFunc(groups, func(g oktasim.Group) bool { return g.Type == "APP_GROUP" })]
	b.org.AddMember(outside.ID, u.ID)
	b.org.RemoveMember(outside.ID, u.ID)
	inside := groups[slices.IndexFunc(groups, func(g oktasim.Group) bool { return g.Type == "OKTA_GROUP" && !slices.Contains(g.Members, u.ID) })]
	b.org.AddMember(inside.ID, u.ID)
	b.clock.advance(time.Minute)
	// The list of changed groups is empty, as it is when it lags behind the log.
	b.org.Break(oktasim.Fault{Path: "/api/v1/groups", Exact: true, Times: 1, Status: 200, Body: `[]`,
		Header: map[string]string{"Link": `<https://simulated.okta.test/api/v1/groups?limit=200>; rel="self"`}})
	g := b.delta(streamGroups, cursor)
	if !slices.Contains(g.members[inside.ID], directory.IDHandle(u.ID)) {
		t.Errorf("members %v", g.members)
	}
	if _, ok := g.objects[outside.ID]; ok {
		t.Error("a group outside of the configured types was read")
	}
	if _, ok := g.members[outside.ID]; ok {
		t.Error("members of a group outside of the configured types were read")
	}
}

// TestWithoutLog: removals are left to full reads, and said to be.
func TestWithoutLog(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 8}, func(c *Config) { c.Log = false })
	for _, s := range b.conn.Describe().Streams {
		if !s.Delta || s.Tombstones {
			t.Errorf("stream %+v", s)
		}
	}
	cursor := b.full(streamUsers).cursor
	id := b.org.Users()[0].ID
	b.org.SetProfile(id, "title", "Changed")
	b.org.DeleteUser(b.org.Users()[1].ID)
	b.clock.advance(200 * 24 * time.Hour)
	g := b.delta(streamUsers, cursor)
	o := g.objects[id]
	if len(g.removed) > 0 || textOf(&o, "title") != "Changed" || b.org.Requests()["/api/v1/logs"] > 0 {
		t.Errorf("removed %v, title %q", g.removed, textOf(&o, "title"))
	}
}

// TestNarrowedUsers: an expression goes to the org, with what else is asked.
func TestNarrowedUsers(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"filter": func(c *Config) {
			c.Users.Filter = `profile.login eq "user3@example.com" or profile.login eq "user7@example.com"`
		},
		"search": func(c *Config) {
			c.Users.Search = `profile.employeeNumber eq "E000003" or profile.employeeNumber eq "e000007"`
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 60}, edit)
			g := b.full(streamUsers)
			if len(g.objects) != 2 || !strings.Contains(g.proof.Scope, " or ") {
				t.Errorf("%d people, scope %q", len(g.objects), g.proof.Scope)
			}
			b.clock.advance(time.Hour)
			b.org.SetProfile(b.org.Users()[3].ID, "title", "Changed")
			b.org.SetProfile(b.org.Users()[4].ID, "title", "Changed")
			b.clock.advance(time.Second)
			if g := b.delta(streamUsers, g.cursor); len(g.objects) != 1 {
				t.Errorf("a delta brings %d people", len(g.objects))
			}
		})
	}
}

// TestGroupVanishes: a group that is deleted while its members are read concerns nobody else.
func TestGroupVanishes(t *testing.T) {
	b := start(t, oktasim.Options{People: 60, Groups: 8}, nil)
	id := b.org.Groups()[3].ID
	b.org.Break(oktasim.Fault{Path: "/api/v1/groups/" + id, Status: 404, Body: `{"errorCode":"E0000007"}`})
	g := b.full(streamGroups)
	if _, ok := g.members[id]; ok || len(g.members) != 7 {
		t.Errorf("%d lists of members", len(g.members))
	}
}

// TestBoth: however an expression is written, it stays one term.
func TestBoth(t *testing.T) {
	for _, own := range []string{`id eq "1" or id eq "2"`, "id eq \"1\"\nor id eq \"2\"", `(id eq "1")or(id eq "2")`} {
		if got, want := and(own, `status eq "ACTIVE"`), "("+own+`) and status eq "ACTIVE"`; got != want {
			t.Errorf("%s", got)
		}
	}
	if and("", "b") != "b" || and("a", "") != "a" || and(`origin eq "x"`, "b") != `origin eq "x" and b` {
		t.Error("a term alone")
	}
}

// TestMembersThatAreNotThere: a list of members that the org does not give, or not to its end, of a group that it has,
// says nothing about anybody. Left out, it would empty the group in a full read, and lose the change in a delta.
func TestMembersThatAreNotThere(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{
		"none":       nil,
		"later page": func(r *http.Request) bool { return r.URL.Query().Get("after") != "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 60, Groups: 4, GroupsPerPerson: 3}, func(c *Config) { c.Log = name == "none" })
			b.conn.pageSize = 10
			whole := b.full(streamGroups)
			g := b.org.Groups()[2]
			missing := oktasim.Fault{Path: "/api/v1/groups/" + g.ID + "/users", Match: match, Status: 404, Body: `{"errorCode":"E0000007"}`}
			b.org.Break(missing)
			if got := b.full(streamGroups); len(got.invalid) != 1 || got.invalid[0].ID != g.ID || len(got.members[g.ID]) > 0 {
				t.Errorf("full: %+v, %d members of %d", got.invalid, len(got.members[g.ID]), len(g.Members))
			}
			b.org.Mend()
			b.clock.advance(time.Hour)
			b.org.RemoveMember(g.ID, g.Members[0])
			b.org.Break(missing)
			once := b.delta(streamGroups, whole.cursor)
			b.clock.advance(time.Hour)
			again := b.delta(streamGroups, once.cursor)
			for _, got := range []*got{once, again} {
				if len(got.invalid) != 1 || got.invalid[0].ID != g.ID || len(got.members[g.ID]) > 0 {
					t.Errorf("delta: %+v, members %v", got.invalid, got.members[g.ID])
				}
			}
			b.org.Mend()
			b.clock.advance(time.Hour)
			if got := b.delta(streamGroups, again.cursor); len(got.members[g.ID]) != len(g.Members)-1 {
				t.Errorf("the change is lost: %d members of %d", len(got.members[g.ID]), len(g.Members)-1)
			}
		})
	}
}

// TestPagesOfMembers: a full read hands the lists on in the order of the groups, however many are read at once.
func TestPagesOfMembers(t *testing.T) {
	b := start(t, oktasim.Options{People: 400, Groups: 20, GroupsPerPerson: 6}, func(c *Config) { c.Parallel = 8 })
	b.conn.pageSize = 10
	var order []string
	err := connectors.Guard(b.conn).Read(t.Context(), connectors.Request{Stream: streamGroups, Mode: connectors.Full}, func(p *connectors.Page) error {
		for _, m := range p.Members {
			order = append(order, m.Group)
		}
		return nil
	})
	if err != nil || !slices.IsSorted(order) || len(order) != 20 {
		t.Errorf("%d lists, in order %t: %v", len(order), slices.IsSorted(order), err)
	}
	for _, g := range b.org.Groups()[1:] {
		if len(g.Members) < 30 {
			t.Errorf("group %s has %d members; the test wants several pages", g.ID, len(g.Members))
		}
	}
}
