package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/schedule"
)

// together is the timetable of processes that share a state: each run is one worker's, whoever asks for it, and so is each share of a
// connection that is divided (shares.go).
type together struct {
	fleet  fleet.Fleet
	worker fleet.Worker
	log    *slog.Logger
	// current is the configuration in force.
	current func() *generation
	run     func(ctx context.Context, connection string, t schedule.Trigger, p part) (engine.Round, []engine.Result, error)
	audit   func(ctx context.Context, target string, t schedule.Trigger)
	// refused is told why this process may not be a worker.
	refused func(error)

	mu     sync.Mutex
	looked time.Time
	times  map[fleet.Unit]time.Time // when each comes next, as it was when looked at
}

// asked bounds how long a question to the other workers may take, and how old the answer to one may be.
const asked = 5 * time.Second

// Run implements timetable.
func (g *together) Run(ctx context.Context) {
	plan, err := planOf(g.current())
	if err == nil {
		err = g.fleet.Work(ctx, g.worker, plan, g.handle)
	}
	var other *fleet.AloneError
	switch {
	case errors.As(err, &other):
		g.refused(notAlone(plan.Alone, other))
	case err != nil:
		g.log.Error("this worker takes no work", "worker", g.worker.Name, "err", err)
	}
}

func (g *together) handle(ctx context.Context, h fleet.Held) (fleet.Finish, error) {
	if h.Unit.Kind == fleet.Audit {
		g.audit(ctx, h.Unit.Target, schedule.Trigger{Cause: h.Request.Cause})
		return fleet.Finish{}, ctx.Err()
	}
	p, err := g.partOf(h)
	if err != nil {
		return fleet.Finish{}, &fault.Error{Class: fault.Internal, Op: "run a share", Where: h.Unit.Connection, Err: err}
	}
	round, results, err := g.run(ctx, h.Unit.Connection, schedule.Trigger{Full: h.Want.Has(fleet.Full), Cause: h.Request.Cause}, p)
	if ctx.Err() != nil {
		return fleet.Finish{}, ctx.Err()
	}
	if errors.Is(err, fleet.ErrNotBegun) {
		return fleet.Finish{}, err
	}
	if slices.ContainsFunc(results, func(r engine.Result) bool { return errors.Is(r.Err, engine.ErrSuperseded) }) {
		return fleet.Finish{}, fleet.ErrNotBegun // the rest is run by whoever has the rules in force
	}
	failed := slices.IndexFunc(results, func(r engine.Result) bool { return r.Err != nil })
	switch {
	case err != nil:
		return fleet.Finish{Failing: string(fault.ClassOf(err))}, nil
	case failed >= 0:
		return fleet.Finish{Failing: string(fault.ClassOf(results[failed].Err))}, nil
	case round.Shares > 0:
		return sharesOf(round), nil
	}
	return fleet.Finish{Proven: true}, nil
}

// Trigger implements timetable.
func (g *together) Trigger(connection string, t schedule.Trigger) {
	g.want(fleet.Selector{Kind: fleet.List, Connection: connection}, t)
}

// TriggerAll implements timetable.
func (g *together) TriggerAll(t schedule.Trigger) { g.want(fleet.Selector{Kind: fleet.List}, t) }

func (g *together) want(of fleet.Selector, t schedule.Trigger) {
	r := fleet.Request{Want: fleet.Incremental, Cause: t.Cause, Operator: t.Cause == schedule.CauseUSR1 || t.Cause == schedule.CauseUSR2}
	if t.Full {
		r.Want = fleet.Full
	}
	if t.Cause == schedule.CauseStartup {
		r.Priority = fleet.Bulk // what was never read to its end lets changes pass
	}
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	if _, err := g.fleet.Want(ctx, of, r); err != nil {
		g.log.Error("a run could not be asked for", "connection", of.Connection, "trigger", t.Cause, "err", err, "hint", "the schedule asks again")
	}
}

// Next implements timetable.
func (g *together) Next(connection string) time.Time {
	return g.next(fleet.Unit{Kind: fleet.List, Connection: connection})
}

// NextAudit implements timetable.
func (g *together) NextAudit(target string) time.Time {
	return g.next(fleet.Unit{Kind: fleet.Audit, Target: target})
}

// next asks for all units at once, now and then: many ask for one after the other.
func (g *together) next(u fleet.Unit) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.looked) > asked {
		g.looked, g.times = now, map[fleet.Unit]time.Time{}
		ctx, cancel := context.WithTimeout(context.Background(), asked)
		defer cancel()
		units, _ := g.fleet.Units(ctx, fleet.Selector{}) // what cannot be known now is not shown
		for _, st := range units {
			g.times[st.Unit] = st.Next
		}
	}
	return g.times[u]
}

// Follow implements timetable.
func (g *together) Follow(gen *generation) bool {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	plan, err := planOf(gen)
	if err == nil {
		err = g.fleet.Follow(ctx, plan)
	}
	if err != nil {
		g.log.Error("the other workers could not be told of the configuration: edited rules are not applied", "err", err, "hint", "`dirsyncd config publish` tells them; the next runs apply the rules")
	}
	return err == nil
}

// planOf is what a configuration says of units of work.
func planOf(gen *generation) (fleet.Plan, error) {
	name, err := gen.identity()
	plan := fleet.Plan{Generation: name, Alone: aloneBy(gen.cfg)}
	for _, e := range gen.cfg.Entries() {
		p := planned(fleet.Unit{Kind: fleet.List, Connection: e.Name}, e)
		p.AtOnce = engine.MostShares
		p.Places = gen.connections[e.Name].settings.Workers
		plan.Units = append(plan.Units, p)
	}
	for _, e := range gen.cfg.Audits() {
		p := planned(fleet.Unit{Kind: fleet.Audit, Target: e.Name}, e)
		p.Places = gen.targets[e.Name].settings.Workers
		plan.Units = append(plan.Units, p)
	}
	return plan, err
}

func planned(u fleet.Unit, e schedule.Entry) fleet.Planned {
	spec := func(s cron.Schedule) string {
		if s == nil {
			return ""
		}
		return fmt.Sprint(s)
	}
	return fleet.Planned{Unit: u, Incremental: e.Incremental, Full: e.Full, Jitter: e.Jitter, Spec: fmt.Sprintf("%s; %s; %s", spec(e.Incremental), spec(e.Full), e.Jitter)}
}

// identityOf identifies a configuration by what decides what comes of it: not how a process is reached, nor how it reaches the state that all
// of them share, and secrets by where they stand. Two
// programs whose rules' language differs have another one each: they would undo each other's work.
func identityOf(gen *generation) (string, error) {
	cfg := *gen.cfg
	cfg.State, cfg.Database, cfg.Control, cfg.Readers, cfg.Listen, cfg.Web, cfg.Log = "", nil, "", nil, "", nil, config.Log{}
	text, err := cfg.Print()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, _ = sum.Write(text)
	for _, name := range gen.names() {
		_, _ = fmt.Fprintf(sum, "\x00%s\x00%s", name, gen.connections[name].Rules.Hash())
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// workers are the processes that share the state.
func (s *Service) workers(ctx context.Context) ([]api.WorkerStatus, error) {
	if s.fleet == nil {
		return nil, nil
	}
	list, err := s.fleet.Workers(ctx)
	if err != nil {
		return nil, err
	}
	workers := make([]api.WorkerStatus, len(list))
	for i, w := range list {
		workers[i] = api.WorkerStatus{Name: w.Worker.Name, Version: w.Worker.Program, Started: w.Started.UTC(), State: workerState(w)}
		for _, u := range w.Holds {
			switch u.Kind {
			case fleet.Audit:
				workers[i].Holds = append(workers[i].Holds, "audit "+u.Target)
			case fleet.Run:
				workers[i].Holds = append(workers[i].Holds, "run "+u.Connection+" (share "+u.Tenant+")")
			default:
				workers[i].Holds = append(workers[i].Holds, "run "+u.Connection)
			}
		}
		for _, target := range w.Delivers {
			workers[i].Holds = append(workers[i].Holds, "deliver "+target)
		}
	}
	return workers, nil
}

// What a worker does.
const (
	working  = "working"
	draining = "draining" // it takes nothing more
	outdated = "outdated" // nor does it, as its configuration is not the current one
)

func workerState(w fleet.WorkerState) string {
	switch {
	case w.Draining:
		return draining
	case !w.Current:
		return outdated
	}
	return working
}
