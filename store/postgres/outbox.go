package postgres

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// The outbox of a target is a row of "queue" and its actions in "outbox". Sequence numbers ascend in the order of the commits: who gives them
// has locked the partition.
const schemaOutbox = `
create table @.queue (part int, target text collate "C", last int8 not null, first int8 not null, claimed int8 not null, depth int8 not null,
	primary key (part, target)) with (fillfactor = 20);
create index queue_work on @.queue (target, part) where depth > 0;
create table @.outbox (part int, target text collate "C", seq int8, queued int8 not null, data bytea not null, primary key (part, target, seq))
	with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
`

// queue is the outbox of one target, as a transaction knows it.
type queue struct {
	last    int64 // sequence numbers given
	first   int64 // nothing waits before it: what was deleted there is not gone over again
	claimed int64
	depth   int64
	added   int64 // counted in depth, and not in the table yet
	changed bool
	unsure  bool // something left, and how much is for the table to say
}

// maxSeq is the largest number that the database has.
const maxSeq = 1<<63 - 1

// canBeTarget reports whether a name can be that of a target.
func canBeTarget(name string) bool { return name != "" && isText(name) }

// isText reports whether the database takes a text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// queueOf returns the outbox of a target; a new one that is in no table where there is none.
func (t *tx) queueOf(target string) (*queue, error) {
	q := t.desk.queues[target]
	if q == nil {
		q = &queue{first: 1}
		t.desk.queues[target] = q
	}
	return q, t.failed
}

// settleDepths sends what leaves the outboxes and reads how much is left.
func (t *tx) settleDepths() error {
	if err := t.flushOutbox(); err != nil {
		return err
	}
	for _, q := range t.desk.queues {
		if q.unsure {
			return t.query(t.scanDepth, depths)
		}
	}
	return nil
}

const depths = `select target, depth from @.queue where part = $1`

func (t *tx) scanDepth(rows pgx.Rows) error {
	var target string
	var depth int64
	err := rows.Scan(&target, &depth)
	if q := t.desk.queues[target]; q != nil {
		q.depth, q.unsure = depth, false
	}
	return err
}

// Outbox implements store.Reader.
func (t *tx) Outbox(target string, after uint64, fn func(store.Queued) bool) error {
	q, err := t.queueOf(target)
	if err != nil || after >= maxSeq || q.depth == 0 {
		return err
	}
	if err := t.flushOutbox(); err != nil {
		return err
	}
	whole, last := int64(after) < q.first, max(int64(after), q.first-1)
	for f, more := newFetch(), true; more; more = f.more() {
		list := make([]store.Queued, 0, min(f.limit, 1000))
		err := t.query(func(rows pgx.Rows) error {
			var queued int64
			var data []byte
			err := rows.Scan(&last, &queued, &data)
			list = append(list, store.Queued{Seq: uint64(last), Queued: timeOf(queued), Data: data})
			f.got(len(data))
			return err
		}, `select seq, queued, data from @.outbox where part = $1 and target = $2 and seq > $3 order by seq limit $4`, target, last, f.limit)
		if err != nil {
			return err
		}
		if whole && len(list) > 0 {
			q.first, whole = int64(list[0].Seq), false
		}
		for _, queued := range list {
			if !fn(queued) {
				return nil
			}
		}
	}
	return nil
}

// Claimed implements store.Reader.
func (t *tx) Claimed(target string) (uint64, error) {
	q, err := t.queueOf(target)
	if err != nil {
		return 0, err
	}
	return uint64(q.claimed), nil
}

// OutboxDepth implements store.Reader.
func (t *tx) OutboxDepth(target string) (depth int, oldest time.Time, err error) {
	q, err := t.queueOf(target)
	if err != nil || q.depth == 0 {
		return 0, time.Time{}, err
	}
	if err := t.flushOutbox(); err != nil {
		return 0, time.Time{}, err
	}
	err = t.queries(question{t.scanDepth, depths, nil}, question{func(rows pgx.Rows) error {
		var queued int64
		err := rows.Scan(&queued)
		oldest = timeOf(queued)
		return err
	}, `select queued from @.outbox where part = $1 and target = $2 and seq >= $3 order by seq limit 1`, []any{target, q.first}})
	return int(q.depth), oldest, err
}

// nanos is a time as it is stored; zero for none.
func nanos(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}

// timeOf reads what nanos wrote.
func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
