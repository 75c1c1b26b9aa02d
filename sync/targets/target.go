// Package targets holds the contract between the delivery and the places where actions go. Each kind of
// target lives in a folder of its own below; targettest holds the suite that every one of them must pass.
package targets

import (
	"context"

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
	// before must have no second effect where the place can tell.
	//
	// The returned error means that nothing is known about any of them: all will be delivered again. An
	// action that has an Outcome of its own is reported there, not as the error. Errors are classified by
	// package fault and hold no secret and no personal data.
	Deliver(ctx context.Context, actions []directory.Action) ([]Outcome, error)

	// Reopen is called on SIGHUP: a target that writes a file opens it anew. Others do nothing.
	Reopen() error

	// Close releases what the target holds, after the last Deliver has returned.
	Close() error
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
}
