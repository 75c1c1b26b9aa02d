// Package targets holds the contract between the delivery and the places where actions go. Each kind of
// target lives in a folder of its own below; targettest holds the suite that every one of them must pass.
package targets

import (
	"context"
	"time"

	"dirsyncd/sync/directory"
)

// Target takes actions to one configured place. At most Description.Parallel Deliver calls run at a time;
// the other methods are called by one goroutine at a time, beside them.
type Target interface {
	// Describe says how the target wants its actions. It does no I/O and always returns the same.
	Describe() Description

	// Check asks whether the place is there and would take actions, without leaving a trace there.
	Check(ctx context.Context) error

	// Deliver hands over actions, at most Description.Batch of them, in order; no two are about the same
	// record. It answers one Outcome per action, in the same order. An action whose key was delivered
	// before must have no second effect where the place can tell. What is handed over belongs to the caller, and is
	// not looked at any more when Deliver has returned.
	//
	// The returned error means that nothing is known about any of them: all will be delivered again. An
	// action that has an Outcome of its own is reported there, not as the error. Errors are classified by
	// package fault and hold no secret and no personal data.
	Deliver(ctx context.Context, work []Delivery) ([]Outcome, error)

	// Reopen is called on SIGHUP: a target that writes a file opens it anew. Others do nothing.
	Reopen() error

	// Close releases what the target holds, after the last Deliver has returned.
	Close() error
}

// Waker is a Target that learns by itself what its waiting actions wait for. WakeBy is called once, before anything else but Describe. The
// function that it hands over says that keys (Wait.Key) have come; it may be called at any time, from Deliver too, by several goroutines,
// and never blocks.
//
// CatchUp has it take up what came of another process that shares the store, and say so by that function; it is called before the first
// delivery of a process that has taken over, and every few seconds then. It does not wait for anything else that is under way. Its errors are those of the store.
type Waker interface {
	WakeBy(wake func(keys ...string))
	CatchUp(ctx context.Context) error
}

// Description says how a target wants its actions.
type Description struct {
	// Batch is the largest number of actions that one Deliver takes, at least 1.
	Batch int
	// Parallel is how many Deliver calls may run at the same time; 0 and 1 mean one after the other.
	// Actions of one record are never under way at the same time.
	Parallel int
	// AcrossPartitions says that one Deliver may take actions of several connections and tenants: the place does
	// not mind, because every action names its origin. Otherwise all actions of a call have the same.
	AcrossPartitions bool
	// Ranked says that records refer to each other at the place: of what waits, kinds that others refer to go before those
	// (directory.RecordKind.Rank), and who gives up an address or a login before who takes it. It saves waits; a target cannot
	// rely on it.
	Ranked bool
}

// Delivery is an action on its way to a target.
type Delivery struct {
	Action directory.Action
	// Again: the action may have been sent before, and the place may hold its effect already. The answer was lost, or the
	// process was killed before or after it.
	Again bool
}

// Actions returns the actions of deliveries.
func Actions(work []Delivery) []directory.Action {
	list := make([]directory.Action, len(work))
	for i := range work {
		list[i] = work[i].Action
	}
	return list
}

// Outcome is what became of one action.
type Outcome struct {
	// Err is nil when the action was taken. Otherwise its class says what follows: a retryable one is
	// delivered again, later; all others park the action with the error as its reason. Three are no
	// property of one action: auth and configuration count as if Deliver had returned them, canceled as not
	// tried. And what is gone already needs no removing: the action is done.
	Err error
	// Doubtful says of a refusal that the place might answer anything like that, because it speaks of the request and not
	// of this action. If nothing but such refusals comes, the place is held to be at fault and nothing more is parked.
	Doubtful bool
	// Wait says that the action is neither done nor refused: it waits for something. Err is nil then. It says nothing about the
	// place, for good or bad; it is kept, and handed over again when what it waits for comes (Wait.Key, Wait.NotBefore) or an
	// operator says so, folded with what is queued about the record meanwhile.
	Wait *Wait
}

// Wait is what an action waits for.
type Wait struct {
	Cause Cause
	// Key names what it waits for: the record that has to be known at the place first (directory.Subject), the number of a
	// review, the hash of a plan. It is handed over again when that is told to the delivery (deliver.Worker.WakeWaiting).
	// Empty: nothing wakes it but time or an operator.
	Key string
	// NotBefore is when to hand it over again even if nobody says so; zero: never. Waits for CauseSettle and CauseBusy have one.
	NotBefore time.Time
	// Text says what it waits for, to the operator. It may hold personal data.
	Text string
	// Begun: something of it was done at the place. What comes of the record next is handed over even where the two come to nothing.
	Begun bool
}

// Cause is a kind of reason to wait. The words are stored and exported as metrics: they are appended to, never changed.
type Cause string

// The causes. In all but CauseSettle nothing was done at the place, but for what Wait.Begun says.
const (
	CauseReview    Cause = "review"    // a human decides
	CauseReference Cause = "reference" // another record is not known at the place yet
	CauseSettle    Cause = "settle"    // the place may have it and does not show it yet
	CauseBusy      Cause = "busy"      // the place has it in use: it is locked, its tickets are open
	CauseGuard     Cause = "guard"     // too much at a time, or the first contact: a human approves
)

// Causes lists all causes.
func Causes() []Cause {
	return []Cause{CauseReview, CauseReference, CauseSettle, CauseBusy, CauseGuard}
}

// Human reports whether it waits for a human.
func (c Cause) Human() bool { return c == CauseReview || c == CauseGuard }
