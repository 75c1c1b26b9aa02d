package deliver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// refuseFrom refuses the records from one number on to another.
func refuseFrom(from, to int, doubtful bool) func(context.Context, []directory.Action) ([]targets.Outcome, error) {
	return func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
		time.Sleep(10 * time.Millisecond)
		out := make([]targets.Outcome, len(actions))
		for i := range actions {
			var n int
			fmt.Sscanf(actions[i].Record, "hq/%d", &n)
			if n >= from && n < to {
				out[i] = targets.Outcome{Err: failWith(fault.Invalid, "answered 400: what is this, Ada?"), Doubtful: doubtful}
			}
		}
		return out, nil
	}
}

// TestRefusesEverything: a target that takes nothing, whatever it is, is at fault; the records are not.
func TestRefusesEverything(t *testing.T) {
	for _, test := range []struct{ batch, takesFirst, parked int }{{1, 0, 9}, {100, 0, 0}, {1, 20, 99}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newMemory()
				enqueue(t, st, manyUsers(500)...)
				target := &scripted{desc: targets.Description{Batch: test.batch, Parallel: 4}, answer: refuseFrom(test.takesFirst, 500, true)}
				var log bytes.Buffer
				w := New(st, journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Backoff: steady})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				time.Sleep(2 * time.Hour)
				status, err := w.Status(ctx)
				if err != nil || status.State != Failing || !strings.Contains(status.Hint, "parked list") || status.Waiting != 500-test.takesFirst-test.parked {
					t.Errorf("status %+v, %v", status, err)
				}
				if n := len(parked(t, st)); n != test.parked {
					t.Errorf("%d are parked, want %d", n, test.parked)
				}
				if n := len(target.calls); n > 250 {
					t.Errorf("%d calls in two hours", n)
				}
				if text := log.String(); strings.Count(text, "target failing") != 1 || strings.Contains(text, "target recovered") || strings.Contains(text, "Ada") {
					t.Errorf("log:\n%s", text)
				}
				target.change(nil)
				time.Sleep(time.Hour)
				stop()
				<-ended
				if c := w.Counts(); c.Delivered != 500-test.parked || c.Parked != test.parked {
					t.Errorf("counts %+v", c)
				}
			})
		})
	}
}

// TestRefusesManyOfMany: as soon as others are taken, what is refused is parked.
func TestRefusesManyOfMany(t *testing.T) {
	for _, batch := range []int{1, 7} {
		synctest.Test(t, func(t *testing.T) {
			st := newMemory()
			enqueue(t, st, manyUsers(500)...)
			target := &scripted{desc: targets.Description{Batch: batch, Parallel: 4}, answer: refuseFrom(0, 50, true)}
			w := New(st, journal, target, Options{Backoff: steady})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- w.Run(ctx) }()
			time.Sleep(4 * time.Hour)
			stop()
			<-ended
			if c := w.Counts(); c.Delivered != 450 || c.Parked != 50 {
				t.Errorf("batch %d: counts %+v", batch, c)
			}
		})
	}
}

// TestManyRefusalsInTheLog: the log names ten of them in a minute, and tells how many more there were.
func TestManyRefusalsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		enqueue(t, st, manyUsers(500)...)
		target := &scripted{desc: targets.Description{Batch: 10}, answer: refuseFrom(0, 500, false)}
		var log bytes.Buffer
		w := New(st, journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if sum := drain(t, w); sum.Parked != 500 {
			t.Errorf("summary %+v", sum)
		}
		if text := log.String(); strings.Count(text, "\n") != 11 || !strings.Contains(text, "more=490") {
			t.Errorf("log:\n%s", text)
		}
		time.Sleep(time.Hour)
		enqueue(t, st, user("later", directory.Create, "x"), user("1", directory.Update, "y", "n=x>y"))
		target.change(refuse(failWith(fault.Invalid, "no"), "later"))
		drain(t, w)
		if text := log.String(); strings.Count(text, "\n") != 12 || !strings.Contains(text, "hq/later") {
			t.Errorf("log:\n%s", text)
		}
	})
}

// TestRefusedAndGone: who goes away before a creation that was refused was tried again is not told of, and comes back with a reactivation that has
// the whole record (docs/events.md).
func TestRefusedAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		target := &scripted{desc: targets.Description{Batch: 1}, answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return []targets.Outcome{{Err: failWith(fault.Invalid, "answered 422")}}, nil
		}}
		w := New(st, journal, target, Options{Backoff: steady})
		for _, step := range []struct {
			op     directory.Op
			said   string
			parked int
		}{{directory.Create, "create a", 1}, {directory.Deactivate, "create a", 0}, {directory.Reactivate, "create a | reactivate a", 0}} {
			enqueue(t, st, user("a", step.op, "a"))
			drain(t, w)
			if got := target.said(); got != step.said {
				t.Errorf("after the %s it was told %q, not %q", step.op, got, step.said)
			}
			if n := len(parked(t, st)); n != step.parked {
				t.Errorf("after the %s %d are parked", step.op, n)
			}
			target.change(nil)
		}
		w.Close()
	})
}
