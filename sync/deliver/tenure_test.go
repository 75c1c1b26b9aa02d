package deliver

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// sharing is what a process sees of a store that it shares. It loses its leases when told.
type sharing struct {
	store.Store
	mu      sync.Mutex
	release func()
	lose    context.CancelCauseFunc
}

func (s *sharing) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	held, release, err := s.Store.Lease(ctx, name, ttl)
	if err != nil {
		return nil, nil, err
	}
	mine, lose := context.WithCancelCause(context.WithoutCancel(held))
	context.AfterFunc(ctx, func() { lose(context.Cause(ctx)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release, s.lose = release, lose
	return mine, release, nil
}

// overtaken has others, who wait for the lease, get it before this process knows.
func (s *sharing) overtaken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
	synctest.Wait()
	s.lose(store.ErrLeaseLost)
}

// process is a worker of one that shares a store, and what it sent.
type process struct {
	*sharing
	*scripted
	*Worker
	yields atomic.Bool
	stop   func()
}

func newProcess(t *testing.T, st store.Store) *process {
	return newProcessOf(t, st, Options{Shared: true, Backoff: steady})
}

func newProcessOf(t *testing.T, st store.Store, o Options) *process {
	p := &process{sharing: &sharing{Store: st}, scripted: &scripted{desc: targets.Description{Batch: 1}}}
	o.Yields = p.yields.Load
	p.Worker = New(p.sharing, journal, p.scripted, o)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		_ = p.Run(ctx)
		close(ended)
	}()
	p.stop = func() { stop(); <-ended; p.Worker.Close() }
	return p
}

// TestOneOfManyDelivers: of the workers for a target that share a store one delivers, and the next one when that is closed.
func TestOneOfManyDelivers(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	synctest.Test(t, func(t *testing.T) {
		first := newProcess(t, st)
		synctest.Wait()
		second := newProcess(t, st)
		synctest.Wait()
		for _, key := range []string{"a", "b"} {
			enqueue(t, st, user(key, directory.Create, key))
			first.Wake()
			second.Wake()
			synctest.Wait()
		}
		if first.said() != "create a | create b" || second.said() != "" {
			t.Errorf("%q, and %q", first.said(), second.said())
		}
		// Who asks the one that does not deliver gets what the other one does.
		enqueue(t, st, user("c", directory.Create, "c")) // of which nobody tells the other process
		if sum := drain(t, second.Worker); sum.Waiting != 0 || sum.Err != nil || sum.Delivered != 0 {
			t.Errorf("%+v", sum)
		}
		first.stop()
		synctest.Wait()
		enqueue(t, st, user("d", directory.Create, "d"))
		second.Wake()
		synctest.Wait()
		if first.said() != "create a | create b | create c" || second.said() != "create d" {
			t.Errorf("%q, and %q", first.said(), second.said())
		}
		// And not for ever, when the other one gets nowhere.
		second.change(func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return nil, failWith("transient", "down")
		})
		third := newProcess(t, st)
		enqueue(t, st, user("e", directory.Create, "e"))
		if sum := drain(t, third.Worker); sum.Waiting != 1 || third.said() != "" {
			t.Errorf("%+v, %q", sum, third.said())
		}
		second.stop()
		synctest.Wait()
		if third.said() != "create e" {
			t.Errorf("%q", third.said())
		}
		third.stop()
	})
}

// TestLeavesItToOthers: who is to leave the target to others does so when what is under way has come to its end, and takes it again when nobody else does.
func TestLeavesItToOthers(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	synctest.Test(t, func(t *testing.T) {
		first := newProcess(t, st)
		synctest.Wait()
		second := newProcess(t, st)
		synctest.Wait()
		answer := make(chan struct{})
		first.change(func(_ context.Context, list []directory.Action) ([]targets.Outcome, error) {
			<-answer
			return make([]targets.Outcome, len(list)), nil
		})
		enqueue(t, st, user("a", directory.Create, "a"), user("b", directory.Create, "b"))
		first.Wake()
		synctest.Wait()
		first.yields.Store(true)
		time.Sleep(2 * othersQueued)
		if first.said() != "create a" || second.said() != "" {
			t.Errorf("%q, and %q, while one is under way", first.said(), second.said())
		}
		close(answer)
		time.Sleep(2 * othersQueued)
		if first.said() != "create a" || second.said() != "create b" {
			t.Errorf("%q, and %q", first.said(), second.said())
		}
		enqueue(t, st, user("c", directory.Create, "c"))
		if sum := drain(t, first.Worker); sum.Waiting != 0 || sum.Err != nil || sum.Delivered != 0 {
			t.Errorf("%+v", sum)
		}
		second.stop()
		first.yields.Store(false)
		enqueue(t, st, user("d", directory.Create, "d"))
		time.Sleep(2 * othersQueued)
		if first.said() != "create a | create d" || second.said() != "create b | create c" {
			t.Errorf("%q, and %q", first.said(), second.said())
		}
		first.stop()
	})
}

// TestElsewhere: a worker that cannot reach the target never delivers, also when nobody else is there, and says what others have left.
func TestElsewhere(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	synctest.Test(t, func(t *testing.T) {
		far := newProcessOf(t, st, Options{Shared: true, Elsewhere: true, Backoff: steady})
		enqueue(t, st, user("1", directory.Create, "a"))
		far.Wake()
		time.Sleep(time.Hour)
		if sum := drain(t, far.Worker); sum.Waiting != 1 || sum.Err != nil || far.said() != "" {
			t.Errorf("%+v, %q", sum, far.said())
		}
		near := newProcess(t, st)
		synctest.Wait()
		if near.said() != "create a" {
			t.Errorf("%q", near.said())
		}
		enqueue(t, st, user("2", directory.Create, "b"))
		if sum := drain(t, far.Worker); sum.Waiting != 0 || near.said() != "create a | create b" || far.said() != "" {
			t.Errorf("%+v, %q, %q", sum, near.said(), far.said())
		}
		near.stop()
		far.stop()
	})
}

// TestOvertaken: who may no longer deliver cuts what is under way, stores nothing of it, and begins anew when it may again.
func TestOvertaken(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	synctest.Test(t, func(t *testing.T) {
		first := newProcess(t, st)
		cut := make(chan time.Time, 1)
		first.change(func(ctx context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			<-ctx.Done()
			cut <- time.Now()
			return make([]targets.Outcome, len(actions)), nil // it has taken them all the same
		})
		enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
		first.Wake()
		synctest.Wait()
		second := newProcess(t, st)
		synctest.Wait()
		lost := time.Now()
		first.change(nil)
		first.overtaken()
		synctest.Wait()
		if at := <-cut; !at.Equal(lost) {
			t.Errorf("cut after %s", at.Sub(lost))
		}
		if said := second.said(); said != "create a | create b" {
			t.Errorf("the other one was told %q, and this one %q", said, first.said())
		}
		second.stop()
		synctest.Wait()
		enqueue(t, st, user("3", directory.Create, "c"))
		first.Wake()
		synctest.Wait()
		if said := first.said(); said != "create a | create c" {
			t.Errorf("%q", said)
		}
		first.stop()
	})
}

// TestForgets: what a worker remembers of a target is worth nothing when others have delivered since.
func TestForgets(t *testing.T) {
	st := openBolt(t, bolt.Options{NoSync: true})
	synctest.Test(t, func(t *testing.T) {
		first := newProcess(t, st)
		first.change(func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return nil, failWith("transient", "down")
		})
		enqueue(t, st, user("1", directory.Create, "a"))
		first.Wake()
		time.Sleep(time.Hour + time.Millisecond) // the pauses have become long
		if st, err := first.Status(t.Context()); err != nil || time.Until(st.NextTry) < time.Second {
			t.Fatalf("%+v: %v", st, err)
		}
		first.change(nil)
		tried := first.said()
		second := newProcess(t, st)
		synctest.Wait()
		first.overtaken()
		synctest.Wait()
		if err := second.Retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if said := second.said(); said != "create a" {
			t.Errorf("%q", said)
		}
		second.stop()
		enqueue(t, st, user("2", directory.Create, "b"))
		first.Wake()
		synctest.Wait()
		if said := first.said(); said != tried+" | create b" {
			t.Errorf("%q", said)
		}
		first.stop()
	})
}
