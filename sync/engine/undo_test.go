package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settle"
)

// undo looks at an undo, approves it, and returns what was queued and the run.
func (r *rig) undo(run, record string) (string, Result) {
	r.Helper()
	of := Undo{Run: run, Record: record}
	p, err := r.engine.UndoPlan(r.Context(), r.conn, connectors.Tenant{}, of, nil)
	if err != nil {
		r.Fatal(err)
	}
	r.job = Job{Offline: true, Undo: &of, Approve: p.Hash, Trigger: Operator}
	return r.sync()
}

func (r *rig) mustUndo(run, record string, want ...string) Result {
	r.Helper()
	got, res := r.undo(run, record)
	if w := strings.Join(want, "; "); got != w || res.Err != nil {
		r.Errorf("undo: %v\n got %s\nwant %s", res.Err, got, w)
	}
	return res
}

// What was undone waits, and nothing else of the same people, until it is approved.
func TestUndoneWaits(t *testing.T) {
	r := newRig(t)
	for i := range 6 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	r.people["1"], r.people["2"] = person{name: "Wrong"}, person{name: "Wrong", department: "Sales"}
	wrong := r.expect("renamed", Clean, "update user 1 name:P>Wrong", "update user 2 name:P>Wrong team:>Sales")
	undo := r.mustUndo(wrong.Run.ID, "", "update user 2 name:Wrong>P team:Sales>", "update user 1 name:Wrong>P")
	if undo.Run.Mode != "undo" || undo.Run.Undid != wrong.Run.ID || undo.Run.Counts["user"]["update"] != 2 {
		t.Errorf("the run says %+v", undo.Run)
	}
	held := r.expect("the rules want the same", Held)
	if h := r.state().Held; fmt.Sprint(h.Counts) != "map[user:map[update:2]]" || !strings.Contains(h.Reasons[0], "of run "+wrong.Run.ID) {
		t.Errorf("held: %+v", h)
	}
	r.people["2"] = person{name: "Wrong", department: "Law"}
	r.add("7", "New")
	if now := r.expect("another result goes ahead", Held, "update user 2 team:>Law", "create user 7"); now.Run.Held == held.Run.Held {
		t.Error("the plan that waits is another one, and has the same hash")
	}
	r.approve("approved", "update user 1 name:P>Wrong", "update user 2 name:P>Wrong")
	r.expect("nothing is left", Clean)
	r.mustFollow()
}

// An undo can be undone, and then nothing waits.
func TestUndoOfAnUndo(t *testing.T) {
	r := newRig(t, user("everyone", "enabled"))
	r.conn.Guard = nil
	r.add("0", "P")
	first := r.expect("create", Clean, "create user 0")
	undo := r.mustUndo(first.Run.ID, "", "deactivate user 0")
	r.expect("waits", Held)
	r.mustUndo(undo.Run.ID, "", "reactivate user 0")
	r.expect("does not wait", Clean)
	r.people["0"] = person{name: "Q"}
	r.expect("goes on", Clean, "update user 0 name:P>Q")
	r.mustFollow()
}

// The record of somebody whom the store has forgotten comes back, and goes again when that is approved.
func TestUndoOfADeparture(t *testing.T) {
	for _, leavers := range []mapping.Leavers{mapping.DeactivateLeavers, mapping.DeleteLeavers} {
		r := newRig(t)
		r.spec.Leavers = leavers
		r.mapping(r.spec)
		for i := range 30 {
			r.add(fmt.Sprintf("%02d", i), "P")
		}
		r.people["00"] = person{name: "Gone", department: "Law"}
		r.sync()
		delete(r.people, "00")
		_, left := r.sync()
		before := len(r.journal)
		r.undo(left.Run.ID, "")
		if back := r.journal[before:]; len(back) != 1 || back[0].Op.Removes() || fmt.Sprint(back[0].Fields) != "[{name Gone} {team Law}]" {
			t.Fatalf("came back: %+v", back)
		}
		for range 2 {
			if _, res := r.sync(); res.Run.Outcome != Held {
				t.Fatalf("outcome %s, nothing waits", res.Run.Outcome)
			}
		}
		r.job = Job{Offline: true, Approve: r.state().Held.Hash}
		if again, res := r.sync(); res.Err != nil || !strings.HasSuffix(again, " user 00") {
			t.Errorf("approved: %s, %v", again, res.Err)
		}
		r.expect("nothing is left", Clean)
		r.mustFollow()
	}
}

// After an undo of a random run the records are what they were, and what waits, approved, is what the rules want.
func TestUndoOfARandomRun(t *testing.T) {
	rounds := 16
	if testing.Short() {
		rounds = 6
	}
	for i := range rounds {
		t.Run(fmt.Sprint("seed ", i), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			r := randomStory(t, rnd)
			for range 3 {
				r.randomRun(rnd)
			}
			r.settleDown()
			for range 3 {
				before := r.picture()
				for range 2 + rnd.IntN(8) {
					r.mutate(rnd)
				}
				_, res := r.sync()
				if res.Run.Outcome == Held {
					r.settleDown()
					continue
				}
				if len(res.Run.Counts) == 0 {
					continue
				}
				wanted := r.picture()
				if _, undo := r.undo(res.Run.ID, ""); undo.Err != nil && !errors.Is(undo.Err, settle.ErrPlanChanged) {
					t.Fatal(undo.Err)
				}
				if got := r.picture(); got != before {
					t.Fatalf("after the undo of\n%s\n got\n%s\nwant\n%s", r.sent(res.Run.ID), got, before)
				}
				r.job = Job{Full: true}
				if _, again := r.sync(); again.Run.Outcome == Held {
					if got := r.picture(); got != before {
						t.Errorf("what was undone did not wait:\n got\n%s\nwant\n%s", got, before)
					}
					r.job = Job{Offline: true, Approve: again.Run.Held}
					r.sync()
				}
				if got := r.picture(); got != wanted {
					t.Fatalf("after all was approved\n got\n%s\nwant\n%s", got, wanted)
				}
			}
			r.likeAFreshStart()
		})
	}
}

// picture is what a target should show: active records with their fields and members.
func (r *rig) picture() string {
	r.Helper()
	var lines []string
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		keys := map[uint32]string{}
		lines = nil
		for _, kind := range directory.RecordKinds() {
			err := tx.Records(kind, 0, func(n store.Num, rec directory.Record) bool {
				if kind == directory.UserRecord || kind == directory.AgentRecord {
					keys[uint32(n)] = rec.Key
				}
				if !rec.Active || kind == directory.TicketRecord {
					return true
				}
				text := fmt.Sprintf("%s %s", kind, rec.Key)
				for _, f := range rec.Fields {
					if !f.Value.Blank() {
						text += fmt.Sprintf(" %s=%v", f.Name, f.Value)
					}
				}
				for _, m := range rec.Members {
					text += " +" + keys[m]
				}
				lines = append(lines, text)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// sent is what is kept of a run, in words.
func (r *rig) sent(run string) string {
	r.Helper()
	var lines []string
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		return tx.RunActions(run, 0, func(at int, a directory.RunAction) bool {
			lines = append(lines, fmt.Sprintf("%d %s %s %s %v +%v -%v", at, a.Op, a.Kind, a.Key, a.Changes, a.Entered, a.Left))
			return true
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// An undo that is cut at any transaction is brought to its end by the next run: every action once, and all of them kept as of one run.
func TestUndoCutAnywhere(t *testing.T) {
	cuts := 0
	for _, round := range []int{1, 2} { // a run of every kind of action, and a small one
		begin := func() (*rig, string) {
			r := newStory(t, false, false)
			run := ""
			for _, change := range r.story()[:round+1] {
				change()
				_, res := r.sync()
				run = res.Run.ID
			}
			return r, run
		}
		finish := func(r *rig) string {
			r.sync()
			return r.outcome() + "\n" + r.undoings()
		}
		r, run := begin()
		if _, res := r.undo(run, ""); res.Err != nil {
			t.Fatal(res.Err)
		}
		want := finish(r)
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				r, run := begin()
				cut := &cutStore{Store: r.store, left: n, after: after}
				r.engine.store = cut
				r.undo(run, "")
				r.engine = New(r.store, r.engine.opts)
				r.engine.chunk = 2
				r.sync()
				if r.undoings() == "" { // it had not begun
					if _, res := r.undo(run, ""); res.Err != nil {
						t.Fatal(res.Err)
					}
				}
				if got := finish(r); got != want {
					t.Errorf("round %d cut %d after %t:\n got %s\nwant %s", round, n, after, got, want)
				}
				if cuts++; !cut.dead.Load() {
					break
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 35 {
		t.Errorf("only %d cuts: the sweep does not reach what it should", cuts)
	}
}

// undoings are the runs that undo others, with what is kept of them.
func (r *rig) undoings() (text string) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		var runs []store.Run
		if err := tx.Runs(func(run store.Run) bool { runs = append(runs, run); return true }); err != nil {
			return err
		}
		text = ""
		for _, run := range runs {
			if run.Undid == "" {
				continue
			}
			n := 0
			if err := tx.RunActions(run.ID, 0, func(int, directory.RunAction) bool { n++; return true }); err != nil {
				return err
			}
			text += fmt.Sprintf("undo: %s %v, %d kept\n", run.Outcome, run.Counts, n)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// Who comes with the hash of an undo that is another one by now is refused, and nothing is done.
func TestStaleUndoIsRefused(t *testing.T) {
	r := newRig(t)
	r.add("1", "A")
	r.add("2", "A")
	r.sync()
	r.people["1"], r.people["2"] = person{name: "B"}, person{name: "B"}
	_, wrong := r.sync()
	of := Undo{Run: wrong.Run.ID}
	p, err := r.engine.UndoPlan(t.Context(), r.conn, connectors.Tenant{}, of, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.people["2"] = person{name: "C"}
	r.expect("it changes again", Clean, "update user 2 name:B>C")
	for _, hash := range []string{p.Hash, "", "0123456789ab"} {
		r.job = Job{Offline: true, Undo: &of, Approve: hash, Trigger: Operator}
		if got, res := r.sync(); got != "" || !errors.Is(res.Err, settle.ErrPlanChanged) {
			t.Errorf("approved %q: %s, %v", hash, got, res.Err)
		}
	}
	// What to look at again is what was looked at: not the whole run, where it was one record.
	for key, look := range map[string]string{"": "undo " + wrong.Run.ID + "`, and", "hq/1": "undo " + wrong.Run.ID + " --record hq/1`, and", "hq/9": "--record hq/9` says what of it stays"} {
		r.job = Job{Offline: true, Undo: &Undo{Run: wrong.Run.ID, Record: key}, Approve: "0123456789ab", Trigger: Operator}
		if _, res := r.sync(); !strings.Contains(fault.Hint(res.Err), look) {
			t.Errorf("record %q: %s", key, fault.Hint(res.Err))
		}
	}
	var kept []string
	_, err = r.engine.UndoPlan(t.Context(), r.conn, connectors.Tenant{}, of, func(d *settle.Undone) {
		for _, k := range d.Kept {
			kept = append(kept, d.Of.Key+" "+k.Field+": "+k.Why)
		}
	})
	if want := "hq/2 name: it has changed since, by run "; err != nil || len(kept) != 1 || !strings.HasPrefix(kept[0], want) || !strings.HasSuffix(kept[0], `to "C"`) {
		t.Errorf("kept %q, %v", kept, err)
	}
	r.mustUndo(wrong.Run.ID, "", "update user 1 name:B>A")
	if _, err := r.engine.UndoPlan(t.Context(), r.conn, connectors.Tenant{}, Undo{Run: "20200101T000000-abcd"}, nil); err == nil {
		t.Error("a run that is not kept is undone")
	}
}

// An undo that was cut, and of whose run nothing is kept any more, ends there, and stops nobody.
func TestUndoOfWhatIsForgotten(t *testing.T) {
	r := newRig(t)
	r.add("1", "A")
	r.sync()
	err := r.store.Update(t.Context(), r.part(), func(tx store.Writer) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		state.Undoing = &store.Undoing{Run: "20200101T000000-abcd", ID: "20200102T000000-abcd"}
		return tx.PutTenant(state)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.add("2", "B")
	if res := r.expect("goes on", Clean, "create user 2"); len(res.Run.Notes) != 1 || !strings.Contains(res.Run.Notes[0], "nothing is kept any more") {
		t.Errorf("notes %q", res.Run.Notes)
	}
	if r.state().Undoing != nil {
		t.Error("it is still under way")
	}
}

// What an undo is still to bring back is not forgotten for what it has sent already, however little may be kept, and however often it is cut.
func TestUndoIsNotForgottenMeanwhile(t *testing.T) {
	for _, cut := range []int{0, 3} {
		r := newAging(t)
		r.conn.History = History{}
		for i := range 9 {
			r.add(fmt.Sprint(i), "P")
		}
		r.sync()
		for i := range 9 {
			r.people[fmt.Sprint(i)] = person{name: "Q"}
		}
		r.pass(time.Minute)
		_, wrong := r.sync()
		r.conn.History = History{Bytes: 300} // some parts of two actions
		r.sync()
		r.pass(time.Minute)
		kept := len(r.kept(wrong.Run.ID))
		if cut > 0 {
			r.engine.store = &cutStore{Store: r.store, left: cut, after: true}
			r.undo(wrong.Run.ID, "")
			r.engine = New(r.store, r.engine.opts)
			r.engine.chunk = 2
			r.job = Job{}
			r.sync()
		} else if _, res := r.undo(wrong.Run.ID, ""); res.Err != nil || res.Run.Counts["user"]["update"] != kept {
			t.Errorf("of %d that were kept: %+v, %v", kept, res.Run.Counts, res.Err)
		}
		if n := strings.Count(r.picture(), "name=P"); kept < 5 || n != kept {
			t.Errorf("cut %d: %d of %d are brought back", cut, n, kept)
		}
		if bytes := r.historySize(); bytes > 300 {
			t.Errorf("cut %d: %d bytes are kept in the end", cut, bytes)
		}
	}
}

// historySize is how many bytes all takes that is kept of what was sent.
func (r *rig) historySize() (bytes int64) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) (err error) {
		_, _, bytes, err = tx.ActionsKept()
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return bytes
}

// Who undoes the undo of an undo wants what the rules do not want: it waits like what was undone first.
func TestUndoOfAnUndoOfAnUndo(t *testing.T) {
	r := newRig(t, user("everyone", "enabled"))
	r.conn.Guard = nil
	r.add("0", "P")
	first := r.expect("create", Clean, "create user 0")
	one := r.mustUndo(first.Run.ID, "", "deactivate user 0")
	two := r.mustUndo(one.Run.ID, "", "reactivate user 0")
	three := r.mustUndo(two.Run.ID, "", "deactivate user 0")
	r.expect("waits", Held)
	r.mustUndo(three.Run.ID, "", "reactivate user 0")
	r.expect("does not wait", Clean)
	r.mustFollow()
}

// A record that an undo of an undo brings back, of somebody who has left meanwhile, is not forgotten in use: its end waits.
func TestUndoOfAnUndoOfSomebodyWhoLeft(t *testing.T) {
	r := newRig(t, user("everyone", "enabled"))
	r.conn.Guard = nil
	r.add("0", "P")
	r.add("1", "P")
	r.sync()
	r.add("2", "P")
	_, first := r.sync()
	undo := r.mustUndo(first.Run.ID, "", "deactivate user 2")
	delete(r.people, "2")
	r.expect("left", Clean)
	r.mustUndo(undo.Run.ID, "", "reactivate user 2")
	r.expect("waits", Held)
	r.expect("waits still", Held)
	r.approve("approved", "deactivate user 2")
	r.expect("nothing is left", Clean)
	r.mustFollow()
}
