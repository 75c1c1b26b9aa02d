package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// waitingFor returns what waits for a target, in words, and under which keys.
func (r *rig) waitingFor(name string) (words, keys []string) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		words, keys = nil, nil
		return tx.Outbox(name, 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				r.Fatal(err)
			}
			text := say(&a)
			if a.Reason != "" {
				text += " (" + a.Reason + ")"
			}
			words, keys = append(words, text), append(keys, a.Key)
			return true
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return words, keys
}

func (r *rig) resend(target string) Result {
	r.Helper()
	results := r.engine.RunConnection(r.Context(), r.conn, Job{Offline: true, Resend: target, Trigger: Operator})
	if len(results) != 1 {
		r.Fatalf("%d results", len(results))
	}
	return results[0]
}

// lostDesk has somebody who left, somebody who was deleted, a list of people, and a plan that waits.
func lostDesk(t *testing.T) *rig {
	r := newRig(t)
	spec := teamsSpec()
	r.mapping(spec)
	r.conn.Targets = []string{"other", target}
	for i := range 6 {
		r.add(fmt.Sprint(i), fmt.Sprint("P", i))
	}
	r.groups["g"] = []string{"p:1", "p:2"}
	r.sync()
	delete(r.people, "5")
	r.expect("one leaves", Clean, "deactivate user 5")
	spec.Leavers = mapping.DeleteLeavers
	r.mapping(spec)
	delete(r.people, "4")
	r.expect("another one is deleted", Clean, "delete user 4")
	none := 0
	r.conn.Guard = plan.Guard{directory.Delete: {Count: &none}}
	delete(r.people, "3")
	r.expect("and the next one waits", Held)
	return r
}

// A target that lost what it had gets the present state of every record, and nobody else gets anything.
func TestSendAgain(t *testing.T) {
	r := lostDesk(t)
	before, keysBefore := r.waitingFor("other")
	held := r.state().Held.Hash
	res := r.resend(target)
	words, _ := r.waitingFor(target)
	want := strings.Join([]string{
		"delete user 4 (sent again: no longer listed by the source)", "deactivate user 5 (sent again: no longer listed by the source)",
		"create user 0 (sent again)", "create user 1 (sent again)", "create user 2 (sent again)", "create user 3 (sent again)",
		"create group g +hq/1,hq/2 - (sent again)",
	}, "; ")
	if got := strings.Join(words, "; "); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
	if res.Run.Outcome != Clean || res.Run.Told != 7 || len(res.Run.Counts) != 0 || len(res.Run.Notes) != 1 {
		t.Errorf("run: %+v", res.Run)
	}
	if after, _ := r.waitingFor("other"); !slices.Equal(before, after) {
		t.Errorf("the other target got %q", after[len(before):])
	}
	if got := r.state(); got.Held == nil || got.Held.Hash != held || !slices.Equal(got.Targets, r.conn.Targets) {
		t.Errorf("what waits does so no longer: %+v", got)
	}
	r.resend(target)
	_, keys := r.waitingFor(target)
	seen := map[string]bool{}
	for _, key := range slices.Concat(keysBefore, keys) {
		if seen[key] {
			t.Errorf("key %s is used twice", key)
		}
		seen[key] = true
	}
	if list := r.state().Telling; len(list) != 1 || !list[0].Queued || list[0].Records != 7 {
		t.Errorf("remembered %+v", list)
	}
	r.drain()
	r.expect("nothing follows", Held)
}

// What was cut goes on with the next run, under the same keys.
func TestSendAgainGoesOn(t *testing.T) {
	r := lostDesk(t)
	r.resend(target)
	_, want := r.waitingFor(target)
	r.drain()
	seed := r.state().Telling[0]
	seed.Queued = false
	err := r.store.Update(t.Context(), r.part(), func(tx store.Writer) error {
		s, err := tx.Tenant()
		s.Telling = []store.Telling{seed}
		if err != nil {
			return err
		}
		return tx.PutTenant(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, res := r.sync()
	var got []string
	for _, a := range r.journal[len(r.journal)-len(want):] {
		got = append(got, a.Key)
	}
	if !slices.Equal(got, want) || res.Run.Told != len(want) || !r.state().Telling[0].Queued {
		t.Errorf("told %d, keys\n%q\nwant\n%q", res.Run.Told, got, want)
	}
}

// A target that is new is told by the next run; to ask for it again before changes nothing.
func TestSendAgainToANewTarget(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.conn.Targets = []string{"old", target}
	r.expect("first", Clean, "create user 1")
	r.conn.Targets = []string{"old", target, "new"}
	if res := r.resend("new"); res.Run.Told != 0 || !slices.ContainsFunc(res.Run.Notes, func(n string) bool { return strings.Contains(n, "next run") }) {
		t.Errorf("run: %+v", res.Run)
	}
	if words, _ := r.waitingFor("new"); len(words) > 0 {
		t.Errorf("told %q", words)
	}
	_, res := r.sync()
	if words, _ := r.waitingFor("new"); strings.Join(words, "; ") != "create user 1" || res.Run.Told != 1 {
		t.Errorf("told %q, %d", words, res.Run.Told)
	}
}
