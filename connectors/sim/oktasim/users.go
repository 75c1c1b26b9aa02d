package oktasim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// state is a person as a listing sees it, now or as the index still has it.
type state struct {
	*person
	status  string
	updated time.Time
	profile map[string]any
}

// seen returns how a person looks, or false when there is none (yet, or any more). The index is behind.
func (s *Server) seen(p *person, indexed bool, now time.Time) (state, bool) {
	if indexed && s.o.IndexLag > 0 {
		for _, v := range p.older {
			if now.Before(v.until.Add(s.o.IndexLag)) {
				return state{p, v.status, v.updated, v.profile}, v.exists
			}
		}
	}
	return state{p, p.status, p.updated, p.profile}, !p.gone
}

// get looks an attribute up for a filter.
func (s *Server) get(st *state) func(string) (string, bool) {
	return func(name string) (string, bool) {
		switch name {
		case "id":
			return st.id, true
		case "status":
			return st.status, true
		case "lastUpdated":
			return st.updated.Format(timestamp), true
		case "created":
			return st.created.Format(timestamp), true
		}
		v := s.profile(st.person, st.profile)[strings.TrimPrefix(name, "profile.")]
		if v == nil {
			return "", false
		}
		return fmt.Sprint(v), true
	}
}

// userFilter are the rules of `filter`: few attributes, and values are compared exactly.
func userFilter() filterRules {
	return filterRules{takes: func(name, op string) bool {
		names := []string{"id", "status", "lastUpdated", "profile.login", "profile.email", "profile.firstName", "profile.lastName"}
		return slices.Contains(names, name) && (op == "eq" || name == "lastUpdated" && slices.Contains([]string{"gt", "ge", "lt", "le"}, op))
	}}
}

// userSearch are the rules of `search`: any attribute, no `ne`, values without regard to case.
func userSearch() filterRules {
	return filterRules{fold: true, takes: func(_, op string) bool { return op != "ne" }}
}

func (s *Server) routeUsers(a *reply, r *http.Request, parts []string, now time.Time) {
	switch {
	case len(parts) == 0:
		s.listUsers(a, r, now)
	case len(parts) == 1 && parts[0] == "me":
		a.json(map[string]any{"id": objectID("00u", 999_999_999), "status": "ACTIVE", "profile": map[string]any{"login": "sync@example.com"}})
	case len(parts) == 1:
		p := s.living(parts[0])
		if p == nil {
			a.fail(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+parts[0]+" (User)")
			return
		}
		st, _ := s.seen(p, false, now)
		a.json(s.wire(&st, r))
	case len(parts) == 2 && parts[1] == "groups":
		s.groupsOf(a, r, parts[0], now)
	default:
		a.fail(http.StatusNotFound, "E0000022", "The endpoint does not support the provided HTTP method")
	}
}

func (s *Server) listUsers(a *reply, r *http.Request, now time.Time) {
	l, ok := s.list(a, r, s.o.PageCap, s.o.PageCap)
	if !ok {
		return
	}
	filter, ok := s.condition(a, r, "filter", userFilter())
	if !ok {
		return
	}
	search, ok := s.condition(a, r, "search", userSearch())
	if !ok {
		return
	}
	indexed := search != nil || filter != nil && s.o.LagFilter
	all := search != nil || filter != nil
	l.page(a, r, len(s.people), func(i int) any {
		st, there := s.seen(s.people[i], indexed, now)
		if !there || !all && st.status == "DEPROVISIONED" || !s.shows(i) {
			return nil
		}
		if filter != nil && !filter(s.get(&st)) || search != nil && !search(s.get(&st)) {
			return nil
		}
		return s.wire(&st, r)
	})
}

// shows reports whether the administrator's role covers a person.
func (s *Server) shows(n int) bool {
	switch s.access.role {
	case Nothing:
		return false
	case FirstGroups:
		for _, g := range s.groups[1:min(3, len(s.groups))] {
			if _, in := slices.BinarySearch(g.members, n); in {
				return true
			}
		}
		return false
	default:
		return true
	}
}

// wire renders a user. Credentials and links are left out when the caller says so in its Content-Type.
func (s *Server) wire(st *state, r *http.Request) map[string]any {
	changed := st.created
	user := map[string]any{
		"id": st.id, "status": st.status, "created": when(st.created), "activated": when(changed), "statusChanged": when(changed),
		"lastLogin": nil, "lastUpdated": when(st.updated), "passwordChanged": nil, "type": map[string]any{"id": "oty0000000000default"},
		"realmId": "guo0000000000default", "profile": s.profile(st.person, st.profile),
	}
	if st.num%2 == 0 {
		user["lastLogin"] = when(st.created.Add(time.Hour))
	}
	if st.odd {
		user["profile"] = "odd"
	}
	if kind := r.Header.Get("Content-Type"); !strings.Contains(kind, "omitCredentials") {
		user["credentials"] = map[string]any{"password": map[string]any{}, "provider": map[string]any{"type": "OKTA", "name": "OKTA"}}
		user["_links"] = map[string]any{"self": map[string]any{"href": "https://" + publicHost + "/api/v1/users/" + st.id}}
	}
	return user
}

// groupsOf lists a person's groups.
func (s *Server) groupsOf(a *reply, r *http.Request, id string, now time.Time) {
	p := s.living(id)
	if p == nil {
		a.fail(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+id+" (User)")
		return
	}
	l, ok := s.list(a, r, 200, 1000)
	if !ok {
		return
	}
	l.page(a, r, len(s.groups), func(i int) any {
		g := s.groups[i]
		st, _ := s.seen(p, false, now)
		everyone := g.typ == "BUILT_IN" && g.name == "Everyone" && st.status != "DEPROVISIONED"
		if g.gone || !everyone && !slices.Contains(g.members, p.num) {
			return nil
		}
		return g.wire()
	})
}
