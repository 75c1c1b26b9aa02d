package deliver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

func tenant(n int) store.Partition {
	return store.Partition{Connection: "csp", Tenant: fmt.Sprintf("t%03d", n)}
}

// fillTenant queues creations of users of a tenant.
func fillTenant(t testing.TB, st store.Store, p store.Partition, from, n int) {
	t.Helper()
	err := st.Update(context.Background(), p, func(tx store.Writer) error {
		for i := from; i < from+n; i++ {
			a := act(directory.Create, fmt.Sprintf("%s-%d", p.Tenant, i))
			a.Origin = directory.Origin{Connection: p.Connection, Tenant: p.Tenant, ID: fmt.Sprint(i)}
			a.Record = a.Origin.RecordKey()
			if err := tx.Enqueue(journal, a, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// desk is a target that takes its time. It counts what is under way and what it took, by tenant.
type desk struct {
	scripted
	delay time.Duration
	// fails says what becomes of an action; nil of all is what becomes of the call.
	fails func(*directory.Action) error
	whole bool // one failure is the failure of the call

	mu       sync.Mutex
	now, max int // calls under way
	mixed    int // calls with actions of several tenants
	took     map[string]int
	last     map[string]time.Duration // when the last action of a tenant was taken, from start
	start    time.Time
}

func newDesk(desc targets.Description, delay time.Duration) *desk {
	return &desk{scripted: scripted{desc: desc}, delay: delay, took: map[string]int{}, last: map[string]time.Duration{}, start: time.Now()}
}

func (d *desk) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	d.mu.Lock()
	d.now++
	d.max = max(d.max, d.now)
	d.mu.Unlock()
	time.Sleep(d.delay)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now--
	out := make([]targets.Outcome, len(actions))
	origins := map[string]bool{}
	for i := range actions {
		origins[actions[i].Origin.Tenant] = true
		if d.fails != nil {
			out[i].Err = d.fails(&actions[i])
		}
		if d.whole && out[i].Err != nil {
			return nil, out[i].Err
		}
	}
	for i := range actions {
		if who := actions[i].Origin.Tenant; out[i].Err == nil {
			d.took[who]++
			d.last[who] = time.Since(d.start)
		}
	}
	if len(origins) > 1 {
		d.mixed++
	}
	return out, nil
}

// counted counts the transactions of a store.
type counted struct {
	store.Store
	views, updates, lists, waiting atomic.Int64
}

func (c *counted) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	c.views.Add(1)
	return c.Store.View(ctx, p, fn)
}

func (c *counted) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	c.updates.Add(1)
	return c.Store.Update(ctx, p, fn)
}

func (c *counted) Partitions(ctx context.Context, names ...string) ([]store.Partition, error) {
	c.lists.Add(1)
	return c.Store.Partitions(ctx, names...)
}

func (c *counted) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	c.waiting.Add(1)
	return c.Store.Waiting(ctx, target)
}

// TestManyTenantsAreAsQuickAsOne: calls of several tenants are under way at a time, and where the target takes it
// one call holds actions of several.
func TestManyTenantsAreAsQuickAsOne(t *testing.T) {
	for _, test := range []struct {
		tenants, each int
		across        bool
		want          time.Duration
	}{
		{1, 200, false, 50 * time.Millisecond},
		{1, 200, true, 50 * time.Millisecond},
		{200, 1, true, 300 * time.Millisecond},
		// A call per tenant, eight at a time: nothing is quicker.
		{200, 1, false, 200 / 8 * 50 * time.Millisecond},
		{20, 10, false, 150 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%dx%d across=%v", test.tenants, test.each, test.across), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newMemory()
				for n := range test.tenants {
					fillTenant(t, st, tenant(n), 0, test.each)
				}
				d := newDesk(targets.Description{Batch: 50, Parallel: 8, AcrossPartitions: test.across}, 50*time.Millisecond)
				sum := drain(t, New(st, journal, d, Options{}))
				took := time.Since(d.start)
				if sum.Delivered != 200 || sum.Waiting != 0 || took > test.want {
					t.Errorf("%+v after %v, want at most %v", sum, took, test.want)
				}
				if d.max > 8 || (d.mixed > 0) != (test.across && test.tenants > 1) {
					t.Errorf("%d calls at a time, %d with several tenants", d.max, d.mixed)
				}
			})
		})
	}
}

// TestIdleWakeLooksIntoNoPartition: what a wake costs does not depend on how many partitions there are.
func TestIdleWakeLooksIntoNoPartition(t *testing.T) {
	for _, across := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			st := &counted{Store: newMemory()}
			for n := range 200 {
				fillTenant(t, st, tenant(n), 0, 1)
			}
			w := New(st, journal, newDesk(targets.Description{Batch: 50, Parallel: 8, AcrossPartitions: across}, 0), Options{})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- w.Run(ctx) }()
			synctest.Wait()
			if n := w.Counts().Delivered; n != 200 {
				t.Fatalf("%d delivered", n)
			}
			if n := st.updates.Load(); n != 3*200 || st.views.Load() != 1 { // one of them queued it; the view is of how the target did before
				t.Errorf("%d updates, %d views for 200 actions of 200 tenants", n, st.views.Load())
			}
			st.views.Store(0)
			st.updates.Store(0)
			st.waiting.Store(0)
			for range 10 {
				w.Wake()
				synctest.Wait()
			}
			if st.views.Load()+st.updates.Load()+st.lists.Load() != 0 || st.waiting.Load() != 10 {
				t.Errorf("%d views, %d updates, %d lists of partitions, %d of those that wait", st.views.Load(), st.updates.Load(),
					st.lists.Load(), st.waiting.Load())
			}
			cancel()
			<-ended
		})
	}
}

// TestBigTenantsLeaveRoom: more tenants with very much to deliver than may have a place at a time do not keep small
// ones waiting, nor those that come later.
func TestBigTenantsLeaveRoom(t *testing.T) {
	for _, desc := range []targets.Description{
		{Batch: 50, Parallel: 8}, {Batch: 50, Parallel: 8, AcrossPartitions: true}, {Batch: 400, AcrossPartitions: true}, {Batch: 10},
	} {
		t.Run(fmt.Sprintf("%+v", desc), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, d := newMemory(), newDesk(desc, 50*time.Millisecond)
				fillTenant(t, st, tenant(0), 0, 10_000)
				for n := 1; n < 100; n++ {
					fillTenant(t, st, tenant(n), 0, 1)
				}
				w := New(st, journal, d, Options{})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				time.Sleep(d.delay / 2)
				fillTenant(t, st, tenant(500), 0, 1)
				w.Wake()
				time.Sleep(10 * time.Second)
				cancel()
				<-ended
				turn := time.Duration(100/max(desc.Parallel, 1)+2) * d.delay // one call for everybody
				for n := range 100 {
					if who := tenant(n + 1).Tenant; n < 99 && (d.took[who] != 1 || d.last[who] > turn) {
						t.Errorf("tenant %s has %d actions after %v, want one within %v", who, d.took[who], d.last[who], turn)
					}
				}
				if who := "t500"; d.took[who] != 1 || d.last[who] > turn+d.delay {
					t.Errorf("the one that came later has %d actions after %v", d.took[who], d.last[who])
				}
				if got, least := d.took["t000"], desc.Batch*max(desc.Parallel, 1)*50; got < min(least, 10_000) {
					t.Errorf("the big one got %d actions in ten seconds, want %d", got, least)
				}
			})
		})
	}
}

// TestPlacesAreShared: with more big tenants than places each gets its share.
func TestPlacesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, d := newMemory(), newDesk(targets.Description{Batch: 5, Parallel: 4}, 10*time.Millisecond)
		for n := range 30 {
			fillTenant(t, st, tenant(n), 0, 1000)
		}
		w := New(st, journal, d, Options{})
		w.maxPlaces, w.window = 4, 40
		most := 0
		d.fails = func(*directory.Action) error {
			claimed := 0
			st.mu.Lock()
			for _, b := range st.parts {
				for _, q := range b.outbox[journal] {
					if q.Seq > b.claimed[journal] {
						break
					}
					claimed++
				}
			}
			st.mu.Unlock()
			most = max(most, claimed)
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		_ = w.Run(ctx)
		for n := range 30 {
			if got := d.took[tenant(n).Tenant]; got < 400 {
				t.Errorf("tenant %d got %d actions", n, got)
			}
		}
		// This is what is in memory, and the most that a kill can repeat.
		if most > 2*w.window {
			t.Errorf("%d actions were claimed at a time, want at most %d", most, 2*w.window)
		}
	})
}

// TestFailingTenantLeavesRoom: a tenant whose actions fail, each by itself or with the whole call, is not taken for
// the target while others get theirs.
func TestFailingTenantLeavesRoom(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, desc := range []targets.Description{
			{Batch: 50, Parallel: 8}, {Batch: 50, Parallel: 8, AcrossPartitions: true},
			{Batch: 50, AcrossPartitions: true}, {Batch: 1, Parallel: 4}, {Batch: 1},
		} {
			t.Run(fmt.Sprintf("whole=%v %+v", whole, desc), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					st, d := &counted{Store: newMemory()}, newDesk(desc, 50*time.Millisecond)
					d.whole = whole
					d.fails = func(a *directory.Action) error {
						if a.Origin.Tenant == "t000" {
							return failWith(fault.Transient, "503")
						}
						return nil
					}
					fillTenant(t, st, tenant(0), 0, 600)
					w := New(st, journal, d, Options{Backoff: steady})
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan error)
					go func() { ended <- w.Run(ctx) }()
					var worst time.Duration
					for i := range 30 {
						d.mu.Lock()
						d.start = time.Now()
						d.mu.Unlock()
						for n := 1; n <= 20; n++ {
							fillTenant(t, st, tenant(n), i, 1)
						}
						w.Wake()
						time.Sleep(20 * time.Second)
						d.mu.Lock()
						for n := 1; n <= 20; n++ {
							who := tenant(n).Tenant
							if d.took[who] != i+1 && !t.Failed() {
								t.Errorf("tenant %s has %d of %d actions", who, d.took[who], i+1)
							}
							if i > 1 { // until others were tried it could be the target
								worst = max(worst, d.last[who])
							}
						}
						d.mu.Unlock()
					}
					if status, err := w.Status(ctx); err != nil || status.State != OK || status.Waiting != 600 {
						t.Errorf("%+v, %v", status, err)
					}
					if worst > 5*time.Second {
						t.Errorf("others waited for up to %v", worst)
					}
					if n := st.waiting.Load(); n > 1500 {
						t.Errorf("%d looks in 600 seconds", n)
					}
					cancel()
					<-ended
				})
			})
		}
	}
}

// TestFailuresOfAllAreTheTargets: when nobody gets anything, it is the target, and few calls are made.
func TestFailuresOfAllAreTheTargets(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, across := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				st, d := newMemory(), newDesk(targets.Description{Batch: 5, Parallel: 2, AcrossPartitions: across}, time.Millisecond)
				var down atomic.Bool
				var tries atomic.Int64
				d.whole = whole
				d.fails = func(*directory.Action) error {
					if tries.Add(1); down.Load() {
						return failWith(fault.Transient, "503")
					}
					return nil
				}
				for n := range 20 {
					fillTenant(t, st, tenant(n), 0, 5)
				}
				down.Store(true)
				w := New(st, journal, d, Options{Backoff: steady})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				time.Sleep(24 * time.Hour)
				if status, err := w.Status(ctx); err != nil || status.State != Failing || status.Waiting != 100 {
					t.Errorf("%+v, %v", status, err)
				}
				if n := tries.Load(); n > 24*12*2*5+100 {
					t.Errorf("%d tries in 24 hours", n)
				}
				down.Store(false)
				time.Sleep(10 * time.Minute)
				if status, err := w.Status(ctx); err != nil || status.State != Idle {
					t.Errorf("%+v, %v", status, err)
				}
				cancel()
				<-ended
			})
		}
	}
}

// TestAnswersAreRecordedBesideAHangingCall: a kill repeats what was answered in the last second, not in the last
// five minutes; and who comes meanwhile is served.
func TestAnswersAreRecordedBesideAHangingCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 3}}
		target.answer = func(ctx context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if actions[0].Record == "csp/t000/0" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return make([]targets.Outcome, 1), nil
		}
		fillTenant(t, st, tenant(0), 0, 3)
		ctx, cancel := context.WithCancel(t.Context())
		w, ended := New(st, journal, target, Options{}), make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		if status, _ := w.Status(ctx); status.Waiting != 1 {
			t.Errorf("%d wait", status.Waiting)
		}
		fillTenant(t, st, tenant(1), 0, 1)
		w.Wake()
		synctest.Wait()
		if !slices.ContainsFunc(target.calls, func(keys []string) bool { return keys[0] == "create t001-0" }) {
			t.Errorf("calls %q", target.said())
		}
		cancel()
		<-ended

		fillTenant(t, st, tenant(0), 3, 2)
		ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_ = New(st, journal, target, Options{}).Run(ctx)
		if status, _ := w.Status(t.Context()); status.Waiting != 1 {
			t.Errorf("%d wait after the end", status.Waiting)
		}
	})
}

// TestDrainTriesAgain: what failed while something else was taken is part of what waited.
func TestDrainTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 2}}
		first := true
		target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if actions[0].Origin.Tenant == "t000" && first {
				first = false
				return nil, failWith(fault.Transient, "reset")
			}
			time.Sleep(time.Millisecond)
			return make([]targets.Outcome, 1), nil
		}
		fillTenant(t, st, tenant(0), 0, 1)
		fillTenant(t, st, tenant(1), 0, 1)
		if sum := drain(t, New(st, journal, target, Options{})); sum.Delivered != 2 || sum.Waiting != 0 {
			t.Errorf("%+v", sum)
		}
	})
}

// TestRunKnowsOfBackoffsOfADrain: what a drain leaves to be tried again later, the sleeping worker tries.
func TestRunKnowsOfBackoffsOfADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1}, answer: refuse(failWith(fault.Conflict, "locked"), "1")}
		w := New(st, journal, target, Options{Backoff: steady})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		enqueue(t, st, user("1", directory.Create, "a"))
		drain(t, w)
		target.change(nil)
		time.Sleep(time.Minute)
		if status, _ := w.Status(ctx); status.Waiting != 0 {
			t.Errorf("%+v", status)
		}
		cancel()
		<-ended
	})
}

// TestDrainBesideABusyRun: who drains or ends back-offs gets a turn while the worker is never idle.
func TestDrainBesideABusyRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, d := newMemory(), newDesk(targets.Description{Batch: 5, Parallel: 4}, 100*time.Millisecond)
		w := New(st, journal, d, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.Run(ctx) })
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ { // something is always under way
				fillTenant(t, st, tenant(i%3), i, 3)
				w.Wake()
				time.Sleep(30 * time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		began := time.Now()
		if err := w.Retry(ctx); err != nil {
			t.Error(err)
		}
		if _, err := w.Drain(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		before := w.Counts().Delivered
		time.Sleep(5 * time.Second)
		if n := w.Counts().Delivered - before; n < 450 { // a hundred come in a second
			t.Errorf("%d delivered in five seconds", n)
		}
		cancel()
		all.Wait()
	})
}

// TestWakeBesideAnOutage: what comes while the target seems to fail is delivered when a call under way shows that it
// does not.
func TestWakeBesideAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 2}}
		target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if actions[0].Origin.Tenant == "t000" {
				return nil, failWith(fault.Transient, "reset")
			}
			time.Sleep(2 * time.Second)
			return make([]targets.Outcome, 1), nil
		}
		fillTenant(t, st, tenant(0), 0, 1)
		fillTenant(t, st, tenant(1), 0, 1)
		ctx, cancel := context.WithCancel(t.Context())
		w, ended := New(st, journal, target, Options{Backoff: Backoff{First: time.Minute}}), make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(time.Second)
		target.change(nil)
		fillTenant(t, st, tenant(2), 0, 1)
		w.Wake()
		time.Sleep(time.Hour)
		if status, _ := w.Status(ctx); status.Waiting != 0 {
			t.Errorf("%d wait; calls %s", status.Waiting, target.said())
		}
		cancel()
		<-ended
	})
}

// TestWakeBesideWhoGivesUp: what comes while somebody waits for a turn is delivered, also when that one gives up.
func TestWakeBesideWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, d := newMemory(), newDesk(targets.Description{Batch: 1}, time.Second)
		fillTenant(t, st, tenant(0), 0, 1)
		ctx, cancel := context.WithCancel(t.Context())
		w, ended := New(st, journal, d, Options{}), make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		waiting, giveUp := context.WithCancel(ctx)
		gaveUp := make(chan error)
		go func() { gaveUp <- w.Retry(waiting) }()
		synctest.Wait()
		fillTenant(t, st, tenant(1), 0, 1)
		w.Wake()
		synctest.Wait()
		giveUp()
		if err := <-gaveUp; err == nil {
			t.Error("Retry had a turn")
		}
		time.Sleep(time.Hour)
		if status, _ := w.Status(ctx); status.Waiting != 0 {
			t.Errorf("%d wait", status.Waiting)
		}
		cancel()
		<-ended
	})
}
