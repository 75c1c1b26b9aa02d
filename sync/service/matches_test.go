package service

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
	"dirsyncd/sync/targets/file"
)

const oneDesk = `state: state.db
connections:
  hq: {connector: memory, mapping: staff, targets: [help]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name, email: = email, login: = login}}]}}
targets:
  help:
    target: sim
    match: {user: [{login: = login}, {email: = email}]}
    sim: {}
`

// The whole road of a target that has things of its own: the first contact is held, shown and approved; an ambiguous pair waits
// and is decided; an audit says what somebody changed.
func TestDesk(t *testing.T) {
	w, sim := deskWorld(t, oneDesk)
	s, ctx := w.open(t), t.Context()

	// What only a plan makes is matched by its fields, too.
	if plan, err := s.PlanAt(ctx, api.PlanAtRequest{Target: "help", Limit: 3}); err != nil || plan.Counts["user"]["adopt"] != 2 || plan.Counts["user"]["create"] != 3 || plan.Counts["user"]["review"] != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	held, err := s.Adopt(ctx, api.AdoptRequest{Target: "help"})
	if err != nil || len(held) != 1 || !held[0].First || fmt.Sprint(held[0].Counts["user"]) != "map[adopt:2 create:3 others:2 review:1]" || sim.Counts().Writes != 0 {
		t.Fatalf("%+v, %v, %+v", held, err, sim.Counts())
	}
	if st, err := s.Status(ctx); err != nil || len(st.Targets) != 1 || len(st.Targets[0].Held) != 1 || st.Targets[0].Held[0] != held[0].Hash {
		t.Errorf("%+v, %v", st.Targets, err)
	}
	plan, err := s.PlanAt(ctx, api.PlanAtRequest{Target: "help", Limit: 3})
	if err != nil || plan.Counts["user"]["adopt"] != 2 || plan.Counts["user"]["create"] != 3 || plan.Counts["user"]["review"] != 1 || len(plan.Actions) != 3 || len(plan.Runs) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := s.PlanAt(ctx, api.PlanAtRequest{Target: "journal"}); err == nil {
		t.Error("a target without things of its own was planned")
	}
	if err := s.Discard(ctx, held[0].Hash); err != nil {
		t.Error(err)
	}
	if held, err = s.Adopt(ctx, api.AdoptRequest{Target: "help"}); err != nil || len(held) != 1 || held[0].Fields["user"]["name"]["keep"] != 2 || len(held[0].Examples) == 0 {
		t.Fatalf("%+v, %v", held, err)
	}
	if _, err := s.Approve(ctx, "another"); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
	part, err := s.Adopt(ctx, api.AdoptRequest{Target: "help", Kinds: []string{"user"}, Key: "login"})
	if err != nil || len(part) != 1 || part[0].Part == nil || part[0].Part.Key != "login" || part[0].Hash == held[0].Hash || part[0].Counts["user"]["adopt"] == 0 || sim.Counts().Writes != 0 {
		t.Errorf("%+v, %v", part, err)
	}
	for _, bad := range []api.AdoptRequest{{Kinds: []string{"folk"}}, {Kinds: []string{"licence"}}, {Key: "mail"}} {
		if _, err := s.Adopt(ctx, bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	done, err := s.Approve(ctx, held[0].Hash)
	if err != nil || len(done.Delivered) != 1 || done.Delivered[0].Delivered != 5 || done.Delivered[0].Error != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if held, err = s.Adopt(ctx, api.AdoptRequest{}); err != nil || len(held) != 1 || held[0].Hash != "" {
		t.Errorf("%+v, %v", held, err)
	}

	list, err := s.Matches(ctx, "")
	if err != nil || len(list) != 1 || list[0].Subject != "user/hq/p2" || list[0].Name != "Person 2" || list[0].Cause != "ambiguous" || len(list[0].Candidates) != 2 || !strings.HasPrefix(list[0].ID, "help:") {
		t.Fatalf("%+v, %v", list, err)
	}
	why, err := s.Why(ctx, "user", "p2")
	if err != nil || len(why) != 1 || len(why[0].Targets) != 1 || why[0].Targets[0].Cause != "review" || why[0].Targets[0].State != "review" || !why[0].Targets[0].Initial {
		t.Errorf("%+v, %v", why, err)
	}
	if why, err = s.Why(ctx, "user", "p0"); err != nil || len(why) != 1 || len(why[0].Targets) != 1 || why[0].Targets[0].Owner != "adopted" || why[0].Targets[0].ID == "" {
		t.Errorf("%+v, %v", why, err)
	}
	by := api.MatchDecision{ID: list[0].ID, Fingerprint: "old", Verdict: "accept", Candidate: list[0].Candidates[0].ID}
	if _, err := s.Decide(ctx, by); fault.ClassOf(err) != fault.Conflict {
		t.Error(err)
	}
	by.Fingerprint = list[0].Fingerprint
	if who, err := s.Decide(ctx, by); err != nil || who != "user/hq/p2" {
		t.Fatal(who, err)
	}
	if list, err = s.Matches(ctx, "help"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if problems := sim.Problems(nil); len(problems) > 0 {
		t.Error(problems)
	}

	if st, err := s.Status(ctx); err != nil || len(st.Targets) != 1 || len(st.Targets[0].Held) != 0 {
		t.Errorf("%+v, %v", st.Targets, err)
	}
	if r, err := s.Audit(ctx, api.AuditRequest{Target: "help"}); err != nil || len(r.Differences) != 0 || r.Counts["user"]["same"] != 6 {
		t.Errorf("%+v, %v", r, err)
	}
	sim.Human(directory.UserRecord, by.Candidate, "edit", func(t *desktest.Thing) { t.Fields["login"] = "mine" })
	r, err := s.Audit(ctx, api.AuditRequest{Target: "help", Kinds: []string{"user"}})
	if err != nil || len(r.Differences) != 1 || r.Differences[0].Finding != "changed" || r.Differences[0].Fields[0] != "login" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []api.AuditRequest{{Target: "journal"}, {Target: "help", Kinds: []string{"folk"}}} {
		if _, err := s.Audit(ctx, bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	if _, err := s.Decide(ctx, api.MatchDecision{Target: "help", Subject: "user/hq/p0", Verdict: "undo"}); err != nil {
		t.Error(err)
	}
	if _, err := s.Decide(ctx, api.MatchDecision{ID: "help:77", Verdict: "reject"}); fault.ClassOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// deskWorld is a directory of six people, and a desk that has some of them.
func deskWorld(t *testing.T, config string) (*world, *desktest.Sim) {
	t.Helper()
	t.Chdir(t.TempDir())
	sim := desktest.NewSim(1)
	person := func(id, login, email string) {
		sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + id, Active: true, Fields: map[string]string{"name": "N " + id, "login": login, "email": email}})
	}
	w := &world{source: memory.NewSource()}
	for i := range 6 {
		o := directory.Object{Kind: directory.Person, ID: fmt.Sprintf("p%d", i)}
		o.SetText(directory.FieldName, fmt.Sprintf("Person %d", i))
		o.SetText(directory.FieldLogin, fmt.Sprintf("l%d", i))
		o.SetText(directory.FieldEmail, fmt.Sprintf("e%d@x", i))
		w.source.Put("", o)
	}
	person("p0", "l0", "")
	person("p1", "", "E1@x")
	person("p2", "", "e2@x")
	person("", "", "e2@x")
	type block struct{}
	w.parts = Parts{Connectors: connectors.Registry{memory.FactoryOf(w.source, memory.Options{})}, Targets: targets.Registry{
		file.Factory(), targets.NewDesk("sim", "for tests", func() *block { return &block{} }, func(*block) targets.DeskDescription { return sim.Describe() },
			func(*block, targets.Env) (targets.Desk, error) { return sim, nil }),
	}}
	if err := os.WriteFile("config.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w.store = &watchedStore{Store: st}
	return w, sim
}
