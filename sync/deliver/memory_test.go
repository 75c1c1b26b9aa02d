package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// memory is the part of a store that a delivery uses, with transactions that take effect as a whole. It
// refuses what the contract forbids.
type memory struct {
	store.Store
	mu     sync.Mutex
	parts  map[store.Partition]*books
	writes int
	// writesOf are those of each partition.
	writesOf map[store.Partition]int
}

type books struct {
	seq, id uint64
	outbox  map[string][]store.Queued
	claimed map[string]uint64
	parked  []store.Parked
	waits   []store.Wait
	desk    store.DeskState
}

func newMemory() *memory {
	return &memory{parts: map[store.Partition]*books{}, writesOf: map[store.Partition]int{}}
}

func (b *books) clone() *books {
	c := *b
	c.outbox, c.claimed, c.parked, c.waits = maps.Clone(b.outbox), maps.Clone(b.claimed), slices.Clone(b.parked), slices.Clone(b.waits)
	for name, list := range c.outbox {
		c.outbox[name] = slices.Clone(list)
	}
	return &c
}

func (m *memory) books(p store.Partition) *books {
	if b := m.parts[p]; b != nil {
		return b
	}
	return &books{outbox: map[string][]store.Queued{}, claimed: map[string]uint64{}}
}

func (m *memory) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(&memoryTx{b: m.books(p)})
}

func (m *memory) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	b := m.books(p).clone()
	if err := fn(&memoryTx{b: b}); err != nil {
		return err
	}
	m.parts[p] = b
	m.writes++
	m.writesOf[p]++
	return nil
}

func (m *memory) Partitions(context.Context, ...string) ([]store.Partition, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.DeleteFunc(slices.Collect(maps.Keys(m.parts)), func(p store.Partition) bool { _, is := p.Target(); return is })
	slices.SortFunc(list, func(a, b store.Partition) int {
		return slices.Compare([]string{a.Connection, a.Tenant}, []string{b.Connection, b.Tenant})
	})
	return list, nil
}

// Waiting goes without a transaction per partition, as the contract promises.
func (m *memory) Waiting(_ context.Context, target string) ([]store.Partition, error) {
	parts, err := m.Partitions(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(parts, func(p store.Partition) bool { return len(m.parts[p].outbox[target]) == 0 }), err
}

type memoryTx struct {
	store.Writer
	b *books
}

func (t *memoryTx) Outbox(target string, after uint64, fn func(store.Queued) bool) error {
	for _, q := range t.b.outbox[target] {
		if q.Seq <= after {
			continue
		}
		data := slices.Clone(q.Data)
		q.Data = data
		more := fn(q)
		clear(data) // valid during the call only
		if !more {
			break
		}
	}
	return nil
}

func (t *memoryTx) Claimed(target string) (uint64, error) { return t.b.claimed[target], nil }

func (t *memoryTx) OutboxDepth(target string) (int, time.Time, error) {
	list := t.b.outbox[target]
	if len(list) == 0 {
		return 0, time.Time{}, nil
	}
	return len(list), list[0].Queued, nil
}

func (t *memoryTx) Parked(fn func(store.Parked) bool) error {
	for _, p := range t.b.parked {
		p.Action = slices.Clone(p.Action)
		more := fn(p)
		clear(p.Action)
		if !more {
			break
		}
	}
	return nil
}

func (t *memoryTx) ParkedAction(target, subject string) (store.Parked, bool, error) {
	for _, p := range t.b.parked {
		if p.Target == target && p.Subject == subject {
			return p, true, nil
		}
	}
	return store.Parked{}, false, nil
}

func (t *memoryTx) ParkedCount() (int, error) { return len(t.b.parked), nil }

func (t *memoryTx) Enqueue(target string, a *directory.Action, queued time.Time) error {
	t.b.seq++
	t.b.outbox[target] = append(t.b.outbox[target], store.Queued{Seq: t.b.seq, Queued: queued, Data: directory.AppendAction(nil, a)})
	return nil
}

func (t *memoryTx) Claim(target string, upTo uint64) error {
	if upTo < t.b.claimed[target] {
		return errors.New("a claim was taken back")
	}
	t.b.claimed[target] = upTo
	return nil
}

func (t *memoryTx) find(target string, seq uint64) (int, error) {
	i := slices.IndexFunc(t.b.outbox[target], func(q store.Queued) bool { return q.Seq == seq })
	if i < 0 {
		return 0, fmt.Errorf("no action %d waits", seq)
	}
	return i, nil
}

func (t *memoryTx) Replace(target string, seq uint64, a *directory.Action) error {
	i, err := t.find(target, seq)
	if err != nil {
		return err
	}
	if seq <= t.b.claimed[target] {
		return errors.New("a claimed action is replaced")
	}
	t.b.outbox[target][i].Data = directory.AppendAction(nil, a)
	return nil
}

func (t *memoryTx) Dequeue(target string, seqs []uint64) error {
	before := len(t.b.outbox[target])
	t.b.outbox[target] = slices.DeleteFunc(t.b.outbox[target], func(q store.Queued) bool {
		_, found := slices.BinarySearch(seqs, q.Seq)
		return found
	})
	if n := before - len(t.b.outbox[target]); n != len(seqs) {
		return fmt.Errorf("%d of %d actions waited", n, len(seqs))
	}
	return nil
}

func (t *memoryTx) Park(p store.Parked) (uint64, error) {
	t.b.parked = slices.DeleteFunc(t.b.parked, func(old store.Parked) bool {
		return old.Target == p.Target && old.Subject == p.Subject
	})
	t.b.id++
	p.ID = t.b.id
	t.b.parked = append(t.b.parked, p)
	return p.ID, nil
}

func (t *memoryTx) Unpark(id uint64) (bool, error) {
	n := len(t.b.parked)
	t.b.parked = slices.DeleteFunc(t.b.parked, func(p store.Parked) bool { return p.ID == id })
	return len(t.b.parked) < n, nil
}

// Awaiting goes without a transaction per partition, as the contract promises.
func (m *memory) Awaiting(_ context.Context, target string, keys ...string) ([]store.Partition, error) {
	parts, err := m.Partitions(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(parts, func(p store.Partition) bool {
		return !slices.ContainsFunc(m.parts[p].waits, func(w store.Wait) bool {
			return w.Target == target && (len(keys) == 0 || w.Key != "" && slices.Contains(keys, w.Key))
		})
	}), err
}

func (t *memoryTx) Waits(target string, after uint64, fn func(store.Wait) bool) error {
	for _, w := range t.b.waits {
		if w.Target == target && w.ID > after && !fn(w) {
			break
		}
	}
	return nil
}

func (t *memoryTx) WaitsOf(target string, subjects []string) (list []store.Wait, err error) {
	for _, subject := range subjects {
		for _, w := range t.b.waits {
			if w.Target == target && w.Subject == subject {
				list = append(list, w)
			}
		}
	}
	return list, nil
}

func (t *memoryTx) timed(target string) []store.Wait {
	list := slices.DeleteFunc(slices.Clone(t.b.waits), func(w store.Wait) bool { return w.Target != target || w.Due.IsZero() })
	slices.SortStableFunc(list, func(a, b store.Wait) int { return a.Due.Compare(b.Due) })
	return list
}

func (t *memoryTx) WaitsDue(target string, by time.Time, fn func(store.Wait) bool) error {
	for _, w := range t.timed(target) {
		if w.Due.After(by) || !fn(w) {
			break
		}
	}
	return nil
}

func (t *memoryTx) NextWait(target string) (time.Time, error) {
	for _, w := range t.timed(target) {
		return w.Due, nil
	}
	return time.Time{}, nil
}

func (t *memoryTx) WaitCounts(target string) (map[string]int, error) {
	counts := map[string]int{}
	for _, w := range t.b.waits {
		if w.Target == target {
			counts[w.Cause]++
		}
	}
	return counts, nil
}

func (t *memoryTx) PutWait(w store.Wait) (uint64, error) {
	for i, old := range t.b.waits {
		if old.Target != w.Target || old.Subject != w.Subject {
			continue
		}
		if w.ID = old.ID; old.Cause == w.Cause {
			w.Since = old.Since
		}
		t.b.waits[i] = w
		return w.ID, nil
	}
	t.b.id++
	w.ID = t.b.id
	t.b.waits = append(t.b.waits, w)
	return w.ID, nil
}

func (t *memoryTx) TryWaits(target string, ids []uint64) error {
	for i, w := range t.b.waits {
		if w.Target == target && slices.Contains(ids, w.ID) {
			t.b.waits[i].Tried = true
		}
	}
	return nil
}

func (t *memoryTx) wake(at time.Time, which func(store.Wait) bool) (n int, err error) {
	for i, w := range t.b.waits {
		if which(w) && (w.Due.IsZero() || w.Due.After(at)) {
			t.b.waits[i].Due = at
			n++
		}
	}
	return n, nil
}

func (t *memoryTx) WakeKeys(target string, keys []string, at time.Time) (int, error) {
	return t.wake(at, func(w store.Wait) bool { return w.Target == target && w.Key != "" && slices.Contains(keys, w.Key) })
}

func (t *memoryTx) WakeRecords(target string, subjects []string, at time.Time) (int, error) {
	return t.wake(at, func(w store.Wait) bool { return w.Target == target && slices.Contains(subjects, w.Subject) })
}

func (t *memoryTx) WakeCause(target, cause string, at time.Time) (int, error) {
	return t.wake(at, func(w store.Wait) bool { return w.Target == target && w.Cause == cause })
}

func (t *memoryTx) EndWaits(target string, subjects []string) (int, error) {
	n := len(t.b.waits)
	t.b.waits = slices.DeleteFunc(t.b.waits, func(w store.Wait) bool { return w.Target == target && slices.Contains(subjects, w.Subject) })
	return n - len(t.b.waits), nil
}

func (t *memoryTx) Desk() (store.DeskState, error) { return t.b.desk, nil }

func (t *memoryTx) PutDesk(d store.DeskState) error {
	t.b.desk = d
	return nil
}
