package bolt

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// queue is the outbox of one target, as a transaction knows it. Its bucket is nil while it does not exist.
type queue struct {
	last    uint64 // sequence numbers given
	claimed uint64
	depth   uint64
	bucket  *bbolt.Bucket
	changed bool
	waits   bool // what the index says (waiting.go)
}

func (q *queue) append(buf []byte) []byte {
	for _, n := range []uint64{q.last, q.claimed, q.depth} {
		buf = binary.AppendUvarint(buf, n)
	}
	return buf
}

func (q *queue) parse(data []byte) error {
	for _, n := range []*uint64{&q.last, &q.claimed, &q.depth} {
		var size int
		if *n, size = binary.Uvarint(data); size <= 0 {
			return corrupt("queue")
		}
		data = data[size:]
	}
	if len(data) > 0 || q.claimed > q.last || q.depth > q.last {
		return corrupt("queue")
	}
	return nil
}

// queue returns the outbox of a target, a new one when there is none.
func (t *tx) queue(target string) (*queue, error) {
	if q := t.queues[target]; q != nil {
		return q, nil
	}
	q := &queue{}
	if value, ok := t.get(queues, []byte(target)); ok {
		if err := q.parse(value); err != nil {
			return nil, t.corrupt(queues)
		}
		q.waits = q.depth > 0
	}
	if parent := t.bucket(outbox); parent != nil {
		if q.bucket = parent.Bucket([]byte(target)); q.bucket != nil {
			q.bucket.FillPercent = outbox.fill()
		}
	}
	if t.queues == nil {
		t.queues = make(map[string]*queue)
	}
	t.queues[target] = q
	return q, nil
}

// flushQueues writes the state of the outboxes that changed.
func (t *tx) flushQueues() error {
	for target, q := range t.queues {
		if !q.changed {
			continue
		}
		q.changed = false
		if err := t.put(queues, []byte(target), q.append(nil)); err != nil {
			return err
		}
		if waits := q.depth > 0; waits != q.waits {
			q.waits = waits
			if err := waiting().note(t, waitingKey(target, t.key), waits); err != nil {
				return err
			}
		}
	}
	return nil
}

// canBeTarget reports whether a name can be that of a target: NUL separates it from what follows in keys.
func canBeTarget(name string) bool { return name != "" && !strings.Contains(name, "\x00") }

// A queued action is stored as: time in nanoseconds (varint, zero for none), canonical action.

func appendQueued(buf []byte, queued time.Time, a *directory.Action) []byte {
	var at int64
	if !queued.IsZero() {
		at = queued.UnixNano()
	}
	return directory.AppendAction(binary.AppendVarint(buf, at), a)
}

// parseQueued takes a queued action apart; Queued.Data points into v.
func parseQueued(k, v []byte) (store.Queued, error) {
	seq, ok := keySeq(k)
	at, size := binary.Varint(v)
	if !ok || size <= 0 || size == len(v) {
		return store.Queued{}, corrupt("queued action")
	}
	q := store.Queued{Seq: seq, Data: v[size:]}
	if at != 0 {
		q.Queued = time.Unix(0, at).UTC()
	}
	return q, nil
}

// Outbox implements store.Reader.
func (t *tx) Outbox(target string, after uint64, fn func(store.Queued) bool) error {
	q, err := t.queue(target)
	if err != nil || after+1 == 0 {
		return err
	}
	for k, v := range scan(q.bucket, seqKey(after+1), nil) {
		queued, err := parseQueued(k, v)
		if err != nil {
			return t.corrupt(outbox)
		}
		if !fn(queued) {
			return nil
		}
	}
	return nil
}

// Claimed implements store.Reader.
func (t *tx) Claimed(target string) (uint64, error) {
	q, err := t.queue(target)
	if err != nil {
		return 0, err
	}
	return q.claimed, nil
}

// OutboxDepth implements store.Reader.
func (t *tx) OutboxDepth(target string) (depth int, oldest time.Time, err error) {
	q, err := t.queue(target)
	if err != nil || q.depth == 0 {
		return 0, time.Time{}, err
	}
	for k, v := range scan(q.bucket, nil, nil) {
		queued, err := parseQueued(k, v)
		if err != nil {
			return 0, time.Time{}, t.corrupt(outbox)
		}
		oldest = queued.Queued
		break
	}
	return int(q.depth), oldest, nil
}

// Enqueue implements store.Writer.
func (t *tx) Enqueue(target string, a *directory.Action, queued time.Time) error {
	if !canBeTarget(target) {
		return misuse("target %q cannot be named", target)
	}
	q, err := t.queue(target)
	if err != nil {
		return err
	}
	if q.bucket == nil {
		parent, err := t.writable(outbox)
		if err != nil {
			return err
		}
		if q.bucket, err = parent.CreateBucketIfNotExists([]byte(target)); err != nil {
			return t.failed(err)
		}
		q.bucket.FillPercent = outbox.fill()
	}
	q.last++
	q.depth++
	q.changed, t.changed = true, true
	t.buf = appendQueued(t.buf[:0], queued, a)
	return t.failed(q.bucket.Put(binary.BigEndian.AppendUint64(t.key16[:0], q.last), t.keep(t.buf)))
}

// Claim implements store.Writer. A claim never goes back, and covers no action that is yet to come.
func (t *tx) Claim(target string, upTo uint64) error {
	q, err := t.queue(target)
	if err != nil {
		return err
	}
	q.claimed = max(q.claimed, min(upTo, q.last))
	if q.last > 0 {
		q.changed, t.changed = true, true
	}
	return nil
}

// Replace implements store.Writer. The action that it puts in place has waited as long as the other one.
func (t *tx) Replace(target string, seq uint64, a *directory.Action) error {
	q, err := t.queue(target)
	if err != nil {
		return err
	}
	key := seqKey(seq)
	var old []byte
	if q.bucket != nil {
		old = q.bucket.Get(key)
	}
	switch {
	case old == nil:
		return misuse("action %d of target %s does not wait", seq, target)
	case seq <= q.claimed:
		return misuse("action %d of target %s may have been sent", seq, target)
	}
	queued, err := parseQueued(key, old)
	if err != nil {
		return t.corrupt(outbox)
	}
	t.changed = true
	t.buf = appendQueued(t.buf[:0], queued.Queued, a)
	return t.failed(q.bucket.Put(key, t.keep(t.buf)))
}

// Dequeue implements store.Writer.
func (t *tx) Dequeue(target string, seqs []uint64) error {
	q, err := t.queue(target)
	if err != nil || q.bucket == nil {
		return err
	}
	c := q.bucket.Cursor()
	for _, seq := range seqs {
		key := binary.BigEndian.AppendUint64(t.key16[:0], seq)
		if k, _ := c.Seek(key); string(k) != string(key) {
			continue
		}
		if err := c.Delete(); err != nil {
			return t.failed(err)
		}
		q.depth--
		q.changed, t.changed = true, true
	}
	return nil
}

// Targets implements store.Reader.
func (t *tx) Targets() ([]string, error) {
	if err := t.flushQueues(); err != nil {
		return nil, err
	}
	list, err := t.parkedTargets()
	if err != nil {
		return nil, err
	}
	waiting, err := t.waitTargets()
	if err != nil {
		return nil, err
	}
	list = append(list, waiting...)
	for k, v := range t.all(queues) {
		var q queue
		if q.parse(v) != nil {
			return nil, t.corrupt(queues)
		}
		if q.depth > 0 || q.claimed > 0 {
			list = append(list, string(k))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}
