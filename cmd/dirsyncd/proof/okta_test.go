package proof

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/okta"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/settings"
)

func oktaWorld(t *testing.T) *world {
	limits := map[string]int{}
	for _, name := range []string{"users", "users/{id}", "groups", "groups/{id}", "apps", "apps/{id}", "logs"} {
		limits["/api/v1/"+name] = 10_000_000
	}
	s, err := oktasim.Start(oktasim.Options{People: 28, Groups: 4, Apps: 2, PageCap: 8, Limits: limits})
	check(t, err)
	t.Cleanup(s.Close)
	var w *world
	w = &world{
		name: "okta", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := okta.Defaults()
			cfg.URL, cfg.Token, cfg.Share, cfg.Apps = s.URL, settings.NewSecret(s.Token()), 100, true
			cfg.Timeout = settings.Duration(w.timeout)
			c, err := okta.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	names := 0
	next := func() string { names++; return fmt.Sprint("new", names) }
	people := func() (list []string) {
		for _, u := range s.Users() {
			list = append(list, u.ID)
		}
		return list
	}
	w.join = func(*testing.T) {
		s.AddUser(map[string]any{"login": next() + "@example.test", "firstName": "New", "lastName": "Comer"})
	}
	w.leave = func(*testing.T) { s.DeleteUser(people()[3]) }
	w.change = func(_ *testing.T, rnd *rand.Rand) bool {
		ids := people()
		user := pick(rnd, ids)
		group := pick(rnd, slices.DeleteFunc(s.Groups(), func(g oktasim.Group) bool { return g.Type == "BUILT_IN" }))
		switch rnd.IntN(8) {
		case 0:
			w.join(nil)
		case 1:
			if len(ids) < 10 {
				return false
			}
			s.DeleteUser(user)
		case 2, 3:
			s.SetProfile(user, "title", next())
		case 4:
			if slices.Contains(group.Members, user) {
				return false
			}
			s.AddMember(group.ID, user)
		case 5:
			if len(group.Members) == 0 {
				return false
			}
			s.RemoveMember(group.ID, pick(rnd, group.Members))
		case 6:
			s.RenameGroup(group.ID, next(), "renamed")
		default:
			s.Assign(pick(rnd, s.Apps()).ID, user, rnd.IntN(2) == 0)
		}
		return true
	}
	w.hurt, w.mend = oktaTrouble(s)
	return w
}

// oktaTrouble is what can go wrong with an Okta org.
func oktaTrouble(s *oktasim.Server) (func(*testing.T, *wrong), func()) {
	paths := map[string]string{
		"users": "/api/v1/users", "groups": "/api/v1/groups", "apps": "/api/v1/apps", "log": "/api/v1/logs", "org": "/.well-known/", "any": "",
	}
	members := func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/api/v1/groups/") && strings.HasSuffix(r.URL.Path, "/users")
	}
	one := ""
	for _, g := range s.Groups() {
		if g.Type != "BUILT_IN" {
			one = g.ID
		}
	}
	paths["members"], paths["one-group"] = "/api/v1/groups/", "/api/v1/groups/"+one+"/users"
	kinds := map[string]oktasim.Kind{
		"reset": oktasim.Reset, "cut": oktasim.Cut, "hang": oktasim.Hang, "empty": oktasim.Empty, "html": oktasim.Portal,
		"joined-links": oktasim.JoinedLinks, "bad-link": oktasim.BadLink, "no-links": oktasim.NoLinks, "self-next": oktasim.SelfNext,
		"foreign-next": oktasim.ForeignNext, "null": oktasim.Null, "null-element": oktasim.NullEntry, "trailing": oktasim.Trailing,
		"shuffle": oktasim.Shuffle, "endless": oktasim.Endless, "short": oktasim.Short, "no-rates": oktasim.NoRates,
	}
	var undo []func()
	hurt := func(t *testing.T, w *wrong) {
		t.Helper()
		path, ok := paths[w.where]
		if !ok {
			t.Fatalf("line %d: there is no place %q", w.line, w.where)
		}
		f := oktasim.Fault{Path: path, Skip: w.after, Times: w.times}
		if w.where == "members" {
			f.Match = members
		}
		switch w.kind {
		case "answer":
			f.Kind, f.Status = oktasim.Answer, w.code
			f.Body = fmt.Sprintf(`{"errorCode":%q,"errorSummary":"as ordered","errorLink":"","errorId":"oae1","errorCauses":[]}`, w.text)
			f.Header = map[string]string{"Content-Type": "application/json"}
		case "empty-list":
			f.Kind, f.Status, f.Body, f.Header = oktasim.Answer, 200, "[]", map[string]string{"Content-Type": "application/json"}
		case "no-role":
			s.SetRole(oktasim.Nothing)
			undo = append(undo, func() { s.SetRole(oktasim.Everything) })
			return
		case "group-role":
			s.SetRole(oktasim.FirstGroups)
			undo = append(undo, func() { s.SetRole(oktasim.Everything) })
			return
		case "other-org":
			org := s.Org()
			s.SetOrg("00oSomebodyElse")
			undo = append(undo, func() { s.SetOrg(org) })
			return
		case "deny":
			s.Grant(w.text, false)
			undo = append(undo, func() { s.Grant(w.text, true) })
			return
		case "expire-pages":
			s.ExpirePages()
			return
		case "forget-log":
			s.ForgetEvents()
			return
		default:
			kind, ok := kinds[w.kind]
			if !ok {
				t.Fatalf("line %d: Okta does not know %q", w.line, w.kind)
			}
			f.Kind = kind
		}
		s.Break(f)
	}
	return hurt, func() {
		s.Mend()
		for _, f := range undo {
			f()
		}
		undo = nil
	}
}
