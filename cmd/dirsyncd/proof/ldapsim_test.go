package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/sim/ldapsim"
	"dirsyncd/sync/settings"
)

func check(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ldapWorld is a scripted LDAP server: unlike the real ones it can answer wrongly.
func ldapWorld(t *testing.T) *world {
	s, err := ldapsim.Start(ldapsim.Options{Population: ldapsim.Company(40)})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	base, filter := s.Base(), ""
	desk := s.GroupDN("Service Desk London")
	// What a replica knows that lags behind: somebody who left since, and not who came.
	older := s.Keep()
	check(t, s.Remove(s.Values(desk, "member")[1]),
		s.AddPerson(ldapsim.Person{UID: "new", GivenName: "Came", FamilyName: "Before", Department: "Sales"}))
	// And what one knows that has not heard of the second server to which changes are written.
	unheard := s.Keep()
	s.WriteAs(2)
	check(t, s.Remove(s.Values(desk, "member")[1]),
		s.AddPerson(ldapsim.Person{UID: "second", GivenName: "Came", FamilyName: "Second", Department: "Sales"}))
	s.WriteAs(0)
	joined, names := []string(nil), 0
	var w *world
	w = &world{
		name: "ldap", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := ldap.Defaults()
			cfg.Servers, cfg.Base, cfg.PageSize = []string{s.URL()}, ldap.Names{base}, 10
			cfg.Bind = ldap.BindConfig{User: s.User(), Password: settings.NewSecret(s.Password())}
			cfg.Timeout, cfg.Users.Filter = settings.Duration(w.timeout), filter
			c, err := ldap.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	w.join = func(t *testing.T) {
		names++
		uid := fmt.Sprint("new", names)
		check(t, s.AddPerson(ldapsim.Person{UID: uid, GivenName: "New", FamilyName: fmt.Sprint("Comer ", names), Department: "Sales"}))
		joined = append(joined, uid)
	}
	w.leave = func(t *testing.T) {
		members := s.Values(desk, "member")
		check(t, s.Remove(members[0]))
	}
	w.change = func(t *testing.T, rnd *rand.Rand) bool {
		if len(joined) == 0 {
			w.join(t)
			return true
		}
		i := rnd.IntN(len(joined))
		dn := s.PersonDN(joined[i])
		switch rnd.IntN(6) {
		case 0:
			w.join(t)
		case 1:
			check(t, s.Remove(dn))
			joined = append(joined[:i:i], joined[i+1:]...)
		case 2:
			names++
			check(t, s.Modify(dn, "title", fmt.Sprint("title ", names)))
		case 3:
			return s.AddMember(desk, dn) == nil
		case 4:
			return s.RemoveMember(desk, dn) == nil
		default:
			check(t, s.Lock(dn))
		}
		return true
	}
	kinds := map[string]ldapsim.FaultKind{
		"cut": ldapsim.Cut, "answer": ldapsim.Answer, "hang": ldapsim.Hang, "garble": ldapsim.Garble, "empty": ldapsim.Empty,
		"ignore-paging": ldapsim.IgnorePaging, "repeat": ldapsim.Repeat, "refer": ldapsim.Refer,
	}
	only := map[string]string{"users": "objectClass=person", "groups": "objectClass=groupOfNames"}
	moments := map[string]ldapsim.Moment{
		"binding": ldapsim.Binding, "connecting": ldapsim.Connecting, "lookup": ldapsim.Lookup,
		"listing": ldapsim.Listing, "users": ldapsim.Listing, "groups": ldapsim.Listing,
	}
	w.hurt = func(t *testing.T, c *wrong) {
		switch c.kind {
		case "edit-base":
			base = c.text + "," + s.Base()
			return
		case "edit-filter":
			filter = c.text
			return
		case "older":
			s.Lag(older)
			return
		case "unheard":
			s.Lag(unheard)
			return
		case "unfilled":
			s.Lag(s.Unfilled())
			return
		}
		kind, ok := kinds[c.kind]
		on, known := moments[c.where]
		if !ok || !known {
			t.Fatalf("line %d: ldap does not know %q at %q", c.line, c.kind, c.where)
		}
		s.Misbehave(ldapsim.Fault{
			On: on, Only: only[c.where], Kind: kind, After: c.after, Times: c.times, Code: uint16(c.code), Text: "as ordered",
		})
	}
	w.mend = func() {
		s.Behave()
		base, filter = s.Base(), ""
	}
	return w
}
