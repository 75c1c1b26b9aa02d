package okta

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/fault"
)

// mischief changes an org at random, as administrators do.
type mischief struct {
	r    *rand.Rand
	org  *oktasim.Server
	next int
}

func anyOne[T any](m *mischief, list []T) T { return list[m.r.IntN(len(list))] }

func (m *mischief) step() {
	m.next++
	name := fmt.Sprintf("n%d", m.next)
	users, groups, apps := m.org.UserIDs(), m.org.Groups(), m.org.Apps()
	u, g, a := anyOne(m, users), anyOne(m, groups[1:]), anyOne(m, apps)
	switch n := m.r.IntN(100); {
	case n < 8:
		m.org.AddUser(map[string]any{"login": name + "@example.com", "email": name + "@example.com"})
	case n < 24:
		m.org.SetProfile(u, anyOne(m, []string{"title", "firstName", "login", "email", "employeeNumber"}), name)
	case n < 28:
		boss := anyOne(m, m.org.Users())
		values := []any{boss.ID, boss.Profile["login"], boss.Profile["employeeNumber"], nil, ""}
		m.org.SetProfile(u, "managerId", anyOne(m, values))
	case n < 38:
		m.org.SetStatus(u, anyOne(m, statuses()))
	case n < 44 && len(users) > 30:
		m.org.DeleteUser(u)
	case n < 48:
		m.org.AddGroup(name)
	case n < 53:
		m.org.RenameGroup(g.ID, name, name)
	case n < 56 && len(groups) > 6:
		m.org.DeleteGroup(g.ID)
	case n < 74:
		m.org.AddMember(g.ID, u)
	case n < 86 && len(g.Members) > 0:
		m.org.RemoveMember(g.ID, anyOne(m, g.Members))
	case n < 88:
		m.org.AddApp(name)
	case n < 90:
		m.org.RenameApp(a.ID, name)
	case n < 92:
		m.org.SetAppActive(a.ID, m.r.IntN(2) == 0)
	case n < 93 && len(apps) > 3:
		m.org.DeleteApp(a.ID)
	default:
		m.org.Assign(a.ID, u, m.r.IntN(2) == 0)
	}
}

// trouble makes the org misbehave for one or two requests.
func (m *mischief) trouble() {
	kinds := []oktasim.Fault{
		{Kind: oktasim.Reset}, {Kind: oktasim.Cut}, {Kind: oktasim.Empty}, {Kind: oktasim.Portal}, {Kind: oktasim.JoinedLinks},
		{Kind: oktasim.BadLink}, {Kind: oktasim.NoLinks}, {Kind: oktasim.SelfNext}, {Kind: oktasim.ForeignNext}, {Kind: oktasim.Null},
		{Kind: oktasim.NullEntry}, {Kind: oktasim.Trailing}, {Kind: oktasim.Shuffle}, {Kind: oktasim.NoRates},
		{Status: http.StatusInternalServerError, Body: `{"errorCode":"E0000009"}`}, {Status: http.StatusBadGateway, Body: "<html>"},
		{Status: http.StatusServiceUnavailable, Body: `{"errorCode":"E0000010"}`}, {Status: http.StatusTooManyRequests, Body: `{"errorCode":"E0000047"}`},
		{Status: http.StatusTooManyRequests, Header: map[string]string{"X-Rate-Limit-Limit": "0", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1"}},
	}
	f := anyOne(m, kinds)
	f.Path, f.Skip, f.Times = anyOne(m, []string{"/api", "/api/v1/users", "/api/v1/groups", "/api/v1/logs", "/api/v1/apps"}), m.r.IntN(6), 1+m.r.IntN(2)
	m.org.Break(f)
}

// TestRandom changes an org at random, with trouble on the way, and compares what incremental and full reads made
// of it with the org itself, whenever it has come to rest.
func TestRandom(t *testing.T) {
	for name, o := range map[string]oktasim.Options{
		"prompt":          {},
		"lagging index":   {IndexLag: 3 * time.Minute, LagFilter: true},
		"summary events":  {SummaryEvents: true},
		"share of limits": {TokenShare: 50, Limits: map[string]int{"/api/v1/users": 100, "/api/v1/logs": 60, "/api/v1/groups/{id}": 200}},
	} {
		t.Run(name, func(t *testing.T) {
			o.People, o.Groups, o.Apps = 120, 25, 5
			b := start(t, o, func(c *Config) { c.Apps = true })
			b.conn.pageSize = 25
			m := &mischief{r: rand.New(rand.NewPCG(connectortest.Seed(t), 1)), org: b.org}
			known := newModel(b)
			changes := 1300
			if raceEnabled {
				changes = 400
			}
			for done := 0; done < changes && !t.Failed(); {
				runFor := 1 + m.r.IntN(12)
				for range runFor {
					m.step()
					b.clock.advance(time.Duration(m.r.IntN(3000)) * time.Millisecond)
				}
				done += runFor
				b.disturb(m)
				known.sync(streamUsers)
				known.sync(streamGroups)
				b.org.Mend()
				if m.r.IntN(3) == 0 {
					b.rest(known, fmt.Sprintf("after %d changes", done))
				}
			}
			b.rest(known, "at the end")
			t.Logf("%d full reads, failures %v, %d requests", known.fulls, known.failed, b.org.Total())
		})
	}
}

// disturb makes the org misbehave, now and then.
func (b *bench) disturb(m *mischief) {
	for range m.r.IntN(3) {
		m.trouble()
	}
	switch n := m.r.IntN(60); {
	case n < 6:
		b.org.HoldEvents()
	case n < 12:
		b.org.ReleaseEvents()
	case n < 14:
		b.org.ExpirePages()
	case n < 16:
		b.reopen()
		b.conn.pageSize = 25
	case n < 17:
		b.clock.advance(100 * 24 * time.Hour)
	}
}

// rest lets the org come to rest: late events come, the index catches up. Then everything must be known.
func (b *bench) rest(known *model, when string) {
	b.tb.Helper()
	b.org.ReleaseEvents()
	b.clock.advance(4 * time.Minute)
	for _, stream := range []string{streamUsers, streamGroups} {
		for try := 0; !known.sync(stream) || known.cursors[stream] == nil; try++ {
			if try == 5 {
				b.tb.Fatalf("%s: %s cannot be read: %v", when, stream, known.failed)
			}
		}
	}
	if n := known.failed[fault.Gone] + known.failed[fault.Auth] + known.failed[fault.Forbidden]; n > 0 {
		b.tb.Errorf("%s: failures %v", when, known.failed)
	}
	known.compare(when)
}
