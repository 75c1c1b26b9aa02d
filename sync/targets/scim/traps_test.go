package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/scim/scimtest"
)

// odd is a service that answers as some are known to (the names in the tests say which).
func odd(t *testing.T, change func(*Config), answer func(w http.ResponseWriter, r *http.Request, body string)) *Desk {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", mediaType)
		answer(w, r, string(body))
	}))
	t.Cleanup(server.Close)
	return open(t, &scimtest.Server{URL: server.URL, Token: "x"}, change)
}

func listOf(total int, resources ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"Resources":[%s]}`, total, strings.Join(resources, ","))
}

func scimUser(id, name, more string) string {
	return fmt.Sprintf(`{"id":%q,"userName":%q,"active":true%s}`, id, name, more)
}

func say(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// TestFilterIgnored: a filter that is answered with everybody finds nobody.
func TestFilterIgnored(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.URL.Path == "/Users" {
			say(w, 200, listOf(2, scimUser("1", "a@x", ""), scimUser("2", "b@x", "")))
			return
		}
		say(w, 404, `{}`)
	})
	if found, err := d.Find(t.Context(), directory.UserRecord, keyUserName, "b@x"); !errors.Is(err, targets.ErrCannotFind) {
		t.Errorf("%v, %v", found, err)
	}
}

// TestFilterTurns: a filter that was measured and then answers with others is not used any more.
func TestFilterTurns(t *testing.T) {
	var asked atomic.Int32
	d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
		filter := r.URL.Query().Get("filter")
		switch {
		case r.URL.Path != "/Users":
			say(w, 404, `{}`)
		case strings.Contains(filter, "other@x"):
			asked.Add(1)
			say(w, 200, listOf(1, scimUser("1", "a@x", "")))
		case filter == "" || strings.Contains(filter, `"a@x"`):
			say(w, 200, listOf(1, scimUser("1", "a@x", "")))
		default:
			say(w, 200, listOf(0))
		}
	})
	for range 2 {
		if found, err := d.Find(t.Context(), directory.UserRecord, keyUserName, "other@x"); !errors.Is(err, targets.ErrCannotFind) {
			t.Errorf("%v, %v", found, err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// TestFilterMindsCase: a search that minds the case finds somebody in one spelling only; that it finds nobody is no answer, also
// where the service would take the name a second time.
func TestFilterMindsCase(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
		filter := r.URL.Query().Get("filter")
		switch {
		case r.URL.Path != "/Users":
			say(w, 404, `{}`)
		case filter == "" || strings.Contains(filter, `"Ada@X"`):
			say(w, 200, listOf(1, scimUser("1", "Ada@X", "")))
		default:
			say(w, 200, listOf(0))
		}
	})
	if found, err := d.Find(t.Context(), directory.UserRecord, keyUserName, "Ada@X"); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := d.Find(t.Context(), directory.UserRecord, keyUserName, "ADA@x"); !errors.Is(err, targets.ErrCannotFind) {
		t.Errorf("%v, %v", found, err)
	}
}

func TestWalks(t *testing.T) {
	for _, test := range []struct {
		name  string
		page  func(start int) string
		doubt string // a part of it; empty: proof
		count int
	}{
		{"whole", func(start int) string {
			return listOf(3, [][]string{{scimUser("1", "a", ""), scimUser("2", "b", "")}, nil, {scimUser("3", "c", "")}}[start-1]...)
		}, "", 3},
		{"startIndex ignored", func(int) string { return listOf(3, scimUser("1", "a", ""), scimUser("2", "b", "")) }, "listed 2", 2},
		{"cut without a word", func(start int) string {
			if start > 1 {
				return listOf(500)
			}
			return listOf(500, scimUser("1", "a", ""))
		}, "of 500", 1},
		{"total too small", func(int) string { return listOf(1, scimUser("1", "a", ""), scimUser("2", "b", "")) }, "there are 1", 2},
		{"Resources: null", func(int) string { return `{"totalResults":0,"Resources":null}` }, "", 0},
		{"no total", func(start int) string {
			if start > 1 {
				return `{"Resources":[]}`
			}
			return `{"Resources":[` + scimUser("1", "a", "") + `]}`
		}, "how many", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
				start := 0
				_, _ = fmt.Sscan(r.URL.Query().Get("startIndex"), &start)
				say(w, 200, test.page(start))
			})
			n := 0
			proof, err := d.Survey(t.Context(), directory.UserRecord, func(*targets.Entity) error { n++; return nil })
			if err != nil || n != test.count || (proof.Doubt == "") != (test.doubt == "") || !strings.Contains(proof.Doubt, test.doubt) {
				t.Errorf("%d listed, %+v, %v", n, proof, err)
			}
		})
	}
}

// TestCreations: what is answered to a POST, and how often it is sent.
func TestCreations(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		body   string
		class  fault.Class
		exists bool
	}{
		{"there already, 409", 409, nil, `{"scimType":"uniqueness","detail":"a@x is taken"}`, fault.Invalid, true},
		{"there already, 200", 200, nil, scimUser("1", "a@x", ""), fault.Invalid, true},
		{"uniqueness with 400", 400, nil, `{"scimType":"uniqueness"}`, fault.Invalid, true},
		{"refused", 400, nil, `{"scimType":"invalidValue","detail":"no"}`, fault.Invalid, false},
		{"effect without answer", 502, nil, `<html>`, fault.Transient, false},
		{"nothing named", 201, nil, `{}`, fault.Transient, false},
		{"HTML with 200", 200, http.Header{"Content-Type": {"text/html"}}, `<html>`, fault.Transient, false},
		{"too much", 429, http.Header{"Retry-After": {"7"}}, `{}`, fault.Throttled, false},
		{"not allowed", 403, nil, `{}`, fault.Forbidden, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var sent atomic.Int32
			d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
				if r.Method == http.MethodPost {
					sent.Add(1)
				}
				for k, v := range test.header {
					w.Header()[k] = v
				}
				say(w, test.status, test.body)
			})
			results, err := d.Apply(t.Context(), []targets.Job{userJob(1)})
			if err != nil {
				t.Fatal(err)
			}
			got := results[0].Err
			if fault.ClassOf(got) != test.class || errors.Is(got, targets.ErrExists) != test.exists || sent.Load() != 1 {
				t.Errorf("%v (%s), sent %d times", got, fault.ClassOf(got), sent.Load())
			}
			if test.class == fault.Throttled && fault.After(got) != 7*time.Second {
				t.Errorf("wait %s", fault.After(got))
			}
			var f *fault.Error
			if errors.As(got, &f) && (strings.Contains(f.Op+f.Where+f.Hint, "a@x")) {
				t.Errorf("personal data outside of the cause: %v", f)
			}
		})
	}
}

// TestTakenOver: a service that answers a creation with somebody who was there is found out by the mark.
func TestTakenOver(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, _ *http.Request, _ string) {
		say(w, 201, scimUser("77", "somebody@x", `,"externalId":"another"`))
	})
	results, err := d.Apply(t.Context(), []targets.Job{userJob(1)})
	if err != nil || results[0].Err != nil || results[0].Entity.Keys[targets.Mark] != "another" || len(results[0].Warnings) != 1 {
		t.Errorf("%+v, %v", results, err)
	}
}

// TestUpdateForms: which requests a change comes to at services that do not take the first form.
func TestUpdateForms(t *testing.T) {
	now := scimUser("1", "a@x", `,"title":"Old","displayName":"A","emails":[{"value":"a@x","type":"work","primary":true},{"value":"p@y","type":"home"}],"x":{"kept":"yes"}`)
	for _, test := range []struct {
		name   string
		refuse func(method, body string) int // a status; 0: taken
		want   []string                      // methods and, of a PATCH, operations
		class  fault.Class
	}{
		{"taken", func(string, string) int { return 0 }, []string{"PATCH replace displayName,replace emails,remove title"}, ""},
		{"no PATCH", func(m, _ string) int {
			if m == http.MethodPatch {
				return 405
			}
			return 0
		}, []string{"PATCH replace displayName,replace emails,remove title", "PUT"}, ""},
		{"remove is refused", func(_, body string) int {
			if strings.Contains(body, `"remove"`) {
				return 400
			}
			return 0
		}, []string{
			"PATCH replace displayName,replace emails,remove title", "PATCH replace displayName", "PATCH replace emails", "PATCH remove title", "PATCH replace title",
		}, ""},
		{"one attribute is refused", func(_, body string) int {
			if strings.Contains(body, `"title"`) {
				return 400
			}
			return 0
		}, []string{
			"PATCH replace displayName,replace emails,remove title", "PATCH replace displayName", "PATCH replace emails", "PATCH remove title", "PATCH replace title",
		}, fault.Invalid},
		{"down", func(string, string) int { return 503 }, []string{"PATCH replace displayName,replace emails,remove title"}, fault.Transient},
	} {
		t.Run(test.name, func(t *testing.T) {
			var sent []string
			var put string
			d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, body string) {
				if r.Method == http.MethodGet {
					say(w, 200, now)
					return
				}
				word := r.Method
				var patch struct{ Operations []operation }
				if r.Method == http.MethodPatch && json.Unmarshal([]byte(body), &patch) == nil {
					var ops []string
					for _, op := range patch.Operations {
						ops = append(ops, op.Op+" "+op.Path)
						if list, many := op.Value.([]any); op.Path == "emails" && (!many || len(list) != 2) {
							t.Errorf("the other address would be lost: %v", op.Value)
						}
					}
					word += " " + strings.Join(ops, ",")
				} else {
					put = body
				}
				sent = append(sent, word)
				if status := test.refuse(r.Method, body); status != 0 {
					say(w, status, `{}`)
					return
				}
				w.WriteHeader(http.StatusNoContent)
			})
			results, err := d.Apply(t.Context(), []targets.Job{{
				Op: directory.Update, Kind: directory.UserRecord, ID: "1", Fields: fields("title", "", "name", "B", "email", "b@x"), Sent: fields("login", "a@x"),
			}})
			if err != nil || !slices.Equal(sent, test.want) {
				t.Errorf("%v\nsent %s\nwant %s", err, strings.Join(sent, " | "), strings.Join(test.want, " | "))
			}
			if got := results[0].Err; (got == nil) != (test.class == "") || got != nil && fault.ClassOf(got) != test.class {
				t.Errorf("%v", got)
			}
			if put != "" && (!strings.Contains(put, `"kept":"yes"`) || !strings.Contains(put, "p@y") || strings.Contains(put, "title")) {
				t.Errorf("PUT %s", put)
			}
		})
	}
}

// TestStaysActive: a service that takes a deactivation and shows the user active is not believed.
func TestStaysActive(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, _ *http.Request, _ string) { say(w, 200, scimUser("1", "a@x", "")) })
	results, err := d.Apply(t.Context(), []targets.Job{{Op: directory.Deactivate, Kind: directory.UserRecord, ID: "1"}})
	if err != nil || fault.ClassOf(results[0].Err) != fault.Invalid {
		t.Errorf("%+v, %v", results, err)
	}
}

// TestHiddenMembers: where only PUT is known and no member shown, no list is replaced.
func TestHiddenMembers(t *testing.T) {
	var put bool
	d := odd(t, func(c *Config) { c.Updates = "put" }, func(w http.ResponseWriter, r *http.Request, _ string) {
		put = put || r.Method == http.MethodPut
		say(w, 200, `{"id":"1","displayName":"Lab"}`)
	})
	results, err := d.Apply(t.Context(), []targets.Job{{Op: directory.Update, Kind: directory.GroupRecord, ID: "1", Add: []string{"2"}}})
	if err != nil || fault.ClassOf(results[0].Err) != fault.Invalid || put {
		t.Errorf("%+v, %v, put %t", results, err, put)
	}
}

// TestGoneIsProven: a 404 of a whole service is no proof that somebody is gone.
func TestGoneIsProven(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.URL.Path == "/Users" {
			say(w, 503, `{}`)
			return
		}
		say(w, 404, `{}`)
	})
	d.client.reads = d.client.writes // without retries
	if _, err := d.Fetch(t.Context(), directory.UserRecord, "1"); fault.ClassOf(err) != fault.Transient {
		t.Errorf("%v", err)
	}
}

func TestChangedMeanwhile(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("ETag", `W/"2"`)
		say(w, 200, scimUser("1", "a@x", `,"meta":{"version":"W/\"2\""}`))
	})
	results, err := d.Apply(t.Context(), []targets.Job{{Op: directory.Update, Kind: directory.UserRecord, ID: "1", Revision: `W/"1"`, Fields: fields("title", "x")}})
	if err != nil || fault.ClassOf(results[0].Err) != fault.Conflict {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestProtected(t *testing.T) {
	d := &Desk{attributes: defaults().attributes()}
	for body, want := range map[string]bool{
		`{"id":"1","roles":[{"value":"Global Administrator"}]}`: true, `{"id":"1","userType":"Service"}`: true, `{"id":"1","roles":["owner"]}`: true,
		`{"id":"1","roles":[{"value":"Technician"}],"userType":"Employee"}`: false,
	} {
		var r resource
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		if e := d.entity(directory.UserRecord, r); (e.Protected != "") != want {
			t.Errorf("%s: %q", body, e.Protected)
		}
	}
}

func TestAttributes(t *testing.T) {
	for text, want := range map[string]string{
		"title": "title", "name.givenName": "name.givenName", "emails[work]": "emails", enterprise + ":department": enterprise + ":department",
		"": "error", "a b": "error", "emails[": "error", "emails[a b]": "error", "id": "error", "active": "error", "x:y": "error", "name.": "error", "1a": "error",
	} {
		a, err := parseAttribute(text)
		if got := a.path(); err != nil && want != "error" || err == nil && got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		path   string
		change func(*Config)
	}{
		{"url", func(c *Config) { c.URL = "scim.example.test" }},
		{"url", func(c *Config) { c.URL = "https://u:p@scim.example.test" }},
		{"token", func(c *Config) { c.Token = settings.Secret{} }},
		{"updates", func(c *Config) { c.Updates = "post" }},
		{"filter", func(c *Config) { c.Filter = "maybe" }},
		{"page", func(c *Config) { c.Page = 0 }},
		{"chunk", func(c *Config) { c.Chunk = 100000 }},
		{"parallel", func(c *Config) { c.Parallel = 0 }},
		{"rate", func(c *Config) { c.Rate = 0 }},
		{"username", func(c *Config) { c.Username = nil }},
		{"fields.title", func(c *Config) { c.Fields = map[string]string{"title": "a b"} }},
	} {
		c := defaults()
		c.URL, c.Token = "https://scim.example.test/v2", settings.NewSecret("x")
		if issues := c.Validate(); len(issues) != 0 {
			t.Fatal(issues)
		}
		test.change(c)
		issues := c.Validate()
		if len(issues) != 1 || issues[0].Path != test.path {
			t.Errorf("%s: %+v", test.path, issues)
		}
	}
}

// TestOnlyApplyWrites: outside of Apply nothing that writes is sent.
func TestOnlyApplyWrites(t *testing.T) {
	d := odd(t, nil, func(w http.ResponseWriter, r *http.Request, _ string) {
		t.Errorf("%s %s was sent", r.Method, r.URL.Path)
		say(w, 200, `{}`)
	})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, err := d.client.send(t.Context(), method, "/Users/1", resource{}, nil); fault.ClassOf(err) != fault.Internal {
			t.Errorf("%s: %v", method, err)
		}
	}
}
