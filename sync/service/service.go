// Package service is dirsyncd put together: sources, rules, engine, state, targets and their workers, as a configuration
// names them. It serves one command (Service), or goes on by schedule until it is told to stop (Run). What there is to
// be put together, it is given: the connectors and targets, an open state, a log. It knows no command line.
package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/web"
)

// Options are what a service is put together from. Parts, Store and Log must be set.
type Options struct {
	Parts   Parts
	Store   store.Store // belongs to the service from here on, also when it cannot be made
	Log     *slog.Logger
	Now     func() time.Time // nil: the clock
	Version string           // of the program, for the status
	// Shared: other processes may have Store, too. Then one of them at a time delivers to a target.
	Shared bool
	// Fleet is how daemons that share Store divide what there is to do, and Worker what this one is called among them; nil: it does
	// all by itself.
	Fleet  fleet.Fleet
	Worker string
	// Superseded names a worker that lives and works by the current configuration, when that is another than one whose identity is given; empty:
	// there is none. Nil: nobody else works on Store.
	Superseded func(ctx context.Context, generation string) (worker string, err error)
}

// Service does what operators ask for, in this process. Its methods may be called concurrently, but for Close.
type Service struct {
	parts   Parts
	log     *slog.Logger
	now     func() time.Time
	version string
	store   store.Store
	shared  bool        // other processes may have the store, too
	fleet   fleet.Fleet // nil: it does all by itself
	worker  string      // what it is called among those of the fleet
	// superseded is Options.Superseded, and never nil.
	superseded func(ctx context.Context, generation string) (worker string, err error)
	engine     *engine.Engine
	// program names the build (program.go); it is asked for when somebody wants to know.
	program func() string
	metrics *metrics
	host    *host // nil when it serves one command

	audience   audience       // of runs
	background sync.WaitGroup // what a reload left to be done

	mu         sync.Mutex
	generation *generation
	problem    string         // of the last reload
	running    map[string]int // runs under way, by connection
	turns      turns
	door       *door   // nil: nobody signs in
	window     *window // nil: there is no console
	unsent     map[string]api.RecipientStatus

	expiryLock sync.Mutex // while expiries are looked up
	expiries   expiries
}

// host is what a service knows of the daemon that it works for.
type host struct {
	// runs is the context of runs: a run that was begun does not end because whoever asked for it went away.
	runs    context.Context
	started time.Time
	next    func(connection string) time.Time // by the schedule
	// nextAudit is when a target is audited next.
	nextAudit func(target string) time.Time
	// trigger runs a connection soon, because something changed.
	trigger func(connection string)
	// ask has others run a connection that is not for this process; nil: there are none.
	ask func(connection string, full bool)
	// front is where the daemon is reached from outside; nil: it is not.
	front *web.Front
}

var _ api.Operations = (*Service)(nil)

// New opens everything that a configuration names, without network I/O.
func New(cfg *config.Config, opts Options) (*Service, error) { return newService(cfg, opts, nil) }

func newService(cfg *config.Config, opts Options, h *host) (*Service, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Service{
		parts: opts.Parts, log: opts.Log, now: opts.Now, version: opts.Version, store: opts.Store, shared: opts.Shared || opts.Fleet != nil, fleet: opts.Fleet, worker: opts.Worker, metrics: newMetrics(opts.Now), host: h,
		running: map[string]int{}, turns: newTurns(cfg), program: sync.OnceValue(program),
	}
	if s.superseded = opts.Superseded; s.superseded == nil {
		s.superseded = func(context.Context, string) (string, error) { return "", nil }
	}
	s.engine = engine.New(s.store, engine.Options{Log: s.log, Now: s.now, Queued: s.queued, Progress: s.audience.show, Next: s.nextRun, Configured: s.configured, Program: s.program})
	var err error
	s.generation, err = newGeneration(cfg, nil, s.deps())
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

func (s *Service) deps() deps {
	d := deps{parts: s.parts, log: s.log, now: s.now, metrics: s.metrics, store: s.store, shared: s.shared, worker: s.worker, public: s.host.public, moved: s.moved, current: s.currentOf, superseded: s.rulesSuperseded}
	if s.fleet != nil {
		d.portion, d.yields = s.fleet.Portion, s.fleet.Yields
	}
	return d
}

// Close ends everything, in the order of the flow. Operations must have returned.
func (s *Service) Close() error {
	s.background.Wait()
	s.current().closeUnshared(nil)
	return s.store.Close()
}

func (s *Service) current() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// configured reports whether there is a connection of a name.
func (s *Service) configured(connection string) bool {
	return s.current().connections[connection] != nil
}

// queued wakes the worker of a target that was given something to do.
func (s *Service) queued(name string) {
	if t := s.current().targets[name]; t != nil {
		t.worker.Wake()
	}
}

// turns are the queues of connections. Whoever waits for an answer does not wait behind all that the schedule has begun.
type turns struct{ scheduled, asked *engine.Queue }

func newTurns(cfg *config.Config) turns {
	return turns{engine.NewQueue(cfg.RunsAtOnce()), engine.NewQueue(cfg.RunsAtOnce())}
}

func (t turns) of(job engine.Job) *engine.Queue {
	if job.Trigger == engine.Operator {
		return t.asked
	}
	return t.scheduled
}

// run runs one connection, all its tenants, when its turn comes: memory, and connections to servers, follow the number of those that run at
// a time.
func (s *Service) run(ctx context.Context, name string, job engine.Job) ([]engine.Result, error) {
	_, results, err := s.runPart(ctx, name, job, part{})
	return results, err
}

// runPart is run of a part of a connection. Where others may help it may return a round of shares instead of results.
func (s *Service) runPart(ctx context.Context, name string, job engine.Job, p part) (round engine.Round, results []engine.Result, err error) {
	job.Round, job.Share = p.round, p.share
	err = s.inTurn(ctx, name, job, p, func(ctx context.Context, conn *connection) {
		if p.workers != nil {
			round, results = s.engine.Divide(ctx, &conn.Connection, job, p.workers)
		} else {
			results = s.engine.RunConnection(ctx, &conn.Connection, job)
		}
		s.ran(name, conn, results)
	})
	return round, results, err
}

func (s *Service) inTurn(ctx context.Context, name string, job engine.Job, p part, do func(ctx context.Context, conn *connection)) error {
	s.mu.Lock()
	queue := s.turns.of(job)
	s.mu.Unlock()
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begins := func() bool { return true }
	if p.takes != nil {
		begins = context.AfterFunc(p.takes, cancel)
	}
	ctx, release, err := queue.Acquire(ctx, s.engine.Failing(ctx, name), p.aside)
	if err == nil {
		defer release()
	}
	if !begins() && whole.Err() == nil {
		return fleet.ErrNotBegun
	}
	if err != nil {
		return err
	}
	conn, done, err := s.use(name)
	if err != nil {
		return err
	}
	defer done()
	if conn.elsewhere != nil && !job.Offline {
		return conn.elsewhere
	}
	do(ctx, conn)
	return nil
}

// ran takes note of what came of runs.
func (s *Service) ran(name string, conn *connection, results []engine.Result) {
	for _, r := range results {
		if r.Run.Outcome != engine.Waiting {
			s.metrics.ran(conn.Connector, &r)
		}
	}
	s.triggerMade(name, results)
}

// use keeps a connection open until done is called.
func (s *Service) use(name string) (conn *connection, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn = s.generation.connections[name]
	if conn == nil {
		return nil, nil, unknownConnection(name, s.generation.names())
	}
	conn.users.Add(1)
	s.running[name]++
	return conn, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[name]--
		conn.users.Done()
	}, nil
}

// nextRun says when a connection runs next; never, when no daemon keeps its schedule.
func (s *Service) nextRun(connection string) time.Time {
	if s.host == nil {
		return time.Time{}
	}
	return s.host.next(connection)
}
