package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settle"
	"dirsyncd/sync/targets/desktest"
)

const undoDesk = `state: state.db
connections:
  hq: {connector: memory, mapping: staff, targets: [help]}
mappings:
  staff:
    guard: {deactivate: {count: 100000}, memberships: {count: 100000, percent: 100, list: 100}, 24h: {deactivate: {count: 100000}}, 7d: {deactivate: {count: 100000}}}
    rules:
      - {name: desk, when: department == "Desk", agent: {name: = name, email: = email, login: = login}}
      - {name: everyone, user: {name: = name, email: = email, login: = login, title: = title}}
    groups: [{name: teams, group: {name: = name}}]
targets:
  help:
    target: sim
    match: {user: [{login: = login}], agent: [{login: = login}], group: [{name: = name}]}
    leavers: {agent: {do: deactivate}}
    guard: {create: {count: 100000}, deactivate: {count: 100000}, overwrite: {count: 100000}}
    sim: {}
`

// undoWorld is a company of so many people in 40 groups that a desk knows.
func undoWorld(t *testing.T, people int) (*world, *desktest.Sim, *Service) {
	t.Helper()
	w, sim := deskWorld(t, undoDesk)
	for i := range people {
		w.source.Put("", undoPerson(fmt.Sprintf("p%d", i), 0))
	}
	for g := range 40 {
		o := directory.Object{Kind: directory.Group, ID: fmt.Sprintf("g%d", g)}
		o.SetText(directory.FieldName, fmt.Sprintf("Group %d", g))
		w.source.Put("", o)
		for i := g; i < people; i += 40 {
			w.source.AddMembers("", o.ID, directory.IDHandle(fmt.Sprintf("p%d", i)))
		}
	}
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	held, err := s.Adopt(t.Context(), api.AdoptRequest{Target: "help"})
	if err != nil || len(held) != 1 {
		t.Fatalf("%+v, %v", held, err)
	}
	if _, err := s.Approve(t.Context(), held[0].Hash); err != nil {
		t.Fatal(err)
	}
	return w, sim, s
}

func undoPerson(id string, version int) directory.Object {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, fmt.Sprintf("Person %s.%d", id, version))
	o.SetText(directory.FieldLogin, "l"+id)
	o.SetText(directory.FieldEmail, fmt.Sprintf("%s.%d@example.test", id, version))
	o.SetText(directory.FieldTitle, []string{"Engineer", "Lawyer", ""}[version%3])
	return o
}

// shown is what a desk shows of those in use: by whom it is, with the fields and members.
func shown(sim *desktest.Sim) map[string]string {
	all, names := map[string]string{}, map[string]string{}
	kinds := []directory.RecordKind{directory.UserRecord, directory.AgentRecord}
	for _, kind := range kinds {
		for _, thing := range sim.Things(kind) {
			names[thing.ID] = strings.TrimPrefix(thing.Person, kind.String())
		}
	}
	for _, kind := range append(kinds, directory.GroupRecord) {
		for _, thing := range sim.Things(kind) {
			if !thing.Active || strings.HasSuffix(thing.Person, "/") {
				continue
			}
			var fields, members []string
			for _, name := range slices.Sorted(maps.Keys(thing.Fields)) {
				if thing.Fields[name] != "" {
					fields = append(fields, name+"="+thing.Fields[name])
				}
			}
			for _, m := range thing.Members {
				members = append(members, names[m])
			}
			slices.Sort(members)
			all[thing.Person] = fmt.Sprint(fields, members)
		}
	}
	return all
}

func sameShown(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	differ := 0
	for _, who := range slices.Sorted(maps.Keys(want)) {
		if got[who] != want[who] {
			if differ++; differ < 5 {
				t.Errorf("%s: %s is %q, was %q", what, who, got[who], want[who])
			}
		}
	}
	for who := range got {
		if _, ok := want[who]; !ok {
			if differ++; differ < 5 {
				t.Errorf("%s: %s is in use, and was not: %q", what, who, got[who])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%s: %d differ", what, differ)
	}
}

// TestUndoAtADesk: after a random run of 10,000 actions an undo leaves nothing different at the desk.
func TestUndoAtADesk(t *testing.T) {
	people, least := 5000, 10_000
	if underRace || testing.Short() { // the desk looks at all it has for each that is made
		people, least = 600, 1000
	}
	w, sim, s := undoWorld(t, people)
	before := shown(sim)
	if len(before) != people+40 {
		kinds := map[string]int{}
		for who := range before {
			kinds[strings.SplitN(who, "/", 2)[0]]++
		}
		t.Fatalf("%d things at the desk: %v", len(before), kinds)
	}
	rnd := rand.New(rand.NewPCG(4, 7))
	for _, i := range rnd.Perm(people) {
		id := fmt.Sprintf("p%d", i)
		switch n := rnd.IntN(10); {
		case n < 2:
			w.source.Remove("", directory.Ref{Kind: directory.Person, ID: id})
		case n < 6:
			o := undoPerson(id, 1+rnd.IntN(2))
			o.SetText(directory.FieldDepartment, "Desk")
			w.source.Put("", o)
		default:
			w.source.Put("", undoPerson(id, 1+rnd.IntN(2)))
		}
	}
	joiners := people * 2 / 3
	for i := range joiners {
		w.source.Put("", undoPerson(fmt.Sprintf("n%d", i), rnd.IntN(3)))
	}
	for g := range 40 {
		for range 30 {
			w.source.AddMembers("", fmt.Sprintf("g%d", g), directory.IDHandle(fmt.Sprintf("n%d", rnd.IntN(joiners))))
			w.source.RemoveMembers("", fmt.Sprintf("g%d", g), directory.IDHandle(fmt.Sprintf("p%d", g+40*rnd.IntN(people/40))))
		}
	}
	ran, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || len(ran.Runs) != 1 || ran.Runs[0].Outcome != api.Clean {
		t.Fatalf("%+v, %v", ran, err)
	}
	run, n := ran.Runs[0].ID, 0
	for _, ops := range ran.Runs[0].Counts {
		for _, of := range ops {
			n += of
		}
	}
	if n < least {
		t.Fatalf("only %d actions: %v", n, ran.Runs[0].Counts)
	}
	wrong := shown(sim)
	if got, err := s.RunActions(t.Context(), api.RunActionsRequest{Run: run, From: n - 1}); err != nil || len(got.Actions) != 1 || got.More {
		t.Errorf("the last of %d: %d, %v", n, len(got.Actions), err)
	}
	plan, err := s.PlanUndo(t.Context(), api.UndoRequest{Run: run[len(run)-4:]})
	if err != nil || plan.Hash == "" || plan.Cannot != 0 || plan.Forgotten != 0 || len(plan.Actions) != api.HeldPage || !plan.More {
		t.Fatalf("%+v, %v", plan, err)
	}
	ops := s.Operations()
	ann := api.WithUser(t.Context(), "ann")
	if _, err := ops.Undo(ann, api.UndoApproval{Run: run, Approve: "0123456789ab"}); !errors.Is(err, settle.ErrPlanChanged) {
		t.Fatalf("a stale approval: %v", err)
	}
	sameShown(t, "after a stale approval", shown(sim), wrong)
	if runs, err := s.Runs(t.Context(), api.RunsRequest{}); err != nil || runs[0].ID != run {
		t.Errorf("it is listed as a run: %+v, %v", runs, err)
	}
	undone, err := ops.Undo(ann, api.UndoApproval{Run: run, Approve: plan.Hash})
	if err != nil || len(undone.Runs) != 1 || undone.Runs[0].Outcome != api.Clean || undone.Runs[0].By != "ann" || undone.Runs[0].Undid != run || undone.Delivered[0].Waiting+undone.Delivered[0].Parked > 0 {
		t.Fatalf("%+v, %v", undone, err)
	}
	sameShown(t, "after the undo", shown(sim), before)
	if list, err := s.Decisions(t.Context(), api.DecisionsRequest{}); err != nil || len(list) < 2 || list[0].What != "undo" || list[0].By != "ann" || list[0].Of != run || list[1].Error == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if waits := undone.Delivered[0].Waits; len(waits) > 0 {
		t.Errorf("it waits there: %v", waits)
	}

	again, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || again.Runs[0].Outcome != api.Held || !strings.Contains(again.Runs[0].HeldReasons[0], "undone by ann at ") {
		t.Fatalf("%+v, %v", again, err)
	}
	sameShown(t, "while it waits", shown(sim), before)
	held, err := s.Held(t.Context(), api.HeldRequest{Hash: again.Runs[0].Held, Limit: 3})
	if err != nil || len(held.Actions) != 3 || !strings.HasPrefix(held.Actions[0].Reason, "undone by ann at ") {
		t.Errorf("%+v, %v", held, err)
	}
	if _, err := s.Approve(t.Context(), again.Runs[0].Held); err != nil {
		t.Fatal(err)
	}
	sameShown(t, "after the approval", shown(sim), wrong)
}

// TestUndoOfWhatIsForgotten: that nothing is kept of a run any more is said, and does not look as if it had done nothing.
func TestUndoOfWhatIsForgotten(t *testing.T) {
	w, _, s := undoWorld(t, 3)
	w.source.Put("", undoPerson("p1", 1))
	ran, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	part := store.Partition{Connection: ran.Runs[0].Connection, Tenant: ran.Runs[0].Tenant}
	if err := s.store.Update(t.Context(), part, func(tx store.Writer) error { return tx.ForgetActions("9", 0) }); err != nil {
		t.Fatal(err)
	}
	p, err := s.PlanUndo(t.Context(), api.UndoRequest{Run: ran.Runs[0].ID})
	if err != nil || p.Hash != "" || p.Forgotten != 1 {
		t.Errorf("hash %q, %d forgotten, %v", p.Hash, p.Forgotten, err)
	}
}

// TestWhyAt: what a record was is worked back, and it is said how far that goes.
func TestWhyAt(t *testing.T) {
	w, _, s := undoWorld(t, 3)
	now := time.Now()
	s.engine = engine.New(s.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	was := map[int]time.Time{}
	for version := 1; version < 4; version++ {
		now = now.Add(time.Hour)
		was[version] = now.Add(time.Minute)
		w.source.Put("", undoPerson("p1", version))
		if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	at := func(at time.Time) api.Past {
		t.Helper()
		list, err := s.WhyAt(t.Context(), api.WhyAtRequest{Kind: "user", Who: "lp1", At: at})
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return list[0]
	}
	value := func(p api.Past, name string) api.PastField {
		for _, f := range p.Fields {
			if f.Field == name {
				return f
			}
		}
		return api.PastField{}
	}
	for version := 1; version < 4; version++ {
		p := at(was[version])
		if f := value(p, "name"); f.Value != fmt.Sprintf("Person p1.%d", version) || f.Run == "" || f.Run != p.Run || p.State != "active" || p.Rule != "everyone" {
			t.Errorf("version %d: %+v in %+v", version, f, p)
		}
		if f := value(p, "login"); f.Value != "lp1" || f.Run == "" || f.Run == p.Run {
			t.Errorf("version %d: %+v in %+v", version, f, p)
		}
	}
	if p := at(was[1].Add(-48 * time.Hour)); p.State != "absent" || len(p.Fields) != 0 {
		t.Errorf("before it was made: %+v", p)
	}
	// What was before is forgotten; what has not changed since is known all the same.
	err := s.store.Update(t.Context(), store.Partition{Connection: "hq"}, func(tx store.Writer) error {
		return tx.ForgetActions(was[3].UTC().Add(-30*time.Minute).Format("20060102T150405"), 1<<30)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := at(was[1])
	if f := value(p, "name"); !f.Unknown || f.Value != nil {
		t.Errorf("forgotten: %+v", f)
	}
	if f := value(p, "login"); f.Value != "lp1" || f.Run == "" {
		t.Errorf("it never changed: %+v", f)
	}
	if p.State != "" || p.Reaches.IsZero() {
		t.Errorf("forgotten: %+v", p)
	}
	if f := value(at(was[3]), "name"); f.Value != "Person p1.3" {
		t.Errorf("kept: %+v", f)
	}
	if _, err := s.WhyAt(t.Context(), api.WhyAtRequest{Kind: "user", Who: "nobody", At: now}); fault.ClassOf(err) != fault.Gone {
		t.Errorf("nobody: %v", err)
	}
}

// TestReplayOfEvents: a target is told again of the records alone that have changed since a time, under keys of their own.
func TestReplayOfEvents(t *testing.T) {
	w, _, s := undoWorld(t, 9)
	now := time.Now()
	s.engine = engine.New(s.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Queued: func(string) {}})
	now = now.Add(time.Hour)
	w.source.Put("", undoPerson("p1", 1), undoPerson("p2", 2))
	w.source.Remove("", directory.Ref{Kind: directory.Person, ID: "p3"})
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return now }
	req := api.ResendRequest{Target: "help", Since: now.Add(-time.Minute), Dry: true}
	would, err := s.Resend(t.Context(), req)
	if err != nil || len(would.Runs) != 1 || fmt.Sprint(would.Runs[0].Counts) != "map[group:map[create:1] user:map[create:2 deactivate:1]]" {
		t.Fatalf("%+v, %v", would, err)
	}
	if list, err := s.Decisions(t.Context(), api.DecisionsRequest{}); err != nil || len(list) > 0 {
		t.Errorf("looking is a decision: %+v, %v", list, err)
	}
	req.Dry = false
	done, err := s.Operations().Resend(t.Context(), req)
	if err != nil || done.Runs[0].Told != 4 || done.Delivered[0].Delivered != 4 || !strings.Contains(done.Runs[0].Notes[0], "the 4 records that it was told of since") {
		t.Errorf("%+v, %v", done, err)
	}
	if list, err := s.Decisions(context.Background(), api.DecisionsRequest{}); err != nil || len(list) != 1 || !strings.HasPrefix(list[0].Detail, "since ") {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.Resend(t.Context(), api.ResendRequest{Target: "help", Since: now.Add(time.Hour)}); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("of a time to come: %v", err)
	}
}

// TestRunActions: the pages of a run are the run, whatever is left out, and lists say who came and who went.
func TestRunActions(t *testing.T) {
	w, _, s := undoWorld(t, 90)
	for i := range 40 {
		w.source.Put("", undoPerson(fmt.Sprintf("p%d", i), 1))
	}
	w.source.AddMembers("", "g3", directory.IDHandle("p7"))
	w.source.RemoveMembers("", "g3", directory.IDHandle("p3"), directory.IDHandle("p43"))
	ran, err := s.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || fmt.Sprint(ran.Runs[0].Counts) != "map[group:map[update:1] user:map[update:40]]" {
		t.Fatalf("%+v, %v", ran, err)
	}
	ask := func(req api.RunActionsRequest) api.RunActions {
		t.Helper()
		req.Run = ran.Runs[0].ID[len(ran.Runs[0].ID)-4:]
		answer, err := s.RunActions(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	var byPosition, byCount []string
	for position := 0; ; {
		page := ask(api.RunActionsRequest{Position: position, Limit: 7})
		for _, a := range page.Actions {
			byPosition = append(byPosition, a.Key)
		}
		if position = page.Next; !page.More {
			break
		}
	}
	for {
		page := ask(api.RunActionsRequest{From: len(byCount), Limit: 9})
		for _, a := range page.Actions {
			byCount = append(byCount, a.Key)
		}
		if !page.More {
			break
		}
	}
	if len(byPosition) != 41 || !slices.Equal(byPosition, byCount) {
		t.Errorf("by position %v\nby count %v", byPosition, byCount)
	}
	group := ask(api.RunActionsRequest{Kind: "group"})
	if len(group.Actions) != 1 || group.More || fmt.Sprint(group.Actions[0].Entered, group.Actions[0].Left) != "[hq/p7] [hq/p3 hq/p43]" {
		t.Errorf("%+v", group.Actions)
	}
	one := ask(api.RunActionsRequest{Who: "PERSON P7."})
	if len(one.Actions) != 1 || one.Actions[0].Key != "hq/p7" || one.Actions[0].Rule != "everyone" || fmt.Sprint(one.Actions[0].Changes) != "[{email p7.0@example.test p7.1@example.test} {name Person p7.0 Person p7.1} {title Engineer Lawyer}]" {
		t.Errorf("%+v", one.Actions)
	}
	if none := ask(api.RunActionsRequest{Op: "delete"}); len(none.Actions) != 0 || none.More {
		t.Errorf("%+v", none)
	}
	for _, id := range []string{"zzzz", "20200101T000000-abcd", ""} {
		if _, err := s.RunActions(t.Context(), api.RunActionsRequest{Run: id}); fault.ClassOf(err) != fault.Configuration || !api.IsMissing(err) {
			t.Errorf("run %q: %v", id, err)
		}
	}
}
