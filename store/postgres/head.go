package postgres

import (
	"sync"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
)

// headQuestion asks, with the beginning of a transaction, for what is small and what most transactions need: the partition's state as a whole, where
// its streams stand, its outboxes, what waits beside them, by what people are found, and whether any handle is contested.
const headQuestion = `with p as materialized (select id from @.partition where connection = $1 and tenant = $2)
	select 't', '', '', state, 0::int8, 0::int8, 0::int8, 0::int8 from @.tenant where part = (select id from p)
	union all select 's', name, '', state, 0, 0, 0, 0 from @.stream where part = (select id from p)
	union all select 'q', target, '', '', last, first, claimed, depth from @.queue where part = (select id from p)
	union all select 'w', target, cause, '', n, 0, 0, 0 from @.wait_count where part = (select id from p)
	union all select 'm', '', '', form, 0, 0, 0, 0 from @.matching where part = (select id from p)
	union all select 'c', '', '', '', coalesce(min(handle), 0), 0, 0, 0 from @.contested where part = (select id from p)`

func (t *tx) scanHead(rows pgx.Rows) error {
	var of, name, cause, state string
	var a, b, c, d int64
	if err := rows.Scan(&of, &name, &cause, &state, &a, &b, &c, &d); err != nil {
		return err
	}
	switch of {
	case "t":
		t.tenant.state = state
	case "s":
		t.streams.states[name] = state
	case "q":
		t.desk.queues[name] = &queue{last: a, first: b, claimed: c, depth: d}
	case "w":
		t.desk.waits.counts[waitCause{name, cause}] = a
	case "c":
		t.claims.none = a == 0
	case "m":
		return t.scanMatching(state)
	}
	return nil
}

// knowHead begins what a transaction knows of that with nothing.
func (t *tx) knowHead() {
	t.streams.states = map[string]string{}
	d := &t.desk
	d.queues, d.waits.counts = map[string]*queue{}, map[waitCause]int64{}
}

// partCache has numbers of partitions, which may be others by now: whoever uses one finds out.
type partCache struct {
	mu    sync.Mutex
	known map[store.Partition]int32
}

func (c *partCache) get(p store.Partition) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[p]
}

func (c *partCache) set(p store.Partition, part int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.known == nil:
		c.known = map[store.Partition]int32{}
	case part == 0:
		delete(c.known, p)
		return
	}
	c.known[p] = part
}
