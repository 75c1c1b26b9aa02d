package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func small(tb testing.TB) *world {
	return newWorld(tb, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 40, Groups: 8, SKUs: 3, Managed: 5}},
		microsoftsim.Pages{Users: 10, Groups: 3, Members: 15, Most: 10})
}

// readAll reads a stream and returns its pages' objects and last cursor.
func readAll(tb testing.TB, c *Connector, stream string, mode connectors.Mode, cursor []byte) (objects map[string]directory.Object, last connectors.Page, err error) {
	objects = map[string]directory.Object{}
	err = connectors.Guard(c).Read(tb.Context(), connectors.Request{Stream: stream, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
		for i := range p.Objects {
			objects[p.Objects[i].ID] = keepObject(&p.Objects[i])
		}
		last = *p
		return nil
	})
	return objects, last, err
}

// TestOddAnswers: whatever answers something else than the whole truth ends the read without a proof.
func TestOddAnswers(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault microsoftsim.Fault
		class fault.Class
		says  string
	}{
		{"empty 200", microsoftsim.Fault{Kind: microsoftsim.Empty}, fault.Transient, "empty"},
		{"portal", microsoftsim.Fault{Kind: microsoftsim.HTML}, fault.Transient, "text/html"},
		{"cut", microsoftsim.Fault{Kind: microsoftsim.Cut}, fault.Transient, "cut short"},
		{"reset", microsoftsim.Fault{Kind: microsoftsim.Reset}, fault.Transient, ""},
		{"same link again", microsoftsim.Fault{Kind: microsoftsim.Loop}, fault.Transient, "followed before"},
		{"endless", microsoftsim.Fault{Kind: microsoftsim.Endless}, fault.Transient, "brought nothing new"},
		{"foreign host", microsoftsim.Fault{Kind: microsoftsim.Foreign}, fault.Invalid, "evil.test"},
		{"no list", microsoftsim.Fault{Kind: microsoftsim.NoValue}, fault.Transient, "no list"},
		{"no link", microsoftsim.Fault{Kind: microsoftsim.NoLink}, fault.Transient, "neither"},
		{"502 HTML", microsoftsim.BadGateway("", 0), fault.Transient, "502"},
		{"429 for ever", microsoftsim.Throttle("", "3", 0), fault.Throttled, "TooManyRequests"},
		{"410", microsoftsim.Fault{Kind: microsoftsim.Gone}, fault.CursorExpired, "expired"},
		{"501", microsoftsim.ErrorAnswer("", 0, http.StatusNotImplemented, "NotImplemented", "x"), fault.Configuration, "cannot be read"},
		{"no such property", microsoftsim.ErrorAnswer("", 0, http.StatusBadRequest, "BadRequest", "Could not find a property named 'shoe' on type 'microsoft.graph.user'."), fault.Configuration, "no property shoe"},
		{"own link refused", microsoftsim.ErrorAnswer("", 0, http.StatusBadRequest, "Request_BadRequest", "x"), fault.Transient, "refuses its own link"},
		{"no premium licence", microsoftsim.ErrorAnswer("", 0, http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "x"), fault.Configuration, "premium"},
		{"404", microsoftsim.ErrorAnswer("", 0, http.StatusNotFound, "ResourceNotFound", "x"), fault.Configuration, "no such list"},
		{"403", microsoftsim.ErrorAnswer("", 0, http.StatusForbidden, "Authorization_RequestDenied", "x"), fault.Forbidden, "permission"},
		{"identity", microsoftsim.ErrorAnswer("", 0, http.StatusUnauthorized, "Authorization_IdentityNotFound", "x"), fault.Auth, "not known in this tenant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := small(t)
			c := w.open(nil)
			test.fault.Path, test.fault.Skip = "/users/delta", 2
			if test.class == fault.Configuration {
				test.fault.Skip = 0 // only a first request can be wrong in this way
			}
			w.s.Misbehave(test.fault)
			_, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
			if fault.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.says) {
				t.Errorf("class %s, want %s: %v", fault.ClassOf(err), test.class, err)
			}
			if last.Proof != nil {
				t.Error("a proof")
			}
			w.s.Behave()
			if objects, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err != nil || len(objects) != 40 {
				t.Errorf("afterwards: %d, %v", len(objects), err)
			}
		})
	}
}

// TestGoneAtOnce: without a cursor there is nothing to give up, so the read is worth repeating as it is.
func TestGoneAtOnce(t *testing.T) {
	w := small(t)
	w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Gone, Path: "/delta"})
	if _, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil); fault.ClassOf(err) != fault.Transient {
		t.Errorf("%v", err)
	}
}

// TestNothingIsSentElsewhere: the token does not follow a link to another host or out of TLS.
func TestNothingIsSentElsewhere(t *testing.T) {
	w := small(t)
	for _, link := range []string{"https://evil.test/v1.0/users", strings.Replace(w.s.URL(), "https:", "http:", 1) + "/v1.0/users", "/v1.0/users", "https://user@" + strings.TrimPrefix(w.s.URL(), "https://") + "/v1.0/users", "::"} {
		hosts := map[string]bool{}
		c := w.reader(Selection{}, func(base http.RoundTripper) http.RoundTripper {
			return edits{spy{base, hosts}, func(req *http.Request, body []byte) []byte {
				if !strings.Contains(req.URL.Path, "/users/delta") {
					return body
				}
				body, _ = json.Marshal(map[string]any{"value": []any{}, "@odata.nextLink": link})
				return body
			}}
		})
		_, _, err := readAll(t, c, streamUsers, connectors.Full, nil)
		if fault.ClassOf(err) != fault.Invalid || len(hosts) != 1 {
			t.Errorf("%s: %v, hosts %v", link, err, hosts)
		}
	}
}

type spy struct {
	base  http.RoundTripper
	hosts map[string]bool
}

func (s spy) RoundTrip(req *http.Request) (*http.Response, error) {
	s.hosts[req.URL.Scheme+"://"+req.URL.Host] = true
	return s.base.RoundTrip(req)
}

// TestStoredLinkElsewhere: what is stored is input, too.
func TestStoredLinkElsewhere(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	_, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	var stored cursor
	if err := json.Unmarshal(last.Cursor, &stored); err != nil {
		t.Fatal(err)
	}
	stored.Link = "https://evil.test/v1.0/users/delta?$deltatoken=x"
	if _, _, err := readAll(t, c, streamUsers, connectors.Delta, stored.bytes()); fault.ClassOf(err) != fault.CursorExpired {
		t.Error(err)
	}
	stored.Link = w.s.URL() + "/v1.0/users/delta?$deltatoken=nonsense"
	if _, _, err := readAll(t, c, streamUsers, connectors.Delta, stored.bytes()); fault.ClassOf(err) != fault.CursorExpired {
		t.Error(err)
	}
}

// TestCursorAge: a link older than the service keeps changes is not even asked with.
func TestCursorAge(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	_, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.shift.Store(int64(155 * time.Hour))
	if _, _, err := readAll(t, c, streamUsers, connectors.Delta, last.Cursor); err != nil {
		t.Errorf("after 155 hours: %v", err)
	}
	w.shift.Store(int64(157 * time.Hour))
	before := w.s.Requests("/users/delta")
	_, _, err = readAll(t, c, streamUsers, connectors.Delta, last.Cursor)
	if fault.ClassOf(err) != fault.CursorExpired || w.s.Requests("/users/delta") != before {
		t.Errorf("after 157 hours: %v", err)
	}
}

// TestCursorOfOtherSettings: what was selected, and of whom, is part of a cursor.
func TestCursorOfOtherSettings(t *testing.T) {
	w := small(t)
	_, last, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Config){
		"attribute":  func(c *Config) { c.Attributes = []string{"employeeHireDate"} },
		"licences":   func(c *Config) { c.Licences = false },
		"manager":    func(c *Config) { c.Manager = false },
		"tenant":     func(c *Config) { c.Tenant = w.tenant.Domain() },
		"same again": nil,
	} {
		_, _, err := readAll(t, w.open(edit), streamUsers, connectors.Delta, last.Cursor)
		if (fault.ClassOf(err) == fault.CursorExpired) != (edit != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCursorOfOtherKind: a place within a first round is none to ask for changes from, and the other way round.
func TestCursorOfOtherKind(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	var within []byte
	_, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err = connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		within = p.Cursor
		return stop
	})
	if !errors.Is(err, stop) || len(within) == 0 {
		t.Fatal(err)
	}
	if _, _, err := readAll(t, c, streamUsers, connectors.Delta, within); fault.ClassOf(err) != fault.CursorExpired {
		t.Error(err)
	}
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, last.Cursor); fault.ClassOf(err) != fault.CursorExpired {
		t.Error(err)
	}
	if objects, _, err := readAll(t, c, streamUsers, connectors.Full, within); err != nil || len(objects) != 30 {
		t.Errorf("%d, %v", len(objects), err)
	}
}

// TestWaits: every form of Retry-After leads to a read that succeeds, and a service that asks for more than a
// request may wait hands the wait to the engine.
func TestWaits(t *testing.T) {
	for _, after := range []string{"", "1", "0.5", "7", "Wed, 21 Oct 2015 07:28:00 GMT", "garbage"} {
		w := small(t)
		w.s.Misbehave(microsoftsim.Throttle("/users/delta", after, 2))
		if objects, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil); err != nil || len(objects) != 40 {
			t.Errorf("Retry-After %q: %d, %v", after, len(objects), err)
		}
	}
	w := small(t)
	w.s.Misbehave(microsoftsim.Throttle("/users/delta", "900", 0))
	_, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Throttled || fault.After(err) != 15*time.Minute {
		t.Errorf("Retry-After 900: %v, after %v", err, fault.After(err))
	}
}

// TestSplitGroups: a group whose members come in parts on many pages, among other groups, is whole in the end.
func TestSplitGroups(t *testing.T) {
	for _, interleave := range []bool{false, true} {
		w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 100, Groups: 9}}, microsoftsim.Pages{Groups: 3, Members: 20})
		w.s.SetQuirks(microsoftsim.Quirks{Interleave: interleave, EmptyPages: true})
		m := newModel(t, w.open(nil))
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Error(d)
		}
		if n := len(m.members[w.tenant.GroupID(0)]); n < 100 {
			t.Errorf("the group of all has %d members", n)
		}
	}
}

// TestEmptyGroup: a group without members comes without the property, and is a group all the same.
func TestEmptyGroup(t *testing.T) {
	w := small(t)
	id := w.tenant.AddGroup(microsoftsim.Props{"displayName": "Empty"})
	objects, _, err := readAll(t, w.open(nil), streamGroups, connectors.Full, nil)
	if _, ok := objects[id]; err != nil || !ok {
		t.Errorf("listed %t, %v", ok, err)
	}
}

// TestLastLicence: whoever loses the last licence, or the manager, links to nothing any more.
func TestLastLicence(t *testing.T) {
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"as simulated": func(base http.RoundTripper) http.RoundTripper { return base },
		"terse":        editing(withoutManagers),
	} {
		t.Run(name, func(t *testing.T) {
			w := small(t)
			c := w.reader(Selection{Licences: true, Manager: true}, wrap)
			one, two, boss := w.tenant.PersonID(20), w.tenant.PersonID(21), w.tenant.PersonID(0)
			w.tenant.SetManager(one, boss)
			w.tenant.SetManager(two, boss)
			objects, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
			if err != nil || links(objects[one], directory.Manager) != 1 || links(objects[one], directory.Holds) == 0 {
				t.Fatal(err, objects[one].Links)
			}
			w.tenant.Assign(one)
			w.tenant.SetManager(two, "")
			objects, _, err = readAll(t, c, streamUsers, connectors.Delta, last.Cursor)
			if err != nil || len(objects) != 2 {
				t.Fatal(len(objects), err)
			}
			if o := objects[one]; o.Partial || links(o, directory.Holds) != 0 || links(o, directory.Manager) != 1 {
				t.Errorf("without a licence: %+v", o.Links)
			}
			if o := objects[two]; o.Partial || links(o, directory.Holds) == 0 || links(o, directory.Manager) != 0 {
				t.Errorf("without a manager: %+v", o.Links)
			}
		})
	}
}

func links(o directory.Object, kind directory.LinkType) (n int) {
	for _, l := range o.Links {
		if l.Type == kind {
			n++
		}
	}
	return n
}

// TestLeftDuringTheFirstRound: who was listed and then named as removed in one and the same round is removed by
// the next delta, and a group that lost a member in the round is looked at again.
func TestLeftDuringTheFirstRound(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 10, Groups: 3}}, microsoftsim.Pages{Users: 3, Groups: 1})
	gone, back, group := w.tenant.PersonID(0), w.tenant.PersonID(1), w.tenant.GroupID(0)
	member := w.tenant.Members(group)[0]
	calls := map[string]int{}
	c := w.reader(Selection{Groups: true, Manager: true}, editing(func(req *http.Request, body []byte) []byte {
		path := strings.TrimSuffix(req.URL.Path, "()")
		calls[path]++
		switch {
		case calls[path] == 4 && strings.Contains(req.URL.Path, "/users/delta"):
			return insert(body, `{"id":"`+back+`","displayName":"Back"}`)
		case calls[path] != 3:
		case strings.Contains(req.URL.Path, "/users/delta"):
			return insert(body, `{"id":"`+gone+`","@removed":{"reason":"changed"}},{"id":"`+back+`","@removed":{"reason":"changed"}}`)
		case strings.Contains(req.URL.Path, "/groups/delta"):
			w.tenant.RemoveMember(group, member)
			return insert(body, `{"id":"`+group+`","displayName":"x","members@delta":[{"id":"`+member+`","@removed":{"reason":"deleted"}}]}`)
		}
		return body
	}))
	m := newModel(t, c)
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	if m.members[group]["id:"+member] {
		t.Error("the member is still there")
	}
	if !m.members[group]["id:"+w.tenant.Members(group)[0]] {
		t.Error("another member is not there")
	}
	ref := directory.Ref{Kind: directory.Person, ID: gone}
	if _, ok := m.objects[ref]; !ok {
		t.Error("a full read removed somebody by name")
	}
	// The service has said it once and does not say it again.
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.objects[ref]; ok {
		t.Error("the next delta does not say that he is gone")
	}
	if _, ok := m.objects[directory.Ref{Kind: directory.Person, ID: back}]; !ok {
		t.Error("who came back in the same round is gone")
	}
}

// TestLookedAtAgainListedShort: a list that has lost its end, of a group that lost a member in the first round, makes nobody leave.
func TestLookedAtAgainListedShort(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 10, Groups: 3}}, microsoftsim.Pages{Users: 3, Groups: 1})
	group := w.tenant.GroupID(0)
	member, calls := w.tenant.Members(group)[0], 0
	c := w.reader(Selection{Groups: true}, editing(func(req *http.Request, body []byte) []byte {
		if !strings.Contains(req.URL.Path, "/groups/delta") {
			return body
		}
		if calls++; calls != 3 {
			return body
		}
		w.tenant.RemoveMember(group, member)
		return insert(body, `{"id":"`+group+`","displayName":"x","members@delta":[{"id":"`+member+`","@removed":{"reason":"deleted"}}]}`)
	}))
	w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Short, Path: "/groups/" + group + "/members", Times: 1})
	m := newModel(t, c)
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	left := w.tenant.Members(group)
	if len(left) < 2 || m.members[group]["id:"+member] {
		t.Errorf("%d members; who left is there: %t", len(left), m.members[group]["id:"+member])
	}
	for _, id := range left {
		if !m.members[group]["id:"+id] {
			t.Errorf("%s has left", id)
		}
	}
}

// insert puts an element at the front of a page's list.
func insert(body []byte, element string) []byte {
	s := string(body)
	if strings.Contains(s, `"value":[]`) {
		return []byte(strings.Replace(s, `"value":[]`, `"value":[`+element+`]`, 1))
	}
	return []byte(strings.Replace(s, `"value":[`, `"value":[`+element+`,`, 1))
}

// TestRestoredGroup: the members of a group that comes back are listed, because nothing promises that the round
// names them.
func TestRestoredGroup(t *testing.T) {
	w := small(t)
	group := w.tenant.GroupID(1)
	m := newModel(t, w.open(nil))
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	w.tenant.SoftDelete(group)
	if err := m.sync(true); err != nil {
		t.Fatal(err)
	}
	delete(m.members, group) // an engine may forget who was in what is gone
	w.tenant.Restore(group)
	if err := m.sync(false); err != nil {
		t.Fatal(err)
	}
	if d := differences(people(m.dump()), w.truth()); d != "" || len(m.members[group]) == 0 {
		t.Error(d)
	}
}

// TestLeftBeforeTheDeletion: of a round in which somebody leaves a group and the group is deleted, the service tells only
// the deletion. Who left is not in the group when it comes back; who is in the deleted items is, as soon as he is back.
func TestLeftBeforeTheDeletion(t *testing.T) {
	w := small(t)
	group, nested, lost := w.tenant.GroupID(1), w.tenant.GroupID(2), w.tenant.GroupID(3)
	w.tenant.AddMember(group, nested)
	w.tenant.AddMember(group, lost)
	users := slices.DeleteFunc(w.tenant.Members(group), func(id string) bool { return !slices.Contains(w.tenant.UserIDs(), id) })
	left, deleted := users[0], users[1]
	m := newModel(t, w.open(nil))
	for i, step := range []func(){
		func() {},
		func() {
			w.tenant.RemoveMember(group, left)
			w.tenant.RemoveMember(group, nested)
			w.tenant.SoftDelete(group)
		},
		func() { w.tenant.SoftDelete(deleted); w.tenant.SoftDelete(lost) },
		func() { w.tenant.Restore(group) },
		func() { w.tenant.Restore(deleted); w.tenant.Restore(lost) },
	} {
		step()
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Errorf("step %d:\n%s", i, d)
		}
	}
	for id, want := range map[string]bool{left: false, nested: false, deleted: true, lost: true} {
		if m.members[group][directory.IDHandle(id)] != want {
			t.Errorf("%s is a member: %t", id, !want)
		}
	}
}

// TestRestoredGroupListedShort: who is in one of two lists of a restored group stays in it.
func TestRestoredGroupListedShort(t *testing.T) {
	w := small(t)
	group := w.tenant.GroupID(1)
	m := newModel(t, w.open(nil))
	for _, step := range []func(){
		func() {},
		func() { w.tenant.SoftDelete(group) },
		func() {
			w.tenant.Restore(group)
			w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Short, Path: "/groups/" + group + "/members", Times: 1})
		},
	} {
		step()
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Error(d)
		}
	}
}

// TestDeletedBesideTheRestoredGroup: who is deleted when the people have been read and the restored group has not is in no
// list of its members either, and comes back into it.
func TestDeletedBesideTheRestoredGroup(t *testing.T) {
	w := small(t)
	group := w.tenant.GroupID(1)
	person := w.tenant.Members(group)[0]
	m := newModel(t, w.open(nil))
	streams := m.c.Describe().Streams
	groups := slices.IndexFunc(streams, func(s connectors.Stream) bool { return s.Name == streamGroups })
	for _, step := range []func() error{
		func() error { return m.sync(false) },
		func() error { w.tenant.SoftDelete(group); return m.sync(false) },
		func() error {
			w.tenant.Restore(group)
			w.tenant.SoftDelete(person)
			return m.stream(streams[groups], false)
		},
		func() error { return m.sync(false) },
		func() error { w.tenant.Restore(person); return m.sync(false) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if d := differences(people(m.dump()), w.truth()); d != "" {
		t.Error(d)
	}
}

// TestRestoredPerson: the groups of somebody who was in the deleted items over a full read are known again after
// the next full read. No delta tells of them.
func TestRestoredPerson(t *testing.T) {
	w := small(t)
	person := w.tenant.PersonID(3)
	m := newModel(t, w.open(nil))
	for _, step := range []struct {
		do   func()
		full bool
	}{{func() {}, false}, {func() { w.tenant.SoftDelete(person) }, true}, {func() { w.tenant.Restore(person) }, false}, {func() {}, true}} {
		step.do()
		if err := m.sync(step.full); err != nil {
			t.Fatal(err)
		}
	}
	if d := differences(people(m.dump()), w.truth()); d != "" {
		t.Error(d)
	}
}

// TestBadMembers: a list of members that cannot be read is no reason to take the rest for the whole.
func TestBadMembers(t *testing.T) {
	for _, bad := range []string{`{}`, `"x"`, `[null]`, `[{}]`, `[{"id":7}]`, `[{"id":""}]`} {
		w := small(t)
		c := w.reader(Selection{Groups: true}, editing(func(req *http.Request, body []byte) []byte {
			if strings.Contains(req.URL.Path, "/groups/delta") {
				return insert(body, `{"id":"g","members@delta":`+bad+`}`)
			}
			return body
		}))
		_, last, err := readAll(t, c, streamGroups, connectors.Full, nil)
		if fault.ClassOf(err) != fault.Transient || last.Proof != nil {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestBadEntries: each entry that cannot be translated is named, and does not hide the others.
func TestBadEntries(t *testing.T) {
	w := small(t)
	id := "aaaaaaaa-0000-4000-8000-"
	bad := []string{
		`null`, `7`, `[]`, `{}`, `{"id":null}`, `{"id":7}`, `{"id":""}`,
		`{"id":"` + id + `000000000001","displayName":7}`,
		`{"id":"` + id + `000000000002","accountEnabled":"yes"}`,
		`{"id":"` + id + `000000000003","createdDateTime":"yesterday"}`,
		`{"id":"` + id + `000000000004","proxyAddresses":{}}`,
		`{"id":"` + id + `000000000005","otherMails":[7]}`,
		`{"id":"` + id + `000000000006","assignedLicenses":[{}]}`,
		`{"id":"` + id + `000000000007","assignedLicenses":"all"}`,
		`{"id":"` + id + `000000000008","manager@delta":[7]}`,
		`{"id":"` + id + `000000000009","mail":{}}`,
		`{"id":"` + id + `000000000010","businessPhones":"x"}`,
	}
	first := true
	c := w.reader(Selection{Licences: true, Manager: true}, editing(func(req *http.Request, body []byte) []byte {
		if strings.Contains(req.URL.Path, "/users/delta") && first {
			first = false
			return insert(body, strings.Join(bad, ","))
		}
		return body
	}))
	var invalid []connectors.Invalid
	n := 0
	err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		invalid = append(invalid, p.Invalid...)
		n += len(p.Objects)
		return nil
	})
	if err != nil || len(invalid) != len(bad) || n != 40 {
		t.Fatalf("%d invalid of %d, %d objects, %v", len(invalid), len(bad), n, err)
	}
	for i, one := range invalid {
		if fault.ClassOf(one.Err) != fault.Invalid || one.Where == "" || (one.ID != "") != strings.Contains(bad[i], id) {
			t.Errorf("%s: %+v", bad[i], one)
		}
	}
}

// TestHalfAnEntry: an entry that lacks what everybody has is not taken for the whole of somebody.
func TestHalfAnEntry(t *testing.T) {
	w := small(t)
	user, group := w.tenant.PersonID(30), w.tenant.GroupID(0)
	lone := w.tenant.AddGroup(microsoftsim.Props{"displayName": "Lone"})
	nobody := "ffffffff-0000-4000-8000-000000000000"
	m := newModel(t, w.reader(Selection{Groups: true, Licences: true, Manager: true}, editing(func(req *http.Request, body []byte) []byte {
		switch {
		case strings.Contains(req.URL.Path, "/users/delta"):
			return insert(body, `{"id":"`+user+`","mobilePhone":null},{"id":"`+nobody+`","displayName":"Nobody"}`)
		case strings.Contains(req.URL.Path, "/groups/delta"):
			// A further part of a group's members without its properties, on every page; and a group that has none
			// in its own entry.
			body = []byte(strings.Replace(string(body), `"displayName":"Lone"`, `"other":"x"`, 1))
			return insert(body, `{"id":"`+group+`","members@delta":[{"id":"`+user+`"}]}`)
		}
		return body
	})))
	for round := range 2 {
		var invalid int
		for _, s := range m.c.Describe().Streams {
			mode := connectors.Full
			if round > 0 && s.Delta {
				mode = connectors.Delta
			}
			err := m.read(s, mode, func(p *connectors.Page) error {
				invalid += len(p.Invalid)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if invalid == 0 {
			t.Error("nobody is not named")
		}
		m.members[group]["id:"+user] = slices.Contains(w.tenant.Members(group), user)
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Errorf("round %d:\n%s", round, d)
		}
		if o, ok := m.objects[directory.Ref{Kind: directory.Group, ID: lone}]; !ok || len(o.Fields) == 0 {
			t.Error("the lone group")
		}
	}
}

// TestUntrackedTenant: a tenant that says so, before or in the middle of a round, is listed instead, and says so
// again at the next delta.
func TestUntrackedTenant(t *testing.T) {
	for _, skip := range []int{0, 2} {
		w := small(t)
		refusal := microsoftsim.ErrorAnswer("/delta", 0, http.StatusBadRequest, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant.")
		refusal.Skip = skip
		w.s.Misbehave(refusal)
		c := w.open(nil)
		m := newModel(t, c)
		for range 2 {
			if err := m.sync(false); err != nil {
				t.Fatal(err)
			}
			if d := differences(people(m.dump()), w.truth()); d != "" {
				t.Error(d)
			}
		}
		if m.expired != 2 || m.fulls[streamUsers] != 2 {
			t.Errorf("%d expired, %v full reads", m.expired, m.fulls)
		}
	}
	w := newWorld(t, microsoftsim.TenantOptions{Kind: microsoftsim.External, Population: microsoftsim.Population{People: 5}}, microsoftsim.Pages{})
	found, err := w.open(nil).Check(t.Context())
	if err != nil || !has(found, "change tracking", "tenant_type") {
		t.Errorf("%v %+v", err, found)
	}
}

// has looks for something wrong with a hint.
func has(found []connectors.Finding, subject, hint string) bool {
	for _, f := range found {
		if !f.OK && strings.Contains(f.Subject, subject) && strings.Contains(f.Hint, hint) {
			return true
		}
	}
	return false
}

// TestNoIntune: a tenant without Intune is an error with a way out, unless the caller asked for what there may be.
func TestNoIntune(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 3}}, microsoftsim.Pages{})
	c := w.open(func(c *Config) { c.Devices = true })
	_, _, err := readAll(t, c, streamDevices, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Configuration || !FeatureAbsent(err) || !strings.Contains(fault.Hint(err), "devices: false") {
		t.Error(err)
	}
	if found, err := c.Check(t.Context()); err != nil || !has(found, "devices", "devices: false") {
		t.Errorf("%v %+v", err, found)
	}
	c.sel.DevicesIfAny = true
	_, last, err := readAll(t, c, streamDevices, connectors.Full, nil)
	if err != nil || last.Proof == nil || !strings.Contains(last.Proof.Scope, "no Intune") {
		t.Errorf("%v %+v", err, last.Proof)
	}
	for _, f := range must(c.Check(t.Context())) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestRevokedInMidRead: a permission that is taken away ends the read, by name; once it is back the next read works
// without a restart, although the old token lacks it.
func TestRevokedInMidRead(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	pages := 0
	err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(*connectors.Page) error {
		if pages++; pages == 1 {
			w.tenant.Revoke(testClient, "User.Read.All")
		}
		return nil
	})
	if fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "User.Read.All") || pages != 1 {
		t.Errorf("after %d pages: %v", pages, err)
	}
	if _, _, err = readAll(t, c, streamUsers, connectors.Full, nil); fault.ClassOf(err) != fault.Forbidden {
		t.Errorf("while it is missing: %v", err)
	}
	w.tenant.Consent(testClient, "User.Read.All")
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err != nil {
		t.Errorf("granted again: %v", err)
	}
}

// TestCancelWhileWaiting: the end of the context comes back as it is, also out of a wait for the pace.
func TestCancelWhileWaiting(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := connectors.Guard(c).Read(ctx, connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(*connectors.Page) error {
		cancel(cause)
		return nil
	})
	if !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPagesThatRepeat: a service that sends the same groups again and again under new links is stopped.
func TestPagesThatRepeat(t *testing.T) {
	w := small(t)
	n := 0
	c := w.reader(Selection{Groups: true}, editing(func(req *http.Request, body []byte) []byte {
		if !strings.Contains(req.URL.Path, "/groups/delta") {
			return body
		}
		n++
		return fmt.Appendf(nil, `{"value":[{"id":"g","displayName":"x"}],"@odata.nextLink":"%s/v1.0/groups/delta?$skiptoken=%d"}`, w.s.URL(), n)
	}))
	_, _, err := readAll(t, c, streamGroups, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), "nothing new") {
		t.Error(err)
	}
}

// FuzzCursor: whatever is stored, it is either a cursor of these settings or an expired one.
func FuzzCursor(f *testing.F) {
	now := time.Unix(1_790_000_000, 0)
	good := cursor{Settings: "s", At: now, Link: "https://graph.test/v1.0/users/delta?$deltatoken=x", Gone: []string{"a"}}
	f.Add(good.bytes(), true)
	f.Add(good.bytes(), false)
	f.Add([]byte(`{"settings":"s","at":"9999-12-31T23:59:59Z","link":"x"}`), false)
	f.Add([]byte("null"), true)
	f.Fuzz(func(t *testing.T, data []byte, first bool) {
		c, err := parseCursor("read users", "s", first, data, now)
		if err != nil {
			if fault.ClassOf(err) != fault.CursorExpired {
				t.Error(err)
			}
			return
		}
		if c.Settings != "s" || c.First != first || c.Link == "" || c.Untracked {
			t.Errorf("%+v", c)
		}
	})
}
