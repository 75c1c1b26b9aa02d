// Package engine reads sources and settles what changed: the story of a run. It sees connectors, rules and the
// store through their contracts only, and leaves delivering to package deliver.
//
// The story: Run reads every stream page by page (read.go, page.go), concludes what is missing from a proven
// listing (sweep.go), and settles what became dirty: the rules make records (settle.go, person.go, group.go),
// the guard looks at the plan as a whole (judge.go), and only then is the first action queued (commit.go).
package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// Connection is a configured source with all that a run needs to know about it.
type Connection struct {
	Name      string
	Connector string // the connector's kind, for events
	Source    connectors.Connector
	Rules     *mapping.Ruleset
	Guard     plan.Guard
	Targets   []string
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
	locks  map[store.Partition]*sync.Mutex
	proven map[store.Partition]time.Time
}

// New makes an engine on a store.
func New(s store.Store, opts Options) *Engine {
	if opts.Sleep == nil {
		opts.Sleep = sleep
	}
	return &Engine{store: s, opts: opts, chunk: settleChunk, locks: map[store.Partition]*sync.Mutex{}, proven: map[store.Partition]time.Time{}}
}

// Job says what a run shall do.
type Job struct {
	// Full reads everything even where the source could tell what changed.
	Full bool
	// Offline settles what is stored without asking the source.
	Offline bool
	// Approve is the hash of a held plan that may now go ahead; the run fails if the plan is another one.
	Approve string
	// Patient leaves a tenant alone whose credentials were refused, until store.Failure.Retry. It is for
	// schedules; a person who asks is obeyed.
	Patient bool
	// Trigger says who asked: schedule, signal, operator.
	Trigger string
	// unlisted: the source no longer lists the tenant, so there is nothing to ask it.
	unlisted bool
	// Visit, when set, sees every action of the plan in order before the guard decides.
	Visit func(*directory.Action)
}

// Result is what came of a run. Err is what made it fail, or nil; the run's outcome is in Run.
type Result struct {
	Partition store.Partition
	Run       store.Run
	Err       error
}

// Outcomes of a run, as stored.
const (
	Clean  = "clean"
	Parked = "parked"
	Held   = "held"
	Failed = "failed"
	// Waiting is a run that did not begin (see Job.Patient). It is not stored.
	Waiting = "waiting"
)

// run is one pass over one tenant.
type run struct {
	*Engine
	conn   *Connection
	tenant connectors.Tenant
	part   store.Partition
	job    Job
	log    *slog.Logger
	stamp  directory.Stamp
	rec    store.Run
	state  *tenantState
	counts plan.Counts
	// reading: what is stored comes from the source, and is no whole until the last stream has ended.
	reading bool
	doubt   bool // a listing proved nothing
	// parkedNow is how many objects this run has parked.
	parkedNow int
	// unproven says what is missing without proof; only another full read can tell.
	unproven string
}

// Run reads one tenant of a connection and settles what changed. It never panics; it returns when done or when
// ctx ends, at the next page. Another run of the same tenant is waited for.
func (e *Engine) Run(ctx context.Context, c *Connection, t connectors.Tenant, job Job) Result {
	defer e.lock(store.Partition{Connection: c.Name, Tenant: t.ID})()
	r := e.begin(c, t, job)
	if job.Patient && r.mustWait(ctx) {
		r.rec.Outcome, r.rec.Ended = Waiting, r.rec.Started
		return Result{Partition: r.part, Run: r.rec}
	}
	r.log.Info("run started", "mode", r.rec.Mode, "trigger", job.Trigger)
	var meter connectors.Meter
	err := r.story(connectors.WithMeter(ctx, &meter))
	r.rec.Requests = meter.Requests()
	return r.finish(ctx, err)
}

// mustWait reports whether the tenant is to be left alone for now. When the state cannot be read, the run itself
// will say so.
func (r *run) mustWait(ctx context.Context) bool {
	if r.load(ctx) != nil || r.state.Failing == nil || !r.rec.Started.Before(r.state.Failing.Retry) {
		return false
	}
	r.log.Debug("left alone: its credentials were refused", "until", r.state.Failing.Retry)
	return true
}

// story is a run in four lines: where do we stand, what is new at the source, what follows from it.
func (r *run) story(ctx context.Context) (err error) {
	defer fault.Recover("run", &err)
	if err := r.load(ctx); err != nil {
		return err
	}
	switch {
	case r.job.unlisted && r.state.RulesHash == "":
		return nil // nothing was ever made of it
	case r.job.unlisted:
		err = r.sweepTenant(ctx)
	case !r.job.Offline:
		err = r.read(ctx)
	}
	if err != nil {
		return err
	}
	return r.settle(ctx)
}

func (r *run) mode() string {
	switch {
	case r.job.Offline, r.job.unlisted:
		return "offline"
	case !r.job.Full && slices.ContainsFunc(r.streams(), func(s connectors.Stream) bool { return s.Delta }):
		return connectors.Delta.String()
	default:
		return connectors.Full.String()
	}
}

// streams are those that the tenant has, in the order in which they are read.
func (r *run) streams() []connectors.Stream {
	return slices.DeleteFunc(slices.Clone(r.conn.Source.Describe().Streams), func(s connectors.Stream) bool { return !r.tenant.Has(s.Name) })
}

// load reads the state in which the last run left the tenant.
func (r *run) load(ctx context.Context) error {
	err := r.state.load(ctx)
	if r.job.Offline || r.job.unlisted {
		// The source was not asked which streams the tenant has.
		r.tenant.Streams = r.state.Streams
	}
	return err
}

func (r *run) view(ctx context.Context, fn func(store.Reader) error) error {
	return r.state.view(ctx, fn)
}

func (r *run) update(ctx context.Context, fn func(store.Writer) error) error {
	var steps []transition
	if r.reading {
		steps = append(steps, halfRead)
	}
	first := r.state.RulesHash == ""
	return r.state.update(ctx, func(tx store.Writer) error {
		if first {
			tx = neverSettled{tx}
		}
		return fn(tx)
	}, steps...)
}

// neverSettled is a partition before its first settling, which looks at everybody anyway: marks would only cost
// time, and finding out whom to mark more of it.
type neverSettled struct{ store.Writer }

// MarkDirty implements store.Writer.
func (neverSettled) MarkDirty(directory.Kind, store.Num, store.DirtyReason) error { return nil }

// rowsAtOnce is how many rows are looked at in one view: a view keeps the store from reusing space, and what it
// touched counts as memory.
const rowsAtOnce = 20_000

// eachRow calls fn for every stored object of a kind. Only this run changes them meanwhile.
func (r *run) eachRow(ctx context.Context, kind directory.Kind, fn func(store.Row)) error {
	after, more := store.Num(0), true
	for more {
		more = false
		err := r.view(ctx, func(tx store.Reader) error {
			n := 0
			return tx.Rows(kind, after, func(row store.Row) bool {
				fn(row)
				after = row.Num
				n++
				more = n == rowsAtOnce
				return !more
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parkedLines is how many objects that a run parks have a line each in the log. One wrong rule can park everybody, for one
// and the same reason.
const parkedLines = 10

// logParked names an object that was parked.
func (r *run) logParked(stage string, kind directory.Kind, id string, class fault.Class, more ...any) {
	if r.parkedNow++; r.parkedNow <= parkedLines {
		r.log.Warn("parked", append([]any{"stage", stage, "kind", kind.String(), "id", id, "class", class}, more...)...)
	}
}

// note tells the operator something about the run that is not an error.
func (r *run) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.rec.Notes = append(r.rec.Notes, text)
	r.log.Warn("what the run found odd", "text", text)
}

func (r *run) progress(stage, stream string, done, total int) {
	if r.opts.Progress != nil {
		r.opts.Progress(Progress{Partition: r.part, Stage: stage, Stream: stream, Done: done, Total: total})
	}
}

// lock waits for the partition's turn and returns the function that ends it.
func (e *Engine) lock(p store.Partition) (unlock func()) {
	e.mu.Lock()
	l := e.locks[p]
	if l == nil {
		l = &sync.Mutex{}
		e.locks[p] = l
	}
	e.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// newRunID makes a name that sorts by time and is unique even among processes.
func newRunID(t time.Time) string {
	var tail [2]byte
	_, _ = rand.Read(tail[:]) // never fails
	return t.Format("20060102T150405") + "-" + hex.EncodeToString(tail[:])
}

func internal(op, format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf(format, args...),
		Hint: "this is a defect of dirsyncd or of its connector; please report it"}
}

// ErrPlanChanged is wrapped by the error of a run that was to approve a plan which is not the present one.
var ErrPlanChanged = errors.New("the plan is not the one that was approved")

// Proven returns when a partition was last known to agree with its source. Idle runs are proof, too, but are not
// stored: stored is what the store says, and the engine knows better what it has seen itself.
func (e *Engine) Proven(p store.Partition, stored time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.proven[p]; t.After(stored) {
		return t
	}
	return stored
}
