package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// disk is a store that may have no space left: then a transaction that writes fails, and one that does not succeeds.
type disk struct {
	store.Store
	full atomic.Bool
}

func (d *disk) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	return d.Store.Update(ctx, p, func(tx store.Writer) error {
		w := &diskTx{Writer: tx}
		if err := fn(w); err != nil || !w.wrote || !d.full.Load() {
			return err
		}
		return &fault.Error{Class: fault.Transient, Op: "write state", Err: errors.New("no space left on device"), Hint: "free some space"}
	})
}

type diskTx struct {
	store.Writer
	wrote bool
}

func (t *diskTx) Claim(target string, upTo uint64) error {
	t.wrote = true
	return t.Writer.Claim(target, upTo)
}

func (t *diskTx) Dequeue(target string, seqs []uint64) error {
	t.wrote = t.wrote || len(seqs) > 0
	return t.Writer.Dequeue(target, seqs)
}

func (t *diskTx) Park(p store.Parked) (uint64, error) {
	t.wrote = true
	return t.Writer.Park(p)
}

// taken says how often each action was sent.
func (s *scripted) taken() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, call := range s.calls {
		for _, key := range call {
			n[key]++
		}
	}
	return n
}

func onceEach(t *testing.T, taken map[string]int, want int) {
	t.Helper()
	if len(taken) != want {
		t.Errorf("%d of %d actions were sent", len(taken), want)
	}
	for key, n := range taken {
		if n > 1 {
			t.Errorf("%s was sent %d times", key, n)
		}
	}
}

func manyUsers(n int) []*directory.Action {
	list := make([]*directory.Action, n)
	for i := range list {
		list[i] = user(fmt.Sprint(i), directory.Create, fmt.Sprint("k", i))
	}
	return list
}

// TestFullDiskRepeatsNothing: answers that cannot be recorded are kept until they can be.
func TestFullDiskRepeatsNothing(t *testing.T) {
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprint("refused=", refused), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fillDisk(t, refused) })
		})
	}
}

func fillDisk(t *testing.T, refused bool) {
	st := &disk{Store: newMemory()}
	enqueue(t, st, manyUsers(1000)...)
	target := &scripted{desc: targets.Description{Batch: 20, Parallel: 2}}
	calls := 0
	target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
		time.Sleep(300 * time.Millisecond)
		target.mu.Lock()
		defer target.mu.Unlock()
		if calls++; calls == 5 {
			st.full.Store(true)
		}
		out := make([]targets.Outcome, len(actions))
		if refused && calls > 4 {
			out[0].Err = failWith(fault.Invalid, "no such site")
		}
		return out, nil
	}
	var log bytes.Buffer
	w := New(st, journal, target, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Backoff: steady})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	time.Sleep(time.Hour)
	if n := len(target.taken()); n < 100 || n > 300 {
		t.Errorf("%d actions were sent on a full disk, want those of the calls under way and of a second at most", n)
	}
	status, err := w.Status(ctx)
	if err != nil || status.State != Failing || !strings.Contains(status.Error, "no space left") || status.Hint != "free some space" {
		t.Errorf("status %+v, %v", status, err)
	}
	if n := w.unrecorded(); n == 0 {
		t.Error("nothing is kept to be recorded")
	}
	st.full.Store(false)
	time.Sleep(time.Hour)
	stop()
	<-ended
	onceEach(t, target.taken(), 1000)
	counts := w.Counts()
	if counts.Delivered+counts.Parked != 1000 || (counts.Parked > 0) != refused || len(parked(t, st)) != counts.Parked {
		t.Errorf("counts %+v, %d parked", counts, len(parked(t, st)))
	}
	text := log.String()
	if strings.Contains(text, "target failing") || strings.Contains(text, "target recovered") ||
		strings.Count(text, "deliveries cannot be recorded") != 1 || strings.Count(text, "deliveries are recorded again") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

// TestFullDiskAfterKill: nothing that may have been sent before is sent again while the answer could not be recorded.
func TestFullDiskAfterKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &disk{Store: newMemory()}
		enqueue(t, st, manyUsers(50)...)
		target := &scripted{desc: targets.Description{Batch: 20, Parallel: 2}, answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return nil, failWith(fault.Transient, "connection reset")
		}}
		drain(t, New(st, journal, target, Options{Patience: time.Nanosecond})) // claims
		target.mu.Lock()
		target.calls, target.answer = nil, nil
		target.mu.Unlock()

		st.full.Store(true)
		w := New(st, journal, target, Options{Backoff: steady})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		for range 100 {
			w.Wake()
			time.Sleep(time.Minute)
		}
		if said := target.said(); said != "" {
			t.Errorf("sent on a full disk: %s", said)
		}
		st.full.Store(false)
		time.Sleep(10 * time.Minute)
		stop()
		<-ended
		onceEach(t, target.taken(), 50)
	})
}

// TestStoreTroubleOutlivesAnOutage: what ends the trouble of one ends that of the other not.
func TestStoreTroubleOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &disk{Store: newMemory()}
		enqueue(t, st, user("1", directory.Create, "a"), user("2", directory.Create, "b"))
		down := failWith(fault.Transient, "connection reset")
		target := &scripted{desc: targets.Description{Batch: 1}}
		target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
			if actions[0].Key == "b" {
				return nil, down
			}
			st.full.Store(true)
			return make([]targets.Outcome, 1), nil
		}
		w := New(st, journal, target, Options{Backoff: steady, Patience: time.Nanosecond})
		if sum := drain(t, w); sum.Err == nil || !strings.Contains(sum.Err.Error(), "no space left") {
			t.Errorf("summary %+v", sum)
		}
		st.full.Store(false)
		time.Sleep(time.Hour)
		if sum := drain(t, w); sum.Delivered != 1 || sum.Err == nil || !strings.Contains(sum.Err.Error(), "connection reset") {
			t.Errorf("summary %+v", sum)
		}
		target.change(nil)
		time.Sleep(time.Hour)
		if sum := drain(t, w); sum.Delivered != 1 || sum.Waiting != 0 || sum.Err != nil {
			t.Errorf("summary %+v", sum)
		}
		if n := target.taken()["create a"]; n != 1 {
			t.Errorf("a was sent %d times", n)
		}
	})
}
