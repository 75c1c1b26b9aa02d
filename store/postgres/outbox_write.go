package postgres

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// outboxWrites are changes of outboxes that are not in the tables yet.
type outboxWrites struct {
	targets []string // of what was enqueued; the next three are beside it
	seqs    []int64
	queued  []int64
	data    [][]byte
	bytes   int
	replace map[outboxKey][]byte
	remove  map[outboxKey]struct{}
}

type outboxKey struct {
	target string
	seq    int64
}

// mostBytes is how much of the outbox is collected before it is sent.
const mostBytes = 4 << 20

// Enqueue implements store.Writer.
func (t *tx) Enqueue(target string, a *directory.Action, queued time.Time) error {
	if !canBeTarget(target) {
		return misuse("target %q cannot be named", target)
	}
	q, err := t.queueOf(target)
	if err != nil {
		return err
	}
	q.last++
	q.depth++
	q.added++
	q.changed = true
	w := &t.desk.outbox
	data := directory.AppendAction(nil, a)
	w.targets, w.seqs, w.queued, w.data = append(w.targets, target), append(w.seqs, q.last), append(w.queued, nanos(queued)), append(w.data, data)
	return t.collected(len(data))
}

// Claim implements store.Writer. A claim never goes back, and covers no action that is yet to come.
func (t *tx) Claim(target string, upTo uint64) error {
	q, err := t.queueOf(target)
	if err != nil {
		return err
	}
	q.claimed = max(q.claimed, min(int64(min(upTo, maxSeq)), q.last))
	q.changed = q.changed || q.last > 0
	return nil
}

// Replace implements store.Writer. The action that it puts in place has waited as long as the other one.
func (t *tx) Replace(target string, seq uint64, a *directory.Action) error {
	q, err := t.queueOf(target)
	if err != nil {
		return err
	}
	key := outboxKey{target, int64(min(seq, maxSeq))}
	_, removed := t.desk.outbox.remove[key]
	switch {
	case key.seq > q.last || key.seq < q.first || q.depth == 0 || removed:
		return misuse("action %d of target %s does not wait", seq, target)
	case key.seq <= q.claimed:
		return misuse("action %d of target %s may have been sent", seq, target)
	}
	w := &t.desk.outbox
	if w.replace == nil {
		w.replace = map[outboxKey][]byte{}
	}
	data := directory.AppendAction(nil, a)
	w.replace[key] = data
	return t.collected(len(data))
}

// Dequeue implements store.Writer.
func (t *tx) Dequeue(target string, seqs []uint64) error {
	q, err := t.queueOf(target)
	if err != nil || q.depth == 0 {
		return err
	}
	w := &t.desk.outbox
	if w.remove == nil {
		w.remove = map[outboxKey]struct{}{}
	}
	for _, seq := range seqs {
		if seq <= uint64(q.last) {
			w.remove[outboxKey{target, int64(seq)}] = struct{}{}
		}
	}
	return nil
}

// collected notes that so many bytes more are in memory, and sends them when they are many.
func (t *tx) collected(bytes int) error {
	if t.desk.outbox.bytes += bytes; t.desk.outbox.bytes < mostBytes {
		return nil
	}
	if err := t.flushOutbox(); err != nil {
		return err
	}
	return t.query(nothing, `select where $1::int is null`)
}

// flushOutbox turns what was collected into statements, in the order in which they can concern one action: it is enqueued, replaced, and leaves.
func (t *tx) flushOutbox() error {
	w := &t.desk.outbox
	if len(w.seqs) > 0 {
		err := t.write(`insert into @.outbox (part, target, seq, queued, data) select $1, * from unnest($2::text[], $3::int8[], $4::int8[], $5::bytea[])`,
			w.targets, w.seqs, w.queued, w.data)
		if err != nil {
			return err
		}
	}
	if len(w.replace) > 0 {
		targets, seqs := outboxKeys(w.replace)
		data := make([][]byte, len(seqs))
		for i := range data {
			data[i] = w.replace[outboxKey{targets[i], seqs[i]}]
		}
		err := t.write(`update @.outbox o set data = r.data from unnest($2::text[], $3::int8[], $4::bytea[]) r (target, seq, data)
			where o.part = $1 and o.target = r.target and o.seq = r.seq`, targets, seqs, data)
		if err != nil {
			return err
		}
	}
	if err := t.flushQueues(); err != nil {
		return err
	}
	if len(w.remove) > 0 {
		targets, seqs := outboxKeys(w.remove)
		for _, target := range targets {
			t.desk.queues[target].unsure = true
		}
		err := t.erase(`with gone as (delete from @.outbox o where ctid = any(array(select d.ctid from unnest($2::text[], $3::int8[]) k(target, seq)
				cross join lateral (select ctid from @.outbox where part = $1 and target = k.target and seq = k.seq limit 1) d)) returning o.target),
			counted as (select target, count(*) n from gone group by target)
			update @.queue q set depth = q.depth - n from counted c where q.part = $1 and q.target = c.target`, targets, seqs)
		if err != nil {
			return err
		}
	}
	*w = outboxWrites{}
	return nil
}

// flushQueues writes the state of the outboxes that changed.
func (t *tx) flushQueues() error {
	var targets []string
	var last, first, claimed, added []int64
	for target, q := range t.desk.queues {
		if !q.changed {
			continue
		}
		targets, last, first = append(targets, target), append(last, q.last), append(first, q.first)
		claimed, added = append(claimed, q.claimed), append(added, q.added)
		q.changed, q.added = false, 0
	}
	if len(targets) == 0 {
		return nil
	}
	return t.write(`insert into @.queue as q (part, target, last, first, claimed, depth)
			select $1, * from unnest($2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[])
		on conflict (part, target) do update set last = excluded.last, first = excluded.first, claimed = excluded.claimed, depth = q.depth + excluded.depth`,
		targets, last, first, claimed, added)
}

// outboxKeys are keys in order.
func outboxKeys[V any](m map[outboxKey]V) (targets []string, seqs []int64) {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b outboxKey) int {
		return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.seq, b.seq))
	})
	for _, k := range keys {
		targets, seqs = append(targets, k.target), append(seqs, k.seq)
	}
	return targets, seqs
}
