package google

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// mischief changes a customer at random, as administrators do.
type mischief struct {
	c    *googlesim.Customer
	r    *rand.Rand
	next int
	done int
}

func pick[T any](m *mischief, list []T) T { return list[m.r.IntN(len(list))] }

func units() []string {
	return []string{"/", "/Staff", "/Staff/London", "/Students", "/Students/Year 1", "/It's"}
}

// address is a new one, or one that was somebody's who was deleted.
func (m *mischief) address() string {
	taken := map[string]bool{}
	for _, u := range m.c.Users() {
		taken[u.Email] = true
		for _, a := range u.Aliases {
			taken[a] = true
		}
	}
	for _, g := range m.c.Groups() {
		taken[g.Email] = true
	}
	if dead := m.c.Deleted(); len(dead) > 0 && m.r.IntN(2) == 0 {
		if a := pick(m, dead).Email; !taken[a] {
			return a
		}
	}
	m.next++
	return fmt.Sprintf("N%d@example.test", m.next)
}

func (m *mischief) user() googlesim.User {
	for {
		if u := pick(m, m.c.Users()); !u.Admin {
			return u
		}
	}
}

func (m *mischief) step() {
	m.done++
	m.next++
	word := fmt.Sprintf("w%d", m.next)
	edit := func(event string, change func(*googlesim.User)) { m.c.EditUser(m.user().ID, event, change) }
	switch n := m.r.IntN(100); {
	case n < 12:
		m.c.AddUser(googlesim.User{Email: m.address(), GivenName: word, FamilyName: "New", Path: pick(m, units())})
	case n < 26:
		edit("CHANGE_USER_ORGANIZATION", func(u *googlesim.User) { u.Title = word })
	case n < 31:
		edit("SUSPEND_USER", func(u *googlesim.User) { u.Suspended = !u.Suspended })
	case n < 34:
		edit("ARCHIVE_USER", func(u *googlesim.User) { u.Archived = !u.Archived })
	case n < 39:
		manager := m.user().Email
		edit("CHANGE_USER_RELATION", func(u *googlesim.User) {
			u.Manager = pick(m, []string{strings.ToUpper(manager), "nobody in particular", ""})
		})
	case n < 44:
		m.c.RenameUser(m.user().ID, m.address())
	case n < 50:
		m.c.MoveUser(m.user().ID, pick(m, units()))
	case n < 59 && len(m.c.Users()) > 30:
		m.c.DeleteUser(m.user().ID)
	case n < 60:
		if dead := m.c.Deleted(); len(dead) > 0 {
			m.c.UndeleteUser(pick(m, dead).ID)
		}
	case n < 61 && m.r.IntN(4) == 0:
		m.c.MoveUnit("/Students/Year 1", "/Students/Year 2")
	case n < 66:
		u := m.user()
		product := pick(m, []string{"Google-Apps", "101031"})
		m.c.Assign(googlesim.Licence{Product: product, SKU: "S" + fmt.Sprint(m.r.IntN(3)), SKUName: "Some", Email: u.Email})
	case n < 69:
		u := m.user()
		m.c.Revoke(func(l *googlesim.Licence) bool { return l.Email == u.Email })
	default:
		m.groups(n, word)
	}
}

func (m *mischief) groups(n int, word string) {
	groups := m.c.Groups()
	g := pick(m, groups)
	switch {
	case n < 84:
		u := m.user()
		m.c.Join(g.ID, googlesim.Member{ID: u.ID, Email: u.Email, Type: "USER"})
	case n < 87:
		o := pick(m, groups)
		m.c.Join(g.ID, googlesim.Member{ID: o.ID, Email: o.Email, Type: "GROUP"})
	case n < 88:
		m.c.Join(g.ID, googlesim.Member{ID: m.c.ID, Type: "CUSTOMER"})
	case n < 89:
		m.c.Join(g.ID, googlesim.Member{Email: word + "@Elsewhere.example", Type: "EXTERNAL"})
	case n < 94:
		if len(g.Members) > 0 {
			m.c.Leave(g.ID, m.r.IntN(len(g.Members)))
		}
	case n < 96:
		m.c.AddGroup(googlesim.Group{Email: m.address(), Name: word})
	case n < 97 && len(groups) > 8:
		m.c.DeleteGroup(g.ID)
	case n < 98:
		m.c.EditGroup(g.ID, "", func(g *googlesim.Group) { g.Email = word + "@example.test" })
	default:
		m.c.EditGroup(g.ID, "CHANGE_GROUP_NAME", func(g *googlesim.Group) { g.Name = word })
	}
}

// harass arms a fault that repeating mends, most of the time.
func (m *mischief) harass(r *rig, voidTokens bool) {
	f := googlesim.Fault{Match: pick(m, []string{"/users?", "/users/", "/groups?", "/members", "/activity/", "/apps/licensing", "/token"}), Times: 1 + m.r.IntN(3)}
	f.Skip = m.r.IntN(4)
	kind := m.r.IntN(8)
	if voidTokens && m.r.IntN(4) == 0 {
		kind = 8 // not twice at once: a token that is refused when it is new is an error
	}
	if f.Match == "/token" && (kind == 1 || kind == 2) {
		kind = 0 // the token service has errors of its own
	}
	switch kind {
	case 0:
		f.Status, f.Body = 503, "<html>busy</html>"
		f.Header = map[string]string{"Content-Type": "text/html"}
	case 1:
		f.Status, f.Body = 403, `{"error":{"code":403,"errors":[{"reason":"userRateLimitExceeded"}]}}`
	case 2:
		f.Status, f.Body = 429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}}`
		f.Header = map[string]string{"Retry-After": "2"}
	case 3:
		f.Kind = googlesim.Cut
	case 4:
		f.Kind = googlesim.Reset
	case 5:
		f.Status, f.Body = 200, "<html>portal</html>"
		f.Header = map[string]string{"Content-Type": "text/html"}
	case 6:
		f.Status = 200 // and nothing in it
	case 7:
		f.Kind, f.Rewrite = googlesim.Watch, func(map[string]any) { r.ExpirePages() }
		f.Match = "pageToken"
	case 8:
		f.Kind, f.Rewrite, f.Times = googlesim.Watch, func(map[string]any) { r.ExpireTokens() }, 1
	}
	r.Misbehave(f)
}

// follower is a connector with a configuration of its own, and what an engine would know by it.
type follower struct {
	name   string
	change func(*Config)
	c      *Connector
	worlds map[string]*world
	deltas int
	fulls  int
	failed int
}

func (f *follower) read(t *testing.T, stream string, mode connectors.Mode) {
	t.Helper()
	w := f.worlds[stream]
	if w == nil {
		w, mode = newWorld(), connectors.Full
		f.worlds[stream] = w
	}
	for range 20 {
		err := w.read(t.Context(), f.c, "", stream, mode)
		switch {
		case err == nil:
			if mode == connectors.Full {
				f.fulls++
			} else {
				f.deltas++
			}
			return
		case fault.ClassOf(err) == fault.CursorExpired:
			mode = connectors.Full
		case fault.ClassOf(err).Retryable(), statusOf(err) == 401:
			// Tokens became void twice at once: the simulator's are void for all followers.
			f.failed++
		default:
			t.Fatalf("%s: %s of %s: %v", f.name, mode, stream, err)
		}
	}
	t.Fatalf("%s: %s fails again and again", f.name, stream)
}

// truth is what a follower must know by the simulator's own word.
func (f *follower) truth(c *googlesim.Customer) (people, groups map[string]string) {
	people, groups = map[string]string{}, map[string]string{}
	cfg := f.c.cfg
	alive := map[string]bool{c.ID: true}
	licences := map[string][]string{}
	for _, l := range c.Licences() {
		licences[l.Email] = append(licences[l.Email], "id:"+l.Product+"/"+l.SKU)
	}
	for _, u := range c.Users() {
		alive[u.ID] = true
		inUnit := len(cfg.Users.OrgUnits) == 0
		for _, unit := range cfg.Users.OrgUnits {
			inUnit = inUnit || u.Path == unit || strings.HasPrefix(u.Path, unit+"/")
		}
		if !inUnit || u.Suspended && !cfg.Users.IncludeSuspended {
			continue
		}
		links := []string{"id:" + c.ID}
		if strings.Contains(u.Manager, "@") {
			links = append(links, "mail:"+strings.ToLower(u.Manager))
		}
		if len(cfg.Licences.Products) > 0 {
			links = append(links, licences[u.Email]...)
		}
		handles := []string{"mail:" + strings.ToLower(u.Email)}
		for _, a := range u.Aliases {
			handles = append(handles, "mail:"+strings.ToLower(a))
		}
		slices.Sort(links)
		slices.Sort(handles)
		people[u.ID] = fmt.Sprint(u.Email, " ", u.Title, " ", u.Path, " ", !u.Suspended && !u.Archived, " ", links, slices.Compact(handles))
	}
	list := c.Groups()
	for _, g := range list {
		alive[g.ID] = true
	}
	for _, g := range list {
		var members []string
		for _, m := range g.Members {
			switch {
			case m.Type == "EXTERNAL":
				members = append(members, "mail:"+strings.ToLower(m.Email))
			case alive[m.ID]:
				members = append(members, "id:"+m.ID)
			}
		}
		slices.Sort(members)
		groups[g.ID] = fmt.Sprint(g.Email, " ", g.Name, " ", slices.Compact(members))
	}
	for ref, w := range f.worlds[streamGroups].members {
		f.worlds[streamGroups].members[ref] = slices.DeleteFunc(slices.Clone(w), func(h string) bool {
			return strings.HasPrefix(h, "id:") && !alive[strings.TrimPrefix(h, "id:")]
		})
	}
	return people, groups
}

func (f *follower) same(t *testing.T, c *googlesim.Customer, when string) {
	t.Helper()
	people, groups := f.truth(c)
	known := map[string]string{}
	for ref, o := range f.worlds[streamUsers].objects {
		var links []string
		for _, l := range o.Links {
			links = append(links, l.To)
		}
		slices.Sort(links)
		handles := slices.Clone(o.Handles)
		slices.Sort(handles)
		enabled, _ := o.Get(directory.FieldEnabled)
		known[ref.ID] = fmt.Sprint(text(o, directory.FieldLogin), " ", text(o, directory.FieldTitle), " ", text(o, directory.FieldPath), " ", enabled.Bool(), " ", links, handles)
	}
	compare(t, f.name+": people "+when, people, known)
	known = map[string]string{}
	for ref, o := range f.worlds[streamGroups].objects {
		if ref.ID == c.ID {
			continue
		}
		known[ref.ID] = fmt.Sprint(text(o, directory.FieldEmail), " ", text(o, directory.FieldName), " ", f.worlds[streamGroups].members[ref.ID])
	}
	compare(t, f.name+": groups "+when, groups, known)
}

func compare(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for id, w := range want {
		if g, ok := got[id]; !ok {
			t.Errorf("%s: %s is missing: %s", what, id, w)
		} else if g != w {
			t.Errorf("%s: %s\n is    %s\n known %s", what, id, w, g)
		}
	}
	for id, g := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s: %s is not there any more: %s", what, id, g)
		}
	}
}

// TestRandom makes thousands of changes in batches, under faults, with an audit log that is late, with changes that
// it never shows, and with restarts. When the log has caught up, what incremental reads led to must be the truth.
func TestRandom(t *testing.T) {
	changes := 5000
	if underRace || testing.Short() {
		changes = 1500
	}
	seed := connectortest.Seed(t)
	r := start(t, func(o *googlesim.Options) { o.Lag, o.PageCap = 3*time.Minute, 25 })
	c := r.Customer(0)
	m := &mischief{c: c, r: rand.New(rand.NewPCG(seed, 1))}
	c.Fill(45)
	followers := []*follower{
		{name: "whole", change: func(*Config) {}},
		{name: "part", change: func(cfg *Config) {
			cfg.Users.OrgUnits = []string{"/Staff", "/It's", "/Staff/London"}
			cfg.Users.IncludeSuspended = false
		}},
		{name: "licensed", change: func(cfg *Config) { cfg.Licences.Products = []string{"Google-Apps", "101031"} }},
	}
	for _, f := range followers {
		f.worlds = map[string]*world{}
		f.c = r.open(t, f.change)
	}
	for batch := 1; m.done < changes && !t.Failed(); batch++ {
		quiet := batch%25 == 0
		do := func() {
			for range 1 + m.r.IntN(30) {
				m.step()
			}
		}
		if quiet {
			c.Quietly(do)
		} else {
			do()
		}
		r.advance(time.Duration(m.r.IntN(300)) * time.Second)
		settled := quiet || batch%4 == 0
		if settled {
			r.advance(4 * time.Minute)
		}
		for _, f := range followers {
			if m.r.IntN(40) == 0 {
				_ = f.c.Close()
				f.c = r.open(t, f.change)
			}
			if m.r.IntN(3) > 0 {
				m.harass(r, true)
				m.harass(r, false)
			}
			for _, stream := range []string{streamUsers, streamGroups} {
				mode := connectors.Delta
				if quiet {
					mode = connectors.Full
				}
				f.read(t, stream, mode)
			}
			r.Behave()
			if settled {
				f.same(t, c, fmt.Sprintf("after batch %d, %d changes", batch, m.done))
			}
		}
	}
	for _, f := range followers {
		t.Logf("%s: %d deltas, %d full reads, %d reads failed", f.name, f.deltas, f.fulls, f.failed)
		if f.fulls > f.deltas {
			t.Errorf("%s: %d full reads were needed beside %d deltas", f.name, f.fulls, f.deltas)
		}
	}
	t.Logf("%d changes, %d requests", m.done, r.Requests(""))
}
