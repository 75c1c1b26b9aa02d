package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// What a target says has to wait (targets.Outcome.Wait) leaves the outbox and is kept beside it (store.Wait). It stays there until it has an
// answer: when it is due it is claimed from there, as a window's entry without a place in the outbox, and it is due when its time has
// come, when somebody says that what it waits for has come, or when an operator says so. So its record's order is kept by itself:
// whatever of the record is in the outbox came later, and is folded onto it. Failures, holds and giving up know nothing of it.

// waits is what a worker knows of those that wait, by partition: when the first is due. Without a time nothing is due by itself.
type waits struct {
	known  bool // they were looked for in the store
	looked time.Time
	// caughtUp is when the target was asked last what it learned of others.
	caughtUp time.Time
	times    map[store.Partition]time.Time
}

// next notes when the first of a partition is due; zero is never.
func (w *waits) next(p store.Partition, due time.Time) {
	if due.IsZero() {
		delete(w.times, p)
		return
	}
	if w.times == nil {
		w.times = map[store.Partition]time.Time{}
	}
	w.times[p] = due
}

func (w *waits) anyDue(now time.Time) bool {
	for _, due := range w.times {
		if due.After(w.looked) && !due.After(now) {
			return true
		}
	}
	return false
}

// due lists the partitions in which something is due, and notes that somebody looked.
func (w *waits) due(now time.Time) (list []store.Partition) {
	w.looked = now
	for p, due := range w.times {
		if !due.After(now) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, store.Partition.Compare)
	return list
}

// after returns the earliest time after another one; zero when there is none.
func (w *waits) after(t time.Time) (first time.Time) {
	for _, due := range w.times {
		if due.After(t) && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	return first
}

// woken is what was said to have come. Whoever says so may be faster than the answer of a call that saw that it had not.
type woken struct {
	n       int            // how often somebody said so
	at      map[string]int // when each key was named, counted as in n; emptied when no call is under way
	pending []string       // not looked for in the store yet
}

// WakeWaiting says that what actions wait for has come: those whose targets.Wait has one of the keys are handed over again. It never
// blocks, and may be called from targets.Target.Deliver. When a process ends before it got to that, the next one hands over again all that
// waits for a reference.
func (w *Worker) WakeWaiting(keys ...string) {
	if len(keys) == 0 {
		return
	}
	w.mu.Lock()
	w.woken.n++
	if w.woken.at == nil {
		w.woken.at = map[string]int{}
	}
	for _, key := range keys {
		w.woken.at[key] = w.woken.n
	}
	w.woken.pending = append(w.woken.pending, keys...)
	w.mu.Unlock()
	w.Wake()
}

// wakes is how often something was woken so far.
func (w *Worker) wakes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woken.n
}

// wokenSince reports whether a key was named after a number of wakes.
func (w *Worker) wokenSince(key string, wakes int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return key != "" && w.woken.at[key] > wakes
}

// How long those wait at least, and those whose cause passes with time when the target names none.
const (
	shortestWait = time.Second
	usualWait    = time.Minute
)

// waitOf is what to keep of an action that waits. wakes says which keys had come when it was handed over.
func (w *Worker) waitOf(e *entry, why *targets.Wait, wakes int) *store.Wait {
	now := w.opts.Now()
	out := &store.Wait{
		Target: w.name, Subject: e.subject, Action: directory.AppendAction(nil, e.action), Cause: string(why.Cause), Key: why.Key,
		Due: why.NotBefore, Text: why.Text, Since: now, Tried: e.again || why.Cause == targets.CauseSettle || why.Begun,
	}
	if out.Cause == "" {
		out.Cause = string(targets.CauseBusy)
	}
	switch cause := targets.Cause(out.Cause); {
	case w.wokenSince(why.Key, wakes):
		out.Due = now
	case out.Due.IsZero() && (cause == targets.CauseSettle || cause == targets.CauseBusy):
		out.Due = now.Add(usualWait)
	case !out.Due.IsZero():
		out.Due = later(out.Due, now.Add(shortestWait))
	}
	return out
}

// learnWaits looks, once, for what a process before this one left waiting. What waits for other records is handed over again: they may
// have come, and nobody lived to say so.
func (s *sweep) learnWaits(ctx context.Context) error {
	if s.waits.known {
		return nil
	}
	parts, err := s.store.Awaiting(ctx, s.name)
	if err != nil {
		return fmt.Errorf("look for what waits: %w", err)
	}
	err = s.wakeIn(ctx, parts, func(tx store.Writer) (int, error) {
		return tx.WakeCause(s.name, string(targets.CauseReference), s.opts.Now())
	})
	if err != nil {
		return err
	}
	s.waits.known = true
	return nil
}

// catchUpEvery is how often a target is asked whether what its actions wait for has come of another process.
const catchUpEvery = 5 * time.Second

// catchUp lets the target take up what operators, and those who delivered before, did in other processes.
func (s *sweep) catchUp(ctx context.Context) error {
	now := s.opts.Now()
	if !s.opts.Shared || s.waker == nil || now.Sub(s.waits.caughtUp) < catchUpEvery {
		return nil
	}
	if err := s.waker.CatchUp(ctx); err != nil {
		return fmt.Errorf("look for what others did: %w", err)
	}
	s.waits.caughtUp = now
	return nil
}

// wakeIn wakes something in partitions, and notes when the first is due there.
func (w *Worker) wakeIn(ctx context.Context, parts []store.Partition, wake func(store.Writer) (int, error)) error {
	due := make(map[store.Partition]time.Time, len(parts))
	err := store.UpdateEach(ctx, w.store, parts, func(p store.Partition, tx store.Writer) error {
		_, err := wake(tx)
		if err != nil {
			return err
		}
		due[p], err = tx.NextWait(w.name)
		return err
	})
	if err != nil {
		return fmt.Errorf("wake what waits: %w", err)
	}
	for p, at := range due {
		w.waits.next(p, at)
	}
	return nil
}

// heed wakes what was said to have come, and lines up its partitions.
func (s *sweep) heed(ctx context.Context) error {
	s.mu.Lock()
	keys := s.woken.pending
	s.woken.pending = nil
	if s.calls == 0 && len(keys) == 0 {
		s.woken.at = nil
	}
	s.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	err := s.wakeKeys(ctx, keys)
	if err != nil {
		s.mu.Lock()
		s.woken.pending = append(s.woken.pending, keys...)
		s.mu.Unlock()
	}
	return err
}

func (s *sweep) wakeKeys(ctx context.Context, keys []string) error {
	now := s.opts.Now()
	for _, p := range s.parts {
		for i := range p.done { // answers that are not recorded yet
			if wait := p.done[i].wait; wait != nil && wait.Key != "" {
				if _, named := slices.BinarySearch(keys, wait.Key); named {
					wait.Due = now
				}
			}
		}
	}
	parts, err := s.store.Awaiting(ctx, s.name, keys...)
	if err != nil {
		return fmt.Errorf("look for what waits: %w", err)
	}
	if err := s.wakeIn(ctx, parts, func(tx store.Writer) (int, error) { return tx.WakeKeys(s.name, keys, now) }); err != nil {
		return err
	}
	for _, key := range parts {
		s.line(key).more = true
	}
	return nil
}

// WakeRecords hands over again what waits about records of a partition (directory.Subject): an operator says so. It returns how many
// there were.
func (w *Worker) WakeRecords(ctx context.Context, p store.Partition, subjects ...string) (n int, err error) {
	if err := w.lock(ctx); err != nil {
		return 0, err
	}
	err = w.wakeIn(ctx, []store.Partition{p}, func(tx store.Writer) (int, error) {
		n, err = tx.WakeRecords(w.name, subjects, w.opts.Now())
		return n, err
	})
	w.unlock()
	w.Wake()
	return n, err
}

// dueWaits returns what is due and can be sent beside what a picker has taken, at most so many. Others that it left may be due too when
// more is true.
func (w *Worker) dueWaits(tx store.Reader, p *partition, pick *picker, most int) (list []*entry, more bool, err error) {
	var damaged error
	err = tx.WaitsDue(w.name, w.opts.Now(), func(wait store.Wait) bool {
		if _, taken := pick.taken[wait.Subject]; taken {
			pick.busy = true // what is in the outbox about the record is folded onto it, or it waits for the other half of a change of kind
			return true
		}
		if len(p.backoffs) >= maxBackoffs && p.backoffs[wait.Subject] == nil {
			return true
		}
		a, bad := directory.ParseAction(wait.Action)
		if bad != nil {
			damaged = bad
			return false
		}
		e := &entry{from: p, queued: wait.Since, subject: wait.Subject, action: &a, waiting: wait.ID}
		_, unsent := p.unsent[e.ticket()]
		e.again = wait.Tried && !unsent
		if pick.take(e) {
			list = append(list, e)
		}
		more = len(list) >= most
		return !more
	})
	if err == nil && damaged != nil {
		err = fmt.Errorf("read what waits: %w", damaged)
	}
	return list, more, err
}

// claimDue adds what is due to a window.
func (w *Worker) claimDue(tx store.Writer, p *partition, most int, c *claim) error {
	list, more, err := w.dueWaits(tx, p, c.pick, most)
	if err != nil {
		return err
	}
	var ids []uint64
	for _, e := range list {
		ids = append(ids, e.waiting)
	}
	c.window, c.more = append(c.window, list...), c.more || more
	return tx.TryWaits(w.name, ids)
}

// withWaiting folds the entries of a window onto what waits of their records at the target, as withParked does. What waits stays as
// it is until the target has answered.
func (w *Worker) withWaiting(tx store.Writer, c *claim) error {
	counts, err := tx.WaitCounts(w.name)
	if err != nil || len(counts) == 0 {
		return err
	}
	entries := make(map[string]*entry, len(c.window))
	subjects := make([]string, 0, len(c.window))
	for _, e := range c.window {
		if e.seq > 0 {
			entries[e.subject] = e
			subjects = append(subjects, e.subject)
		}
	}
	list, err := tx.WaitsOf(w.name, subjects)
	if err != nil {
		return err
	}
	var needless []uint64
	var over []string
	for i := range list {
		wait, e := &list[i], entries[list[i].Subject]
		e.waiting = wait.ID
		earlier, bad := directory.ParseAction(wait.Action)
		if bad != nil {
			continue
		}
		if a := mergeParked(&earlier, e.action, !wait.Tried); a != nil {
			e.action, e.again = a, e.again || wait.Tried
			continue
		}
		needless, over = append(needless, e.seq), append(over, wait.Subject)
		e.action = nil
	}
	if len(needless) == 0 {
		return nil
	}
	c.window = slices.DeleteFunc(c.window, func(e *entry) bool { return e.action == nil })
	c.counts.Folded += len(needless)
	if _, err := tx.EndWaits(w.name, over); err != nil {
		return err
	}
	slices.Sort(needless)
	return tx.Dequeue(w.name, needless)
}

// countWaits adds to a status what waits.
func (w *Worker) countWaits(ctx context.Context, st *Status) error {
	parts, err := w.store.Awaiting(ctx, w.name)
	if err != nil {
		return err
	}
	for _, p := range parts {
		err := w.store.View(ctx, p, func(tx store.Reader) error {
			counts, err := tx.WaitCounts(w.name)
			for cause, n := range counts {
				if st.Waits == nil {
					st.Waits = map[targets.Cause]int{}
				}
				st.Waits[targets.Cause(cause)] += n
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
