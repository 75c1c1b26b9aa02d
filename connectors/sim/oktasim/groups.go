package oktasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// route answers a request of the management API.
func (s *Server) route(a *reply, r *http.Request, now time.Time) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method != http.MethodGet || len(parts) < 3 || parts[0] != "api" || parts[1] != "v1" {
		a.fail(http.StatusMethodNotAllowed, "E0000022", "The endpoint does not support the provided HTTP method")
		return
	}
	switch parts[2] {
	case "users":
		s.routeUsers(a, r, parts[3:], now)
	case "groups":
		s.routeGroups(a, r, parts[3:], now)
	case "apps":
		s.routeApps(a, r, parts[3:])
	case "logs":
		s.listEvents(a, r, now)
	default:
		a.fail(http.StatusNotFound, "E0000022", "The endpoint does not support the provided HTTP method")
	}
}

func groupFilter() filterRules {
	return filterRules{takes: func(name, op string) bool {
		if name == "lastUpdated" || name == "lastMembershipUpdated" {
			return slices.Contains([]string{"eq", "gt", "ge", "lt", "le"}, op)
		}
		return (name == "id" || name == "type") && op == "eq"
	}}
}

func (s *Server) routeGroups(a *reply, r *http.Request, parts []string, now time.Time) {
	if len(parts) == 0 {
		s.listGroups(a, r)
		return
	}
	g := s.group(parts[0])
	switch {
	case g == nil:
		a.fail(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+parts[0]+" (UserGroup)")
	case len(parts) == 1:
		a.json(g.wire())
	case len(parts) == 2 && parts[1] == "users":
		s.listMembers(a, r, g, now)
	default:
		a.fail(http.StatusNotFound, "E0000022", "The endpoint does not support the provided HTTP method")
	}
}

func (s *Server) listGroups(a *reply, r *http.Request) {
	l, ok := s.list(a, r, 10_000, max(s.o.PageCap, 200))
	if !ok {
		return
	}
	l.limit = min(l.limit, s.o.PageCap)
	filter, ok := s.condition(a, r, "filter", groupFilter())
	if !ok {
		return
	}
	l.page(a, r, len(s.groups), func(i int) any {
		g := s.groups[i]
		hidden := s.access.role == Nothing || s.access.role == FirstGroups && (i == 0 || i > 2)
		if g.gone || hidden || filter != nil && !filter(g.get) {
			return nil
		}
		return g.wire()
	})
}

func (g *group) get(name string) (string, bool) {
	switch name {
	case "id":
		return g.id, true
	case "type":
		return g.typ, true
	case "lastUpdated":
		return g.updated.UTC().Format(timestamp), true
	default:
		return g.membersUpdated.UTC().Format(timestamp), true
	}
}

func (g *group) wire() map[string]any {
	var profile any = map[string]any{"name": g.name, "description": nil}
	if g.description != "" {
		profile = map[string]any{"name": g.name, "description": g.description}
	}
	if g.odd {
		profile = "odd"
	}
	return map[string]any{
		"id": g.id, "type": g.typ, "created": when(g.created), "lastUpdated": when(g.updated),
		"lastMembershipUpdated": when(g.membersUpdated), "objectClass": []string{"okta:user_group"}, "profile": profile,
		"_links": map[string]any{"users": map[string]any{"href": "https://" + publicHost + "/api/v1/groups/" + g.id + "/users"}},
	}
}

func (s *Server) listMembers(a *reply, r *http.Request, g *group, now time.Time) {
	l, ok := s.list(a, r, 1000, max(s.o.PageCap, 1000))
	if !ok {
		return
	}
	l.limit = min(l.limit, s.o.PageCap)
	at := func(i int) any {
		st, _ := s.seen(s.people[g.members[i]], false, now)
		return s.wire(&st, r)
	}
	n := len(g.members)
	if g.typ != "BUILT_IN" {
		l.over(g.members)
	}
	if g.typ == "BUILT_IN" && g.name == "Everyone" {
		n = len(s.people)
		at = func(i int) any {
			st, there := s.seen(s.people[i], false, now)
			if !there || st.status == "DEPROVISIONED" {
				return nil
			}
			return s.wire(&st, r)
		}
	}
	l.page(a, r, n, at)
}

func appFilter() filterRules {
	return filterRules{takes: func(name, op string) bool {
		return op == "eq" && slices.Contains([]string{"id", "status", "name"}, name)
	}}
}

func (s *Server) routeApps(a *reply, r *http.Request, parts []string) {
	if len(parts) == 0 {
		s.listApps(a, r)
		return
	}
	x := s.app(parts[0])
	switch {
	case x == nil:
		a.fail(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+parts[0]+" (AppInstance)")
	case len(parts) == 1:
		a.json(x.wire())
	case len(parts) == 3 && parts[1] == "users":
		i := slices.IndexFunc(x.users, func(n int) bool { return s.people[n].id == parts[2] })
		if i < 0 {
			a.fail(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+parts[2]+" (AppUser)")
			return
		}
		a.json(map[string]any{"id": parts[2], "scope": "USER", "status": "ACTIVE"})
	case len(parts) == 2 && parts[1] == "users":
		if l, ok := s.list(a, r, 50, 500); ok {
			l.limit = min(l.limit, s.o.PageCap)
			l.over(x.users)
			l.page(a, r, len(x.users), func(i int) any {
				return map[string]any{
					"id": s.people[x.users[i]].id, "scope": "USER", "status": "ACTIVE", "syncState": "DISABLED", "externalId": nil,
					"credentials": map[string]any{"userName": "user"}, "profile": map[string]any{},
				}
			})
		}
	default:
		a.fail(http.StatusNotFound, "E0000022", "The endpoint does not support the provided HTTP method")
	}
}

func (s *Server) listApps(a *reply, r *http.Request) {
	l, ok := s.list(a, r, 20, 200)
	if !ok {
		return
	}
	l.limit = min(l.limit, s.o.PageCap)
	filter, ok := s.condition(a, r, "filter", appFilter())
	if !ok {
		return
	}
	l.page(a, r, len(s.apps), func(i int) any {
		x := s.apps[i]
		get := func(name string) (string, bool) {
			return map[string]string{"id": x.id, "status": x.status, "name": x.name}[name], true
		}
		if x.gone || s.access.role == Nothing || filter != nil && !filter(get) {
			return nil
		}
		return x.wire()
	})
}

func (x *app) wire() map[string]any {
	return map[string]any{"id": x.id, "name": x.name, "label": x.label, "status": x.status, "signOnMode": "SAML_2_0", "features": []string{}}
}
