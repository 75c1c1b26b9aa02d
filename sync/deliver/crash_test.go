package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// service is a target that keeps records, knows the keys that it has seen, and misbehaves.
type service struct {
	t      *testing.T
	random *rand.Rand
	// crash is called where the process might be killed.
	crash func()
	wake  func(...string)
	// strict: nothing waits at it, and a change has to begin where it stands.
	strict bool

	mu      sync.Mutex
	calm    bool // no more misbehaviour
	desc    targets.Description
	records map[string]*image
	effects map[string]string // key: what it did
	busy    map[string]bool   // records that are under way
	order   map[string]int    // per record, the number of the last action that had an effect
	refused map[string]bool   // keys whose content is refused
}

func (s *service) Describe() targets.Description { return s.desc }
func (s *service) Check(context.Context) error   { return nil }
func (s *service) Reopen() error                 { return nil }
func (s *service) Close() error                  { return nil }
func (s *service) CatchUp(context.Context) error { return nil }

func (s *service) WakeBy(wake func(...string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake = wake
}

// waits says, now and then, that an action has to wait; not a deletion, which leaves a record with another past when a creation takes
// its place.
func (s *service) waits(d *targets.Delivery) *targets.Wait {
	if s.strict || d.Action.Op == directory.Delete || !s.roll(10) {
		return nil
	}
	s.mu.Lock()
	kind := s.random.IntN(6)
	key := fmt.Sprint("key", s.random.IntN(3))
	s.mu.Unlock()
	switch kind {
	case 0:
		return &targets.Wait{Cause: targets.CauseReview}
	case 1:
		return &targets.Wait{Cause: targets.CauseBusy, NotBefore: time.Now().Add(time.Minute)}
	case 2:
		return &targets.Wait{Cause: targets.CauseSettle}
	case 3: // it was done, and does not show yet
		s.take(d)
		return &targets.Wait{Cause: targets.CauseSettle, NotBefore: time.Now().Add(2 * time.Minute)}
	default:
		return &targets.Wait{Cause: targets.CauseReference, Key: key}
	}
}

// come says that something has come that may be waited for.
func (s *service) come() {
	if !s.roll(8) {
		return
	}
	s.mu.Lock()
	wake, key := s.wake, fmt.Sprint("key", s.random.IntN(3))
	s.mu.Unlock()
	wake(key)
}

func (s *service) roll(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.calm && s.random.IntN(n) == 0
}

func (s *service) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	for i := range actions {
		if !s.desc.AcrossPartitions && actions[i].Origin.Tenant != actions[0].Origin.Tenant {
			s.t.Errorf("a call has actions of %q and %q", actions[i].Origin.Tenant, actions[0].Origin.Tenant)
		}
	}
	s.enter(actions)
	defer s.leave(actions)
	switch {
	case s.roll(12):
		return nil, failWith(fault.Transient, "reset before")
	case s.roll(20):
		return nil, failWith(fault.Auth, "expired")
	case s.roll(20):
		panic("at the disco")
	case s.roll(20):
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := make([]targets.Outcome, len(actions))
	for i := range actions {
		a := &actions[i]
		if out[i].Wait = s.waits(&work[i]); out[i].Wait != nil {
			continue
		}
		s.come()
		switch {
		case a.Op == directory.Delete:
			s.take(&work[i]) // a parked deletion leaves a record with another past
		case s.roll(15):
			out[i].Err = failWith(fault.Conflict, "locked")
		case s.refuses(a):
			out[i].Err = failWith(fault.Invalid, "bad data")
		default:
			s.take(&work[i])
		}
		if s.roll(200) {
			s.crash()
		}
	}
	if s.roll(12) {
		return nil, failWith(fault.Transient, "reset after")
	}
	return out, nil
}

func (s *service) enter(actions []directory.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range actions {
		subject := directory.Subject(actions[i].Kind, actions[i].Record)
		if s.busy[subject] {
			s.t.Errorf("%s is under way twice", subject)
		}
		s.busy[subject] = true
	}
}

func (s *service) leave(actions []directory.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range actions {
		delete(s.busy, directory.Subject(actions[i].Kind, actions[i].Record))
	}
}

// refuses decides once per key: the same content is refused every time.
func (s *service) refuses(a *directory.Action) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, done := s.effects[a.Key]; done || s.calm {
		return false
	}
	if refused, known := s.refused[a.Key]; known {
		return refused
	}
	s.refused[a.Key] = s.random.IntN(12) == 0
	return s.refused[a.Key]
}

// take gives an action its effect, once per key. Whoever has it already is told that it comes again.
func (s *service) take(d *targets.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &d.Action
	what := describe(a)
	if before, again := s.effects[a.Key]; again {
		if !d.Again {
			s.t.Errorf("key %s comes again, and is said not to", a.Key)
		}
		// A parked action may have been dropped or replayed between two attempts, nothing else may differ.
		if before != what {
			s.t.Errorf("key %s was %q and is %q", a.Key, before, what)
		}
		return
	}
	s.effects[a.Key] = what
	_, number, _ := strings.Cut(a.Key, "#")
	var n int
	fmt.Sscan(number, &n)
	if n <= s.order[a.Record] {
		s.t.Errorf("%s: action %d after %d", a.Record, n, s.order[a.Record])
	}
	s.order[a.Record] = n
	m := s.records[a.Record]
	if m == nil {
		m = &image{}
		s.records[a.Record] = m
	}
	if wrong := m.follows(a); wrong != "" && s.strict {
		s.t.Errorf("%s: %s: %s", a.Record, what, wrong)
	}
	m.apply(a)
}

// TestRandomHistoriesWithCrashes lets records change at random while the target misbehaves and the process is
// killed again and again. In the end the target has what the histories say.
func TestRandomHistoriesWithCrashes(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			crashes(t, newMemory(), uint64(seed))
		})
	}
}

func crashes(t *testing.T, on store.Store, seed uint64) {
	st := &mortal{Store: storetest.Strict(t, on)}
	random := rand.New(rand.NewPCG(seed, 2))
	s := &service{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), records: map[string]*image{}, effects: map[string]string{},
		busy: map[string]bool{}, order: map[string]int{}, refused: map[string]bool{}, strict: seed%2 == 0,
		desc: targets.Description{Batch: 1 + random.IntN(5), Parallel: 1 + random.IntN(3), AcrossPartitions: random.IntN(2) > 0, Ranked: random.IntN(2) > 0},
	}
	s.crash = func() { st.broken.Store(true) }
	histories := map[string]*history{}
	parts := []store.Partition{hq, {Connection: "hq", Tenant: "a"}, {Connection: "hq", Tenant: "b"}}[:1+random.IntN(3)]
	records := map[store.Partition][]directory.Origin{}
	for i := range 1 + random.IntN(8) {
		p := parts[random.IntN(len(parts))]
		o := directory.Origin{Connection: p.Connection, Tenant: p.Tenant, ID: fmt.Sprint(i)}
		records[p] = append(records[p], o)
		histories[o.RecordKey()] = &history{random: random}
	}

	for range 12 { // lives of the process
		ctx, kill := context.WithCancel(context.Background())
		w := New(st, journal, s, Options{GiveUp: time.Hour})
		w.window, w.maxPlaces = 3+random.IntN(10), 1+random.IntN(3)
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		var plan []*directory.Action
		var p store.Partition
		for range random.IntN(6) { // runs of the engine
			p, plan = parts[random.IntN(len(parts))], nil
			for range random.IntN(10) {
				if len(records[p]) == 0 {
					break
				}
				o := records[p][random.IntN(len(records[p]))]
				a := histories[o.RecordKey()].next(o.RecordKey())
				a.Origin = o
				plan = append(plan, a)
			}
			if enqueueAt(st, p, plan) != nil {
				break
			}
			plan = nil
			w.Wake()
			time.Sleep(time.Duration(random.IntN(300)) * time.Second)
		}
		kill()
		<-ended
		st.broken.Store(false)
		if err := enqueueAt(st, p, plan); err != nil { // what the process could not store, the next one plans again
			t.Fatal(err)
		}
		if random.IntN(4) == 0 {
			replayAll(t, st)
		}
		if random.IntN(4) == 0 {
			wakeAll(t, st)
		}
	}

	s.mu.Lock()
	s.calm = true
	s.mu.Unlock()
	finish(t, st, s)
	check(t, s, histories)
}

func enqueueAt(st store.Store, p store.Partition, plan []*directory.Action) error {
	if len(plan) == 0 {
		return nil
	}
	return st.Update(context.Background(), p, func(tx store.Writer) error {
		for _, a := range plan {
			if err := tx.Enqueue(journal, a, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// replayAll replays what is parked, as an operator would, and reports how many there were.
func replayAll(t *testing.T, st store.Store) (n int) {
	parts, err := st.Partitions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		var ids []uint64
		err := st.View(context.Background(), p, func(tx store.Reader) error {
			return tx.Parked(func(p store.Parked) bool { ids = append(ids, p.ID); return true })
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Replay(context.Background(), st, p, ids, time.Now()); err != nil {
			t.Fatal(err)
		}
		n += len(ids)
	}
	return n
}

// wakeAll wakes all that waits, as an operator would, and reports how much there is.
func wakeAll(t *testing.T, st store.Store) (n int) {
	parts, err := st.Awaiting(context.Background(), journal)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		err := st.Update(context.Background(), p, func(tx store.Writer) error {
			var subjects []string
			err := tx.Waits(journal, 0, func(w store.Wait) bool { subjects = append(subjects, w.Subject); return true })
			if err != nil {
				return err
			}
			n += len(subjects)
			_, err = tx.WakeRecords(journal, subjects, time.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// finish empties the outboxes and replays what is parked until neither is left.
func finish(t *testing.T, st store.Store, s *service) {
	for range 10 {
		sum, err := New(st, journal, s, Options{Patience: time.Hour}).Drain(context.Background())
		if err != nil || sum.Err != nil || sum.Waiting != 0 {
			t.Fatalf("drained: %+v, %v", sum, err)
		}
		if replayAll(t, st)+wakeAll(t, st) == 0 {
			return
		}
	}
	t.Error("something stays parked, or waits")
}

func check(t *testing.T, s *service, histories map[string]*history) {
	for name, h := range histories {
		want := image{at: h.at, fields: h.fields, whole: h.fields, members: h.in}
		if h.at == absent {
			want = image{}
		}
		got := image{}
		if m := s.records[name]; m != nil {
			got = *m
		}
		if !got.same(want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
