package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
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
	// whole is the connection as it is for all its tenants, and ends is what is let go when the run has ended.
	whole *Connection
	ends  []func()
	// seats is the context under which seats are given, of the lease on them; nil as long as nobody wants one.
	seats context.Context
	// forgets: more is kept of what was sent than is to be.
	forgets bool
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
	// visits, when set, sees every action of the plan in order before the guard decides.
	visits *visits
}

// visits shows actions of the tenants of a connection, all of one before the first of the next.
type visits struct {
	mu    sync.Mutex
	visit func(*connectors.Tenant, *directory.Action)
}

// preview makes the plan and shows it to whoever wants to see it. Nothing else is waited for while others wait to show theirs.
func (r *run) preview(ctx context.Context, s *settle.Settlement) (settle.Plan, error) {
	v := r.job.visits
	if v == nil {
		return s.Preview(ctx, nil)
	}
	turn := false
	defer func() {
		if turn {
			v.mu.Unlock()
		}
	}()
	return s.Preview(ctx, func(a *directory.Action) {
		if !turn {
			v.mu.Lock()
			turn = true
		}
		v.visit(&r.tenant, a)
	})
}

func (e *Engine) run(ctx context.Context, c *Connection, t connectors.Tenant, job tenantJob) (result Result) {
	result.Partition = store.Partition{Connection: c.Name, Tenant: t.ID}
	defer fault.Recover("run", &result.Err) // of what is not the run itself, whose panics it stores
	held, release, err := e.lease(ctx, store.Partition{Connection: c.Name, Tenant: t.ID})
	if c.Current != nil && job.visits == nil { // what somebody wants to see is a plan by these rules
		c = c.Current()
	}
	r := e.begin(c, t, job)
	r.rec.By = userOf(ctx)
	if err != nil {
		return r.notBegun(err)
	}
	defer release()
	defer func() {
		for _, end := range r.ends {
			end()
		}
	}()
	err = r.load(held)
	waits := err == nil && job.Patient && r.mustWait()
	var superseded error
	if err == nil && !waits {
		superseded, err = r.superseded(held)
	}
	switch {
	case superseded != nil && job.Trigger == Operator:
		return r.notBegun(superseded)
	case superseded != nil:
		r.log.Info("left to whoever has the rules in force, which have settled it")
		waits = true
	}
	if waits {
		r.rec.Outcome, r.rec.Ended = Waiting, r.rec.Started
		return Result{Partition: r.part, Run: r.rec, Err: superseded}
	}
	level := slog.LevelInfo
	if job.Patient { // there are many, and the line at the end says all that matters
		level = slog.LevelDebug
	}
	r.log.Log(held, level, "run started", append([]any{"mode", r.rec.Mode, "trigger", job.Trigger}, r.asker()...)...)
	var meter connectors.Meter
	if err == nil {
		err = r.execute(connectors.WithMeter(held, &meter))
	}
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
	started := now.Truncate(stampUnit)
	whole := c
	c = c.Of(&t)
	t = c.narrowed(t)
	r := &run{
		engine: e, conn: c, whole: whole, tenant: t, part: store.Partition{Connection: c.Name, Tenant: t.ID}, job: job,
		stamp:  directory.Stamp{Run: newRunID(now), Time: started},
		counts: plan.Counts{},
	}
	r.state = e.stateOf(r.part)
	r.state.now, r.state.journaling, r.state.match = e.opts.Now, journalDropped, &c.Match
	if c.Followed {
		r.state.journaling, r.state.told = journalWritten, c.FollowedFields
	}
	r.log = e.opts.Log.With("connection", c.Name, "run", r.stamp.Run)
	if t.ID != "" {
		r.log = r.log.With("tenant", t.Name)
	}
	r.rec = store.Run{ID: r.stamp.Run, Trigger: job.Trigger, Approved: job.Approve, Started: now, Mode: r.mode()}
	return r
}

// mustWait reports whether the tenant is to be left alone for now, as the state that was loaded says. A time beyond the longest pause was
// written by a clock that was ahead, and counts as now.
func (r *run) mustWait() bool {
	if r.state.Failing == nil {
		return false
	}
	if wait := r.state.Failing.Retry.Sub(r.rec.Started); wait <= 0 || wait > longestPause {
		return false
	}
	r.log.Debug("left alone: its credentials were refused, or it asked for that", "until", r.state.Failing.Retry)
	return true
}

// ErrSuperseded is in the chain of the error of a tenant that was left alone: newer rules than those of the run have settled it, and whoever has
// them runs it.
var ErrSuperseded = errors.New("newer rules than those of this process have settled it")

// superseded returns ErrSuperseded, or nil. A plan by other rules is what somebody wants to see.
func (r *run) superseded(ctx context.Context) (superseded, err error) {
	if r.conn.Superseded == nil || r.job.visits != nil || r.state.RulesHash == "" || r.state.RulesHash == r.conn.settledHash(&r.state.TenantState) {
		return nil, nil
	}
	switch is, err := r.conn.Superseded(ctx); {
	case err != nil:
		return nil, err
	case is:
		return &fault.Error{Class: fault.Conflict, Op: "run", Where: r.part.String(), Err: ErrSuperseded,
			Hint: "nothing was done: reload this daemon, or give the command the file that the workers have"}, nil
	}
	return nil, nil
}

// execute is a run in three lines: where do we stand, what is new at the source, what follows from it.
func (r *run) execute(ctx context.Context) (err error) {
	defer fault.Recover("run", &err)
	if r.job.unlisted && r.state.RulesHash == "" {
		return nil // nothing was ever made of it
	}
	if err := r.goOnUndoing(ctx); err != nil {
		return err
	}
	if r.job.Undo != nil {
		return r.undo(ctx)
	}
	if r.job.Resend != "" {
		return r.resend(ctx, r.job.Resend)
	}
	read := r.read
	if r.job.User != "" {
		read = r.readOne
	}
	if err := read(ctx); err != nil {
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
	if r.job.Offline || r.job.unlisted || r.job.User != "" {
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
	due, err := r.due(ctx)
	if err != nil {
		return err
	}
	task.Streams = due
	if r.state.WantFull && !r.job.Full {
		r.log.Info("reading in full", "why", r.state.Why)
	}
	var found read.Result
	// What is stored is no whole from the first page on, until the last stream has ended.
	task.State = stage{r.state, []transition{halfRead, concluded(&found)}}
	if task.Older {
		// Changes would not bring back what an older source has overwritten when the read breaks off.
		task.State = stage{r.state, []transition{halfRead, wantFull("a full read has not come to its end"), concluded(&found)}}
	}
	err = read.Streams(ctx, task, &found)
	r.tell(found)
	if err != nil {
		if found.Unproven != "" {
			err = errors.Join(err, r.state.update(context.WithoutCancel(ctx), nil, wantFull(found.Unproven)))
		}
		return err
	}
	r.wasRead(task.Streams)
	steps := []transition{whole, older(found.Older), lists(&r.tenant), has(found.Domains)}
	if found.Full {
		r.rec.Mode = connectors.Full.String()
		steps = append(steps, wasReadInFull)
	}
	if found.Unproven != "" {
		steps = append(steps, wantFull(found.Unproven))
	}
	return r.state.update(ctx, nil, steps...)
}

// notAllMarked is why a tenant is to be read in full while not everything in it is known to be unlisted.
const notAllMarked = read.NotListed + ", and not all that it had is marked"

// readUnlisted is the read of a tenant that its source no longer lists: nobody is asked. What is stored may stay half of
// an earlier read.
func (r *run) readUnlisted(ctx context.Context, task *read.Task) error {
	if r.state.WantFull && r.state.Why == read.NotListed {
		return nil // done before
	}
	// Should it be listed again, no mark may be without the wish.
	task.State = stage{r.state, []transition{wantFull(notAllMarked)}}
	var found read.Result
	err := read.Unlisted(ctx, task, &found)
	r.tell(found)
	if err != nil {
		return err
	}
	return r.state.update(ctx, nil, wantFull(found.Unproven))
}

func (r *run) readTask() *read.Task {
	return &read.Task{
		Source: r.conn.Source, Tenant: r.tenant, Streams: r.streams(), RemovedInFull: r.conn.RemovedInFull, Full: r.job.Full || r.state.WantFull, Older: r.job.Full && r.job.Older, Dry: r.job.visits != nil,
		State: stage{r.state, nil}, Marks: relations.Marker{Off: r.state.RulesHash == ""}, Began: r.stamp.Time,
		Now: r.engine.opts.Now, Sleep: r.engine.opts.Sleep, Log: r.log, Note: r.note, Parked: r.parked(read.Stage),
		Program:  r.engine.opts.Program,
		Progress: func(stream string, objects int) { r.progress("read", stream, objects, 0) },
	}
}

func (r *run) tell(found read.Result) {
	r.rec.Read, r.rec.Changed, r.rec.Removed = found.Read, found.Changed, found.Removed
	r.inconclusive = found.Inconclusive || found.Doubtful
}

// settle makes records and actions of what is dirty, or has the plan held.
func (r *run) settle(ctx context.Context) (err error) {
	defer func() {
		if r.seats != nil {
			err = overtaken(r.seats, r.part, err)
		}
	}()
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
	if r.job.visits != nil || r.job.Full || !task.SameRules {
		if err := r.noteStrangers(ctx, task.Origin); err != nil {
			return err
		}
	}
	strangers, err := r.findStrangers(ctx, task)
	if err != nil {
		return err
	}
	s, err := settle.Prepare(ctx, task)
	if err != nil {
		return err
	}
	plan, err := r.preview(ctx, s)
	if r.seats != nil {
		ctx = r.seats // made from ctx
	}
	if held := plan.Held; held != nil {
		held.Run, held.Since = r.rec.ID, r.rec.Started
	}
	switch {
	case errors.Is(err, settle.ErrPlanChanged):
		// What was refused must not be what can be approved.
		return errors.Join(err, r.state.update(ctx, nil, holds(plan.Held, r.rec.Started, store.PlanSettled, "")))
	case err != nil:
		return err
	}
	r.noteSeats(&plan)
	if held := plan.Held; held != nil {
		r.rec.Held, r.rec.HeldCounts = held.Hash, held.Counts
		if plan.Whole {
			r.rec.Rules = ruleCounts(s.Matches())
			// The dirty marks stay, so that the next run supersedes it.
			r.keepMoment(held)
			return r.state.update(ctx, nil, holds(held, r.rec.Started, "", ""))
		}
	}
	if err := r.introduceTargets(ctx, s); err != nil {
		return err
	}
	rules := r.conn.settledHash(&r.state.TenantState)
	if err := r.state.update(ctx, nil, settling(rules, r.conn.Targets)); err != nil {
		return err
	}
	if err := r.releaseStrangers(ctx, s, strangers); err != nil {
		return err
	}
	if r.counts, err = s.Apply(ctx); err != nil {
		return err
	}
	r.rec.Rules = ruleCounts(s.Matches())
	r.keepMoment(plan.Held)
	nobody, err := r.madeNobody(ctx, task)
	if err != nil {
		return err
	}
	last := s.Close()
	steps := []transition{decided(s.Matches(), task.SameRules), settled(rules, reads, &r.tenant, r.conn), begun(plan.Held, nobody), r.holdsAfter(plan.Held), seated(plan.Seats, plan.SeatQueue),
		decidedBeyond(plan.Held != nil && plan.Beyond > 0, s.Alone())}
	if r.job.Approve != "" {
		steps = append(steps, lookedAt)
	}
	if r.state.Older != "" && plan.Held == nil {
		last, steps = r.takeOlder(last), append(steps, older(""))
	}
	return r.state.update(ctx, last, steps...)
}

// keepMoment leaves a plan that waits its moment when nothing was stored: an idle run costs no write. What was, was decided for a
// later one, and an approval must not go back behind that.
func (r *run) keepMoment(held *store.HeldPlan) {
	if was := r.state.Held; held != nil && !r.state.wrote && was != nil && was.Hash == held.Hash {
		held.At = was.At
	}
}

// madeNobody reports whether a first sync has parked people and made no record, such as while a source does not tell what the rules
// look at: who is made later was there all the time.
func (r *run) madeNobody(ctx context.Context, task *settle.Task) (nobody bool, err error) {
	if !task.Initial {
		return false, nil
	}
	err = r.engine.store.View(ctx, r.part, func(tx store.Reader) error {
		parked, err := tx.ParkedCount()
		nobody = parked > 0
		for _, kind := range directory.RecordKinds() {
			n := 0
			if err == nil {
				n, err = tx.ActiveRecords(kind)
			}
			nobody = nobody && n == 0
		}
		return err
	})
	return nobody, err
}

// holdsAfter says which plan waits after the run. If none does, one that waited ended with it.
func (r *run) holdsAfter(plan *store.HeldPlan) transition {
	if r.job.Approve != "" {
		return holds(plan, r.rec.Started, store.PlanApproved, r.rec.By)
	}
	return holds(plan, r.rec.Started, store.PlanSettled, "")
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
		Partition: r.part, Rules: r.conn.Rules, SameRules: r.conn.settledHash(&r.state.TenantState) == r.state.RulesHash,
		Guard: r.conn.Guard, Lists: r.conn.Lists, Shared: r.conn.Shared, Targets: r.conn.Targets, Source: sourceOf(r.conn, &r.tenant, &r.state.TenantState),
		Origin: originOf(r.conn, &r.tenant, originName(r.part, &r.state.TenantState)),
		Run:    r.stamp, Initial: r.state.RulesHash == "" || r.state.Initial, Rescoped: r.state.Rescoped, Chunk: r.engine.chunk, Approve: r.job.Approve, Held: waited(&r.state.TenantState), Older: r.state.Older, SeatQueue: r.state.SeatQueue, Beyond: r.state.Beyond, SeatsBeside: r.seatsBeside, Keep: r.conn.History.keep(r.rec.Started),
		Queued: r.queued, Parked: r.parked(settle.Stage), Acted: r.acted(),
		Progress: func(done, total int) { r.progress("settle", "", done, total) },
	}
	if h := r.state.Held; h != nil && h.Hash == r.job.Approve {
		t.At = h.At
	}
	t.State = stage{r.state, []transition{decidedAt(cmp.Or(t.At, r.stamp.Time))}}
	r.limitOver(t)
	for _, s := range r.streams() {
		t.Streams = append(t.Streams, settle.Stream{Name: s.Name, Kinds: s.Kinds})
	}
	return t
}

// sourceOf is the tenant as rules see it.
func sourceOf(c *Connection, t *connectors.Tenant, state *store.TenantState) mapping.Source {
	return mapping.Source{Connection: c.Name, TenantID: t.ID, TenantName: t.Name, TenantDomain: t.Domain, TenantDomains: state.Domains}
}

// originOf is the origin of a tenant's objects, without an id, under the name that the connection has in their keys.
func originOf(c *Connection, t *connectors.Tenant, name string) directory.Origin {
	return directory.Origin{Connection: name, Connector: c.Connector, Tenant: t.ID, Import: c.Import}
}

func (r *run) mode() string {
	switch {
	case r.job.Undo != nil:
		return modeUndo
	case r.job.Offline, r.job.unlisted:
		return "offline"
	case r.job.User != "":
		return "user"
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
	return t.Format(runTime+".000") + "-" + hex.EncodeToString(tail[:])
}

// runTime is how the name of a run begins; former versions gave it no fraction of the second, which sorts before those that have one. stampUnit is
// what of the time is told of a record.
const (
	runTime   = "20060102T150405"
	stampUnit = time.Second
)
