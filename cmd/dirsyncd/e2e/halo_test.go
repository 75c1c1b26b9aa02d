package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"testing"

	"dirsyncd/sync/targets/halo/halosim"
)

// halo is a desk that people used before: most of the company are users of the customer Acme there, half of them under other log-ins
// than we would give them. Beta has people of its own.
type halo struct {
	*halosim.Sim
	t            *testing.T
	acme, beta   int // customers
	sites        map[int]int
	staff, known int
}

func haloDesk(t *testing.T, staff, known int) *halo {
	t.Helper()
	h := &halo{Sim: halosim.Start(t, 7), t: t, sites: map[int]int{}, staff: staff, known: known}
	var site int
	h.acme, site = h.Customer("Acme")
	h.sites[h.acme] = site
	h.beta, site = h.Customer("Beta")
	h.sites[h.beta] = site
	for i := range known {
		u := halosim.Thing{"name": fmt.Sprintf("Person %d", i), "login": fmt.Sprintf("Login%d", i), "emailaddress": fmt.Sprintf("P%d@example.test", i), "site_id": h.sites[h.acme]}
		if i%2 == 1 {
			u["login"] = fmt.Sprintf("former-name-%d", i)
		}
		if i%5 == 0 {
			u["title"] = fmt.Sprintf("As written there %d", i)
		}
		if i%10 == 9 {
			u["inactive"] = true
		}
		h.Add("Users", u)
		if i%2 == 1 && i < 2*sharing {
			h.Add("Users", halosim.Thing{"name": "Somebody else", "login": fmt.Sprintf("shares-%d", i), "emailaddress": fmt.Sprintf("p%d@example.test", i), "site_id": h.sites[h.acme]})
		}
	}
	for i := range others { // they have the names of ours
		h.Add("Users", halosim.Thing{"name": fmt.Sprintf("Person %d", i), "login": fmt.Sprintf("other%d", i), "emailaddress": fmt.Sprintf("other%d@elsewhere.test", i), "site_id": h.sites[h.beta]})
	}
	return h
}

func (h *halo) configuration(address string, rate int) string {
	return fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [desk]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}}}
mappings:
  staff:
    rules: [{name: everyone, user: {name: = name, login: = login, email: = email, title: = title, customer: Acme}}]
    guard: {create: {count: 100000}, deactivate: {count: 100000}}
targets:
  desk:
    target: halo
    match: {user: [{emailaddress: = email}]}
    kinds: [user]
    guard: {create: {count: 100000}, adopt: {count: 100000}, deactivate: {count: 100000}}
    halo: {url: %q, auth_url: %q, client_id: %s, client_secret: {env: HALO_SECRET}, module: %d, rate: %d, parallel: 4}
`, address, h.URL+"/auth", halosim.ClientID, halosim.Module, rate)
}

// dump is everything that is there but the users, and the users by number.
func (h *halo) dump() (rest map[string][]halosim.Thing, users map[int]halosim.Thing) {
	rest, users = map[string][]halosim.Thing{}, map[int]halosim.Thing{}
	for _, resource := range []string{"Client", "Site", "Agent", "Team", "Roles", "UserRoles", "CAB", "Asset", "SoftwareLicence", "Tickets"} {
		rest[resource] = h.Things(resource)
	}
	for _, u := range h.Things("Users") {
		users[u.ID()] = u
	}
	return rest, users
}

// TestCompanyAtHalo: a company of whom many are users of a Halo desk already is adopted there, without one user too many and without a
// change to anybody who is not ours, also when the program is killed again and again and when an older state comes back.
func TestCompanyAtHalo(t *testing.T) {
	t.Parallel()
	h := haloDesk(t, staff, known)
	restBefore, before := h.dump()
	service := count(t, h.URL, func(r *http.Request) bool { return r.URL.Path == "/auth/token" })
	in := install(t, h.configuration(service.URL, 1000))
	in.env = append(in.env, "HALO_SECRET="+halosim.Secret)
	if err := os.Mkdir(in.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in.path("in/people.csv"), []byte(people(staff)), 0o600); err != nil {
		t.Fatal(err)
	}

	in.run("check", "--probe")
	in.run("sync")
	held := ask[[]struct {
		Target, Hash string
		Counts       map[string]map[string]int
	}](in, 3, "adopt")
	if len(held) != 1 || held[0].Counts["user"]["adopt"] != known-sharing || held[0].Counts["user"]["create"] != staff-known || held[0].Counts["user"]["review"] != sharing {
		t.Fatalf("held: %+v", held)
	}
	if n := h.Counts().Writes; n != 0 {
		t.Fatalf("%d writing requests before the approval", n)
	}
	killWhileWriting(t, in, held[0].Hash, 20, service.cut)
	settle := func() {
		t.Helper()
		eventually(t, "nothing is left to do", func() bool {
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
			return st.Targets[0].Waiting == 0 && st.Targets[0].Waits["review"] == sharing && len(st.Targets[0].Waits) == 1
		})
	}
	check := func() {
		t.Helper()
		restNow, now := h.dump()
		for resource, things := range restBefore {
			if !reflect.DeepEqual(things, restNow[resource]) {
				t.Errorf("%s changed", resource)
			}
		}
		if want := len(before) + staff - known; len(now) != want {
			t.Errorf("%d users, and not %d", len(now), want)
		}
		h.check(before, now)
	}
	settle()
	check()

	began := h.Counts().Writes
	in.run("sync")
	if n := h.Counts().Writes; n != began {
		t.Errorf("a run without changes sent %d writing requests", n-began)
	}
	in.run("audit", "desk")

	if err := os.Rename(in.path("older.db"), in.path("state.db")); err != nil {
		t.Fatal(err)
	}
	settle()
	check()
	for _, strange := range h.Strange() {
		t.Error("it was sent:", strange)
	}
	if c := h.Counts(); c.Mails+c.Automations > 0 {
		t.Errorf("%d mails and %d automations went off", c.Mails, c.Automations)
	}
}

// check looks for users that are there twice, and for changes to those who are not ours.
func (h *halo) check(before, now map[int]halosim.Thing) {
	h.t.Helper()
	marks := map[string]int{}
	marked := map[int]bool{}
	for _, l := range h.Things("ExternalLink") {
		id, _ := l["halo_id"].(int)
		if marks[l.Text("third_party_id")]++; marks[l.Text("third_party_id")] > 1 {
			h.t.Errorf("%s is there twice", l.Text("third_party_id"))
		}
		if marked[id] {
			h.t.Errorf("the user %d is two records", id)
		}
		marked[id] = true
	}
	if len(marks) != h.staff-sharing {
		h.t.Errorf("%d are ours, and not %d", len(marks), h.staff-sharing)
	}
	for id, was := range before {
		u := maps.Clone(now[id])
		if !marked[id] && !reflect.DeepEqual(was, now[id]) {
			h.t.Errorf("somebody who is not ours was changed:\n%v\n%v", was, u)
		}
		if marked[id] && was["title"] != nil && was["title"] != u["title"] {
			h.t.Errorf("what was written there is overwritten: %v, %v", was["title"], u["title"])
		}
		if marked[id] && u["inactive"] != false {
			h.t.Errorf("the user %d is ours and out of use", id)
		}
	}
}
