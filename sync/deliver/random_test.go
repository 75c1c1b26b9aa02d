package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// moody is a target that fails in every way until it is mended. It knows what it took of each record, in order.
type moody struct {
	scripted
	t *testing.T

	mu     sync.Mutex
	rnd    *rand.Rand
	mended bool
	now    map[string]bool // records under way
	took   map[string]int  // the last change of a record
}

func (m *moody) begin(actions []directory.Action) (mood int, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range actions {
		if m.now[actions[i].Record] {
			m.t.Errorf("%s is under way twice", actions[i].Record)
		}
		m.now[actions[i].Record] = true
	}
	if m.mended {
		return 9, time.Millisecond
	}
	return m.rnd.IntN(10), time.Duration(m.rnd.IntN(3000)) * time.Millisecond
}

func (m *moody) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	mood, wait := m.begin(actions)
	time.Sleep(wait)
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]targets.Outcome, len(actions))
	for i := range actions {
		a := &actions[i]
		delete(m.now, a.Record)
		if mood == 3 || mood == 4 && m.rnd.IntN(2) == 0 {
			out[i].Err = failWith(fault.Conflict, "locked")
			continue
		}
		var n int
		_, _ = fmt.Sscanf(a.Changes[0].To.Text(), "%d", &n)
		if n < m.took[a.Record] {
			m.t.Errorf("%s: change %d after %d", a.Record, n, m.took[a.Record])
		}
		m.took[a.Record] = n
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case mood == 0:
		return nil, failWith(fault.Transient, "reset")
	case mood == 1:
		return nil, failWith(fault.Auth, "who are you")
	case mood == 2:
		panic("moody")
	}
	return out, nil
}

// TestRandomTenants: whatever a target does, whoever wakes, drains, gives up and starts anew meanwhile: nothing is left
// behind, and the order per record is kept.
func TestRandomTenants(t *testing.T) {
	for seed := range uint64(500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomTenants(t, rand.New(rand.NewPCG(seed, 2))) })
		})
	}
}

func randomTenants(t *testing.T, rnd *rand.Rand) {
	st := newMemory()
	m := &moody{t: t, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 3)), now: map[string]bool{}, took: map[string]int{}}
	m.desc = targets.Description{Batch: 1 + rnd.IntN(4), Parallel: 1 + rnd.IntN(4), AcrossPartitions: rnd.IntN(2) == 0}
	sent := map[string]int{}
	change := func() {
		p := tenant(rnd.IntN(6))
		err := st.Update(t.Context(), p, func(tx store.Writer) error {
			for range 1 + rnd.IntN(6) {
				a := act(directory.Update, fmt.Sprint(rnd.Uint64()))
				a.Origin = directory.Origin{Connection: p.Connection, Tenant: p.Tenant, ID: fmt.Sprint(rnd.IntN(5))}
				a.Record = a.Origin.RecordKey()
				from := fmt.Sprint(sent[a.Record])
				sent[a.Record]++
				a.Changes = []directory.FieldChange{{Name: "n", From: directory.Text(from), To: directory.Text(fmt.Sprint(sent[a.Record]))}}
				if err := tx.Enqueue(journal, a, time.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	var w *Worker
	var stop context.CancelFunc
	start := func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		w = New(st, journal, m, Options{Patience: 2 * time.Second})
		all.Go(func() { _ = w.Run(ctx) })
	}
	start()
	for range 30 {
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(5000))*time.Millisecond)
		switch worker := w; rnd.IntN(12) {
		case 0:
			all.Go(func() { _, _ = worker.Drain(ctx); cancel() })
		case 1:
			all.Go(func() { _ = worker.Retry(ctx); cancel() })
		case 2:
			w.Close()
			stop()
			start()
		default:
			change()
			w.Wake()
		}
		_ = cancel // by whoever uses it, or in time
	}
	m.mu.Lock()
	m.mended = true
	m.mu.Unlock()
	time.Sleep(3 * time.Hour)
	if status, err := w.Status(t.Context()); err != nil || status.Waiting != 0 || status.State != Idle {
		t.Errorf("%+v, %v", status, err)
	}
	for record, n := range sent {
		if m.took[record] != n && len(parked(t, st)) == 0 {
			t.Errorf("%s: took %d of %d", record, m.took[record], n)
		}
	}
	w.Close()
	stop()
	all.Wait()
}
