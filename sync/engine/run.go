package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/read"
	"dirsyncd/sync/relations"
	"dirsyncd/sync/settle"
)

// run is one pass over one tenant.
type run struct {
	engine       *Engine
	conn         *Connection
	tenant       connectors.Tenant
	part         store.Partition
	job          tenantJob
	log          *slog.Logger
	stamp        directory.Stamp
	rec          store.Run
	state        *tenantState
	counts       plan.Counts
	inconclusive bool // a listing proved nothing
	// parkedNow is how many objects this run has parked.
	parkedNow int
}

// Run reads one tenant of a connection and settles what changed. It never panics; it returns when done or when
// ctx ends, at the next page. Another run of the same tenant is waited for.
func (e *Engine) Run(ctx context.Context, c *Connection, t connectors.Tenant, job Job) Result {
	return e.run(ctx, c, t, tenantJob{Job: job, residents: e.opts.Residents})
}

// tenantJob is a job for one tenant.
type tenantJob struct {
	Job
	// unlisted: the source no longer lists the tenant, so there is nothing to ask it.
	unlisted bool
	// residents lists what the state holds, as it was when the first of the connection's runs asked.
	residents func(ctx context.Context) ([]Resident, error)
	// visit, when set, sees every action of the plan in order before the guard decides.
	visit func(*directory.Action)
	// visitTenant is visit before it is known which tenant.
	visitTenant func(*connectors.Tenant, *directory.Action)
	// shared is what all tenants of the connection do in this run; nil for one alone.
	shared *shared
}

func (e *Engine) run(ctx context.Context, c *Connection, t connectors.Tenant, job tenantJob) Result {
	held, release, err := e.lease(ctx, store.Partition{Connection: c.Name, Tenant: t.ID})
	r := e.begin(c, t, job)
	if err != nil {
		return r.notBegun(err)
	}
	defer release()
	if job.Patient && r.mustWait(held) {
		r.rec.Outcome, r.rec.Ended = Waiting, r.rec.Started
		return Result{Partition: r.part, Run: r.rec}
	}
	level := slog.LevelInfo
	if job.Patient { // there are many, and the line at the end says all that matters
		level = slog.LevelDebug
	}
	r.log.Log(held, level, "run started", "mode", r.rec.Mode, "trigger", job.Trigger)
	var meter connectors.Meter
	err = r.execute(connectors.WithMeter(held, &meter))
	r.rec.Requests = meter.Requests()
	return r.finish(held, overtaken(held, r.part, err))
}

// notBegun is what came of a run whose turn did not come. It is not stored: somebody else may be running the tenant.
func (r *run) notBegun(err error) Result {
	r.rec.Ended = r.engine.opts.Now().UTC()
	r.rec.Outcome, r.rec.Error, r.rec.Class = Failed, err.Error(), string(fault.ClassOf(err))
	r.logEnd(err)
	return Result{Partition: r.part, Run: r.rec, Err: err}
}

// begin prepares a run.
func (e *Engine) begin(c *Connection, t connectors.Tenant, job tenantJob) *run {
	now := e.opts.Now().UTC()
	started := now.Truncate(time.Second)
	r := &run{
		engine: e, conn: c, tenant: t, part: store.Partition{Connection: c.Name, Tenant: t.ID}, job: job,
		stamp:  directory.Stamp{Run: newRunID(started), Time: started},
		counts: plan.Counts{},
	}
	r.state = e.stateOf(r.part)
	r.log = e.opts.Log.With("connection", c.Name, "run", r.stamp.Run)
	if t.ID != "" {
		r.log = r.log.With("tenant", t.Name)
	}
	r.rec = store.Run{ID: r.stamp.Run, Trigger: job.Trigger, Started: now, Mode: r.mode()}
	return r
}

// mustWait reports whether the tenant is to be left alone for now. When the state cannot be read, the run itself
// will say so. A time beyond the longest pause was written by a clock that was ahead, and counts as now.
func (r *run) mustWait(ctx context.Context) bool {
	if r.load(ctx) != nil || r.state.Failing == nil {
		return false
	}
	if wait := r.state.Failing.Retry.Sub(r.rec.Started); wait <= 0 || wait > longestPause {
		return false
	}
	r.log.Debug("left alone: its credentials were refused, or it asked for that", "until", r.state.Failing.Retry)
	return true
}

// execute is a run in three lines: where do we stand, what is new at the source, what follows from it.
func (r *run) execute(ctx context.Context) (err error) {
	defer fault.Recover("run", &err)
	if err := r.load(ctx); err != nil {
		return err
	}
	if r.job.unlisted && r.state.RulesHash == "" {
		return nil // nothing was ever made of it
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.leaveUnread(ctx); err != nil {
		return err
	}
	return r.settle(ctx)
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

// read brings what is stored up to date. What it found, whether it came to its end or not, is the run's to tell.
func (r *run) read(ctx context.Context) error {
	task := r.readTask()
	switch {
	case r.job.Offline:
		return nil
	case r.job.unlisted:
		return r.readUnlisted(ctx, task)
	}
	if r.state.WantFull && !r.job.Full {
		r.log.Info("reading in full", "why", r.state.Why)
	}
	// What is stored is no whole from the first page on, until the last stream has ended.
	task.State = stage{r.state, []transition{halfRead}}
	found, err := read.Streams(ctx, task)
	r.tell(found)
	if err != nil {
		if found.Unproven != "" {
			err = errors.Join(err, r.state.update(context.WithoutCancel(ctx), nil, wantFull(found.Unproven)))
		}
		return err
	}
	steps := []transition{whole, older(found.Older), lists(&r.tenant)}
	if found.Full {
		r.rec.Mode = connectors.Full.String()
		steps = append(steps, wasReadInFull)
	}
	if found.Unproven != "" {
		steps = append(steps, wantFull(found.Unproven))
	}
	return r.state.update(ctx, nil, steps...)
}

// readUnlisted is the read of a tenant that its source no longer lists: nobody is asked. What is stored may stay half of
// an earlier read.
func (r *run) readUnlisted(ctx context.Context, task *read.Task) error {
	if r.state.WantFull && r.state.Why == read.NotListed {
		return nil // done before
	}
	found, err := read.Unlisted(ctx, task)
	r.tell(found)
	if err != nil {
		return err
	}
	return r.state.update(ctx, nil, wantFull(found.Unproven))
}

func (r *run) readTask() *read.Task {
	return &read.Task{
		Source: r.conn.Source, Tenant: r.tenant, Streams: r.streams(), Full: r.job.Full || r.state.WantFull, Older: r.job.Full && r.job.Older,
		State: stage{r.state, nil}, Marks: relations.Marker{Off: r.state.RulesHash == ""}, Began: r.stamp.Time,
		Now: r.engine.opts.Now, Sleep: r.engine.opts.Sleep, Log: r.log, Note: r.note, Parked: r.parked(read.Stage),
		Progress: func(stream string, objects int) { r.progress("read", stream, objects, 0) },
	}
}

func (r *run) tell(found read.Result) {
	r.rec.Read, r.rec.Changed, r.rec.Removed = found.Read, found.Changed, found.Removed
	r.inconclusive = found.Inconclusive || found.Doubtful
}

// settle makes records and actions of what is dirty, or has the plan held.
func (r *run) settle(ctx context.Context) error {
	if err := r.mustBeWhole(); err != nil {
		return err
	}
	reads, err := r.reads(ctx)
	if err != nil {
		return err
	}
	task := r.settleTask()
	if task.Less, err = r.newcomer(ctx); err != nil {
		return err
	}
	task.Less = append(task.Less, r.less(reads)...)
	s, err := settle.Prepare(ctx, task)
	if err != nil {
		return err
	}
	plan, err := s.Preview(ctx, r.job.visit)
	if held := plan.Held; held != nil {
		held.Run, held.Since = r.rec.ID, r.rec.Started
	}
	switch {
	case errors.Is(err, settle.ErrPlanChanged):
		// What was refused must not be what can be approved.
		return errors.Join(err, r.state.update(ctx, nil, holds(plan.Held, r.rec.Started, store.PlanSettled)))
	case err != nil:
		return err
	}
	if held := plan.Held; held != nil {
		r.rec.Held, r.rec.HeldCounts = held.Hash, held.Counts
		if plan.Whole {
			// The dirty marks stay, so that the next run supersedes it.
			return r.state.update(ctx, nil, holds(held, r.rec.Started, ""))
		}
	}
	if err := r.introduceTargets(ctx, s); err != nil {
		return err
	}
	rules := r.conn.Rules.Hash()
	if err := r.state.update(ctx, nil, settling(rules, r.conn.Targets)); err != nil {
		return err
	}
	if r.counts, err = s.Apply(ctx); err != nil {
		return err
	}
	last := s.Close()
	steps := []transition{settled(rules, reads, &r.tenant, r.conn), holds(plan.Held, r.rec.Started, r.ends())}
	if r.state.Older != "" && plan.Held == nil {
		last, steps = r.takeOlder(last), append(steps, older(""))
	}
	return r.state.update(ctx, last, steps...)
}

// ends is how a plan that waited ends with the run, if no other one takes its place.
func (r *run) ends() string {
	if r.job.Approve != "" {
		return store.PlanApproved
	}
	return store.PlanSettled
}

// takeOlder returns what makes that which an older source knows the measure of later reads, after what is to be stored
// besides.
func (r *run) takeOlder(last func(store.Writer) error) func(store.Writer) error {
	return func(tx store.Writer) error {
		if last != nil {
			if err := last(tx); err != nil {
				return err
			}
		}
		for _, s := range r.streams() {
			state, err := tx.Stream(s.Name)
			if err != nil {
				return err
			}
			if len(state.Known) > 0 {
				state.Known = nil
				if err := tx.PutStream(s.Name, state); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// mustBeWhole refuses to settle from a store that holds half of what a read which broke off would have brought. An
// operator who approves has seen what follows.
func (r *run) mustBeWhole() error {
	if !r.state.HalfRead || !r.job.Offline || r.job.Approve != "" || len(r.streams()) == 0 {
		return nil
	}
	return &fault.Error{Class: fault.Conflict, Op: "settle", Where: r.part.String(),
		Err:  errors.New("the last read broke off half-way, so what is stored is of two times"),
		Hint: "nothing was changed; the next run that can read the source goes on from there, or `dirsyncd sync` now"}
}

func (r *run) settleTask() *settle.Task {
	t := &settle.Task{
		Partition: r.part, State: stage{r.state, nil}, Rules: r.conn.Rules, SameRules: r.conn.Rules.Hash() == r.state.RulesHash,
		Guard: r.conn.Guard, Lists: r.conn.Lists, Shared: r.conn.Shared, Targets: r.conn.Targets, Source: sourceOf(r.conn, &r.tenant),
		Origin: originOf(r.conn, &r.tenant, originName(r.part, &r.state.TenantState)),
		Run:    r.stamp, Chunk: r.engine.chunk, Approve: r.job.Approve, Held: waited(&r.state.TenantState), Older: r.state.Older,
		Queued: r.queued, Parked: r.parked(settle.Stage), Acted: r.acted(),
		Progress: func(done, total int) { r.progress("settle", "", done, total) },
	}
	if r.job.shared != nil {
		t.Charge = r.job.shared.charge
	}
	for _, s := range r.streams() {
		t.Streams = append(t.Streams, settle.Stream{Name: s.Name, Kinds: s.Kinds})
	}
	return t
}

// introduceTargets tells targets that are new to the connection about every record that there is.
func (r *run) introduceTargets(ctx context.Context, s *settle.Settlement) error {
	for _, target := range r.conn.Targets {
		if r.state.RulesHash == "" || slices.Contains(r.state.Targets, target) {
			continue
		}
		r.note("target " + target + " is new to this connection; sending it every record")
		if err := s.Introduce(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

func sourceOf(c *Connection, t *connectors.Tenant) mapping.Source {
	return mapping.Source{Connection: c.Name, TenantID: t.ID, TenantName: t.Name, TenantDomain: t.Domain}
}

// originOf is the origin of a tenant's objects, without an id, under the name that the connection has in their keys.
func originOf(c *Connection, t *connectors.Tenant, name string) directory.Origin {
	return directory.Origin{Connection: name, Connector: c.Connector, Tenant: t.ID}
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

// newRunID makes a name that sorts by time and is unique even among processes.
func newRunID(t time.Time) string {
	var tail [2]byte
	_, _ = rand.Read(tail[:]) // never fails
	return t.Format("20060102T150405") + "-" + hex.EncodeToString(tail[:])
}
