// Package fleet says what several workers on one database share: units of work, what is wanted of each, who works on which, and by
// which configuration. One process alone needs none of it: package schedule keeps what is wanted in memory, and nobody else asks.
//
// What is wanted is a state and no message. Schedules, signals, operators and notices of sources all set bits of a unit, which is why
// two that ask at once are one run, a full one wins, and one more is remembered while a unit is worked on. Whoever takes a unit gets its
// bits; when its worker dies they are wanted again.
package fleet

import (
	"context"
	"errors"
	"time"
)

// Fleet is what all workers see. It may be used by many goroutines.
type Fleet interface {
	// Work makes this process a worker until ctx ends, and returns when all that it held was given back. handle is called for each unit
	// that it takes, on a goroutine of its own. Whatever goes wrong meanwhile is logged and tried again: a worker that was cut off takes
	// part anew when it can. It ends with an *AloneError when the plan is for one worker, and another one is there: one that gives signs of
	// life, which takes some seconds to be seen.
	Work(ctx context.Context, me Worker, plan Plan, handle Handler) error
	// Follow has the process work by another configuration from now on, and makes that the current one of all workers. What is under way
	// goes on.
	Follow(ctx context.Context, plan Plan) error
	// Publish makes the configuration by which this process works the current one of all workers, without reading anything anew. It ends with an
	// *AloneError when that is for one worker, and another one is there.
	Publish(ctx context.Context) (Publication, error)
	// Want asks for something of all units that are selected, and returns how many those are.
	Want(ctx context.Context, of Selector, r Request) (int, error)
	// Units lists what is selected, in the order of kind, connection, tenant and target.
	Units(ctx context.Context, of Selector) ([]UnitState, error)
	// Portion is which part of what may be asked of a connection's source is for this process at present, from 0 to 1. It is 1 for one whose
	// units are not several at a time, and 0 for a moment for a worker that has just joined.
	Portion(connection string) float64
	// Workers lists who is alive, in the order of their names.
	Workers(ctx context.Context) ([]WorkerState, error)
	// Upkeep says what keeps the database from clearing away what is done with.
	Upkeep(ctx context.Context) (Upkeep, error)
	// Drain has the workers of a name finish what they hold and take nothing until Resume or a new start. It returns how many there are.
	Drain(ctx context.Context, name string) (int, error)
	// Yields reports whether this process leaves to others what any of them can do: it takes no work, being drained or of a configuration that
	// is not the current one, and a worker that does is alive.
	Yields() bool
	// Resume ends Drain.
	Resume(ctx context.Context, name string) (int, error)
}

// ErrNoWorker is the error where this process takes no part at present: it has not joined yet, or may not.
var ErrNoWorker = errors.New("this process is no worker")

// ErrLost is the cause of the end of a handler's context when somebody else may have taken over, and in the chain of the error of a
// transaction on behalf of a unit that is no longer held.
var ErrLost = errors.New("the unit is held by somebody else")

// ErrNotBegun is a handler's error for work that it has not begun, because its worker takes no more: others do it.
var ErrNotBegun = errors.New("the work was not begun")

// Handler works on a unit. Its context ends when the worker is to stop, and before anybody else can have the unit: no call to a source or
// a target may begin after that. An error says that the work was not done: with an ended context what was wanted is wanted again, else it
// counts as a failed run. For Deliver, the handler stays until its context ends.
type Handler func(ctx context.Context, h Held) (Finish, error)

// Held is a unit in the hands of its worker.
type Held struct {
	Unit    Unit
	Want    Want
	Request Request // why, and what is needed besides; its Want is that above
	Fence   int64   // ascends with every holder
	// Progress says how far the work is, for people to read. It is stored every two seconds at most.
	Progress func(ctx context.Context, text string)
	// Takes ends when the worker takes no more, being drained or of a configuration that is not the current one any longer: what waits for a turn
	// of its own is not begun then, with ErrNotBegun.
	Takes context.Context
	// Aside says that the work does not get on, or did not the last time: the unit needs none of the worker's lanes from now on, so that another
	// one is taken. How many get on beside each other is for the handler to bound. It may be called more than once and returns at once.
	Aside func()
}

// Finish is what came of the work on a unit.
type Finish struct {
	// Proven: what is stored was found to agree with the source just now.
	Proven bool
	// Failing is the class of the error that the work ended with, empty when it did not fail.
	Failing string
	// LeaveAlone is how long nobody but an operator wants the unit worked on again.
	LeaveAlone time.Duration
	// Tenants are those of a connection, or names of shares of them, where the unit was to list them. Each of them is wanted as its connection
	// was, and the connection is worked on again when all of them were. Args are what else is needed for each.
	Tenants []string
	Args    map[string]string
}

// Worker is a process that takes units.
type Worker struct {
	// Name is how operators know it, such as a host's. Units may be bound to names.
	Name string
	// Program is its version.
	Program string
	// Lanes is how many units it works on at a time, those of Deliver, and those which are aside, not counted.
	Lanes int
}

// WorkerState is a worker as all can see it.
type WorkerState struct {
	ID      string
	Worker  Worker
	Started time.Time
	// Current: it works by the configuration that was published last. Others finish what they hold.
	Current  bool
	Draining bool
	Holds    []Unit
	// Delivers are the targets that it delivers to, in order, as far as the state is known (it has their leases).
	Delivers []string
}

// Publication is the current configuration.
type Publication struct {
	Generation string
	At         time.Time
	By         string // the name of the worker that published it
	// Already: it was the current one before it was asked for.
	Already bool
}

// Upkeep is how the database is that all workers share, as far as its role may see that.
type Upkeep struct {
	// OldestSnapshot is how long the oldest transaction has been open because of which the database keeps rows that are done with; 0: there is none.
	OldestSnapshot time.Duration
	// DeadRows is how many such rows there are, as the database estimates it, of the tables that fill and empty all day: outbox and unit.
	DeadRows map[string]int64
}

// UnitState is a unit as all can see it.
type UnitState struct {
	Unit Unit
	// Want is what is wanted and nobody works on yet, Doing what somebody does; Cause and Since say why and when either began.
	Want, Doing Want
	Cause       string
	Wanted      time.Time
	Since       time.Time
	Holder      string // the name of the worker; empty: nobody
	Next        time.Time
	NotBefore   time.Time
	Proven      time.Time
	// Failing is the class of the error of the last run, FailingSince when that began.
	Failing      string
	FailingSince time.Time
	Progress     string
}
