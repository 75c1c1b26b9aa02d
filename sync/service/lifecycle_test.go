package service

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// What docs/lifecycle.md says becomes of people who come and go, on a directory in memory, a target of events and a desk.

const lifeConfig = `state: state.db
connections:
  hq: {connector: memory, mapping: staff, targets: [journal, help]}
mappings:
  staff:
    rules:
      - {name: desk, when: department == "Desk", agent: {name: = name, login: = login, email: = email}}
      - {name: everyone, when: enabled ?? true, user: {name: = name, login: = login, email: = email}}
    leavers: {user: {do: deactivate, delete_after: 30d}, agent: deactivate}
    guard: {deactivate: {percent: 100}, delete: {percent: 100}}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
  help:
    target: sim
    first: go
    match: {user: [{login: = login}, {email: = email}], agent: [{login: = login}, {email: = email}]}
    sim: {}
`

type life struct {
	*testing.T
	*world
	sim     *desktest.Sim
	service *Service
	now     time.Time
	seen    int // lines of the journal
}

func newLife(t *testing.T, config string, tenants ...string) *life {
	t.Helper()
	w, sim := deskWorld(t, config)
	l := &life{T: t, world: w, sim: sim, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	for _, thing := range sim.Things(directory.UserRecord) {
		sim.Human(directory.UserRecord, thing.ID, "edit", func(t *desktest.Thing) {
			t.Fields["login"], t.Fields["email"] = "there before "+t.ID, ""
		})
	}
	for i := range 6 {
		w.source.Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint("p", i)})
	}
	if len(tenants) > 0 {
		w.source.RemoveTenant("")
	}
	for _, id := range tenants {
		w.source.AddTenant(connectors.Tenant{ID: id, Name: strings.ToUpper(id)})
	}
	return l
}

// put says what the directory has of somebody.
func (l *life) put(tenant, id, name, login string, more ...string) {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, name)
	o.SetText(directory.FieldLogin, login)
	o.SetText(directory.FieldEmail, login+"@x")
	for i := 0; i+1 < len(more); i += 2 {
		o.SetText(more[i], more[i+1])
	}
	l.source.Put(tenant, o)
}

func (l *life) remove(tenant, id string) {
	l.source.Remove(tenant, directory.Ref{Kind: directory.Person, ID: id})
}

// run runs once and compares the events and what is at the desk: "name login" of each thing of ours, in brackets when out of use.
func (l *life) run(what, events, desk string) {
	l.Helper()
	result, err := l.service.Sync(l.Context(), api.SyncRequest{Actions: 50}, nil)
	if err != nil {
		l.Fatal(what, err)
	}
	l.is(what, result, events, desk)
}

func (l *life) is(what string, result api.SyncResult, events, desk string) {
	l.Helper()
	var said []string
	for _, r := range result.Runs {
		if r.Error != "" {
			l.Fatalf("%s: %s", what, r.Error)
		}
		for _, a := range r.Actions {
			said = append(said, a.Op+" "+a.Kind+" "+a.Key)
		}
	}
	if got := strings.Join(said, "; "); got != events {
		l.Errorf("%s: events\n got %s\nwant %s", what, got, events)
	}
	if n := strings.Count(l.journal(), "\n") - l.seen; n != len(said) {
		l.Errorf("%s: %d events were written, of %d", what, n, len(said))
	}
	l.seen = strings.Count(l.journal(), "\n")
	if got := l.desk(); got != desk {
		l.Errorf("%s: at the desk\n got %s\nwant %s", what, got, desk)
	}
	if problems := l.sim.Problems(nil); len(problems) > 0 {
		l.Errorf("%s: %v", what, problems)
	}
}

func (l *life) journal() string {
	l.Helper()
	data, err := os.ReadFile("changes.jsonl")
	if err != nil && !os.IsNotExist(err) {
		l.Fatal(err)
	}
	return string(data)
}

func (l *life) desk() string {
	var list []string
	for _, kind := range []directory.RecordKind{directory.UserRecord, directory.AgentRecord} {
		for _, thing := range l.sim.Things(kind) {
			if thing.Mark == "" {
				continue
			}
			text := kind.String() + " " + thing.Mark + ": " + thing.Fields["name"] + " " + thing.Fields["login"]
			if !thing.Active {
				text = "[" + text + "]"
			}
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// asks compares what a human is asked at the desk: who, and why.
func (l *life) asks(want string) {
	l.Helper()
	list, err := l.service.Matches(l.Context(), "help")
	if err != nil {
		l.Fatal(err)
	}
	var words []string
	for i := range list {
		words = append(words, list[i].Subject+" "+list[i].Cause)
	}
	if got := strings.Join(words, "; "); got != want {
		l.Errorf("asked about %s, want %s", got, want)
	}
}

// decide says of the one about whom is asked that it is nobody who is there.
func (l *life) decide() {
	l.Helper()
	list, err := l.service.Matches(l.Context(), "help")
	if err != nil || len(list) != 1 {
		l.Fatalf("%+v, %v", list, err)
	}
	if _, err := l.service.Decide(l.Context(), api.MatchDecision{ID: list[0].ID, Fingerprint: list[0].Fingerprint, Verdict: "new"}); err != nil {
		l.Fatal(err)
	}
}

// thing is the id at the desk of what has a mark.
func (l *life) thing(mark string) string {
	for _, thing := range l.sim.Things(directory.UserRecord) {
		if thing.Mark == mark {
			return thing.ID
		}
	}
	return ""
}

func (l *life) start() {
	l.Helper()
	o := l.options()
	o.Now = func() time.Time { return l.now }
	var err error
	if l.service, err = New(l.cfg, o); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = l.service.Close() })
}

func TestLifecycle(t *testing.T) {
	const day = 24 * time.Hour
	for name, story := range map[string]func(l *life){
		"renamed": func(l *life) {
			l.put("", "1", "Ada Byron", "byron")
			l.run("comes", "create user hq/1", "user hq/1: Ada Byron byron")
			l.put("", "1", "Ada Lovelace", "lovelace")
			l.run("marries", "update user hq/1", "user hq/1: Ada Lovelace lovelace")
		},
		"rehired with the same id": func(l *life) {
			l.put("", "1", "Ada", "ada")
			l.run("comes", "create user hq/1", "user hq/1: Ada ada")
			l.remove("", "1")
			l.run("leaves", "deactivate user hq/1", "[user hq/1: Ada ada]")
			l.now = l.now.Add(10 * day)
			l.put("", "1", "Ada", "ada")
			l.run("returns in the time of grace", "reactivate user hq/1", "user hq/1: Ada ada")
			l.remove("", "1")
			l.run("leaves again", "deactivate user hq/1", "[user hq/1: Ada ada]")
			l.now = l.now.Add(31 * day)
			l.run("after the time", "delete user hq/1", "[user hq/1: Ada ada]")
			l.put("", "1", "Ada", "ada")
			l.run("returns after it", "create user hq/1", "user hq/1: Ada ada")
		},
		"re-created with a new id": func(l *life) {
			l.put("", "1", "Ada", "ada")
			l.run("comes", "create user hq/1", "user hq/1: Ada ada")
			l.remove("", "1")
			l.put("", "2", "Ada", "ada")
			l.run("deleted and made again", "deactivate user hq/1; create user hq/2", "[user hq/1: Ada ada]")
			l.now = l.now.Add(day)
			l.run("a day later", "", "[user hq/1: Ada ada]")
			l.asks("user/hq/2 taken")
			l.now = l.now.Add(30 * day)
			l.run("after the time of the old one", "delete user hq/1", "[user hq/1: Ada ada]")
			l.asks("user/hq/2 taken")
		},
		"the address goes to somebody else": func(l *life) {
			l.put("", "1", "Ada", "ada")
			l.run("comes", "create user hq/1", "user hq/1: Ada ada")
			l.remove("", "1")
			l.run("leaves", "deactivate user hq/1", "[user hq/1: Ada ada]")
			l.now = l.now.Add(10 * day)
			l.put("", "2", "Adam", "ada")
			l.run("somebody else, in the time of grace", "create user hq/2", "[user hq/1: Ada ada]")
			l.asks("user/hq/2 taken")
			l.now = l.now.Add(21 * day)
			l.run("after the time", "delete user hq/1", "[user hq/1: Ada ada]")
			l.asks("user/hq/2 taken")
			l.sim.Human(directory.UserRecord, l.thing("hq/1"), "edit", func(t *desktest.Thing) { t.Fields["login"], t.Fields["email"] = "ada.former", "" })
			l.decide()
			l.run("a human frees the address", "", "[user hq/1: Ada ada.former]; user hq/2: Adam ada")
		},
		"user, agent, user": func(l *life) {
			l.put("", "1", "Ada", "ada")
			l.run("comes", "create user hq/1", "user hq/1: Ada ada")
			l.put("", "1", "Ada", "ada", "department", "Desk")
			l.run("joins the desk", "deactivate user hq/1; create agent hq/1", "[user hq/1: Ada ada]; agent hq/1: Ada ada")
			l.now = l.now.Add(90 * day)
			l.run("much later", "", "[user hq/1: Ada ada]; agent hq/1: Ada ada")
			l.put("", "1", "Ada", "ada")
			l.run("leaves the desk", "deactivate agent hq/1; reactivate user hq/1", "agent hq/1: Ada ada; user hq/1: Ada ada")
			l.asks("agent/hq/1 leaving")
			l.remove("", "1")
			l.run("leaves", "deactivate user hq/1", "[user hq/1: Ada ada]; agent hq/1: Ada ada")
			l.now = l.now.Add(31 * day)
			l.run("after the time", "delete user hq/1", "[user hq/1: Ada ada]; agent hq/1: Ada ada")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, lifeConfig)
			l.start()
			story(l)
		})
	}
}

// Somebody moves from one tenant to another: the record there is made, and the one here goes; the two are not taken for one.
func TestLifecycleOfTenants(t *testing.T) {
	l := newLife(t, lifeConfig, "acme", "lab")
	l.start()
	l.put("acme", "1", "Ada", "ada")
	l.put("acme", "3", "Bob", "bob")
	l.put("lab", "4", "Cid", "cid")
	l.run("come", "create user hq/acme/1; create user hq/acme/3; create user hq/lab/4", "user hq/acme/1: Ada ada; user hq/acme/3: Bob bob; user hq/lab/4: Cid cid")
	l.remove("acme", "1")
	l.put("lab", "2", "Ada", "ada")
	l.run("moves", "deactivate user hq/acme/1; create user hq/lab/2", "[user hq/acme/1: Ada ada]; user hq/acme/3: Bob bob; user hq/lab/4: Cid cid")
	l.now = l.now.Add(24 * time.Hour)
	l.run("a day later", "", "[user hq/acme/1: Ada ada]; user hq/acme/3: Bob bob; user hq/lab/4: Cid cid")
	l.asks("user/hq/lab/2 taken")
}

// A source that is retired: nothing happens until somebody says so, and that is held until it is approved.
func TestLifecycleOfARetiredSource(t *testing.T) {
	l := newLife(t, lifeConfig)
	l.start()
	l.put("", "1", "Ada", "ada")
	l.run("comes", "create user hq/1", "user hq/1: Ada ada")
	if err := l.service.Close(); err != nil {
		t.Fatal(err)
	}
	l.remove("", "1")
	if err := os.WriteFile("config.yaml", []byte(strings.Replace(lifeConfig, "  hq: {", "  lab: {", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	l.load(t)
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	l.store = &watchedStore{Store: st}
	l.start()
	l.run("out of the file", "", "user hq/1: Ada ada")
	result, err := l.service.RetireConnection(t.Context(), "hq")
	if err != nil || len(result.Runs) != 1 || result.Runs[0].Held == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	l.run("held", "", "user hq/1: Ada ada")
	result, err = l.service.Approve(t.Context(), result.Runs[0].Held)
	if err != nil {
		t.Fatal(err)
	}
	l.is("approved", result, "deactivate user hq/1", "[user hq/1: Ada ada]")
}
