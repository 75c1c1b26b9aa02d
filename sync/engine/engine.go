// Package engine runs connections: it has their tenants read (package read) and what changed settled (package settle),
// and keeps the state of each tenant from run to run. The story of a run is in run.go. It sees connectors, rules and the
// store through their contracts only, and leaves delivering to package deliver.
package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/patience"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
	"dirsyncd/sync/signin/key"
)

// Connection is a configured source with all that a run needs to know about it.
type Connection struct {
	Name      string
	Connector string // the connector's kind, for events
	Source    connectors.Connector
	Rules     *mapping.Ruleset
	// Guard and Lists are the limits of each tenant, Shared those of all together.
	Guard  plan.Guard
	Shared plan.Shared
	Lists  plan.Lists
	// Over are the limits of each tenant over time, SharedOver those of all tenants of the connection together, and WholeOver those of
	// all connections together. Those that are not written say nothing of fewer tenants than Shared says.
	Over, SharedOver, WholeOver []plan.Over
	Targets                     []string
	// Import says that the connection is an import, and of which kind; empty for one that is none.
	Import directory.Import
	// Every is how much time is between two reads by a schedule of the streams of some kinds; zero: every run reads them.
	Every map[directory.Kind]time.Duration
	// RemovedInFull are the kinds of object that only a full read takes away, whatever a delta says.
	RemovedInFull []directory.Kind
	// History is how long it is kept what was sent of each tenant.
	History History
	// Overrides are what some of its tenants have of their own; see Of.
	Overrides []Override
	without   []directory.Kind // of the tenant that it is for
	// Followed: other connections are made of this one's stored objects. What changes of them is kept in its journal.
	Followed bool
	// Match are the fields by which its people are found when they sign in; none when they sign in nowhere.
	Match []key.Field
	// Strangers are people of other connections who may turn out to be people of this one.
	Strangers []Strangers
	// Current is the connection as it is configured by now, where that has the same source, and otherwise this one: a run that is under way
	// goes on with it from the next tenant on. Nil: it stays as it is.
	Current func() *Connection
	// Superseded reports whether others than these are the rules in force: there was a reload, here or at another process. It is asked of a tenant that was
	// settled by other rules. Nil: these are.
	Superseded func(context.Context) (bool, error)
	// FollowedFields are the fields of its records of which others are made, in order: the journal tells of records, too, when there are any.
	FollowedFields []string
}

// rulesHash identifies what makes the records: another one means that everybody is looked at. An import that only creates
// leaves undone what any other connection has to do.
func (c *Connection) rulesHash() string {
	if c.Import == directory.ImportCreateOnly {
		return c.Rules.Hash() + " " + string(c.Import)
	}
	return c.Rules.Hash()
}

// settledHash identifies what makes the records of a tenant: the rules and, where these look at them, its mail domains as
// they are known. Another one means that everybody is looked at.
func (c *Connection) settledHash(state *store.TenantState) string {
	if len(state.Domains) == 0 || !c.Rules.Uses().Domains {
		return c.rulesHash()
	}
	sum := sha256.Sum256([]byte(strings.Join(state.Domains, "\n")))
	return c.rulesHash() + " domains " + hex.EncodeToString(sum[:8])
}

// Options are an engine's surroundings. Log and Now must be set.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Sleep waits, or returns the context's error; nil is a timer. Tests put a clock of their own here.
	Sleep func(ctx context.Context, d time.Duration) error
	// Queued is called after actions were queued for a target; nil when nobody waits for them.
	Queued func(target string)
	// Next says when a connection runs next by its schedule, for the line that a run ends with; nil when
	// there is no schedule.
	Next func(connection string) time.Time
	// Configured reports whether there is a connection of a name; nil when the state holds no others.
	Configured func(connection string) bool
	// Residents lists what the state holds, where the engine's store has only a part of it; nil: all is in the store.
	Residents func(ctx context.Context) ([]Resident, error)
	// Program names the build that runs (read.Task); nil: it is not known.
	Program func() string
	// Progress is called now and then during long work, from the run's goroutine; nil when nobody watches.
	Progress func(Progress)
}

// Progress says how far a run is.
type Progress struct {
	Partition store.Partition
	Stage     string // read or settle
	Stream    string
	Done      int
	Total     int // 0 when unknown
}

// Engine runs connections. It may be used by many goroutines; runs of one partition wait for each other.
type Engine struct {
	store store.Store
	opts  Options
	chunk int // how many objects are settled in one transaction; tests take few

	mu     sync.Mutex
	proven map[store.Partition]time.Time
	quiet  map[store.Partition]*quiet
	readAt map[clocked]time.Time
	rounds map[string]*round // of connections that are divided

	looking chan struct{} // has room for who reads what an account rests on
	ended   ended
}

// New makes an engine on a store.
func New(s store.Store, opts Options) *Engine {
	if opts.Sleep == nil {
		opts.Sleep = patience.Sleep
	}
	if opts.Program == nil {
		opts.Program = func() string { return "" }
	}
	if opts.Residents == nil {
		opts.Residents = func(ctx context.Context) ([]Resident, error) { return Residents(ctx, s) }
	}
	return &Engine{store: s, opts: opts, chunk: settle.Chunk, proven: map[store.Partition]time.Time{}, quiet: map[store.Partition]*quiet{}, readAt: map[clocked]time.Time{},
		rounds: map[string]*round{}, looking: make(chan struct{}, 1)}
}

// Job says what a run shall do.
type Job struct {
	// Full reads everything even where the source could tell what changed.
	Full bool
	// Older, with Full, reads even a source that knows less than was read from it before: one that was restored from a
	// backup for good. All that follows waits for the operator.
	Older bool
	// Offline settles what is stored without asking the source.
	Offline bool
	// Approve is the hash of a held plan that may now go ahead; the run fails if the plan is another one.
	Approve string
	// Patient leaves a tenant alone whose credentials were refused, until store.Failure.Retry. It is for
	// schedules; a person who asks is obeyed.
	Patient bool
	// Tenant is the one tenant that is meant, by id, name or domain (IsTenant); empty: all of the connection's.
	Tenant string
	// User is the one person who is read, by key, id, login, address, name or employee id; empty: everybody. Such a run leaves cursors
	// alone, and says nothing of whether all else that is stored agrees with the source.
	User string
	// Resend is a target that is told again what it was told of every record; nothing else is done.
	Resend string
	// ResendFrom, with Resend, is since when a record must have changed to be told again; zero: all are.
	ResendFrom time.Time
	// Undo is what is undone, as Approve is the hash of; nothing else is done.
	Undo *Undo
	// Round names the run of a connection that the run of this tenant is a part of, whoever runs the others and where: what all of them do is
	// counted together, for the limits on all. Empty: of none. RunConnection gives its own, unless it runs a share.
	Round string
	// Share is which of the connection's tenants RunConnection runs, and the round what Divide returned; the zero value: all.
	Share Share
	// Trigger says who asked: Operator, or what else there is, a schedule or a signal.
	Trigger string
}

// Operator is the Trigger of what a person asked for. Such a run is stored also when it found nothing to do.
const Operator = "operator"

// Result is what came of a run. Err is what made it fail, or nil; the run's outcome is in Run.
type Result struct {
	Partition store.Partition
	Run       store.Run
	Mapping   string // by whose rules
	Err       error
}

// Outcomes of a run, as stored.
const (
	Clean  = "clean"
	Parked = "parked"
	Held   = "held"
	Failed = "failed"
	// Waiting is a run that did not begin (see Job.Patient and ErrSuperseded). It is not stored.
	Waiting = "waiting"
)
