package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
)

// fewestKills is how often the program is killed in all.
const fewestKills = 30

// killer kills a program at random moments.
type killer struct {
	*rand.Rand
	kills map[string]int
	turn  []int // stages to come, shuffled
}

// moment is when to kill: some time after a sign that was given in the program's output or journal.
type moment struct {
	stage string
	sign  func(log string, journal int64) bool
	after time.Duration
}

// stages of a first sync, from the start of the process to its last deliveries.
var stages = []string{"starting", "reading", "settling", "delivering"}

// pick chooses a moment. usual is how a run goes that nobody disturbs.
func (k *killer) pick(usual course, journal int64) moment {
	if len(k.turn) == 0 {
		k.turn = k.Perm(len(stages))
	}
	m := moment{stage: stages[k.turn[0]]}
	k.turn = k.turn[1:]
	some := func(d time.Duration) time.Duration { return time.Duration(k.Int64N(int64(d) + 1)) }
	switch m.stage {
	case "starting":
		m.after, m.sign = some(usual.start), func(string, int64) bool { return true }
	case "reading":
		pages := 1 + k.IntN(usual.pages)
		m.after = some(usual.read / time.Duration(usual.pages))
		m.sign = func(log string, _ int64) bool { return countPages(log) >= pages }
	case "settling":
		m.after = some(usual.settle)
		m.sign = func(log string, _ int64) bool { return countPages(log) >= usual.pages }
	case "delivering":
		at := journal + k.Int64N(max(1, usual.journal-journal))
		m.after = some(20 * time.Millisecond)
		m.sign = func(_ string, size int64) bool { return size > at }
	}
	return m
}

func countPages(log string) int {
	return strings.Count(log, "msg=page ") + strings.Count(log, `"msg":"page"`)
}

// course is how long the parts of an undisturbed run take.
type course struct {
	start, read, settle time.Duration
	pages               int
	journal             int64
}

// victim is an installation whose program is killed.
type victim struct {
	*installation
	command []string // sync or run
	cmd     *exec.Cmd
	log     *tape
	ended   chan struct{}
}

func (v *victim) start() {
	v.t.Helper()
	v.log = everything.record(v.t.Name()+": dirsyncd "+strings.Join(v.command, " "), false)
	v.cmd, v.ended = v.installation.command(v.command...), make(chan struct{})
	v.cmd.Stdout, v.cmd.Stderr = everything.record(v.t.Name()+": output", false), v.log
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) { _ = cmd.Wait(); close(ended) }(v.cmd, v.ended)
}

func (v *victim) journalSize() int64 {
	info, err := os.Stat(v.path("changes.jsonl"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// killAt waits for a moment and kills. It reports false when the program was done before. A daemon that has
// delivered everything is idle: another moment will not come.
func (v *victim) killAt(m moment, everything int64) bool {
	v.t.Helper()
	over := func() bool {
		select {
		case <-v.ended:
			return true
		default:
			return false
		}
	}
	eventually(v.t, "the moment to kill has come", func() bool {
		size := v.journalSize()
		return over() || m.sign(v.log.String(), size) || size >= everything && v.command[0] == "run"
	})
	later := time.NewTimer(m.after)
	select {
	case <-later.C:
	case <-v.ended:
	}
	_ = v.cmd.Process.Kill()
	<-v.ended
	return v.cmd.ProcessState.ExitCode() < 0
}

// complete lets the program do its work to the end.
func (v *victim) complete(events int) {
	v.t.Helper()
	if v.command[0] == "sync" {
		v.expect(0, "sync")
		return
	}
	// The daemon must go on by itself: it has no schedule and nobody asks.
	d := v.installation.startReady()
	v.awaitJournal(events)
	eventually(v.t, "nothing is left to do", func() bool {
		st := v.status()
		return st.Targets[0].Waiting == 0 && !st.Connections[0].Tenants[0].Proven.IsZero()
	})
	d.stop()
}

// TestKilledAtAnyMoment kills the program at random moments of first syncs, over and over. Whatever the
// moments were, the end is that of a sync that nobody disturbed: the same records, every event once.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := connectortest.Seed(t)
	k := &killer{Rand: rand.New(rand.NewPCG(seed, 1)), kills: map[string]int{}}
	s := large(2000).open(t)
	undisturbed := install(t, of(s).configuration())
	usual := observe(t, undisturbed)
	if usual.pages < 3 {
		t.Fatalf("%d pages: this test wants more", usual.pages)
	}
	expected := undisturbed.journal()
	records := storedRecords(t, undisturbed)

	killed := 0
	for round := 0; killed < fewestKills || len(k.kills) < len(stages) && round < 3*fewestKills; round++ {
		v := &victim{installation: install(t, of(s).configuration()), command: []string{"sync", "-v"}}
		if round%2 == 1 {
			v.command = []string{"run", "-v"}
		}
		for n := 0; n < 11 && v.journalSize() < usual.journal; n++ {
			m := k.pick(usual, v.journalSize())
			v.start()
			if v.killAt(m, usual.journal) {
				killed++
				k.kills[m.stage]++
			}
		}
		v.complete(len(expected))
		sameEvents(t, v.journal(), expected)
		replay(t, v.journal())
		if got := storedRecords(t, v.installation); !reflect.DeepEqual(got, records) {
			t.Errorf("round %d: %d records are stored, want %d like these", round, len(got), len(records))
		}
		if t.Failed() {
			t.Fatalf("round %d of %v went wrong", round, v.command)
		}
	}
	t.Logf("killed %d times: %v", killed, k.kills)
	if len(k.kills) < len(stages) {
		t.Errorf("not every stage was hit: %v", k.kills)
	}
	killedAmidChanges(t, k, usual, s)
}

// killedAmidChanges: people change while the program is killed, so that several events concern one record.
// None may get lost, come twice or overtake another one.
func killedAmidChanges(t *testing.T, k *killer, usual course, s *slapdtest.Server) {
	t.Helper()
	v := &victim{installation: install(t, of(s).configuration()), command: []string{"sync", "-v"}}
	v.expect(0, "sync")
	was := v.journalSize()
	for i := range 8 {
		for person := range 10 {
			s.Replace(s.PersonDN(fmt.Sprintf("p%d", 40+person)), "displayName", fmt.Sprintf("Name %d of %d", i, person))
		}
		m := moment{stage: "settling", after: time.Duration(k.Int64N(int64(usual.settle / 4)))}
		m.sign = func(log string, size int64) bool { return countPages(log) >= usual.pages || size > was }
		if i%2 == 1 {
			m.after, m.sign = time.Duration(k.Int64N(int64(20*time.Millisecond))), func(_ string, size int64) bool { return size > was }
		}
		v.start()
		v.killAt(m, 1<<40)
		was = v.journalSize()
	}
	v.expect(0, "sync")
	replay(t, v.journal()).mustBe(t, wants(directoryNow(t, s)))
}

// observe watches an undisturbed first sync and measures its parts.
func observe(t *testing.T, in *installation) course {
	t.Helper()
	v := &victim{installation: in, command: []string{"sync", "-v"}}
	began := time.Now()
	v.start()
	var c course
	var firstPage, lastPage time.Time
	eventually(t, "an undisturbed sync is done", func() bool {
		over := false // asked first: what it wrote to its end is in the log then
		select {
		case <-v.ended:
			over = true
		default:
		}
		now := time.Now()
		log := v.log.String()
		if c.start == 0 && strings.Contains(log, "run started") {
			c.start = now.Sub(began)
		}
		if pages := countPages(log); pages > c.pages {
			c.pages, lastPage = pages, now
			if firstPage.IsZero() {
				firstPage = now
			}
		}
		if c.settle == 0 && strings.Contains(log, "run ended") {
			c.settle = now.Sub(lastPage)
		}
		return over
	})
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("an undisturbed sync ended with %d:\n%s", code, v.log)
	}
	// On a busy machine several of its parts may be seen at once.
	c.start, c.settle = max(c.start, time.Millisecond), max(c.settle, time.Millisecond)
	c.read, c.journal = lastPage.Sub(firstPage), v.journalSize()
	t.Logf("undisturbed: %+v", c)
	return c
}

// sameEvents compares journals by what happened, whatever the order among different records and the runs.
func sameEvents(t *testing.T, got, want []event) {
	t.Helper()
	count := map[string]int{}
	text := func(e *event) string { return e.ID + " " + e.inShort() + " " + fmt.Sprint(e.Data.Record) }
	for i := range got {
		count[text(&got[i])]++
	}
	for i := range want {
		count[text(&want[i])]--
	}
	var wrong []string
	for what, n := range count {
		if n != 0 {
			wrong = append(wrong, fmt.Sprintf("%+d: %s", n, what))
		}
	}
	complain(t, "events", wrong)
}

// storedRecords reads the state of a program that has ended: it must be whole, with nothing left to do.
func storedRecords(t *testing.T, in *installation) map[string]string {
	t.Helper()
	ctx := context.Background()
	st, err := bolt.Open(in.path("state.db"), bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	if err := st.Verify(ctx); err != nil {
		t.Errorf("the state is damaged: %v", err)
	}
	records := map[string]string{}
	err = st.View(ctx, store.Partition{Connection: connection}, func(tx store.Reader) error {
		for _, kind := range directory.RecordKinds() {
			err := tx.Records(kind, 0, func(_ store.Num, r directory.Record) bool {
				text := fmt.Sprint(r.Active, r.Rule, r.Revision, len(r.Members))
				for _, f := range r.Fields {
					text += " " + f.Name + "=" + fmt.Sprint(f.Value.Any())
				}
				records[kind.String()+"/"+r.Key] = text
				return true
			})
			if err != nil {
				return err
			}
		}
		for _, kind := range directory.Kinds() {
			err := tx.Dirty(kind, 0, func(store.Num, store.DirtyReason) bool {
				t.Errorf("a %s is still dirty", kind)
				return false
			})
			if err != nil {
				return err
			}
		}
		depth, _, err := tx.OutboxDepth("journal")
		if depth > 0 {
			t.Errorf("%d actions still wait", depth)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}
