package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets/desktest"
)

// again queues an action of a record as it is.
func (w *world) again(ctx context.Context, _ store.Partition, kind directory.RecordKind, key string) (bool, error) {
	w.repairs++
	return true, w.store.Update(ctx, hq, func(tx store.Writer) error {
		nums, err := tx.Lookup([]string{key}, nil)
		if err != nil {
			return err
		}
		rec, _, err := tx.Record(kind, nums[0])
		if err != nil {
			return err
		}
		a := directory.Action{Op: directory.Create, Kind: kind, Record: key, Origin: directory.Origin{Connection: "hq", ID: strings.TrimPrefix(key, "hq/")}, Run: "audit", Reason: directory.SentAgain, Rule: fmt.Sprint(w.repairs)}
		for _, f := range rec.Fields {
			a.Fields = append(a.Fields, f.Field)
		}
		set := directory.SetChange{Name: "members"}
		for _, n := range rec.Members {
			set.Added = append(set.Added, w.nameOf(tx, n))
		}
		if len(set.Added) > 0 {
			a.Sets = []directory.SetChange{set}
		}
		rec.Revision++
		a.SealKey(rec.Revision)
		if err := tx.PutRecord(nums[0], &rec); err != nil {
			return err
		}
		return tx.Enqueue(helpdesk, &a, time.Now())
	})
}

func (w *world) audit(repair Repair) (out Audited, lines []string) {
	w.t.Helper()
	out, err := w.desk.Audit(context.Background(), nil, repair, func(d Difference) error {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Finding, d.Subject, strings.Join(d.Fields, ","))))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.rest(time.Minute)
	return out, lines
}

// staff is a desk with five people, a group and a customer, all ours.
func staff(w *world) {
	w.put(directory.CustomerRecord, "c", "name=Acme")
	w.put(directory.CustomerRecord, "d", "name=Beta")
	for i := range 5 {
		w.put(directory.UserRecord, fmt.Sprintf("u%d", i), fmt.Sprintf("login=l%d", i), "title=Engineer of machines", "customer=Acme")
	}
	w.put(directory.GroupRecord, "g", "name=Team", "members=u0,u1")
	w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "foreign", Active: true, Fields: map[string]string{"login": "f"}})
}

func TestAudit(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		// The place cuts texts: that is no difference.
		w.sim.Set(func(f *desktest.Faults) { f.Cut = 8 })
		staff(w)
		w.run()
		requests := w.sim.Counts().Requests
		out, lines := w.audit(Repair{})
		if len(lines) > 0 || !out.Same() || out.Counts["user"]["same"] != 5 || out.Counts["user"]["foreign"] != 1 {
			t.Errorf("%q %+v", lines, out)
		}
		if n := w.sim.Counts().Requests - requests; n != len(w.sim.Kinds)-1 { // tickets are not listed
			t.Errorf("%d requests", n)
		}
		human := func(who, what string, change func(*desktest.Thing)) {
			p := w.person(who)
			w.sim.Human(p.Kind, p.ID, what, change)
		}
		human("user/hq/u0", "edit", func(t *desktest.Thing) { t.Fields["title"] = "Boss" })
		human("user/hq/u1", "deactivate", func(t *desktest.Thing) { t.Active = false })
		human("user/hq/u2", "remove", nil)
		beta := w.person("customer/hq/d").ID
		human("user/hq/u3", "move", func(t *desktest.Thing) { t.Refs["customer"] = beta })
		human("group/hq/g", "edit", func(t *desktest.Thing) { t.Members = nil })
		w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "copy", Active: true, Mark: "hq/u4", Fields: map[string]string{}})
		writes := w.sim.Counts().Writes
		out, lines = w.audit(Repair{})
		want := "changed user/hq/u0 title|inactive user/hq/u1|moved user/hq/u3|twin|missing user/hq/u2|changed group/hq/g members"
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if out.Same() || w.sim.Counts().Writes != writes {
			t.Errorf("%+v", out)
		}
		// A list that proves nothing proves nobody missing.
		w.sim.Set(func(f *desktest.Faults) { f.SurveyCap = 3 })
		out, lines = w.audit(Repair{})
		if strings.Contains(strings.Join(lines, "|"), "missing") || out.Doubts["user"] == "" {
			t.Errorf("%q %+v", lines, out.Doubts)
		}
	})
}

func TestAuditRepairs(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		repair := Repair{Missing: true, Active: true, Members: true, Fields: []string{"title"}, Again: w.again}
		human := func(who, what string, change func(*desktest.Thing)) {
			p := w.person(who)
			w.sim.Human(p.Kind, p.ID, what, change)
		}
		human("user/hq/u0", "edit", func(t *desktest.Thing) { t.Fields["title"], t.Fields["login"] = "Boss", "mine" })
		human("user/hq/u1", "edit", func(t *desktest.Thing) { t.Active = false })
		human("user/hq/u2", "remove", nil)
		human("group/hq/g", "edit", func(t *desktest.Thing) { t.Members = t.Members[1:] })
		w.audit(repair)
		if got := w.person("user/hq/u0").Fields; got["title"] != "Engineer of machines" || got["login"] != "mine" {
			t.Errorf("only what is always ours is put right: %v", got)
		}
		if !w.person("user/hq/u1").Active || w.person("user/hq/u2").Mark != "hq/u2" || len(w.person("group/hq/g").Members) != 2 {
			t.Errorf("%+v", w.sim.Things(directory.UserRecord))
		}
		if _, lines := w.audit(repair); len(lines) != 1 || lines[0] != "changed user/hq/u0 login" {
			t.Errorf("%q", lines)
		}
		// Two who write the same field.
		var last []string
		for range 5 {
			human("user/hq/u3", "edit", func(t *desktest.Thing) { t.Fields["title"] = "mine" })
			_, last = w.audit(repair)
		}
		if got := strings.Join(last, "|"); !strings.Contains(got, "fought user/hq/u3 title") || w.person("user/hq/u3").Fields["title"] != "mine" {
			t.Error(got)
		}
	})
}

// What is delivered while an audit compares, by another process at that, stays as it was stored; the next audit looks at it anew.
func TestAuditLeavesWhatIsDeliveredMeanwhile(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		p := w.person("user/hq/u0")
		w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["title"] = "Boss" })
		link := func() (l store.Link) {
			t.Helper()
			if err := w.store.View(t.Context(), w.desk.part, func(tx store.Reader) error {
				list, err := tx.LinksOf([]string{"user/hq/u0"})
				if err == nil {
					l = list[0]
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return l
		}
		delivered := link()
		delivered.Saw = maps.Clone(delivered.Saw)
		delivered.Saw["title"], delivered.Revision = store.DigestOf("Boss"), "7"
		out, err := w.desk.Audit(t.Context(), nil, Repair{Fields: []string{"title"}, Again: func(context.Context, store.Partition, directory.RecordKind, string) (bool, error) {
			return true, w.store.Update(t.Context(), w.desk.part, func(tx store.Writer) error { return tx.PutLink(delivered) })
		}}, func(Difference) error { return nil })
		if err != nil || out.Repaired != 0 {
			t.Errorf("%d repaired, %v", out.Repaired, err)
		}
		if now := link(); now.Revision != "7" || now.Saw["title"] != delivered.Saw["title"] || now.Sent["title"] != delivered.Sent["title"] {
			t.Errorf("it is not as it was delivered: %+v", now)
		}
	})
}

// A desk that is set up anew waits for an audit, which ends, and takes nothing more.
func TestAuditEndsWithTheDesk(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		p := w.person("user/hq/u2")
		w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["title"] = "Boss" })
		closed := make(chan struct{})
		repair := Repair{Fields: []string{"title"}, Again: func(ctx context.Context, _ store.Partition, _ directory.RecordKind, _ string) (bool, error) {
			go func() { w.stop(); w.stop = nil; close(closed) }()
			<-ctx.Done()
			return false, ctx.Err()
		}}
		if _, err := w.desk.Audit(t.Context(), nil, repair, func(Difference) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("the audit ended with %v", err)
		}
		<-closed
		if _, err := w.desk.Audit(t.Context(), nil, Repair{}, func(Difference) error { return nil }); fault.ClassOf(err) != fault.Conflict {
			t.Errorf("after that: %v", err)
		}
	})
}

func TestAuditIsGuarded(t *testing.T) {
	limit := 3
	scene(t, func(o *Options) { o.Guard = Guard{Overwrites: {Count: &limit}} }, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		for _, p := range w.sim.Things(directory.UserRecord) {
			w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["title"] = "by hand" })
		}
		writes := w.sim.Counts().Writes
		out, _ := w.audit(Repair{Fields: []string{"title"}, Again: w.again})
		if len(out.Held) != 1 || w.sim.Counts().Writes != writes {
			t.Errorf("%+v", out)
		}
	})
}

// Repairs that were held go on with the audit after the approval; those that somebody undoes again and again end.
func TestAuditApprovedAndFought(t *testing.T) {
	limit := 3
	scene(t, func(o *Options) { o.Guard = Guard{Overwrites: {Count: &limit}} }, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		repair := Repair{Missing: true, Active: true, Members: true, Fields: []string{"title"}, Again: w.again}
		for _, p := range w.sim.Things(directory.UserRecord) {
			w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["title"] = "by hand" })
		}
		if out, _ := w.audit(repair); len(out.Held) != 1 || out.Repaired != 0 || !w.approve() {
			t.Fatalf("%+v", out)
		}
		if out, _ := w.audit(repair); len(out.Held) != 0 || out.Repaired != 5 {
			t.Fatalf("%+v", out)
		}
		for i := range 5 {
			if got := w.person(fmt.Sprintf("user/hq/u%d", i)).Fields["title"]; got != "Engineer of machines" {
				t.Errorf("%d: %s", i, got)
			}
		}
		last := ""
		for range 4 {
			w.rest(25 * time.Hour)
			p := w.person("user/hq/u1")
			w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Active = false })
			if p = w.person("user/hq/u2"); p.ID != "" {
				w.sim.Human(p.Kind, p.ID, "remove", nil)
			}
			g := w.person("group/hq/g")
			w.sim.Human(g.Kind, g.ID, "edit", func(t *desktest.Thing) { t.Members = nil })
			_, lines := w.audit(repair)
			last = strings.Join(lines, "|")
		}
		if last != "fought user/hq/u1 active|fought user/hq/u2 missing|fought group/hq/g members" {
			t.Error(last)
		}
	})
}

// A thing that has another record's mark under the id of a link is not the link's.
func TestAuditOfAnIDThatIsAnothers(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a", "title=Boss")
		w.run()
		w.sim.Human(directory.UserRecord, w.person("user/hq/u1").ID, "edit", func(t *desktest.Thing) { t.Mark, t.Fields["title"] = "hq/u7", "Chief" })
		a, err := w.desk.Audit(t.Context(), nil, Repair{}, func(Difference) error { return nil })
		if err != nil || a.Counts["user"]["missing"] != 1 || a.Counts["user"]["changed"] != 0 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
