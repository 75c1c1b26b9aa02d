package microsoftsim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDeltaOfUsers(t *testing.T) {
	now := time.Now()
	w := start(t, Options{Now: func() time.Time { return now }}, Population{People: 450, Extension: true})
	for _, spelling := range []string{"delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"} {
		list, link, pages := w.walk("/v1.0/users/" + spelling + "?$select=displayName,mobilePhone,manager")
		if len(list) != 450 || pages != 3 || !strings.Contains(link, "/v1.0/users/delta?$deltatoken=") {
			t.Errorf("%s: %d users on %d pages, %s", spelling, len(list), pages, link)
		}
		if _, there := list[1]["mobilePhone"]; there {
			t.Error("a first round must leave out what was never set")
		}
	}
	_, link, _ := w.walk("/v1.0/users/delta?$select=displayName,mobilePhone")
	if list, _, _ := w.walk(link); len(list) != 0 {
		t.Errorf("nothing happened: %v", list)
	}
	w.t.Set(w.t.PersonID(3), Props{"mobilePhone": nil})
	w.t.Set(w.t.PersonID(4), Props{"jobTitle": "not selected"})
	w.t.SoftDelete(w.t.PersonID(5))
	w.t.SoftDelete(w.t.PersonID(6))
	w.t.Purge(w.t.PersonID(6))
	added := w.t.AddUser(Props{"displayName": "New"})
	list, second, _ := w.walk(link)
	want := fmt.Sprintf("[map[displayName:%s id:%s mobilePhone:<nil>] map[@removed:map[reason:changed] id:%s] map[@removed:map[reason:deleted] id:%s] map[displayName:New id:%s]]",
		list[0]["displayName"], w.t.PersonID(3), w.t.PersonID(5), w.t.PersonID(6), added)
	if got := fmt.Sprint(list); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if list, _, _ := w.walk(link, "Prefer", "return=minimal"); len(list[0]) != 2 {
		t.Errorf("minimal: %v", list[0])
	}
	// Links may be spelt with fewer escapes.
	if list, _, _ := w.walk(strings.NewReplacer("%7E", "~", "%24", "$", "%2D", "-", "%2E", ".").Replace(link)); len(list) != 4 {
		t.Errorf("another spelling: %v", list)
	}
	w.t.Restore(w.t.PersonID(5))
	if list, _, _ := w.walk(second); len(list) != 1 || list[0]["displayName"] == nil {
		t.Errorf("restored: %v", list)
	}
	now = now.Add(8 * 24 * time.Hour)
	if a := w.get(second); a.status != http.StatusBadRequest || a.code() != "syncStateNotFound" {
		t.Errorf("an old token: %d %s", a.status, a.raw)
	}
	if a := w.get("/v1.0/groups/delta?$deltatoken=" + url.QueryEscape("a~AAAA.$-")); a.status != http.StatusBadRequest {
		t.Errorf("a foreign token: %d", a.status)
	}
	if list, _, _ := w.walk("/v1.0/users/delta?$deltatoken=latest"); len(list) != 0 {
		t.Errorf("latest: %d", len(list))
	}
}

func TestNoDeltaInB2C(t *testing.T) {
	w := start(t, Options{}, Population{})
	w.t.kind = B2C
	if a := w.get("/v1.0/users/delta"); a.status != http.StatusBadRequest || a.code() != "Request_UnsupportedQuery" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// model is what a client knows from deltas.
type model struct {
	users  map[string]string
	groups map[string]map[string]bool
}

func (m *model) apply(t *testing.T, list []map[string]any, groups bool) {
	t.Helper()
	for _, o := range list {
		id := o["id"].(string)
		_, gone := o["@removed"]
		switch {
		case gone && groups:
			delete(m.groups, id)
		case gone:
			delete(m.users, id)
		case groups:
			if m.groups[id] == nil {
				m.groups[id] = map[string]bool{}
			}
			members, _ := o["members@delta"].([]any)
			for _, raw := range members {
				e := raw.(map[string]any)
				if _, gone := e["@removed"]; gone {
					delete(m.groups[id], e["id"].(string))
				} else {
					m.groups[id][e["id"].(string)] = true
				}
			}
		default:
			m.users[id] = fmt.Sprint(o["jobTitle"])
		}
	}
}

// TestDeltaAgainstTruth changes a tenant at random, under every quirk, and follows it by deltas.
func TestDeltaAgainstTruth(t *testing.T) {
	for name, quirks := range map[string]Quirks{
		"plain": {}, "empty pages": {EmptyPages: true}, "duplicates": {Duplicates: true}, "replays": {Replays: true}, "interleaved": {Interleave: true},
		"removed in the first round": {FirstRoundRemoved: true, Interleave: true, EmptyPages: true, Duplicates: true, Replays: true}, "late": {DelayRounds: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Options{Pages: Pages{Users: 7, Groups: 3, Members: 11}}, Population{People: 60, Groups: 9})
			rnd := rand.New(rand.NewPCG(1, uint64(len(name))))
			step := func() { w.randomChange(rnd) }
			for range 20 {
				step()
			}
			w.SetQuirks(quirks)
			m := &model{map[string]string{}, map[string]map[string]bool{}}
			links := map[bool]string{false: "/v1.0/users/delta?$select=jobTitle", true: "/v1.0/groups/delta?$select=displayName,members"}
			for round := range 12 {
				for isGroups, link := range links {
					for link != "" {
						a := w.get(link)
						if a.status != http.StatusOK {
							t.Fatal(a.raw)
						}
						m.apply(t, a.value(), isGroups)
						link, _ = a.doc["@odata.nextLink"].(string)
						links[isGroups], _ = a.doc["@odata.deltaLink"].(string)
						if round < 8 {
							step()
						}
					}
				}
			}
			w.compare(m)
		})
	}
}

func (w *world) randomChange(rnd *rand.Rand) {
	people, teams := w.t.UserIDs(), w.t.GroupIDs()
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	switch n := rnd.IntN(12); {
	case n < 3:
		w.t.Set(pick(people), Props{"jobTitle": fmt.Sprint("Title ", rnd.IntN(1000))})
	case n < 6:
		w.t.AddMember(pick(teams), pick(people))
	case n < 8:
		if members := w.t.Members(pick(teams)); len(members) > 0 {
			w.t.RemoveMember(pick(teams), pick(members))
		}
	case n == 8:
		w.t.AddMember(w.t.AddGroup(nil), w.t.AddUser(nil))
	case n == 9 && len(people) > 20:
		w.t.SoftDelete(pick(people))
	case n == 10 && len(w.t.DeletedIDs()) > 0:
		w.t.Purge(pick(w.t.DeletedIDs()))
	case n == 11 && len(teams) > 5:
		w.t.Purge(pick(teams))
	}
}

// compare compares a client's knowledge with the truth. Members that are not there any more do not matter.
func (w *world) compare(m *model) {
	w.Helper()
	truth := w.t.UserIDs()
	if len(m.users) != len(truth) {
		w.Errorf("%d users known, %d there", len(m.users), len(truth))
	}
	for _, id := range truth {
		p, _ := w.t.Get(id)
		if m.users[id] != fmt.Sprint(p["jobTitle"]) {
			w.Errorf("%s: %q known, is %v", id, m.users[id], p["jobTitle"])
		}
	}
	if len(m.groups) != len(w.t.GroupIDs()) {
		w.Errorf("%d groups known, %d there", len(m.groups), len(w.t.GroupIDs()))
	}
	for _, g := range w.t.GroupIDs() {
		var known []string
		for id := range m.groups[g] {
			if slices.Contains(truth, id) || slices.Contains(w.t.GroupIDs(), id) {
				known = append(known, id)
			}
		}
		slices.Sort(known)
		if !slices.Equal(known, w.t.Members(g)) {
			w.Errorf("%s: %d members known, %d there", g, len(known), len(w.t.Members(g)))
		}
	}
}

func TestBigGroupIsSplit(t *testing.T) {
	w := start(t, Options{Pages: Pages{Members: 100}}, Population{People: 350, Groups: 3, GroupsPerPerson: 1})
	w.SetQuirks(Quirks{Interleave: true})
	parts := 0
	list, _, pages := w.walk("/v1.0/groups/delta?$select=members")
	for _, g := range list {
		if g["id"] == w.t.GroupID(0) {
			parts++
		}
	}
	if parts < 3 || pages < 3 || list[1]["id"] == w.t.GroupID(0) {
		t.Errorf("%d parts on %d pages", parts, pages)
	}
}

func TestFaults(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	for name, f := range map[string]Fault{"empty": {Kind: Empty}, "portal": {Kind: HTML}, "null": {Kind: NullElement}, "no list": {Kind: NoValue}, "gone": {Kind: Gone}} {
		f.Path, f.Times = "/users", 1
		w.Misbehave(f)
		broken, whole := w.get("/v1.0/users"), w.get("/v1.0/users")
		if broken.raw == whole.raw || len(whole.value()) != 3 {
			t.Errorf("%s: %s", name, broken.raw)
		}
	}
	token, _ := w.token(w.t.ID(), graphScope)
	for name, f := range map[string]Fault{"cut": {Kind: Cut}, "reset": {Kind: Reset}} {
		f.Path = "/users"
		disarm := w.Misbehave(f)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/v1.0/users", http.NoBody)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := w.client.Do(req)
		if err == nil {
			_, err = resp.Body.Read(make([]byte, 1<<20))
			for err == nil {
				_, err = resp.Body.Read(make([]byte, 1<<20))
			}
			resp.Body.Close()
		}
		if err == nil || err.Error() == "EOF" {
			t.Errorf("%s: %v", name, err)
		}
		disarm()
	}
	release, before := w.BlackHole(w.t.ID()), w.RequestsAbout(w.t.ID())
	done := make(chan error, 1)
	go func() {
		resp, err := w.client.PostForm(w.URL()+"/"+w.t.ID()+"/oauth2/v2.0/token", nil)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	// What is released before the request has come hangs nobody.
	for w.RequestsAbout(w.t.ID()) == before {
		select {
		case err := <-done:
			t.Fatalf("a black hole answered: %v", err)
		default:
			runtime.Gosched()
		}
	}
	release()
	if err := <-done; err == nil {
		t.Error("a released request must be cut")
	}
	if a := w.get("/v1.0/users"); a.status != http.StatusOK {
		t.Errorf("after the release: %d", a.status)
	}
	w.Misbehave(Fault{Kind: Foreign, Path: "/users", Times: 1})
	if a := w.get("/v1.0/users"); !strings.HasPrefix(fmt.Sprint(a.doc["@odata.nextLink"]), "https://evil.test/") {
		t.Errorf("foreign link: %s", a.raw)
	}
}
