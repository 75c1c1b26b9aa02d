package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/sync/fleet"
)

const (
	// ttl is how long a worker may be silent before others bury it, and beat how often it says that it lives. Shorter ones would be
	// lost to a pause of the machine or a slow disk.
	ttl, beat = 6 * time.Second, 1500 * time.Millisecond
	// beatPatience is how long one heartbeat may take before it is tried on another connection.
	beatPatience = 2500 * time.Millisecond
	// margin is how much earlier than the others a worker gives itself up.
	margin = time.Second
	// look is how often a worker looks at what there is to do.
	look = time.Second
)

// life is a worker from its registration until it leaves or is too late with a heartbeat. Whoever was late once is dead for ever, and
// registers anew under another id.
type life struct {
	*member
	id string
	// alive ends before others can have what is held here. working ends with it, or earlier when the process is to stop.
	alive, working context.Context
	// registered is when it did that. Until it knows that those with another configuration live it does not know who leads; heeding's.
	registered time.Time
	decided    bool
	compared   bool // its name with those of others; the ticks'
	die        context.CancelCauseFunc
	deadline   *time.Timer
	answers    chan answer   // the last one that was not heeded yet
	offers     chan struct{} // somebody may have room
	taking     sync.Mutex    // of takeInTurn

	mu      sync.Mutex
	over    bool           // nothing begins any more
	work    sync.WaitGroup // what was begun
	carrier *carrier       // nil: it takes nothing
	clients int
}

// begin reports whether something may begin; end must be called then.
func (l *life) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.work.Add(1)
	return true
}

// live registers, works and leaves. It returns why it could not register. died is told why the life ended before ctx did, which is
// before handlers have returned.
func (m *member) live(ctx context.Context, born func(), died func(error)) error {
	l := &life{member: m, id: newID(), answers: make(chan answer, 1), offers: make(chan struct{}, 1)}
	alive, die := context.WithCancelCause(context.WithoutCancel(ctx))
	defer die(nil)
	working, stop := context.WithCancelCause(alive)
	defer stop(nil)
	l.alive, l.working, l.die = alive, working, die

	sent := time.Now()
	first, cancel := context.WithTimeout(ctx, ttl-margin)
	defer cancel()
	conn, err := pgx.ConnectConfig(first, m.fleet.pool.Config().ConnConfig.Copy()) // not the pool's: a full one must not cost the life
	if err != nil {
		return err
	}
	err = m.register(first, l.id)
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return err
	}
	l.deadline = time.AfterFunc(time.Until(sent.Add(ttl-margin)), func() { die(late{}) })
	defer l.deadline.Stop()
	l.registered = time.Now()
	born()

	var loops sync.WaitGroup
	loops.Go(func() { l.heart(conn) })
	var duties sync.WaitGroup
	duties.Go(l.ticks)
	duties.Go(l.offering)
	duties.Go(l.heeding)
	select {
	case <-ctx.Done():
	case <-alive.Done():
		died(context.Cause(alive))
	}
	stop(context.Cause(ctx)) // handlers return, while the heart goes on
	duties.Wait()
	l.rest()
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.work.Wait()
	if alive.Err() == nil {
		l.leave()
	}
	die(nil)
	loops.Wait()
	return nil
}

// leave gives back whatever is left, so that nobody has to wait for a burial.
func (l *life) leave() {
	ctx, cancel := context.WithTimeout(l.alive, ttl)
	defer cancel()
	f := l.fleet
	err := f.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, f.sql("update fleet.worker set dead = true where id = $1"), l.id); err != nil {
			return err
		}
		return f.free(ctx, tx)
	})
	if err != nil {
		f.log.Warn("this worker could not take its leave; others notice in some seconds", "worker", l.me.Name, "err", err)
	}
}

// late is why a life ended whose heartbeat was not stored in time. It is fleet.ErrLost.
type late struct{}

// Error implements error.
func (late) Error() string { return "no heartbeat was stored in time" }

// Is implements what errors.Is asks.
func (late) Is(target error) bool { return target == fleet.ErrLost }

// heart beats on a connection of its own until the life ends.
func (l *life) heart(conn *pgx.Conn) {
	defer func() {
		if conn != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(l.alive), margin)
			_ = conn.Close(ctx)
			cancel()
		}
	}()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-l.alive.Done():
			return
		case <-wait.C:
		case <-l.wake:
		}
		sent := time.Now()
		ctx, cancel := context.WithTimeout(l.alive, beatPatience)
		if conn == nil || conn.IsClosed() {
			conn, _ = pgx.ConnectConfig(ctx, l.fleet.pool.Config().ConnConfig.Copy())
		}
		next := look / 4 // after a failure
		if conn != nil {
			answer, err := l.beat(ctx, conn)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				l.die(late{})
			case err == nil && l.deadline.Stop():
				l.deadline.Reset(time.Until(sent.Add(ttl - margin)))
				l.tell(answer)
				if next = beat; answer.more {
					next = look / 2
				}
			}
		}
		cancel()
		wait.Reset(next)
	}
}

// answer is what a heartbeat is told.
type answer struct {
	to       string // the configuration that this worker had then
	draining bool
	current  generation
	others   bool // one that takes work is alive, besides this one
	portion  float64
	divided  []string // connections of which several may work on units
	more     bool     // there will be more for it, as soon as others know
}

func (l *life) beat(ctx context.Context, conn *pgx.Conn) (a answer, err error) {
	a.to = l.following().Generation
	var others int
	var presses bool
	err = conn.QueryRow(ctx, l.fleet.sql(`
with g as (select id, hash, published, by_worker from fleet.generation order by id desc limit 1),
pressing as (select count(*) as n, coalesce(sum(p.portion), 0) as portions from fleet.worker p, g
  where p.id <> $1 and not p.dead and p.expires > clock_timestamp() and (not p.draining and p.hash = g.hash or exists (select 1 from fleet.unit u where u.holder = p.id)))
update fleet.worker w set expires = clock_timestamp() + $2, hash = $3,
  portion = case when not w.draining and $3 = g.hash or exists (select 1 from fleet.unit u where u.holder = w.id) then greatest(0, least(1.0::float8 / (n + 1), 1 - portions)) else 0 end
from g, pressing where w.id = $1 and not w.dead and w.expires > clock_timestamp()
returning w.draining, g.id, g.hash, g.published, g.by_worker, w.portion, n, not w.draining and w.hash = g.hash or exists (select 1 from fleet.unit u where u.holder = w.id),
  exists (select 1 from fleet.worker o where o.id <> w.id and not o.dead and not o.draining and o.expires > clock_timestamp() and o.hash = g.hash),
  array(select distinct connection from fleet.unit where kind = 2)`), l.id, ttl, a.to).
		Scan(&a.draining, &a.current.id, &a.current.hash, &a.current.published, &a.current.by, &a.portion, &others, &presses, &a.others, &a.divided)
	a.more = presses && a.portion < 0.999/float64(others+1)
	if !presses { // of what it is asked for by commands
		a.portion = 1 / float64(others+1)
	}
	return a, err
}

// tell keeps the last answer for heeding, which may take its time.
func (l *life) tell(a answer) {
	l.member.mu.Lock()
	l.draining, l.portion = a.draining, a.portion
	for _, connection := range a.divided {
		l.member.divided[connection] = true // that one is no longer who runs it whole knows first
	}
	l.member.mu.Unlock()
	select {
	case <-l.answers:
	default:
	}
	l.answers <- a
}

func (l *life) heeding() {
	for {
		select {
		case <-l.working.Done():
			return
		case a := <-l.answers:
			l.heed(a)
		}
	}
}

// heed takes work or does not, as a heartbeat was told.
func (l *life) heed(a answer) {
	l.member.mu.Lock()
	mine, publishing := l.plan.Generation, l.publishing > 0
	l.member.mu.Unlock()
	if a.to != mine || publishing {
		return // the next one says
	}
	takes := a.current.hash == mine && !a.draining
	l.member.mu.Lock()
	l.yields = !takes && a.others
	l.settled = l.settled || takes
	l.member.mu.Unlock()
	if takes {
		l.say("")
		l.carry(a.current)
		return
	}
	l.rest()
	if !a.draining && !l.decided {
		l.decide()
		if l.decided {
			l.wakeUp()
		}
		return // what came of it the next one says; until then those who have the current configuration may be dead
	}
	about := []any{"has", mine, "current", a.current.hash, "published", a.current.published, "by", a.current.by}
	switch {
	case a.draining:
		l.say("it is drained")
	case a.others:
		l.say("its configuration is not the current one", append(about, "hint", "reload this worker when its file is that of the others; `dirsyncd config publish` makes what it has the current one instead")...)
	default: // nobody takes over by itself: what an older configuration would undo is worse than that it stands still
		l.say("its configuration is not the current one, and no worker is left that has that: nothing is run", append(about,
			"hint", "start a worker with the current configuration, or make what this one has the current one: `dirsyncd config publish`, or a reload when its file was edited")...)
	}
}

// decide looks once more whether a living worker has another configuration: one that was killed just before this one started counted as
// alive then, and would be waited for for ever. Whoever lives longer than that is no such one.
func (l *life) decide() {
	over := time.Since(l.registered) > ttl
	l.member.mu.Lock()
	plan, settled := l.plan, l.settled
	l.member.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.working, ttl)
	defer cancel()
	err := l.fleet.deciding(ctx, func(tx pgx.Tx) error {
		if err := l.lead(ctx, tx, plan, settled); err != nil {
			return err
		}
		return l.arrange(ctx, tx)
	})
	if l.decided = over && err == nil; l.decided {
		l.member.mu.Lock()
		l.settled = l.settled || l.plan.Generation == plan.Generation
		l.member.mu.Unlock()
	}
}

// say tells once why this worker takes no work, and once that it does again.
func (l *life) say(why string, more ...any) {
	l.member.mu.Lock()
	was := l.told
	l.told = why
	l.member.mu.Unlock()
	switch {
	case why == was:
	case why == "":
		l.fleet.log.Info("this worker takes work again", "worker", l.me.Name)
	default:
		l.fleet.log.Warn("this worker finishes what it holds and takes no more; another one that does delivers to its targets", append([]any{"worker", l.me.Name, "why", why}, more...)...)
	}
}
