package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/sync/fleet"
	"dirsyncd/sync/patience"
)

// member is this process as a worker, through all its lives.
type member struct {
	fleet  *Fleet
	me     fleet.Worker
	handle fleet.Handler
	wake   chan struct{} // a heartbeat is wanted now
	looks  chan struct{} // a look is wanted now
	lanes  chan struct{}
	// resting are clients of River that come to their end.
	resting sync.WaitGroup

	mu   sync.Mutex
	plan fleet.Plan
	// publishing is how many publish the plan now: that it is not the current one yet means nothing.
	publishing int
	id         string // of this life, or of the last
	draining   bool   // as that was told
	yields     bool   // it takes no work, and another one does
	// settled: its configuration was the current one once, or was found not to be. It does not become that again because others are gone.
	settled bool
	sign    time.Time // the last sign of life of those who keep this one out
	told    string    // what was last said of why it takes no work
	// portion is what this worker was told last, and divided are the connections for which that counts (portion.go).
	portion float64
	divided map[string]bool
}

// rejoin is how long a worker that lost its life waits before it registers anew.
const rejoin = 500 * time.Millisecond

// Work implements fleet.Fleet.
func (f *Fleet) Work(ctx context.Context, me fleet.Worker, plan fleet.Plan, handle fleet.Handler) error {
	if me.Name == "" || me.Lanes < 1 || plan.Generation == "" {
		return errors.New("a worker has a name, lanes and a configuration")
	}
	if f.session() == "" {
		return errors.New("the pool's sessions need an application_name of this process' own, by which others end them when it is dead")
	}
	m := &member{fleet: f, me: me, handle: handle, plan: plan, wake: make(chan struct{}, 1), looks: make(chan struct{}, 1), lanes: make(chan struct{}, me.Lanes), divided: map[string]bool{}}
	f.mu.Lock()
	if f.member != nil {
		f.mu.Unlock()
		return errors.New("this process is a worker already")
	}
	f.member = m
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.member = nil
		f.mu.Unlock()
	}()
	defer m.stopped()
	cut, waits := false, false // and told
	for ctx.Err() == nil {
		err := m.live(ctx, func() {
			if cut {
				f.log.Info("this worker takes part again", "worker", me.Name)
			}
			cut, waits = false, false
		}, func(err error) {
			f.log.Error("this worker could not tell the others in time that it lives; what it held goes to them, and it joins anew", "worker", me.Name, "err", err)
			cut = true
		})
		if alone := (*fleet.AloneError)(nil); errors.As(err, &alone) {
			return alone
		}
		if unsure := (*unsureError)(nil); errors.As(err, &unsure) {
			if !waits {
				f.log.Info("this worker waits some seconds until it is clear whether another one lives, because what it has is for one worker alone", "worker", me.Name, "other", unsure.other)
			}
			waits, err = true, nil
		}
		if err != nil && ctx.Err() == nil && !cut {
			f.log.Error("this worker cannot join the others; it tries again", "worker", me.Name, "err", err)
			cut = true
		}
		_ = patience.Sleep(ctx, rejoin)
	}
	return nil
}

// follow takes another configuration, and holds until followed.
func (m *member) follow(plan fleet.Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plan, m.settled = plan, false
	m.publishing++
}

// hold has heartbeats judge nothing until followed.
func (m *member) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.publishing++
}

func (m *member) followed() {
	m.mu.Lock()
	m.publishing--
	m.mu.Unlock()
	m.wakeUp()
}

// Yields implements fleet.Fleet.
func (f *Fleet) Yields() bool {
	f.mu.Lock()
	m := f.member
	f.mu.Unlock()
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.yields
}

func (m *member) following() fleet.Plan {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.plan
}

func (m *member) wakeUp()  { signal(m.wake) }
func (m *member) lookNow() { signal(m.looks) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// newID is a random one: after a fail-over to a copy that lags, numbers that ascend would be given out twice.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// register enters a new life into the table. A start joins what is current. Where that is another configuration, its own becomes current
// only when no living worker has another one: a machine that was forgotten cannot take over.
func (m *member) register(ctx context.Context, id string) error {
	f, plan := m.fleet, m.following()
	m.mu.Lock()
	former, draining, settled := m.id, m.draining, m.settled
	m.id, m.portion = id, 0
	m.mu.Unlock()
	// Whoever died in a transaction of deciding keeps everybody from the next one, and nobody else may be there to bury him.
	if err := f.bury(ctx); err != nil {
		return err
	}
	return f.deciding(ctx, func(tx pgx.Tx) error {
		// Nobody has to wait for the end of a life that this process knows to be over.
		if _, err := tx.Exec(ctx, f.sql("update fleet.worker set dead = true where id::text = $1"), former); err != nil {
			return err
		}
		if err := m.alone(ctx, tx, plan); err != nil {
			return err
		}
		if err := m.lead(ctx, tx, plan, settled); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, f.sql(`insert into fleet.worker (id, name, program, hash, lanes, session, started, expires, draining)
values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7, $8)`), id, m.me.Name, m.me.Program, plan.Generation, m.me.Lanes, f.session(), ttl, draining)
		if err != nil {
			return err
		}
		return m.arrange(ctx, tx)
	})
}

// unsureError is why a worker may not join yet: its plan is for one, and another one may be alive, or may have been killed just now.
type unsureError struct{ other string }

// Error implements error.
func (e *unsureError) Error() string { return fmt.Sprintf("worker %q was alive a moment ago", e.other) }

// alone refuses a plan that is for one worker while another one lives. One that was killed counts as alive for some seconds, so that only
// who gives another sign of life is there.
func (m *member) alone(ctx context.Context, tx pgx.Tx, plan fleet.Plan) error {
	other, sign, err := m.other(ctx, tx, plan)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if other == "" {
		m.sign = time.Time{}
		return nil
	}
	if before := m.sign; !before.IsZero() && sign.After(before) {
		return &fleet.AloneError{Other: other}
	}
	m.sign, m.yields = sign, true
	return &unsureError{other}
}

// other is who counts as alive and is called otherwise, and what its last sign of life was good for, when a plan is for one worker; empty: nobody.
func (m *member) other(ctx context.Context, tx pgx.Tx, plan fleet.Plan) (name string, sign time.Time, err error) {
	if plan.Alone == "" {
		return "", sign, nil
	}
	err = tx.QueryRow(ctx, m.fleet.sql("select name, expires from fleet.worker where not dead and expires > clock_timestamp() and name <> $1 order by expires desc limit 1"), m.me.Name).Scan(&name, &sign)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return name, sign, err
}

// lead makes this worker's configuration the current one, unless a living worker has another one, or it is settled and there is one. The
// caller's transaction is one of deciding.
func (m *member) lead(ctx context.Context, tx pgx.Tx, plan fleet.Plan, settled bool) error {
	var others bool
	err := tx.QueryRow(ctx, m.fleet.sql(`select exists (select 1 from fleet.worker where not dead and expires > clock_timestamp() and hash <> $1)
or $2 and exists (select 1 from fleet.generation)`), plan.Generation, settled).Scan(&others)
	if err != nil || others {
		return err
	}
	return m.fleet.publish(ctx, tx, plan.Generation, m.me.Name)
}

// session is what this process' sessions are called.
func (f *Fleet) session() string {
	return f.pool.Config().ConnConfig.RuntimeParams["application_name"]
}
