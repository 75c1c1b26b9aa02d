package proof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/schedule"
	"dirsyncd/sync/targets"
)

// desk is a target that can be down and can refuse people. It knows what it was told.
type desk struct {
	mu      sync.Mutex
	down    bool
	refuse  func(*directory.Action) bool
	told    map[string]map[string]string // fields by subject; nil when inactive
	keys    map[string]bool
	doubles int
}

func newDesk() *desk {
	return &desk{told: map[string]map[string]string{}, keys: map[string]bool{}, refuse: func(*directory.Action) bool { return false }}
}

func (d *desk) Describe() targets.Description { return targets.Description{Batch: 50} }
func (d *desk) Check(context.Context) error   { return nil }
func (d *desk) Reopen() error                 { return nil }
func (d *desk) Close() error                  { return nil }

func (d *desk) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, &fault.Error{Class: fault.Transient, Op: "deliver", Err: errors.New("nobody answers")}
	}
	outcomes := make([]targets.Outcome, len(actions))
	for i := range actions {
		a := &actions[i]
		if d.refuse(a) {
			outcomes[i].Err = &fault.Error{Class: fault.Invalid, Op: "deliver", Err: errors.New("refused")}
			continue
		}
		d.take(a)
	}
	return outcomes, nil
}

func (d *desk) take(a *directory.Action) {
	if d.keys[a.Key] {
		d.doubles++
		return
	}
	d.keys[a.Key] = true
	subject := directory.Subject(a.Kind, a.Record)
	if a.Op == directory.Deactivate || a.Op == directory.Delete {
		delete(d.told, subject)
		return
	}
	fields := map[string]string{}
	for _, f := range a.Fields {
		fields[f.Name] = f.Value.String()
	}
	d.told[subject] = fields
}

// set changes how the desk behaves.
func (d *desk) set(change func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// Three weeks of a busy daemon, on a clock of its own: schedules over the change to summer time, a target that is
// down for days, credentials that expire, cursors that are lost, rules that fail for many, reloads under load, a
// clock that is set forth and back. At the end everything is as the source says, and nothing has grown.
func TestThreeWeeks(t *testing.T) {
	const people = 400
	const refusals = 10_000
	path := filepath.Join(t.TempDir(), "state.db")
	st, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	source := memory.NewSource()
	for i := range people {
		source.Put("", person(i, 0))
	}
	for i := range 20 {
		id := fmt.Sprint("g", i)
		source.Put("", directory.Object{Kind: directory.Group, ID: id, Fields: []directory.Field{{Name: "name", Value: directory.Text(id)}}})
	}
	connector := memory.Open(source, memory.Options{})
	defer func() { _ = connector.Close() }()
	rules, place := everything(t), newDesk()
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 3))
	var weeks []footprint

	// It does not end before every goroutine that was begun inside has: one that stays behind fails the test.
	synctest.Test(t, func(t *testing.T) {
		// The week before the clocks go forward.
		time.Sleep(time.Until(time.Date(2000, 3, 20, 0, 0, 0, 0, london)))
		var offset time.Duration // how wrong the clock is
		var clock sync.Mutex
		now := func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			return time.Now().Add(offset)
		}
		set := func(d time.Duration) {
			clock.Lock()
			defer clock.Unlock()
			offset = d
		}
		worker := deliver.New(st, "journal", place, deliver.Options{Now: now})
		eng := engine.New(st, engine.Options{Log: slog.New(slog.DiscardHandler), Now: now, Queued: func(string) { worker.Wake() }})
		conn := &engine.Connection{Name: "proof", Source: connector, Rules: rules, Guard: plan.Guard{}, Targets: []string{"journal"}}
		entry := func(cron string) []schedule.Entry {
			incremental, err := schedule.Parse(cron, "Europe/London")
			if err != nil {
				t.Fatal(err)
			}
			full, err := schedule.Parse("30 1 * * *", "Europe/London") // does not exist on one day
			if err != nil {
				t.Fatal(err)
			}
			return []schedule.Entry{{Name: "proof", Incremental: incremental, Full: full, Jitter: 30 * time.Second}}
		}
		var mu sync.Mutex // guards what follows
		runs, failed, full := 0, 0, 0
		loop := schedule.New(entry("*/20 * * * *"), func(ctx context.Context, _ string, trigger schedule.Trigger) {
			mu.Lock()
			defer mu.Unlock()
			for range rnd.IntN(4) {
				mutate(source, rnd, people)
			}
			for _, res := range eng.RunConnection(ctx, conn, engine.Job{Full: trigger.Full, Trigger: trigger.Cause}) {
				runs++
				if res.Err != nil {
					failed++
				}
				if res.Run.Mode == "full" {
					full++
				}
			}
		}, schedule.Options{Now: now})
		ctx, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		work.Go(func() { loop.Run(ctx) })
		work.Go(func() { _ = worker.Run(ctx) })

		day := func(events map[int]func()) {
			for d := 1; d <= 21; d++ {
				if event := events[d]; event != nil {
					event()
				}
				time.Sleep(24 * time.Hour)
				if d%7 == 0 {
					weeks = append(weeks, footprintOf(t, path))
				}
			}
		}
		day(map[int]func(){
			2: func() { place.set(func(d *desk) { d.down = true }) },
			5: func() { place.set(func(d *desk) { d.down = false }) },
			6: func() {
				source.Break(&fault.Error{Class: fault.Auth, Op: "read", Err: errors.New("the secret has expired")})
			},
			7: func() {
				source.Break(nil)
				loop.Trigger("proof", schedule.Trigger{Cause: "operator"})
			},
			8: func() { source.ExpireCursors() },
			9: func() {
				place.set(func(d *desk) { d.refuse = func(a *directory.Action) bool { return a.Kind == directory.UserRecord } })
				mu.Lock()
				defer mu.Unlock()
				for i := range refusals {
					source.Put("", person(people+i, 0))
				}
			},
			10: func() {
				for range 50 { // a reload while everything is busy
					loop.Trigger("proof", schedule.Trigger{Full: true, Cause: "operator"})
					loop.Replace(entry("*/15 * * * *"))
					loop.Replace(entry("*/20 * * * *"))
				}
			},
			11: func() {
				place.set(func(d *desk) { d.refuse = func(*directory.Action) bool { return false } })
				if n := replayAll(t, st, now()); n < refusals/2 {
					t.Errorf("%d actions were parked, want most of %d", n, refusals)
				}
				_ = worker.Retry(ctx)
			},
			12: func() {
				mu.Lock()
				defer mu.Unlock()
				for i := range refusals {
					source.Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint(people + i)})
				}
			},
			14: func() { set(6 * time.Hour) },
			15: func() { set(-20 * time.Minute) },
			16: func() { set(0) },
			18: func() { source.Silence(true) },
			19: func() { source.Silence(false) },
		})
		mu.Lock()
		t.Logf("%d runs, %d of them failed, %d full", runs, failed, full)
		if runs < 1000 || failed == 0 || failed > 100 {
			t.Errorf("%d runs, %d of them failed", runs, failed)
		}
		mu.Unlock()
		// One good full run at the end, and time to deliver.
		for _, res := range eng.RunConnection(ctx, conn, engine.Job{Full: true}) {
			if res.Err != nil {
				t.Errorf("the last run: %v", res.Err)
			}
		}
		time.Sleep(time.Hour)
		stop()
		work.Wait()
	})

	second, third := weeks[1], weeks[2] // the second one saw the 10,000 that were parked
	if third.state > second.state+second.state/2 || third.heap > second.heap+second.heap/2+8<<20 || third.files > second.files+2 {
		t.Errorf("something grew in the last week: %+v, then %+v", second, third)
	}
	if err := st.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	fresh := newRig(t, memory.Open(source, memory.Options{}))
	fresh.mustRun("fresh start", engine.Job{})
	same := &rig{t: t, store: st}
	if diff := differences(same.records(), fresh.records()); diff != "" {
		t.Errorf("the records are not those of a fresh start:\n%s", diff)
	}
	if n := len(same.records()); n != len(place.told) {
		t.Errorf("the target knows %d records, there are %d", len(place.told), n)
	}
}

// footprint is what the process takes: bytes of state and heap, and open files.
type footprint struct {
	state, heap int64
	files       int
}

func footprintOf(t *testing.T, path string) footprint {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return footprint{info.Size(), int64(mem.HeapAlloc), len(files)}
}

func person(i, version int) directory.Object {
	o := directory.Object{Kind: directory.Person, ID: fmt.Sprint(i), Handles: []string{fmt.Sprint("login:", i)}}
	o.SetText(directory.FieldName, fmt.Sprintf("Person %d", i))
	o.SetText(directory.FieldTitle, fmt.Sprint("Version ", version))
	o.Set(directory.FieldEnabled, directory.Bool(version%7 != 3))
	o.Links = []directory.Link{{Type: directory.Manager, To: fmt.Sprint("login:", i/10)}}
	return o
}

func mutate(source *memory.Source, rnd *rand.Rand, people int) {
	i := rnd.IntN(people)
	ref := directory.Ref{Kind: directory.Person, ID: fmt.Sprint(i)}
	group := fmt.Sprint("g", rnd.IntN(20))
	switch rnd.IntN(5) {
	case 0:
		source.Remove("", ref)
	case 1, 2:
		source.Put("", person(i, rnd.IntN(1000)))
	case 3:
		source.AddMembers("", group, fmt.Sprint("login:", i))
	default:
		source.RemoveMembers("", group, fmt.Sprint("login:", i))
	}
}

// replayAll puts everything that is parked back into the outbox and returns how much that was.
func replayAll(t *testing.T, st *bolt.Store, now time.Time) (n int) {
	t.Helper()
	ctx := context.Background()
	parts, err := st.Partitions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		var ids []uint64
		err := st.View(ctx, p, func(tx store.Reader) error {
			return tx.Parked(func(item store.Parked) bool { ids = append(ids, item.ID); return true })
		})
		if err == nil {
			_, err = deliver.Replay(ctx, st, p, ids, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		n += len(ids)
	}
	return n
}
