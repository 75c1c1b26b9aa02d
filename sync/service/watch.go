package service

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
)

const (
	// causeChange is the trigger of runs that a source asked for by telling of a change.
	causeChange = "change"
	// debounceFor is how long further changes are waited for after the first: they rarely come alone.
	debounceFor = 2 * time.Second
	// changePause is the shortest time between two runs that a source asks for.
	changePause = 10 * time.Second
	// longestIdlePause is that time when run after run has found nothing: what the source tells of is of no interest, such as
	// the time of everybody's last logon. Beginning with the second one the pause doubles.
	longestIdlePause = 5 * time.Minute
	// watchPause is the first wait before a watch that ended is begun anew; it doubles up to longestWatchPause.
	watchPause, longestWatchPause = 5 * time.Second, 5 * time.Minute
	// relistAfter is how long a watch goes on before the source is asked for its tenants again: some may be new.
	relistAfter = time.Hour
)

// watchers watch the sources that can tell of changes. The schedule goes on as without them.
type watchers struct {
	log *slog.Logger
	// trigger asks for a run of a connection.
	trigger func(connection string)
	watched map[string]*watching

	mu sync.Mutex
	// idle counts, by connection, the runs in a row that the source asked for and that found nothing.
	idle map[string]int
	// rounds are those of the last shares, by connection.
	rounds map[string]string
}

// ran takes note of what came of a run that the source asked for, or of a share in a round: the shares that were run here are one run.
func (w *watchers) ran(connection, round string, foundNothing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := round != "" && w.rounds[connection] == round
	w.rounds[connection] = round
	switch {
	case !foundNothing:
		delete(w.idle, connection)
	case !again:
		w.idle[connection]++
	}
}

// pause is the shortest time until the source may ask for the next run.
func (w *watchers) pause(connection string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(changePause<<min(max(w.idle[connection]-1, 0), 8), longestIdlePause)
}

// watching is a connection whose source is being watched.
type watching struct {
	source connectors.Connector
	stop   context.CancelFunc
}

func newWatchers(log *slog.Logger, trigger func(connection string)) *watchers {
	return &watchers{log: log, trigger: trigger, watched: map[string]*watching{}, idle: map[string]int{}, rounds: map[string]string{}}
}

// follow watches the sources of the present configuration that can be watched, and stops watching those that are no longer
// part of it. It is called by one goroutine.
func (w *watchers) follow(ctx context.Context, gen *generation) {
	for name, at := range w.watched {
		if conn := gen.connections[name]; conn == nil || conn.Source != at.source || conn.elsewhere != nil {
			at.stop()
			delete(w.watched, name)
		}
	}
	for name, conn := range gen.connections {
		source, can := conn.Source.(connectors.Watcher)
		if !can || w.watched[name] != nil || conn.elsewhere != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		w.watched[name] = &watching{source: conn.Source, stop: stop}
		conn.users.Add(1) // the source stays open until the watch has ended
		go func() {
			defer conn.users.Done()
			w.watch(ctx, name, source)
		}()
	}
}

// watch watches one source until the context ends, or the source says of all its tenants that they are not to be
// watched.
func (w *watchers) watch(ctx context.Context, name string, source connectors.Watcher) {
	changed := make(chan struct{}, 1)
	debouncing, done := context.WithCancel(ctx)
	defer done()
	go debounce(debouncing, changed, func() { w.trigger(name) }, func() time.Duration { return w.pause(name) })
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	begun := watches{stops: map[string]context.CancelFunc{}, ended: make(chan struct{})}
	for again := true; again; again = begun.wait(relistAfter) {
		var tenants []connectors.Tenant
		w.retryForever(ctx, name, func(ctx context.Context) (err error) {
			tenants, err = source.Tenants(ctx)
			return err
		})
		begun.follow(ctx, tenants, func(ctx context.Context, t connectors.Tenant) {
			w.retryForever(ctx, name, func(ctx context.Context) error { return source.Watch(ctx, t, notify) })
		})
	}
}

// watches are those of one source's tenants.
type watches struct {
	stops map[string]context.CancelFunc // of every tenant for which one was begun
	ended chan struct{}
	live  int
}

// follow begins to watch the tenants that are new, and stops watching those that are no longer listed.
func (w *watches) follow(ctx context.Context, tenants []connectors.Tenant, watch func(context.Context, connectors.Tenant)) {
	for id, stop := range w.stops {
		if !slices.ContainsFunc(tenants, func(t connectors.Tenant) bool { return t.ID == id }) {
			stop()
			delete(w.stops, id)
		}
	}
	for _, t := range tenants {
		if w.stops[t.ID] != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		w.stops[t.ID] = stop
		w.live++
		go func() {
			watch(ctx, t)
			w.ended <- struct{}{}
		}()
	}
}

// wait returns false when no watch is left, and true after a while.
func (w *watches) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for w.live > 0 {
		select {
		case <-w.ended:
			w.live--
		case <-timer.C:
			return true
		}
	}
	return false
}

// retryForever calls fn until it returns nil or the context ends, with growing pauses. It logs when trouble begins, not
// every time that it goes on: runs by the schedule say more.
func (w *watchers) retryForever(ctx context.Context, name string, fn func(context.Context) error) {
	pause, troubled, refused := watchPause, false, 0
	for {
		began := time.Now()
		err := func() (err error) {
			defer fault.Recover("watch", &err)
			return fn(ctx)
		}()
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestWatchPause {
			pause, troubled, refused = watchPause, false, 0 // it was in place for a good while
		}
		if !troubled {
			troubled = true
			w.log.Warn("the source cannot be watched for changes at the moment; the schedule goes on", "connection", name,
				"class", fault.ClassOf(err), "err", err)
		}
		wait := pause
		if fault.ClassOf(err) == fault.Auth {
			refused++
			wait = engine.AuthPause(refused) // trying on would lock the account
		}
		if patience.Sleep(ctx, wait) != nil {
			return
		}
		pause = min(2*pause, longestWatchPause)
	}
}

// debounce calls trigger once for all that comes close together, and not too often, until the context ends.
func debounce(ctx context.Context, changed <-chan struct{}, trigger func(), pause func() time.Duration) {
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		if patience.Sleep(ctx, debounceFor) != nil {
			return
		}
		select {
		case <-changed:
		default:
		}
		trigger()
		if patience.Sleep(ctx, changePause-debounceFor) != nil {
			return
		}
		if patience.Sleep(ctx, pause()-changePause) != nil { // what came of the run is known by now, mostly
			return
		}
	}
}
