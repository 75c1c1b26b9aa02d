package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/delinea"
	"dirsyncd/connectors/sim/delineasim"
	"dirsyncd/sync/settings"
)

func delineaWorld(t *testing.T) *world {
	s, err := delineasim.Start(delineasim.Options{People: 28, Roles: 6})
	check(t, err)
	t.Cleanup(s.Close)
	var w *world
	w = &world{
		name: "delinea", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := delinea.Defaults()
			cfg.URL, cfg.Product, cfg.ClientID, cfg.ClientSecret = s.URL, "platform", delineasim.Client, settings.NewSecret(delineasim.Secret)
			cfg.PageSize, cfg.Timeout = 8, settings.Duration(w.timeout)
			c, err := delinea.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	names := 0
	next := func() string { names++; return fmt.Sprint("new", names) }
	w.join = func(*testing.T) {
		name := next()
		s.SetUser(s.AddUser(), name+"@example.test", name, name+"@example.test")
	}
	w.leave = func(*testing.T) { s.DeleteUser(s.People()[3]) }
	w.change = func(_ *testing.T, rnd *rand.Rand) bool {
		user, role := pick(rnd, s.People()), pick(rnd, s.Roles())
		switch rnd.IntN(5) {
		case 0:
			w.join(nil)
		case 1:
			s.SetName(user, next())
		case 2:
			s.SetStatus(user, pick(rnd, []string{"Active", "Suspended", "Invited"}))
		case 3:
			s.AddMember(role, user, "User")
		default:
			s.SetRole(role, next(), "renamed")
		}
		return true
	}
	w.hurt, w.mend = delineaTrouble(s)
	return w
}

// delineaTrouble is what can go wrong with a tenant of Delinea.
func delineaTrouble(s *delineasim.Server) (func(*testing.T, *wrong), func()) {
	paths := map[string]string{"any": "", "query": "/Redrock/query", "members": "/SaasManage/GetRoleMembers", "token": "/xpmplatform"}
	kinds := map[string]delineasim.Kind{
		"reset": delineasim.Reset, "cut": delineasim.Cut, "hang": delineasim.Hang, "empty": delineasim.Empty, "html": delineasim.Portal,
		"silent": delineasim.Silent, "null": delineasim.Null, "no-count": delineasim.NoCount, "null-element": delineasim.NullRow,
		"short": delineasim.Short, "missing": delineasim.Missing, "drift": delineasim.Drift, "shrink": delineasim.Shrink, "repeat": delineasim.Repeat,
	}
	hurt := func(t *testing.T, w *wrong) {
		t.Helper()
		path, ok := paths[w.where]
		if !ok {
			t.Fatalf("line %d: there is no place %q", w.line, w.where)
		}
		f := delineasim.Fault{Path: path, Skip: w.after, Times: w.times}
		switch w.kind {
		case "answer":
			f.Kind, f.Status, f.Body = delineasim.Answer, w.code, "{}"
		case "empty-list":
			f.Kind, f.Status, f.Body = delineasim.Answer, 200, `{"success":true,"Result":{"FullCount":0,"Results":[]}}`
		case "refuse":
			f.Kind, f.Body = delineasim.Refuse, "The call is refused."
		case "unauthorized":
			f.Kind, f.Body = delineasim.Refuse, "You are not authorized to perform this operation."
		case "soft":
			f.Kind, f.Body = delineasim.Soft, "Busy."
		case "deny":
			s.Deny(w.text)
			return
		case "lock":
			s.Lock()
			return
		case "revoke":
			s.RevokeTokens()
			return
		default:
			kind, ok := kinds[w.kind]
			if !ok {
				t.Fatalf("line %d: Delinea does not know %q", w.line, w.kind)
			}
			f.Kind = kind
		}
		s.Break(f)
	}
	return hurt, func() {
		s.Mend()
		s.Allow()
	}
}
