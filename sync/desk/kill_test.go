package desk

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

var moments = flag.Int("moments", 100, "at how many moments the process is killed")

// shown is what the desk comes to, by who it is: ids and times differ from one history to the next.
func shown(sim *desktest.Sim) map[string]string {
	out := map[string]string{}
	names := map[string]string{}
	for _, kind := range directory.RecordKinds() {
		for _, t := range sim.Things(kind) {
			names[t.ID] = t.Person + t.Fields["name"]
		}
	}
	for _, kind := range directory.RecordKinds() {
		for _, t := range sim.Things(kind) {
			var members []string
			for _, id := range t.Members {
				members = append(members, names[id])
			}
			slices.Sort(members)
			refs := maps.Clone(t.Refs)
			for field, id := range refs {
				refs[field] = names[id]
			}
			out[kind.String()+" "+names[t.ID]+t.Fields["email"]] += fmt.Sprintf("%s %s %v %v %v %v;", t.Mark, t.Anchor, t.Fields, refs, members, t.Active)
		}
	}
	return out
}

func smallCompany(w *world) {
	company(w, 60, 36)
	w.put(directory.GroupRecord, "g1", "name=Engineers", "members=u1,u2,u40,u41,u59")
	w.put(directory.TicketRecord, "u59/ticket/joiner/1", "name=T59", "summary=New", "user=hq/u59")
	w.put(directory.AgentRecord, "a1", "name=Agent", "login=agent1", "email=agent1@example.test")
}

// Wherever the process is killed, the next one comes to what one that was never killed comes to; and so does one that
// starts from the state of before, with a desk on which everything is done.
func TestKilledAnywhere(t *testing.T) {
	dir := t.TempDir()
	var want map[string]string
	var steps, writes int
	run := func(t *testing.T, killAt int, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			path := filepath.Join(dir, fmt.Sprintf("%d.db", seed))
			st, err := bolt.Open(path, bolt.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = st.Close() }()
			w := newWorld(t, st, 1)
			w.opts.Batch = 1 + r.IntN(10)
			if killAt == 0 {
				w.opts.Batch = 5
			}
			smallCompany(w)
			w.sync()
			before := filepath.Join(dir, fmt.Sprintf("%d.before.db", seed))
			snapshot(t, st, before)
			w.killAt = killAt
			w.start()
			w.rest(time.Hour)
			if !w.isDead() {
				w.approve()
				w.rest(3 * time.Hour)
			}
			steps, writes = max(steps, w.step), max(writes, w.sim.Counts().Writes)
			finish := func() {
				w.stop()
				w.killAt = 0
				w.start()
				w.rest(time.Hour)
				w.approve()
				w.rest(3 * time.Hour)
				for _, p := range w.problems(false) {
					t.Error(p)
				}
				if queued, parked := w.queued(); queued+parked > 0 {
					t.Errorf("%d queued, %q parked", queued, w.parked())
				}
				got := shown(w.sim)
				if want == nil {
					want = got
				}
				for who, what := range want {
					if got[who] != what {
						t.Errorf("%s: %s, without a kill %s", who, got[who], what)
					}
				}
				if len(got) != len(want) {
					t.Errorf("%d things, without a kill %d", len(got), len(want))
				}
			}
			finish()
			if seed%4 > 0 {
				w.stop()
				return
			}
			done := w.sim.Counts().Writes
			_ = st.Close()
			if st, err = bolt.Open(before, bolt.Options{NoSync: true}); err != nil {
				t.Fatal(err)
			}
			w.store = st
			finish()
			w.stop()
			if n := w.sim.Counts().Writes - done; n > 0 {
				t.Errorf("after the restore %d writes", n)
			}
		})
	}
	run(t, 0, 0)
	t.Logf("%d steps, %d writes", steps, writes)
	all := steps
	r := rand.New(rand.NewPCG(11, 11))
	for i := range uint64(*moments) {
		at := 1 + r.IntN(all)
		t.Run(fmt.Sprintf("%d at %d", i, at), func(t *testing.T) { run(t, at, i+1) })
	}
	if reflect.DeepEqual(want, map[string]string{}) {
		t.Error("nothing was done")
	}
}
