package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

var hq = store.Partition{Connection: "hq"}

const journal = "journal"

// scripted is a target whose answers a test decides.
type scripted struct {
	desc   targets.Description
	answer func(ctx context.Context, actions []directory.Action) ([]targets.Outcome, error)

	mu    sync.Mutex
	calls [][]string // the keys of every call
	at    []time.Time
}

func (s *scripted) Describe() targets.Description { return s.desc }
func (s *scripted) Check(context.Context) error   { return nil }
func (s *scripted) Reopen() error                 { return nil }
func (s *scripted) Close() error                  { return nil }

func (s *scripted) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	keys := make([]string, len(actions))
	for i := range actions {
		keys[i] = actions[i].Op.String() + " " + actions[i].Key
	}
	s.mu.Lock()
	s.calls = append(s.calls, keys)
	s.at = append(s.at, time.Now())
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return make([]targets.Outcome, len(actions)), nil
	}
	return answer(ctx, actions)
}

// change puts another answer in place while a worker runs.
func (s *scripted) change(answer func(context.Context, []directory.Action) ([]targets.Outcome, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scripted) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]string, len(s.calls))
	for i, keys := range s.calls {
		calls[i] = strings.Join(keys, ", ")
	}
	return strings.Join(calls, " | ")
}

// user makes an action about a user with a number.
func user(id string, op directory.Op, key string, words ...string) *directory.Action {
	a := act(op, key, words...)
	a.Record = "hq/" + id
	return a
}

func enqueue(t testing.TB, st store.Store, actions ...*directory.Action) {
	t.Helper()
	if err := enqueueAt(st, hq, actions); err != nil {
		t.Fatal(err)
	}
}

func drain(t testing.TB, w *Worker) Summary {
	t.Helper()
	sum, err := w.Drain(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func parked(t testing.TB, st store.Store) (list []string) {
	t.Helper()
	err := st.View(context.Background(), hq, func(tx store.Reader) error {
		return tx.Parked(func(p store.Parked) bool {
			a, err := directory.ParseAction(p.Action)
			if err != nil {
				t.Error(err)
			}
			list = append(list, fmt.Sprintf("%s: %s: %s", p.Subject, p.Class, describe(&a)))
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func failWith(class fault.Class, text string) error {
	return &fault.Error{Class: class, Op: "deliver", Err: errors.New(text)}
}

// refuse answers an error for the records named, and nothing for the others.
func refuse(err error, ids ...string) func(context.Context, []directory.Action) ([]targets.Outcome, error) {
	return func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
		out := make([]targets.Outcome, len(actions))
		for i := range actions {
			for _, id := range ids {
				if actions[i].Record == "hq/"+id {
					out[i].Err = err
				}
			}
		}
		return out, nil
	}
}

// steady is a back-off without chance.
var steady = Backoff{Random: func() float64 { return 1 }}

func TestDeliversInBatchesInOrder(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 2}}
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"), user("3", directory.Create, "c"))
	sum := drain(t, New(st, journal, target, Options{}))
	if sum.Delivered != 3 || sum.Waiting != 0 || sum.Parked != 0 || sum.Err != nil {
		t.Errorf("summary %+v", sum)
	}
	if got, want := target.said(), "create a, create b | create c"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
}

func TestFoldsWhatWasNotClaimed(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	enqueue(t, st,
		user("1", directory.Create, "a"), user("2", directory.Create, "b"), user("1", directory.Update, "c", "n=x>y"),
		user("2", directory.Deactivate, "d"), user("3", directory.Update, "e", "n=x>y"), user("4", directory.Create, "f"),
		user("3", directory.Update, "g", "n=y>z"))
	sum := drain(t, New(st, journal, target, Options{}))
	if got, want := target.said(), "create c, create f, update g"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
	if sum.Delivered != 3 || sum.Folded != 4 || sum.Waiting != 0 {
		t.Errorf("summary %+v", sum)
	}
}

func TestEverythingFoldedAway(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	for i := range 3 * largestWindow {
		id := fmt.Sprint(i)
		enqueue(t, st, user(id, directory.Create, "c"+id), user(id, directory.Delete, "d"+id))
		if i > 5 {
			break
		}
	}
	enqueue(t, st, user("x", directory.Create, "x"))
	w := New(st, journal, target, Options{})
	w.window = 2
	if sum := drain(t, w); sum.Waiting != 0 || target.said() != "create x" {
		t.Errorf("summary %+v, calls %q", sum, target.said())
	}
}

// TestClaimedIsFinal: what may have been sent is sent again as it was, also by the next process.
func TestClaimedIsFinal(t *testing.T) {
	st := newMemory()
	target := &scripted{desc: targets.Description{Batch: 10}, answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) {
		return nil, failWith(fault.Transient, "connection reset")
	}}
	enqueue(t, st, user("1", directory.Create, "a"), user("1", directory.Update, "b", "n=x>y"))
	opts := Options{Patience: time.Nanosecond}
	if sum := drain(t, New(st, journal, target, opts)); sum.Err == nil || sum.Waiting != 1 {
		t.Errorf("summary %+v", sum)
	}
	enqueue(t, st, user("1", directory.Update, "c", "n=y>z"), user("1", directory.Update, "d", "n=z>q"))
	target.answer = nil
	drain(t, New(st, journal, target, opts))
	if got, want := target.said(), "create b | create b | update d"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
}

func TestKindChangeKeepsItsOrder(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10, Parallel: 4}}
	was := user("1", directory.Deactivate, "a", "@agent/hq/1")
	is := user("1", directory.Create, "b", "@user/hq/1")
	is.Kind = directory.AgentRecord
	enqueue(t, st, was, is, user("2", directory.Create, "c"))
	drain(t, New(st, journal, target, Options{}))
	if got, want := target.said(), "deactivate a, create c | create b"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// TestKindChangeWaitsForWhatCameBefore: the first half names a record of which something is under way.
func TestKindChangeWaitsForWhatCameBefore(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	before := user("1", directory.Update, "a", "n=x>y")
	before.Kind = directory.AgentRecord
	enqueue(t, st, before, user("1", directory.Reactivate, "b", "@agent/hq/1"))
	drain(t, New(st, journal, target, Options{}))
	if got, want := target.said(), "update a | reactivate b"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
}

func TestParksWhatIsRefused(t *testing.T) {
	st := newMemory()
	target := &scripted{desc: targets.Description{Batch: 10}, answer: refuse(failWith(fault.Invalid, "bad phone of Ada"), "1")}
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
	var log bytes.Buffer
	w := New(st, journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	sum := drain(t, w)
	if sum.Delivered != 1 || sum.Parked != 1 || sum.Waiting != 0 {
		t.Errorf("summary %+v", sum)
	}
	if got := fmt.Sprint(parked(t, st)); got != "[user/hq/1: invalid: create a]" {
		t.Errorf("parked %s", got)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "Ada") || !strings.Contains(log.String(), "user/hq/1") {
		t.Errorf("log %s", log.String())
	}

	// Better data makes a creation of it; the update that is refused in between is folded onto it, too.
	enqueue(t, st, user("1", directory.Update, "c", "n=x>y"))
	drain(t, w)
	if got := fmt.Sprint(parked(t, st)); got != "[user/hq/1: invalid: create c]" {
		t.Errorf("parked %s", got)
	}
	target.answer = nil
	enqueue(t, st, user("1", directory.Update, "d", "n=y>z"))
	drain(t, w)
	if got := parked(t, st); got != nil {
		t.Errorf("parked %s", got)
	}
	if got, want := target.said(), "create a, create b | create c | create d"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
}

func TestLeaverWhoWasNeverTaken(t *testing.T) {
	st := newMemory()
	target := &scripted{desc: targets.Description{Batch: 10}, answer: refuse(failWith(fault.Invalid, "no"), "1")}
	w := New(st, journal, target, Options{})
	enqueue(t, st, user("1", directory.Create, "a"))
	drain(t, w)
	enqueue(t, st, user("1", directory.Deactivate, "b"))
	if sum := drain(t, w); sum.Waiting != 0 || target.said() != "create a" || parked(t, st) != nil {
		t.Errorf("summary %+v, calls %q, parked %v", sum, target.said(), parked(t, st))
	}
}

func TestGoneIsWhatARemovalWants(t *testing.T) {
	st := newMemory()
	target := &scripted{desc: targets.Description{Batch: 10}, answer: refuse(failWith(fault.Gone, "404"), "1", "2")}
	enqueue(t, st, user("1", directory.Delete, "a"), user("2", directory.Update, "b", "n=x>y"))
	if sum := drain(t, New(st, journal, target, Options{})); sum.Delivered != 1 || sum.Parked != 1 {
		t.Errorf("summary %+v", sum)
	}
}

func TestBackoffOfTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, broken := newMemory(), true
		target := &scripted{desc: targets.Description{Batch: 10}}
		target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if broken {
				return nil, failWith(fault.Transient, "connection refused")
			}
			return make([]targets.Outcome, len(actions)), nil
		}
		var log bytes.Buffer
		w := New(st, journal, target, Options{Backoff: steady, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(context.Background())
		start, ended := time.Now(), make(chan error)
		enqueue(t, st, user("1", directory.Create, "a"))
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(14 * time.Minute)
		w.Wake() // does not shorten the wait
		synctest.Wait()

		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811}
		if len(target.at) != len(want) {
			t.Fatalf("%d attempts: %v", len(target.at), target.at)
		}
		for i, at := range target.at {
			if at.Sub(start) != want[i]*time.Second {
				t.Errorf("attempt %d after %v, want %v", i+1, at.Sub(start), want[i]*time.Second)
			}
		}
		status, err := w.Status(ctx)
		if err != nil || status.State != Failing || status.Waiting != 1 || status.Attempts != len(want) || !status.Since.Equal(start) {
			t.Errorf("status %+v, %v", status, err)
		}
		broken = false
		if err := w.Retry(ctx); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if status, _ := w.Status(ctx); status.State != Idle || status.Waiting != 0 || status.Error != "" {
			t.Errorf("status %+v", status)
		}
		enqueue(t, st, user("2", directory.Create, "b"))
		w.Wake()
		synctest.Wait()
		if got := target.calls[len(target.calls)-1]; got[0] != "create b" {
			t.Errorf("last call %v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "target failing") || !strings.Contains(lines[1], "target recovered") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

// TestFoldsBetweenTries is what docs/events.md says under "Folded": while the target is away, what changes between two tries
// becomes one action, and what was tried stays one of its own. A try that the operator asks for counts, too.
func TestFoldsBetweenTries(t *testing.T) {
	for name, tc := range map[string]struct {
		asked bool // the operator has it tried after every change
		want  string
	}{
		"by itself": {false, "update 0 | update 4"},
		"asked for": {true, "update 0 | update 1 | update 2 | update 3 | update 4"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1}}
				target.change(func(context.Context, []directory.Action) ([]targets.Outcome, error) {
					return nil, failWith(fault.Transient, "connection refused")
				})
				w := New(st, journal, target, Options{Backoff: steady})
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				for i := range 5 {
					enqueue(t, st, user("1", directory.Update, fmt.Sprint(i), fmt.Sprintf("n=%d>%d", i, i+1)))
					w.Wake()
					synctest.Wait()
					if tc.asked {
						if err := w.Retry(ctx); err != nil {
							t.Error(err)
						}
						synctest.Wait()
					}
				}
				before := target.said()
				target.change(nil)
				time.Sleep(time.Hour)
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if got := strings.TrimPrefix(target.said(), before+" | "); got != tc.want {
					t.Errorf("sent %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// TestParallelCallsFailOnce: calls that fail together are one failed attempt.
func TestParallelCallsFailOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 4}}
		target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			time.Sleep(time.Millisecond)
			return nil, failWith(fault.Transient, "connection refused")
		}
		for i := range 20 {
			enqueue(t, st, user(fmt.Sprint(i), directory.Create, fmt.Sprint(i)))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 7500*time.Millisecond)
		defer cancel()
		if err := New(st, journal, target, Options{Backoff: steady}).Run(ctx); err != nil {
			t.Error(err)
		}
		if n := len(target.calls); n != 4*4 { // at 0, 1, 3 and 7 seconds
			t.Errorf("%d calls", n)
		}
	})
}

func TestRetryAfterIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, n := newMemory(), 0
		target := &scripted{desc: targets.Description{Batch: 1}}
		target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			if n++; n == 1 {
				return nil, &fault.Error{Class: fault.Throttled, After: 90 * time.Second}
			}
			return make([]targets.Outcome, 1), nil
		}
		enqueue(t, st, user("1", directory.Create, "a"))
		w := New(st, journal, target, Options{Patience: time.Hour, Backoff: Backoff{Random: func() float64 { return 0 }}})
		drain(t, w)
		if wait := target.at[1].Sub(target.at[0]); wait != 90*time.Second {
			t.Errorf("waited %v", wait)
		}
	})
}

func TestStuckTargetIsNotHammered(t *testing.T) {
	for _, class := range []fault.Class{fault.Auth, fault.Forbidden, fault.Configuration, fault.Internal, fault.Invalid} {
		synctest.Test(t, func(t *testing.T) {
			st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 2}}
			target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) {
				return nil, failWith(class, "no")
			}
			for i := range 50 {
				enqueue(t, st, user(fmt.Sprint(i), directory.Create, fmt.Sprint(i)))
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			start := time.Now()
			if err := New(st, journal, target, Options{Backoff: steady}).Run(ctx); err != nil {
				t.Error(err)
			}
			for _, at := range target.at[2:] {
				if at.Sub(start) < time.Minute {
					t.Errorf("%s: tried again after %v", class, at.Sub(start))
				}
			}
			if n := len(target.calls); n < 10 || n > 100 {
				t.Errorf("%s: %d calls in an hour", class, n)
			}
			if p := parked(t, st); len(p) > 0 {
				t.Errorf("%s: parked %v", class, p)
			}
		})
	}
}

func TestOneRecordFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		target := &scripted{desc: targets.Description{Batch: 2}, answer: refuse(failWith(fault.Conflict, "locked"), "1")}
		start := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := New(st, journal, target, Options{Backoff: steady})
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
		w.Wake()
		synctest.Wait()
		enqueue(t, st, user("1", directory.Update, "c", "n=x>y"), user("3", directory.Create, "d"))
		w.Wake()
		synctest.Wait()
		if got, want := target.said(), "create a, create b | create d"; got != want {
			t.Errorf("calls %q, want %q", got, want)
		}
		if status, _ := w.Status(ctx); status.State != OK || status.Waiting != 2 {
			t.Errorf("status %+v", status)
		}
		// While the target takes other things the record is at fault: after a day it is given up, and so is
		// what came later, made one with it.
		for range 30 {
			time.Sleep(time.Hour)
			enqueue(t, st, user("9", directory.Update, fmt.Sprint("x", time.Since(start)), "n=x>y"))
			w.Wake()
			synctest.Wait()
			if p := parked(t, st); p != nil && time.Since(start) < 24*time.Hour {
				t.Fatalf("parked after %v: %v", time.Since(start), p)
			}
		}
		if p := fmt.Sprint(parked(t, st)); p != "[user/hq/1: conflict: create c]" {
			t.Errorf("parked %s", p)
		}
		target.answer = nil
		enqueue(t, st, user("1", directory.Update, "e", "n=y>z"))
		w.Wake()
		synctest.Wait()
		if last := target.calls[len(target.calls)-1]; last[0] != "create e" {
			t.Errorf("last call %v", last)
		}
		if p := parked(t, st); p != nil {
			t.Errorf("parked %v", p)
		}
		cancel()
		<-ended
	})
}

// TestLongOutageGivesUpNothing: an outage of the whole target, even when it is answered action by action, parks
// nothing, however long it lasts.
func TestLongOutageGivesUpNothing(t *testing.T) {
	for _, batch := range []int{1, 5} {
		synctest.Test(t, func(t *testing.T) {
			st, target := newMemory(), &scripted{desc: targets.Description{Batch: batch}}
			target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
				out := make([]targets.Outcome, len(actions))
				for i := range out {
					out[i].Err = failWith(fault.Transient, "503")
				}
				return out, nil
			}
			for i := range 40 {
				enqueue(t, st, user(fmt.Sprint(i), directory.Create, fmt.Sprint(i)))
			}
			w := New(st, journal, target, Options{Backoff: steady})
			ctx, cancel := context.WithTimeout(context.Background(), 72*time.Hour)
			defer cancel()
			_ = w.Run(ctx)
			if status, err := w.Status(context.Background()); err != nil || status.State != Failing {
				t.Errorf("status %+v, %v", status, err)
			}
			if n := len(target.calls); n > 2*72*12 {
				t.Errorf("%d calls in 72 hours", n)
			}
			if p := parked(t, st); len(p) > 0 {
				t.Errorf("parked %v", p)
			}
			target.answer = nil
			_ = w.Retry(context.Background())
			if sum := drain(t, w); sum.Waiting != 0 || sum.Delivered != 40 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// TestStuckRecordAfterAnOutage: the first record in line goes on failing when the target works again. It must
// not be taken for the target.
func TestStuckRecordAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1}}
		var all []string
		for i := range 30 {
			all = append(all, fmt.Sprint(i))
			enqueue(t, st, user(fmt.Sprint(i), directory.Create, fmt.Sprint(i)))
		}
		target.answer = refuse(failWith(fault.Transient, "503"), all...)
		ctx, cancel := context.WithCancel(context.Background())
		w, ended := New(st, journal, target, Options{Backoff: steady}), make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(3 * time.Hour)
		target.change(refuse(failWith(fault.Transient, "503"), "0"))
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if status, _ := w.Status(ctx); status.Waiting != 1 || status.State != OK {
			t.Errorf("status %+v", status)
		}
		cancel()
		<-ended
	})
}

func TestPanicIsAnError(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1}}
	target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) { panic("secret of Ada") }
	enqueue(t, st, user("1", directory.Create, "a"))
	var log bytes.Buffer
	sum := drain(t, New(st, journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}))
	if fault.ClassOf(sum.Err) != fault.Internal || sum.Waiting != 1 {
		t.Errorf("summary %+v", sum)
	}
	if !strings.Contains(log.String(), "worker_test.go") || strings.Contains(log.String(), "Ada") {
		t.Errorf("log %s", log.String())
	}
}

func TestWrongNumberOfOutcomes(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 2}}
	target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) {
		return make([]targets.Outcome, 1), nil
	}
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
	if sum := drain(t, New(st, journal, target, Options{})); fault.ClassOf(sum.Err) != fault.Internal || sum.Waiting != 2 {
		t.Errorf("summary %+v", sum)
	}
}

// TestHangingTarget: the call is cut after the timeout, and at once when the worker is stopped; what other
// calls brought is recorded all the same.
func TestHangingTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1, Parallel: 2}}
		target.answer = func(ctx context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if actions[0].Record == "hq/1" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return make([]targets.Outcome, 1), nil
		}
		enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
		ctx, cancel := context.WithCancel(context.Background())
		w, ended := New(st, journal, target, Options{}), make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if status, err := w.Status(context.Background()); err != nil || status.Waiting != 1 || status.State == Failing {
			t.Errorf("status %+v, %v", status, err)
		}
		sum := drain(t, w)
		if fault.ClassOf(sum.Err) != fault.Transient || sum.Waiting != 1 {
			t.Errorf("summary %+v", sum)
		}
	})
}

func TestPartitionsShareATarget(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	for i := range 5 {
		p := store.Partition{Connection: "csp", Tenant: fmt.Sprint(i)}
		err := st.Update(context.Background(), p, func(tx store.Writer) error {
			return tx.Enqueue(journal, user(p.Tenant, directory.Create, p.Tenant), time.Now())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if sum := drain(t, New(st, journal, target, Options{})); sum.Delivered != 5 || sum.Waiting != 0 {
		t.Errorf("summary %+v", sum)
	}
}

func TestDamagedEntryIsSetAside(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
	st.parts[hq].outbox[journal][0].Data = []byte{1, 2, 3}
	var log bytes.Buffer
	m := &recorder{}
	sum := drain(t, New(storetest.Strict(t, st), journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: m}))
	if sum.Waiting != 0 || target.said() != "create b" || len(st.parts[hq].parked) != 1 {
		t.Errorf("summary %+v, calls %q, parked %v", sum, target.said(), st.parts[hq].parked)
	}
	// The store may run a transaction twice; the operator is told once.
	if got := strings.Join(m.lines, ", "); strings.Count(log.String(), "\n") != 1 || !strings.HasPrefix(got, "parkedinternal, took1") {
		t.Errorf("metrics %q, log:\n%s", got, log.String())
	}
}

func TestIdleWorkerWritesNothing(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 10}}
	enqueue(t, st, user("1", directory.Create, "a"))
	w := New(st, journal, target, Options{})
	drain(t, w)
	before := st.writes
	drain(t, w)
	if st.writes != before {
		t.Errorf("%d writes", st.writes-before)
	}
}

func TestReplay(t *testing.T) {
	st := storetest.Strict(t, newMemory())
	target := &scripted{desc: targets.Description{Batch: 10}, answer: refuse(failWith(fault.Invalid, "no"), "1", "2")}
	w := New(st, journal, target, Options{})
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
	drain(t, w)
	target.answer = nil
	enqueue(t, st, user("2", directory.Update, "d", "n=x>y"))

	ctx := context.Background()
	out, err := Replay(ctx, st, hq, []uint64{1, 2, 77}, time.Now())
	if err != nil || fmt.Sprint(out) != "{[1] [2] [] [77]}" {
		t.Errorf("Replay: %v, %v", out, err)
	}
	enqueue(t, st, user("1", directory.Deactivate, "e")) // not folded: the target may have "a" after all
	drain(t, w)
	if got, want := target.said(), "create a, create b | create d, create a | deactivate e"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
	if p := parked(t, st); p != nil {
		t.Errorf("parked %v", p)
	}
}

type recorder struct{ lines []string }

func (r *recorder) Delivered(op directory.Op, n int)  { r.add("delivered", op, n) }
func (r *recorder) Parked(class fault.Class)          { r.add("parked", class) }
func (r *recorder) Failed(class fault.Class)          { r.add("failed", class) }
func (r *recorder) Took(_ time.Duration, actions int) { r.add("took", actions) }
func (r *recorder) add(what ...any)                   { r.lines = append(r.lines, fmt.Sprint(what...)) }

func TestMetrics(t *testing.T) {
	st, m := newMemory(), &recorder{}
	target := &scripted{desc: targets.Description{Batch: 10}, answer: refuse(failWith(fault.Invalid, "no"), "1")}
	enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"), user("3", directory.Create, "c"))
	drain(t, New(st, journal, target, Options{Metrics: m}))
	if got, want := strings.Join(m.lines, ", "), "took3, parkedinvalid, deliveredcreate 2"; got != want {
		t.Errorf("metrics %q, want %q", got, want)
	}
}

// A target that asks for a little patience again and again does not keep whoever drains for ever.
func TestDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, target := newMemory(), &scripted{desc: targets.Description{Batch: 1}}
		target.answer = func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return nil, &fault.Error{Class: fault.Throttled, After: time.Second}
		}
		enqueue(t, st, user("1", directory.Create, "a"))
		began := time.Now()
		sum, err := New(st, journal, target, Options{}).Drain(t.Context())
		if took := time.Since(began); err != nil || sum.Waiting != 1 || took > 10*time.Second {
			t.Errorf("%+v after %s: %v", sum, took, err)
		}
	})
}

// TestStopLetsCallsEnd: who is told to stop awaits the answers of what was sent, for a while, and records them.
func TestStopLetsCallsEnd(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		waits time.Duration
		left  int
	}{{4 * time.Second, 4 * time.Second, 17}, {time.Hour, 10 * time.Second, 20}} {
		for _, how := range []string{"context", "close"} {
			t.Run(fmt.Sprint(c.takes, " ", how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					st := newMemory()
					enqueue(t, st, manyUsers(20)...)
					target := &scripted{desc: targets.Description{Batch: 1, Parallel: 3}}
					target.answer = func(ctx context.Context, actions []directory.Action) ([]targets.Outcome, error) {
						select {
						case <-time.After(c.takes):
							return make([]targets.Outcome, len(actions)), nil
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					}
					w := New(st, journal, target, Options{})
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					ended := make(chan error)
					go func() { ended <- w.Run(ctx) }()
					synctest.Wait()
					start := time.Now()
					if how == "close" {
						w.Close()
					} else {
						stop()
					}
					<-ended
					if took := time.Since(start); took != c.waits {
						t.Errorf("it took %s, want %s", took, c.waits)
					}
					if n := len(target.taken()); n != 3 {
						t.Errorf("%d actions were sent", n)
					}
					if status, err := w.Status(t.Context()); err != nil || status.Waiting != c.left || status.State == Failing {
						t.Errorf("status %+v, %v", status, err)
					}
				})
			})
		}
	}
}
