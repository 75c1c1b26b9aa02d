package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/desk"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/targets"
)

// generation is everything that a configuration file leads to. A reload makes a new one that takes over what did
// not change.
type generation struct {
	cfg         *config.Config
	connections map[string]*connection
	targets     map[string]*target
	// identity is identityOf, worked out once.
	identity func() (string, error)
}

// connection is an open source. It is closed when nobody uses it any more.
type connection struct {
	engine.Connection
	settings config.Connection
	content  [sha256.Size]byte // of the files that the source was opened with
	// elsewhere is why this process may not read it; nil: it may.
	elsewhere error
	unheard   bool            // it has no mapping: others are made of it, and nobody hears of its records
	users     *sync.WaitGroup // of the source, which may outlive this connection in the next generation
}

// target is an open target and the worker that delivers to it.
type target struct {
	targets.Target
	settings config.Target
	content  [sha256.Size]byte // of the files that it was opened with
	worker   *deliver.Worker
	runs     bool       // the worker does, until it is closed
	desk     *desk.Desk // nil where the target has no things of its own
}

// deps are what parts need besides their configuration.
type deps struct {
	parts   Parts
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	store   store.Store
	shared  bool   // other processes have the store, too
	worker  string // what this process is called among them
	// yields reports whether one of those is to do what any of them can; nil: never.
	yields func() bool
	// moved hears of people who came by sign-in and turned out to be somebody in a directory.
	moved func(ctx context.Context, from, to engine.Owner) error
	// portion is which part of a source is for this process; nil: all of it.
	portion func(connection string) float64
	// current and superseded are those of engine.Connection.
	current    func(*connection) *engine.Connection
	superseded func(context.Context, *connection) (bool, error)
	// public lets the source of a connection be called from outside; nil: it cannot be.
	public func(connection string) func(http.Handler) (address string, release func(), err error)
}

// newGeneration opens everything that a configuration names, without network I/O. What old has and did not change is
// taken over. On an error nothing new stays open.
func newGeneration(cfg *config.Config, old *generation, d deps) (*generation, error) {
	next := &generation{cfg: cfg, connections: map[string]*connection{}, targets: map[string]*target{}}
	next.identity = sync.OnceValues(func() (string, error) { return identityOf(next) })
	var errs []error
	for _, c := range cfg.Connections {
		conn, err := openConnection(cfg, c, old, d)
		if err != nil {
			errs = append(errs, fmt.Errorf("connection %q: %w", c.Name, err))
			continue
		}
		next.connections[c.Name] = conn
	}
	for _, t := range cfg.Targets {
		tgt, err := openTarget(cfg, t, old, d)
		if err != nil {
			errs = append(errs, fmt.Errorf("target %q: %w", t.Name, err))
			continue
		}
		next.targets[t.Name] = tgt
	}
	if len(errs) > 0 {
		next.closeUnshared(old)
		return nil, &fault.Error{Class: fault.Configuration, Op: "open", Where: cfg.File, Err: errors.Join(errs...)}
	}
	return next, nil
}

func openConnection(cfg *config.Config, c config.Connection, old *generation, d deps) (*connection, error) {
	mapped, err := mappingOf(cfg, &c)
	if err != nil {
		return nil, err
	}
	guard := limits(mapped.Guard)
	conn := &connection{settings: c, content: contentOf(c.Block), users: &sync.WaitGroup{}, elsewhere: d.elsewhere("connection", c.Name, c.Workers), unheard: cfg.Mappings[c.Mapping] == nil, Connection: engine.Connection{
		Name: c.Name, Connector: c.Connector, Rules: mapped.Rules,
		Guard: guard.tenant(), Shared: guard.shared(), Lists: guard.lists(), Over: guard.over(), SharedOver: guard.sharedOver(), WholeOver: wholeOver(cfg.Guard), Targets: c.Targets, Import: c.Import, Followed: len(cfg.MadeOf(c.Name)) > 0, FollowedFields: cfg.RecordFieldsOf(c.Name),
		Overrides: overrides(cfg, &c), Every: c.Every, RemovedInFull: c.RemoveInFull, Match: cfg.MatchOf(c.Name), History: historyOf(cfg),
	}}
	conn.Current = func() *engine.Connection { return d.current(conn) }
	conn.Superseded = func(ctx context.Context) (bool, error) { return d.superseded(ctx, conn) }
	if conn.Strangers, err = strangersOf(cfg, c.Name, d); err != nil {
		return nil, err
	}
	if old != nil {
		if was, ok := old.connections[c.Name]; ok && was.opened() && sameSource(was, conn) {
			conn.Source, conn.users = was.Source, was.users
			return conn, conn.Mixed()
		}
	}
	factory, ok := factoryOf(d.parts.Connectors, c.Connector)
	if !ok {
		return nil, fmt.Errorf("there is no connector %q", c.Connector)
	}
	env := connectors.Env{Connection: c.Name, Log: d.log.With("connection", c.Name), Now: d.now, Observe: d.metrics.request(c.Name, c.Connector), Stored: d.store, Public: d.public(c.Name)}
	if d.portion != nil {
		env.Portion = func() float64 { return d.portion(c.Name) }
	}
	source, err := factory.Open(c.Block, env)
	switch {
	case err != nil && len(cfg.Unseen) > 0:
		source, err = unopenedSource{leftUnopened(c.Name)}, nil
	case err != nil && conn.elsewhere != nil: // what it needs may be on another machine
		source, err = unopenedSource{unopened{conn.elsewhere}}, nil
	}
	if conn.Source = source; err != nil {
		return nil, err
	}
	if err := conn.Mixed(); err != nil {
		_ = source.Close()
		return nil, err
	}
	return conn, nil
}

// opened reports whether there is a source: one that is for others may not have been found here.
func (c *connection) opened() bool {
	_, left := c.Source.(unopenedSource)
	return !left
}

// historyOf is how much is kept of what is sent.
func historyOf(cfg *config.Config) engine.History {
	h := cfg.History
	return engine.History{Off: h.Keep == 0, Age: h.Keep.Std(), Bytes: int64(h.Megabytes) << 20}
}

// mappingOf is a connection's mapping. One without targets may have none: everybody in it counts as a record that nobody hears of,
// so that the guard has something to count.
func mappingOf(cfg *config.Config, c *config.Connection) (*config.Mapping, error) {
	if m := cfg.Mappings[c.Mapping]; m != nil {
		return m, nil
	}
	rules, problems := mapping.Compile(mapping.Spec{Name: "contributor", Rules: []mapping.RuleSpec{
		{Name: "everybody", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: nil}}}})
	if len(problems) > 0 {
		return nil, fmt.Errorf("%v", problems)
	}
	return &config.Mapping{Rules: rules}, nil
}

// sameSource reports whether two connections have the same source, whatever is done with what it says.
func sameSource(a, b *connection) bool {
	return a.settings.Connector == b.settings.Connector && a.content == b.content && reflect.DeepEqual(a.settings.Block, b.settings.Block)
}

func openTarget(cfg *config.Config, t config.Target, old *generation, d deps) (*target, error) {
	content := contentOf(t.Block)
	if old != nil {
		if was, ok := old.targets[t.Name]; ok && was.settings.Target == t.Target && slices.Equal(was.settings.Kinds, t.Kinds) && slices.Equal(was.settings.Workers, t.Workers) && reflect.DeepEqual(was.settings.Desk, t.Desk) && was.content == content && reflect.DeepEqual(was.settings.Block, t.Block) {
			return was, nil
		}
	}
	factory, ok := d.parts.Targets.Lookup(t.Target)
	if !ok {
		return nil, fmt.Errorf("there is no target %q", t.Target)
	}
	place, things, err := openPlace(factory, cfg, t, d)
	elsewhere := d.elsewhere("target", t.Name, t.Workers)
	switch {
	case err != nil && len(cfg.Unseen) > 0:
		place, err = unopenedTarget{leftUnopened(t.Name)}, nil
	case err != nil && elsewhere != nil && factory.OpenDesk == nil:
		place, err = unopenedTarget{unopened{elsewhere}}, nil
	}
	if err != nil {
		return nil, err
	}
	opts := deliver.Options{Log: d.log, Now: d.now, Afresh: old != nil, Shared: d.shared, Elsewhere: elsewhere != nil, Metrics: d.metrics.delivery(t.Name)}
	if len(t.Workers) == 0 { // what few can deliver to is not left to who cannot
		opts.Yields = d.yields
	}
	worker := deliver.New(d.store, t.Name, targets.Only(t.Kinds, place), opts)
	return &target{Target: place, settings: t, content: content, worker: worker, desk: things}, nil
}

// openPlace opens a target; what has things of its own becomes one by package desk.
func openPlace(factory targets.Factory, cfg *config.Config, t config.Target, d deps) (targets.Target, *desk.Desk, error) {
	env := targets.Env{Target: t.Name, Dir: cfg.Dir, Log: d.log.With("target", t.Name), Now: d.now}
	if factory.OpenDesk == nil {
		place, err := factory.Open(t.Block, env)
		return place, nil, err
	}
	place, err := factory.OpenDesk(t.Block, env)
	if err != nil {
		return nil, nil, err
	}
	things := desk.New(d.store, t.Name, place, deskOptions(t, place.Describe(), d))
	return things, things, nil
}

// start runs the workers of targets that have none running.
func (g *generation) start(ctx context.Context) {
	for _, t := range g.targets {
		if !t.runs {
			t.runs = true
			go func() { _ = t.worker.Run(ctx) }() // ends with its context or with the worker
		}
	}
}

// closeUnshared closes what this generation has and the other one, which may be nil, does not. It waits for runs and
// workers to end.
func (g *generation) closeUnshared(other *generation) {
	g.closeTargets(other)
	g.closeSources(other)
}

// closeSources closes sources when their last run is over.
func (g *generation) closeSources(other *generation) {
	for name, c := range g.connections {
		if other != nil && other.connections[name] != nil && other.connections[name].Source == c.Source {
			continue
		}
		c.users.Wait()
		_ = c.Source.Close()
	}
}

// closeTargets closes targets when nobody delivers to them any more. All at a time: each awaits the calls under way.
func (g *generation) closeTargets(other *generation) {
	var closing sync.WaitGroup
	defer closing.Wait()
	for name, t := range g.targets {
		if other != nil && other.targets[name] == t {
			continue
		}
		closing.Go(func() {
			t.worker.Close()
			_ = t.Close()
		})
	}
}

// contributorsOf lists the connections of which one is made.
func (g *generation) contributorsOf(connection string) []string {
	if c := g.connections[connection]; c != nil {
		return c.settings.Contributors()
	}
	return nil
}

// names lists the connections in order.
func (g *generation) names() []string { return namesOf(g.cfg) }

func namesOf(cfg *config.Config) []string {
	names := make([]string, 0, len(cfg.Connections))
	for _, c := range cfg.Connections {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}
