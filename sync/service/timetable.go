package service

import (
	"context"
	"sync"
	"time"

	"dirsyncd/sync/config"
	"dirsyncd/sync/schedule"
)

// timetable has connections run and targets audited, at their times and when somebody asks. Every trigger enters here. Runs of one
// connection follow each other, and what is asked for meanwhile is one more.
type timetable interface {
	// Run keeps to it until ctx ends, and returns when what is under way has ended.
	Run(ctx context.Context)
	// Trigger asks for a run of a connection soon, TriggerAll for one of each.
	Trigger(connection string, t schedule.Trigger)
	TriggerAll(t schedule.Trigger)
	// Next and NextAudit are when the schedule comes next; zero when never, or when that cannot be known now.
	Next(connection string) time.Time
	NextAudit(target string) time.Time
	// Follow takes another configuration, and reports whether whoever else has to know of it does. What is under way goes on.
	Follow(gen *generation) bool
}

// alone is the timetable of a process that has the state to itself: nobody else has to be asked.
type alone struct{ runs, audits *schedule.Loop }

func newAlone(cfg *config.Config, run, audit func(ctx context.Context, name string, t schedule.Trigger)) alone {
	return alone{schedule.New(cfg.Entries(), run, schedule.Options{}), schedule.New(cfg.Audits(), audit, schedule.Options{})}
}

// Run implements timetable.
func (a alone) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { a.runs.Run(ctx) })
	both.Go(func() { a.audits.Run(ctx) })
	both.Wait()
}

// Trigger implements timetable.
func (a alone) Trigger(connection string, t schedule.Trigger) { a.runs.Trigger(connection, t) }

// TriggerAll implements timetable.
func (a alone) TriggerAll(t schedule.Trigger) { a.runs.TriggerAll(t) }

// Next implements timetable.
func (a alone) Next(connection string) time.Time { return a.runs.Next(connection) }

// NextAudit implements timetable.
func (a alone) NextAudit(target string) time.Time { return a.audits.Next(target) }

// Follow implements timetable.
func (a alone) Follow(gen *generation) bool {
	a.runs.Replace(gen.cfg.Entries())
	a.audits.Replace(gen.cfg.Audits())
	return true
}
