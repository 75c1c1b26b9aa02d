// Package schedule says when a connection is synced, and sees to it that only one run of it is under way.
package schedule

import (
	"context"
	"sync"
	"time"
)

// longestSleep bounds how late a run can be after the machine slept or its clock was set: timers do not count
// the time of a suspended machine, so the loop looks at the clock at least this often.
const longestSleep = time.Minute

// clockNoise is how far back the clock may go without anybody having set it.
const clockNoise = 2 * time.Second

// Options are the settings of a Loop.
type Options struct {
	// Parallel is how many runs may be under way at a time; 0 means any number. A run that waits for its
	// turn counts as running.
	Parallel int
	// Now reads the wall clock; nil means time.Now.
	Now func() time.Time
}

// Loop runs entries at their times and on triggers. Per name one run is under way at a time. Whatever asks
// for another one meanwhile, schedule or trigger, is remembered as one run that begins when the first one
// ends; a full one wins over an incremental one.
//
// The loop follows the wall clock. Times that passed while the machine slept, or that the clock jumped over,
// are one run. After a clock was set back by up to an hour, what ran in that hour does not run again; after
// more, all times are computed anew.
//
// Its methods may be called by any goroutine.
type Loop struct {
	run  func(ctx context.Context, name string, t Trigger)
	now  func() time.Time
	wake chan struct{}
	slot chan struct{} // nil: no limit
	wait sync.WaitGroup

	mu      sync.Mutex
	plans   map[string]*plan
	order   []string // names in the order of the entries
	running map[string]bool
	pending map[string]Trigger
	seen    time.Time // the latest reading of the clock
}

// New makes a loop. Nothing runs before Run is called; triggers are remembered until then. run is called on a
// goroutine of its own with the context of Run.
func New(entries []Entry, run func(ctx context.Context, name string, t Trigger), opts Options) *Loop {
	l := &Loop{
		run: run, now: opts.Now, wake: make(chan struct{}, 1),
		running: make(map[string]bool), pending: make(map[string]Trigger),
	}
	if l.now == nil {
		l.now = time.Now
	}
	if opts.Parallel > 0 {
		l.slot = make(chan struct{}, opts.Parallel)
	}
	l.Replace(entries)
	return l
}

// Run keeps the schedules until the context ends, and returns when the runs that are under way have returned.
// It is called once.
func (l *Loop) Run(ctx context.Context) {
	defer l.wait.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
		}
		if ctx.Err() != nil {
			return
		}
		timer.Reset(l.step(ctx))
	}
}

// Trigger asks for a run now. It returns false when there is no such entry.
func (l *Loop) Trigger(name string, t Trigger) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plans[name] == nil {
		return false
	}
	l.remember(name, t)
	l.signal()
	return true
}

// TriggerAll asks for a run of every entry now.
func (l *Loop) TriggerAll(t Trigger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.order {
		l.remember(name, t)
	}
	l.signal()
}

// Next returns when the entry's schedules start it next, jitter included; the zero time when never.
func (l *Loop) Next(name string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.plans[name]; p != nil {
		return p.next()
	}
	return time.Time{}
}

// Running reports whether a run of this name is under way.
func (l *Loop) Running(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running[name]
}

// Replace takes other entries. Runs that are under way go on, those of removed entries too. An entry that did
// not change keeps its next time; for others it is computed anew.
func (l *Loop) Replace(entries []Entry) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	plans := make(map[string]*plan, len(entries))
	l.order = l.order[:0]
	for _, e := range entries {
		l.order = append(l.order, e.Name)
		if old := l.plans[e.Name]; old != nil && old.same(e) {
			plans[e.Name] = old
			continue
		}
		plans[e.Name] = newPlan(e, now)
	}
	for name := range l.pending {
		if plans[name] == nil {
			delete(l.pending, name)
		}
	}
	l.plans = plans
	l.signal()
}

// step starts what is due and returns how long to sleep.
func (l *Loop) step(ctx context.Context) time.Duration {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen.Sub(now) > clockNoise {
		for _, p := range l.plans {
			p.restart(now)
		}
	}
	l.seen = now
	sleep := longestSleep
	for _, name := range l.order {
		p := l.plans[name]
		if t, due := p.serve(now); due {
			l.remember(name, t)
		}
		if next := p.next(); !next.IsZero() {
			sleep = min(sleep, next.Sub(now))
		}
		l.start(ctx, name)
	}
	return max(sleep, 0)
}

// start begins the remembered run of a name unless one is under way.
func (l *Loop) start(ctx context.Context, name string) {
	t, wanted := l.pending[name]
	if !wanted || l.running[name] {
		return
	}
	delete(l.pending, name)
	l.running[name] = true
	l.wait.Go(func() {
		defer l.finish(name)
		if l.slot != nil {
			select {
			case l.slot <- struct{}{}:
				defer func() { <-l.slot }()
			case <-ctx.Done():
				return
			}
			t = l.joinPending(name, t)
		}
		l.run(ctx, name, t)
	})
}

// joinPending makes one run of a run that waited for its turn and what was asked for meanwhile.
func (l *Loop) joinPending(name string, t Trigger) Trigger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if later, ok := l.pending[name]; ok {
		delete(l.pending, name)
		t = t.join(later)
	}
	return t
}

func (l *Loop) finish(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, name)
	l.signal()
}

func (l *Loop) remember(name string, t Trigger) {
	if earlier, ok := l.pending[name]; ok {
		t = earlier.join(t)
	}
	l.pending[name] = t
}

func (l *Loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// clock reads the wall clock without Go's monotonic part, which does not follow when the clock is set.
func (l *Loop) clock() time.Time { return l.now().Round(0) }
