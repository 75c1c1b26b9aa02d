package deliver

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

func outageOf(t *testing.T, st store.Store) *store.Outage {
	t.Helper()
	var kept *store.Outage
	err := st.View(context.Background(), store.TargetPartition(journal), func(tx store.Reader) error {
		d, err := tx.Desk()
		kept = d.Outage
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// times are when it was called.
func (s *scripted) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.at)
}

// TestOutageOutlivesTheProcess: how long a new process leaves a target alone that failed for half an hour.
func TestOutageOutlivesTheProcess(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		afresh  bool
		drain   bool
		atLeast time.Duration
		atMost  time.Duration
	}{
		{name: "transient", err: failWith(fault.Transient, "reset"), atLeast: time.Minute, atMost: 5 * time.Minute},
		{name: "throttled", err: &fault.Error{Class: fault.Throttled, After: 30 * time.Minute}, atLeast: 28 * time.Minute, atMost: 33 * time.Minute},
		{name: "credentials", err: failWith(fault.Auth, "expired"), atLeast: 0, atMost: time.Minute},
		{name: "other settings", err: failWith(fault.Transient, "reset"), afresh: true, atMost: time.Second},
		{name: "by hand", err: failWith(fault.Transient, "reset"), drain: true, atMost: time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := storetest.Strict(t, newMemory())
				s := &scripted{answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) { return nil, c.err }}
				enqueue(t, st, user("1", directory.Create, "k1"))
				opts := Options{Backoff: Backoff{Random: func() float64 { return 1 }}}
				ctx, kill := context.WithCancel(t.Context())
				w := New(st, journal, s, opts)
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				time.Sleep(30 * time.Minute)
				for tries := len(s.times()); len(s.times()) == tries; {
					time.Sleep(time.Second) // until it has just been tried
				}
				synctest.Wait() // and what became of that is known
				kill()
				<-ended
				time.Sleep(time.Second)

				started, tries := time.Now(), len(s.times())
				opts.Afresh = c.afresh
				w = New(st, journal, s, opts)
				if c.drain {
					drain(t, w)
				} else {
					go func() { _ = w.Run(t.Context()) }()
					synctest.Wait()
					status, err := w.Status(t.Context())
					if err != nil || status.State != Failing || status.Class != string(fault.ClassOf(c.err)) {
						t.Errorf("%+v, %v", status, err)
					}
				}
				time.Sleep(time.Hour)
				if after := s.times()[tries].Sub(started); after < c.atLeast || after > c.atMost {
					t.Errorf("tried after %v", after)
				}
				s.change(nil)
				time.Sleep(time.Hour)
				w.Close()
				if c.drain {
					drain(t, New(st, journal, s, opts))
				}
				if kept := outageOf(t, st); kept != nil {
					t.Errorf("it is said to fail still: %+v", kept)
				}
			})
		})
	}
}

// TestOutageIsSeldomWritten: not once per attempt.
func TestOutageIsSeldomWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		s := &scripted{answer: func(context.Context, []directory.Action) ([]targets.Outcome, error) {
			return nil, failWith(fault.Transient, "reset")
		}}
		enqueue(t, st, user("1", directory.Create, "k1"))
		w := New(st, journal, s, Options{Backoff: Backoff{Max: 2 * time.Second}})
		go func() { _ = w.Run(t.Context()) }()
		time.Sleep(30 * time.Second)
		first := outageOf(t, st)
		time.Sleep(10 * time.Minute)
		if first == nil || first.Attempts != 1 || first.Text != "deliver: reset" || len(s.times()) < 300 {
			t.Errorf("%+v, %d attempts", first, len(s.times()))
		}
		if kept := outageOf(t, st); kept.Attempts < 250 || kept.Attempts > len(s.times()) || !kept.Since.Equal(first.Since) {
			t.Errorf("%+v, %d attempts", kept, len(s.times()))
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		if n := st.writesOf[store.TargetPartition(journal)]; n < 10 || n > 12 {
			t.Errorf("%d writes", n)
		}
		w.Close()
	})
}
