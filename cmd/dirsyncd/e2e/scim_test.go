package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/targets/scim/scimtest"
)

// apps is a real SCIM service that people used before.
type apps struct {
	*scimtest.Server
	t *testing.T
}

func (a apps) ask(method, path string, in, out any) {
	a.t.Helper()
	body := io.Reader(http.NoBody)
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			a.t.Fatal(err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		a.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		a.t.Fatal(err)
	}
}

// account is a user of the service, as JSON.
type account map[string]any

func (u account) mark() string { m, _ := u["externalId"].(string); return m }

// everybody is a dump of the service, by id.
func (a apps) everybody() map[string]account {
	a.t.Helper()
	all := map[string]account{}
	for {
		var page struct {
			TotalResults int
			Resources    []account
		}
		a.ask(http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=200", len(all)+1), nil, &page)
		for _, u := range page.Resources {
			all[fmt.Sprint(u["id"])] = u
		}
		if len(all) >= page.TotalResults {
			return all
		}
	}
}

func (a apps) add(name, mail, display string) {
	a.t.Helper()
	u := account{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "active": true, "emails": []any{map[string]any{"value": mail, "type": "work"}}}
	if display != "" {
		u["displayName"] = display
	}
	a.ask(http.MethodPost, "/Users", u, &account{})
}

const (
	staff   = 500
	known   = 300 // of them are at the service already
	sharing = 3   // of those share their address with somebody else there
	others  = 40
)

// fill makes the accounts that are there before, half of them under other names than we would give them.
func (a apps) fill() {
	for i := range known {
		name := fmt.Sprintf("Login%d", i)
		if i%2 == 1 {
			name = fmt.Sprintf("former-name-%d", i)
		}
		display := ""
		if i%5 == 0 {
			display = fmt.Sprintf("As written there %d", i)
		}
		a.add(name, fmt.Sprintf("p%d@example.test", i), display)
		if i%2 == 1 && i < 2*sharing {
			a.add(fmt.Sprintf("shares-%d", i), fmt.Sprintf("p%d@example.test", i), "Somebody else")
		}
	}
	for i := range others {
		a.add(fmt.Sprintf("other%d", i), fmt.Sprintf("other%d@elsewhere.test", i), fmt.Sprintf("Person %d", i))
	}
}

func people(n int) string {
	var b strings.Builder
	b.WriteString("id,login,name,email,title\n")
	for i := range n {
		fmt.Fprintf(&b, "e%d,login%d,Person %d,p%d@example.test,Engineer\n", i, i, i, i)
	}
	return b.String()
}

// TestCompanyAtSCIM: a company of whom many are at a SCIM service already is adopted there, without one account too many and
// without a change to anybody who is not ours, also when the program is killed again and again and when an older state
// comes back.
func TestCompanyAtSCIM(t *testing.T) {
	t.Parallel()
	a := apps{scimtest.Scimmy(t, scimtest.Express4), t}
	a.fill()
	before := a.everybody()
	service := count(t, a.URL, func(*http.Request) bool { return false })
	in := install(t, fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [apps]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}}}
mappings:
  staff:
    rules: [{name: everyone, user: {name: = name, login: = login, email: = email, title: = title}}]
    guard: {create: {count: 100000}}
targets:
  apps:
    target: scim
    match: {user: [{emails: = email}]}
    scim: {url: %q, token: {env: SCIM_TOKEN}, rate: 1000, parallel: 4}
`, service.URL))
	in.env = append(in.env, "SCIM_TOKEN="+a.Token)
	if err := os.Mkdir(in.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(n int) {
		if err := os.WriteFile(in.path("in/people.csv"), []byte(people(n)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(staff)

	in.run("sync")
	writes := func() int {
		r := a.Requests(t)
		return r["PUT"] + r["PATCH"] + r["DELETE"] + r["POST"]
	}
	began := writes()
	held := ask[[]struct {
		Target, Hash string
		Counts       map[string]map[string]int
	}](in, 3, "adopt")
	if len(held) != 1 || held[0].Counts["user"]["adopt"] != known-sharing || held[0].Counts["user"]["create"] != staff-known || held[0].Counts["user"]["review"] != sharing {
		t.Fatalf("held: %+v", held)
	}
	if n := writes(); n != began {
		t.Fatalf("%d writing requests before the approval", n-began)
	}
	killWhileWriting(t, in, held[0].Hash, 5, service.cut)
	settle := func() {
		t.Helper()
		for range 20 { // each may take long
			in.run("sync")
			st := ask[struct {
				Targets []struct {
					Waiting, Parked int
					Waits           map[string]int
				}
			}](in, 0, "status")
			if st.Targets[0].Parked > 0 {
				t.Fatalf("%+v", st)
			}
			if st.Targets[0].Waiting == 0 && st.Targets[0].Waits["review"] == sharing && len(st.Targets[0].Waits) == 1 {
				return
			}
		}
		t.Fatal("there is always something left to do")
	}
	settle()
	check := func() {
		t.Helper()
		now := a.everybody()
		if want := len(before) + staff - known; len(now) != want {
			t.Errorf("%d accounts, and not %d", len(now), want)
		}
		marks := map[string]bool{}
		for id, u := range now {
			if m := u.mark(); m != "" {
				if marks[m] {
					t.Errorf("%s is there twice", m)
				}
				marks[m] = true
			}
			was, old := before[id]
			switch {
			case !old:
			case u.mark() == "" && !same(was, u):
				t.Errorf("somebody who is not ours was changed:\n%v\n%v", was, u)
			case was["displayName"] != nil && was["displayName"] != u["displayName"]:
				t.Errorf("what was written there is overwritten: %v, %v", was["displayName"], u["displayName"])
			}
		}
		if len(marks) != staff-sharing {
			t.Errorf("%d are ours, and not %d", len(marks), staff-sharing)
		}
	}
	check()

	began = writes()
	in.run("sync")
	if n := writes(); n != began {
		t.Errorf("a run without changes sent %d writing requests", n-began)
	}

	if err := os.Rename(in.path("older.db"), in.path("state.db")); err != nil {
		t.Fatal(err)
	}
	settle()
	check()
}

func same(a, b account) bool {
	x, y := maps.Clone(a), maps.Clone(b)
	delete(x, "meta")
	delete(y, "meta")
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(p, q)
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
