package postgres

import (
	"context"
	"crypto/tls"
	"sync"
	"time"
)

// suiteTTL is how long a lease of storetest holds without a renewal.
const suiteTTL = 10 * time.Second

// Suspend does to the store what it means that the process stands still for a time: there was no sign of life meanwhile. A time of
// storetest's is as much of its leases as it is of those of this store, which are long: nobody here is late by accident.
func (s *Store) Suspend(d time.Duration) {
	l := s.leases
	l.mu.Lock()
	id := l.id
	l.mu.Unlock()
	d = time.Duration(float64(d) / float64(suiteTTL) * float64(l.leaseFor))
	_, err := s.pool.Exec(context.Background(), s.in(`update @.worker set expires = expires - $2::int8 * interval '1 microsecond' where id = $1`), id, d.Microseconds())
	if err != nil {
		panic(err)
	}
}

// Unfence makes a store believe that it has its leases: what happens then is what the fence is for.
func (s *Store) Unfence() {
	s.unfenced = true
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	for _, h := range s.leases.held {
		h.lost = false
	}
}

// Hosts are those that a URL names, and how each proves who it is.
func Hosts(url string) (map[string]*tls.Config, error) {
	cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	hosts := map[string]*tls.Config{cfg.ConnConfig.Host: cfg.ConnConfig.TLSConfig}
	for _, f := range cfg.ConnConfig.Fallbacks {
		if old, again := hosts[f.Host]; !again || old != nil {
			hosts[f.Host] = f.TLSConfig // the weakest
		}
	}
	return hosts, nil
}

// Steps are migrations for tests.
func Steps(sql ...string) (steps []migration) {
	for _, text := range sql {
		steps = append(steps, migration{about: "changed by a test", sql: text})
	}
	return steps
}

// WithSteps are options with other migrations than the package's.
func (o Options) WithSteps(steps []migration) Options {
	o.steps = steps
	return o
}

// Session is what the store's sessions are called.
func (s *Store) Session() string { return s.session }

// Schema is where the state is.
func (s *Store) Schema() string { return s.schema }

// Pooled reports whether a pooler was found between the store and the server.
func (s *Store) Pooled() bool { return s.pooled }

// Lose makes a lease one that this process has and nobody in it knows of.
func (s *Store) Lose(name string) error {
	_, err := s.pool.Exec(context.Background(), s.in(`insert into @.lease (name, holder, fence) select $1, id, 1 from @.worker`), name)
	return err
}

// IsHeld reports whether somebody has a lease.
func (s *Store) IsHeld(name string) (held bool, err error) {
	err = s.pool.QueryRow(context.Background(), s.in(`select holder is not null from @.lease where name = $1`), name).Scan(&held)
	return held, err
}

// LimitItems makes the spaces of items small.
func (s *Store) LimitItems(most int) { s.spaces.most = most }

// MovedColumns are the columns of the tables that are moved entry by entry.
func MovedColumns() map[string][]string {
	all := map[string][]string{}
	for _, f := range portableForms() {
		if f.rows != nil {
			all[f.table] = append([]string{"part"}, f.columns...)
		}
	}
	return all
}

// WithLongView are options with another time after which a view is told of.
func (o Options) WithLongView(d time.Duration) Options {
	o.longView = d
	return o
}

// WithLongestView are options with another time after which a view is given up.
func (o Options) WithLongestView(d time.Duration) Options {
	o.longestView = d
	return o
}

// Planning are the settings of a store's sessions on which plans depend, as statements.
func Planning() string {
	s := session()
	text := ""
	for _, name := range []string{"plan_cache_mode", "enable_seqscan", "jit"} {
		if s[name] != "" {
			text += "set " + name + " = " + s[name] + ";"
		}
	}
	return text
}

// Left is how many connections are kept on which nobody has waited for the end of a view.
func (s *Store) Left() int {
	s.left.mu.Lock()
	defer s.left.mu.Unlock()
	return len(s.left.conns)
}

// Expire makes all connections older than they may become.
func (s *Store) Expire() { s.left.lifetime = 0 }

// Clock is one of leases that a test moves on: a bubble of synctest is none for goroutines that have something in common with others, such as
// connections and locks.
type Clock struct {
	mu     sync.Mutex
	at     time.Time
	timers map[*clockTimer]bool // those that are set
}

type clockTimer struct {
	c    *Clock
	fn   func()
	when time.Time
}

// Clock gives the store's leases a clock of their own. Nobody has had a lease yet.
func (s *Store) Clock() *Clock {
	c := &Clock{at: time.Now(), timers: map[*clockTimer]bool{}}
	s.leases.now = c.Now
	s.leases.afterFunc = func(d time.Duration, fn func()) timer {
		t := &clockTimer{c: c, fn: fn}
		t.Reset(d)
		return t
	}
	return c
}

// Now is what time it is.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves on for a time, and does what is due meanwhile, one after the other.
func (c *Clock) Advance(d time.Duration) {
	for end := c.Now().Add(d); ; {
		t := c.next(end)
		if t == nil {
			return
		}
		t.fn()
	}
}

// next takes the timer that is due next, and moves on to its time; to end when there is none before.
func (c *Clock) next(end time.Time) (first *clockTimer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.timers {
		if !t.when.After(end) && (first == nil || t.when.Before(first.when)) {
			first = t
		}
	}
	if first == nil {
		c.at = end
		return nil
	}
	delete(c.timers, first)
	c.at = first.when
	return first
}

func (t *clockTimer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	was := t.c.timers[t]
	delete(t.c.timers, t)
	return was
}

func (t *clockTimer) Reset(d time.Duration) bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	was := t.c.timers[t]
	t.when, t.c.timers[t] = t.c.at.Add(d), true
	return was
}

// Awaited returns how many wait for leases of other processes.
func (s *Store) Awaited() (n int) {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	for _, a := range s.leases.awaited {
		n += a.by
	}
	return n
}
