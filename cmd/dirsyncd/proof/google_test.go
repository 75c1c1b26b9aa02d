package proof

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/google"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/settings"
)

// signingKey is made once: it takes longer than most tests.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func googleWorld(t *testing.T) *world {
	key, err := signingKey()
	check(t, err)
	s, err := googlesim.Start(googlesim.Options{Key: key, PageCap: 8})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	company := s.Customer(0)
	company.Fill(30)
	var w *world
	w = &world{
		name: "google", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := google.Defaults()
			cfg.Endpoint, cfg.Credentials, cfg.Subject = s.Endpoint(), settings.NewSecret(string(s.KeyFile())), company.Admin()
			cfg.Devices.ChromeOS, cfg.Devices.Mobile = true, true
			cfg.Licences.Products = []string{"Google-Apps", "101031"}
			cfg.Quota, cfg.Share, cfg.Timeout = 100_000_000, 100, settings.Duration(w.timeout)
			c, err := google.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
	}
	names := 0
	next := func() string { names++; return fmt.Sprint("new", names) }
	employees := func() (list []googlesim.User) {
		for _, u := range company.Users() {
			if u.Email != company.Admin() {
				list = append(list, u)
			}
		}
		return list
	}
	w.join = func(*testing.T) {
		company.AddUser(googlesim.User{Email: next() + "@example.test", GivenName: "New", FamilyName: "Comer"})
	}
	w.leave = func(*testing.T) { company.DeleteUser(employees()[3].ID) }
	w.change = func(_ *testing.T, rnd *mrand.Rand) bool {
		people, groups := employees(), company.Groups()
		person, group := pick(rnd, people), pick(rnd, groups)
		switch rnd.IntN(11) {
		case 0:
			w.join(nil)
		case 1:
			if len(people) < 10 {
				return false
			}
			company.DeleteUser(person.ID)
		case 2, 3:
			company.EditUser(person.ID, "CHANGE_USER_ORGANIZATION", func(u *googlesim.User) { u.Title = next() })
		case 4:
			company.EditUser(person.ID, "CHANGE_USER_RELATION", func(u *googlesim.User) { u.Manager = pick(rnd, people).Email })
		case 5:
			company.RenameUser(person.ID, next()+"@example.test")
		case 6:
			for _, m := range group.Members {
				if m.ID == person.ID {
					return false
				}
			}
			company.Join(group.ID, googlesim.Member{ID: person.ID, Email: person.Email, Type: "USER", Role: "MEMBER"})
		case 7:
			if len(group.Members) == 0 {
				return false
			}
			at := rnd.IntN(len(group.Members))
			if group.Members[at].Type != "USER" {
				return false // whether a group is missing no count tells: that takes two lists, and so a second run
			}
			company.Leave(group.ID, at)
		case 8:
			company.Assign(googlesim.Licence{Product: "101031", ProductName: "Google Workspace for Education", SKU: "1010310005", SKUName: "Education Standard", Email: person.Email})
		case 9:
			company.Revoke(func(l *googlesim.Licence) bool { return l.Email == person.Email })
		default:
			company.EditGroup(group.ID, "CHANGE_GROUP_NAME", func(g *googlesim.Group) { g.Name = next() })
		}
		return true
	}
	w.hurt, w.mend = googleTrouble(s)
	return w
}

// googleTrouble is what can go wrong with the services of Google.
func googleTrouble(s *googlesim.Server) (func(*testing.T, *wrong), func()) {
	matches := map[string]string{
		"users": "/directory/v1/users", "groups": "/directory/v1/groups?", "members": "/members", "licences": "/licensing/", "events": "/reports/",
		"customer": "/directory/v1/customers/", "token": "/token", "any": "", "devices": "/devices/", "one-user": "/directory/v1/users/",
		"one-group": "/directory/v1/groups/" + s.Customer(0).Groups()[1].ID + "/members",
	}
	kinds := map[string]googlesim.FaultKind{"cut": googlesim.Cut, "reset": googlesim.Reset, "hang": googlesim.Hang, "answer": googlesim.Answer}
	list := func(doc map[string]any) string {
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			if _, ok := doc[key].([]any); ok {
				return key
			}
		}
		return ""
	}
	rewrites := map[string]func(map[string]any){
		"null-element": func(doc map[string]any) { doc[list(doc)] = append([]any{nil}, doc[list(doc)].([]any)...) },
		"not-a-list":   func(doc map[string]any) { doc[list(doc)] = "nothing" },
		"loop":         func(doc map[string]any) { doc["nextPageToken"] = "the same for ever" },
		"repeat":       func(doc map[string]any) { l := doc[list(doc)].([]any); doc[list(doc)] = append(l, l...) },
		"short": func(doc map[string]any) {
			l := doc[list(doc)].([]any)
			doc[list(doc)] = l[:max(0, len(l)-1)]
			delete(doc, "nextPageToken")
		},
		"nobody": func(doc map[string]any) {
			for _, item := range doc[list(doc)].([]any) {
				delete(item.(map[string]any), "id")
				delete(item.(map[string]any), "email")
			}
		},
		"no-ids": func(doc map[string]any) {
			for _, item := range doc[list(doc)].([]any) {
				delete(item.(map[string]any), "id")
			}
		},
	}
	var undo []func()
	hurt := func(t *testing.T, w *wrong) {
		t.Helper()
		match, ok := matches[w.where]
		if !ok {
			t.Fatalf("line %d: there is no place %q", w.line, w.where)
		}
		f := googlesim.Fault{Match: match, Skip: w.after, Times: w.times}
		switch w.kind {
		case "answer":
			f.Kind, f.Status = googlesim.Answer, w.code
			f.Body = fmt.Sprintf(`{"error":{"code":%d,"message":"as ordered","errors":[{"domain":"global","reason":%q,"message":"as ordered"}]}}`, w.code, w.text)
		case "empty":
			f.Kind, f.Status = googlesim.Answer, 200
		case "html":
			f.Kind, f.Status, f.Body, f.Header = googlesim.Answer, max(w.code, 200), "<html>sign in</html>", map[string]string{"Content-Type": "text/html"}
		case "expire-pages":
			s.ExpirePages()
			return
		case "expire-access":
			s.ExpireTokens()
			return
		case "deny":
			s.Deny(w.text)
			undo = append(undo, func() { s.Grant(w.text) })
			return
		default:
			if rewrite, ok := rewrites[w.kind]; ok {
				f.Kind = googlesim.Change
				f.Rewrite = func(doc map[string]any) {
					if list(doc) != "" {
						rewrite(doc)
					}
				}
				break
			}
			kind, ok := kinds[w.kind]
			if !ok {
				t.Fatalf("line %d: Google does not know %q", w.line, w.kind)
			}
			f.Kind = kind
		}
		s.Misbehave(f)
	}
	return hurt, func() {
		s.Behave()
		for _, f := range undo {
			f()
		}
		undo = nil
	}
}
