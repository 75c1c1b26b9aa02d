package schedule

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
)

func parse(t *testing.T, spec, zone string) cron.Schedule {
	t.Helper()
	s, err := Parse(spec, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// probe records the runs of a loop; each takes as long as take says.
type probe struct {
	mu   sync.Mutex
	runs []string
	take time.Duration
	busy map[string]int
	most int // runs of all names at a time
	t    *testing.T
}

func (p *probe) run(ctx context.Context, name string, tr Trigger) {
	p.mu.Lock()
	if p.busy == nil {
		p.busy = make(map[string]int)
	}
	p.busy[name]++
	if p.busy[name] > 1 {
		p.t.Errorf("%s runs twice at a time", name)
	}
	total := 0
	for _, n := range p.busy {
		total += n
	}
	p.most = max(p.most, total)
	mode := "delta"
	if tr.Full {
		mode = "full"
	}
	p.runs = append(p.runs, fmt.Sprintf("%s %s %s (%s)", time.Now().UTC().Format("02T15:04:05"), name, mode, tr.Cause))
	p.mu.Unlock()
	time.Sleep(p.take) // fake time; the context is looked at by the tests that cancel
	p.mu.Lock()
	p.busy[name]--
	p.mu.Unlock()
}

func (p *probe) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.runs)
}

func (p *probe) want(runs ...string) {
	p.t.Helper()
	if got := p.list(); !slices.Equal(got, runs) {
		p.t.Errorf("runs:\n got %q\nwant %q", got, runs)
	}
}

// inBubble runs a loop in fake time that begins at the moment start, and stops it after the test.
func inBubble(t *testing.T, start string, take time.Duration, entries []Entry, opts Options, test func(l *Loop, p *probe)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(at))
		p := &probe{t: t, take: take}
		l := New(entries, p.run, opts)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.Run(ctx); close(done) }()
		synctest.Wait()
		test(l, p)
		cancel()
		<-done
		p.mu.Lock()
		defer p.mu.Unlock()
		for name, n := range p.busy {
			if n != 0 {
				t.Errorf("Run returned while %s was running", name)
			}
		}
	})
}

// sleep lets fake time pass, and what is due then happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSchedules(t *testing.T) {
	entries := []Entry{{Name: "hq", Incremental: parse(t, "*/15 * * * *", ""), Full: parse(t, "30 12 * * *", "")}}
	inBubble(t, "2026-01-01T12:05:00Z", time.Second, entries, Options{}, func(l *Loop, p *probe) {
		if got := l.Next("hq").Format("15:04"); got != "12:15" {
			t.Errorf("next at %s, want 12:15", got)
		}
		sleep(45 * time.Minute)
		p.want("01T12:15:00 hq delta (schedule)", "01T12:30:00 hq full (full schedule)", "01T12:45:00 hq delta (schedule)")
	})
}

func TestMissedTicksAreOneRun(t *testing.T) {
	entries := []Entry{{Name: "hq", Incremental: parse(t, "@every 5m", ""), Full: parse(t, "12 * * * *", "")}}
	inBubble(t, "2026-01-01T12:00:00Z", 23*time.Minute, entries, Options{}, func(l *Loop, p *probe) {
		sleep(30 * time.Minute)
		// 12:05 runs until 12:28. 12:10, the full 12:12, 12:15, 12:20 and 12:25 are one full run.
		p.want("01T12:05:00 hq delta (schedule)", "01T12:28:00 hq full (full schedule)")
	})
}

func TestTriggersAreRememberedOnce(t *testing.T) {
	inBubble(t, "2026-01-01T12:00:00Z", time.Minute, []Entry{{Name: "hq"}}, Options{}, func(l *Loop, p *probe) {
		if !l.Next("hq").IsZero() {
			t.Error("an entry without schedules has a next time")
		}
		l.Trigger("hq", Trigger{Cause: CauseStartup})
		synctest.Wait()
		if !l.Running("hq") {
			t.Error("the triggered run is not running")
		}
		for range 3 {
			l.Trigger("hq", Trigger{Cause: "operator"})
		}
		l.Trigger("hq", Trigger{Full: true, Cause: CauseUSR2})
		l.Trigger("hq", Trigger{Cause: CauseUSR1})
		sleep(10 * time.Minute)
		p.want("01T12:00:00 hq delta (startup)", "01T12:01:00 hq full (signal USR2)")
		if l.Trigger("branch", Trigger{}) {
			t.Error("a trigger for an unknown name was taken")
		}
	})
}

func TestTriggerAllAndParallel(t *testing.T) {
	entries := []Entry{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	inBubble(t, "2026-01-01T12:00:00Z", time.Minute, entries, Options{Parallel: 2}, func(l *Loop, p *probe) {
		l.TriggerAll(Trigger{Cause: CauseUSR1})
		synctest.Wait()
		l.TriggerAll(Trigger{Full: true, Cause: CauseUSR2})
		sleep(10 * time.Minute)
		// Two ran at once. The third waited for its turn, took the full trigger with it and ran once.
		runs := p.list()
		if len(runs) != 5 || p.most != 2 {
			t.Errorf("%d runs, at most %d at a time, want 5 and 2: %q", len(runs), p.most, runs)
		}
	})
}

func TestJitterStaysWithin(t *testing.T) {
	entries := []Entry{{Name: "hq", Incremental: parse(t, "0 * * * *", ""), Jitter: 10 * time.Minute}}
	inBubble(t, "2026-01-01T00:30:00Z", 0, entries, Options{}, func(l *Loop, p *probe) {
		seen := make(map[int]bool)
		for range 200 {
			due := l.Next("hq")
			if due.Minute() > 10 || due.Minute() == 10 && due.Second() > 0 {
				t.Fatalf("due at %v with a jitter of 10m", due)
			}
			seen[due.Minute()] = true
			sleep(time.Hour)
		}
		if len(p.list()) != 200 || len(seen) < 5 {
			t.Errorf("%d runs in 200 hours, in %d different minutes", len(p.list()), len(seen))
		}
	})
}

func TestDaylightSaving(t *testing.T) {
	entries := []Entry{{Name: "hq", Full: parse(t, "30 1 * * *", "Europe/London")}}
	inBubble(t, "2026-03-28T12:00:00Z", time.Minute, entries, Options{}, func(l *Loop, p *probe) {
		sleep(48 * time.Hour)
		p.want("29T01:00:00 hq full (full schedule)", "30T00:30:00 hq full (full schedule)")
	})
	inBubble(t, "2026-10-24T12:00:00Z", time.Minute, entries, Options{}, func(l *Loop, p *probe) {
		sleep(48 * time.Hour)
		p.want("25T00:30:00 hq full (full schedule)", "26T01:30:00 hq full (full schedule)")
	})
}

// shiftedClock is a wall clock that can be set.
type shiftedClock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *shiftedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *shiftedClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

func TestMachineSlept(t *testing.T) {
	c := &shiftedClock{}
	entries := []Entry{{Name: "hq", Incremental: parse(t, "*/5 * * * *", ""), Full: parse(t, "0 3 * * *", "")}}
	inBubble(t, "2026-01-01T12:01:00Z", time.Second, entries, Options{Now: c.now}, func(l *Loop, p *probe) {
		c.move(72 * time.Hour) // timers stood still
		sleep(2 * time.Minute)
		p.want("01T12:02:00 hq full (full schedule)")
		if got := l.Next("hq").Format("02T15:04"); got != "04T12:05" {
			t.Errorf("next at %s, want 04T12:05", got)
		}
	})
}

func TestClockSetBack(t *testing.T) {
	tests := []struct {
		name string
		back time.Duration
	}{
		{"a small correction runs nothing twice", 10 * time.Minute},
		{"a clock that was a year ahead loses no day", 365 * 24 * time.Hour},
	}
	for _, test := range tests {
		c := &shiftedClock{}
		entries := []Entry{{Name: "hq", Full: parse(t, "0 13 * * *", "")}}
		inBubble(t, "2026-06-01T12:55:00Z", time.Second, entries, Options{Now: c.now}, func(l *Loop, p *probe) {
			sleep(10 * time.Minute) // runs at 13:00
			c.move(-test.back)
			sleep(23*time.Hour + 30*time.Minute)
			if got := len(p.list()); got != 1 {
				t.Errorf("%s: %d runs within the day, want 1: %q", test.name, got, p.list())
			}
			sleep(time.Hour)
			if got := len(p.list()); got != 2 {
				t.Errorf("%s: %d runs after a day, want 2: %q", test.name, got, p.list())
			}
		})
	}
}

func TestIntervalAfterClockSetBack(t *testing.T) {
	c := &shiftedClock{}
	entries := []Entry{{Name: "hq", Incremental: parse(t, "@every 10m", "")}}
	inBubble(t, "2026-06-01T12:00:00Z", time.Second, entries, Options{Now: c.now}, func(l *Loop, p *probe) {
		sleep(15 * time.Minute)
		c.move(-50 * time.Minute)
		sleep(12 * time.Minute)
		p.want("01T12:10:00 hq delta (schedule)", "01T12:25:01 hq delta (schedule)")
	})
}

func TestReplace(t *testing.T) {
	old := []Entry{{Name: "hq", Incremental: parse(t, "*/10 * * * *", "")}, {Name: "branch", Incremental: parse(t, "@every 10m", "")}}
	inBubble(t, "2026-01-01T12:01:00Z", 15*time.Minute, old, Options{}, func(l *Loop, p *probe) {
		sleep(5 * time.Minute)
		l.Replace([]Entry{{Name: "branch", Incremental: parse(t, "@every 10m", "")}, {Name: "hq", Incremental: parse(t, "8,9 * * * *", "")}})
		if got := l.Next("branch").Format("15:04"); got != "12:11" {
			t.Errorf("an unchanged entry comes at %s, want 12:11", got)
		}
		sleep(4 * time.Minute)
		// hq runs since 12:08 until 12:23, 12:09 waits; it is removed, comes back, and still does not overlap.
		l.Replace(old[1:])
		if l.Trigger("hq", Trigger{}) || !l.Running("hq") {
			t.Error("a removed entry takes triggers, or its run was lost")
		}
		l.Replace(old)
		l.Trigger("hq", Trigger{Cause: "operator"})
		sleep(14 * time.Minute)
		runs := slices.DeleteFunc(p.list(), func(s string) bool { return s[12:14] != "hq" })
		want := []string{"01T12:08:00 hq delta (schedule)", "01T12:23:00 hq delta (operator)"}
		if !slices.Equal(runs, want) {
			t.Errorf("runs:\n got %q\nwant %q", runs, want)
		}
	})
}

func TestStopWaitsForRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		l := New([]Entry{{Name: "hq"}}, func(ctx context.Context, _ string, _ Trigger) {
			<-ctx.Done()
			time.Sleep(time.Minute)
			ended = true
		}, Options{})
		l.Trigger("hq", Trigger{Cause: CauseStartup}) // before Run: remembered
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			l.Trigger("hq", Trigger{Cause: "operator"}) // must not start any more
			cancel()
		}()
		began := time.Now()
		l.Run(ctx)
		if took := time.Since(began); !ended || took != time.Minute+time.Second {
			t.Errorf("Run returned after %v, run ended: %v", took, ended)
		}
	})
}

// TestManyTriggersAtOnce is for the race detector.
func TestManyTriggersAtOnce(t *testing.T) {
	entries := []Entry{{Name: "a", Incremental: parse(t, "@every 1s", "")}, {Name: "b"}}
	inBubble(t, "2026-01-01T12:00:00Z", time.Second, entries, Options{}, func(l *Loop, p *probe) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for range 50 {
					l.TriggerAll(Trigger{Full: i%2 == 0, Cause: "operator"})
					l.Next("a")
					l.Replace(entries)
					time.Sleep(time.Duration(i+1) * 100 * time.Millisecond)
				}
			})
		}
		group.Wait()
	})
}
