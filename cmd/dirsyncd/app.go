package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// app is the program: the only place where the parts are put together. It serves one command or a daemon.
type app struct {
	log     *slog.Logger
	now     func() time.Time
	store   *bolt.Store
	engine  *engine.Engine
	metrics *metrics
	started time.Time
	daemon  bool

	background sync.WaitGroup // what a reload left to be done

	mu       sync.Mutex
	setup    *setup
	problem  string           // of the last reload
	running  map[string]int   // runs under way, by connection
	progress map[int]progress // who watches
	watcher  int
	next     func(connection string) time.Time // by the schedule of a daemon
}

// progress is somebody who watches runs.
type progress func(engine.Progress)

// openApp opens the state for work and everything that the configuration names.
func openApp(cfg *config.Config, log *slog.Logger, daemon bool) (*app, error) {
	st, err := bolt.Open(string(cfg.State), bolt.Options{})
	if err != nil {
		return nil, err
	}
	if st.Begun() {
		log.Warn(newState, "state", string(cfg.State), "hint", hintNewState)
	}
	return newApp(cfg, log, st, daemon)
}

// newApp opens everything that the configuration names, on a state that it closes at the end or when it fails.
func newApp(cfg *config.Config, log *slog.Logger, st *bolt.Store, daemon bool) (*app, error) {
	a := &app{log: log, now: time.Now, store: st, started: time.Now().UTC(), daemon: daemon,
		running: map[string]int{}, progress: map[int]progress{}}
	a.metrics = newMetrics(a)
	a.engine = engine.New(st, engine.Options{Log: log, Now: a.now, Queued: a.queued, Progress: a.show, Next: a.nextRun})
	var err error
	a.setup, err = newSetup(cfg, nil, a.surroundings())
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return a, nil
}

func (a *app) surroundings() surroundings {
	return surroundings{log: a.log, now: a.now, metrics: a.metrics, store: a.store}
}

// close ends everything, in the order of the flow. Runs and workers must have been told to stop.
func (a *app) close() error {
	a.background.Wait()
	a.current().closeUnshared(nil)
	return a.store.Close()
}

func (a *app) current() *setup {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.setup
}

// queued wakes the worker of a target that was given something to do.
func (a *app) queued(name string) {
	if t := a.current().targets[name]; t != nil {
		t.worker.Wake()
	}
}

// run runs one connection, all its tenants.
func (a *app) run(ctx context.Context, name string, job engine.Job) ([]engine.Result, error) {
	conn, done, err := a.use(name)
	if err != nil {
		return nil, err
	}
	defer done()
	results := a.engine.RunConnection(ctx, &conn.Connection, job)
	for _, r := range results {
		if r.Run.Outcome != engine.Waiting {
			a.metrics.ran(&r)
		}
	}
	return results, nil
}

// use keeps a connection open until done is called.
func (a *app) use(name string) (conn *connection, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	conn = a.setup.connections[name]
	if conn == nil {
		return nil, nil, unknownConnection(name, a.setup.names())
	}
	conn.users.Add(1)
	a.running[name]++
	return conn, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running[name]--
		conn.users.Done()
	}, nil
}

func unknownConnection(name string, names []string) error {
	return &fault.Error{Class: fault.Configuration, Op: "find connection", Err: fmt.Errorf("there is no connection %q", name),
		Hint: fmt.Sprintf("the configuration has: %v", names)}
}

// nextRun says when a connection runs next; never, when no daemon keeps its schedule.
func (a *app) nextRun(connection string) time.Time {
	a.mu.Lock()
	next := a.next
	a.mu.Unlock()
	if next == nil {
		return time.Time{}
	}
	return next(connection)
}

// show hands a run's progress to everybody who watches.
func (a *app) show(p engine.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, fn := range a.progress {
		fn(p)
	}
}

// watch shows progress to fn until done is called. fn must be quick.
func (a *app) watch(fn progress) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watcher++
	id := a.watcher
	a.progress[id] = fn
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.progress, id)
	}
}

// reload takes another configuration. An invalid one is refused as a whole and the present one stays.
func (a *app) reload(ctx context.Context, file string) error {
	old := a.current()
	cfg, err := config.Load(file, configParts())
	if err == nil && cfg.State != old.cfg.State {
		err = &fault.Error{Class: fault.Configuration, Op: "reload", Where: file,
			Err: errors.New("`state` cannot change while running"), Hint: "restart the daemon"}
	}
	var next *setup
	if err == nil {
		next, err = newSetup(cfg, old, a.surroundings())
	}
	a.mu.Lock()
	if err != nil {
		a.problem = err.Error()
		a.mu.Unlock()
		return err
	}
	a.setup, a.problem = next, ""
	a.mu.Unlock()
	// A file that the new target writes, too, is locked until the old one is closed.
	old.closeTargets(next)
	for name, t := range next.targets {
		if err := t.Reopen(); err != nil {
			a.log.Error("target could not be opened anew", "target", name, "err", err)
		}
	}
	next.start(ctx)
	// Both may take long, and the new configuration is in force already.
	a.background.Go(func() { old.closeSources(next) })
	a.background.Go(func() { a.settleEditedRules(ctx, old, next) })
	return nil
}

// settleEditedRules applies edited rules at once to what is stored; no source is asked.
func (a *app) settleEditedRules(ctx context.Context, old, next *setup) {
	for _, name := range next.names() {
		was := old.connections[name]
		if ctx.Err() != nil {
			return
		}
		if was == nil || was.Rules.Hash() == next.connections[name].Rules.Hash() {
			continue
		}
		a.log.Info("rules were edited, applying them to what is stored", "connection", name)
		if _, err := a.run(ctx, name, engine.Job{Offline: true, Trigger: causeReload}); err != nil {
			a.log.Error("edited rules could not be applied", "connection", name, "err", err)
		}
	}
}

// warnAboutLeftovers names what the state holds for connections and targets that are not configured any more.
func (a *app) warnAboutLeftovers(ctx context.Context) error {
	parts, err := a.store.Partitions(ctx)
	if err != nil {
		return err
	}
	cfg := a.current()
	for _, p := range parts {
		if cfg.connections[p.Connection] == nil {
			a.log.Warn("the state holds a connection that is not configured; its records stay as they are", "connection", p.Connection)
		}
		err := a.store.View(ctx, p, func(tx store.Reader) error {
			names, err := tx.Targets()
			for _, name := range names {
				if cfg.targets[name] == nil {
					a.log.Warn("actions wait for a target that is not configured", "connection", p.Connection, "target", name)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// partitionsOf lists the partitions of the named connections, or of all configured ones.
func (a *app) partitionsOf(ctx context.Context, names []string) ([]store.Partition, error) {
	parts, err := a.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(parts, func(p store.Partition) bool {
		return len(names) > 0 && !slices.Contains(names, p.Connection)
	}), nil
}
