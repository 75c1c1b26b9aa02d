// Package api is what an operator can ask of dirsyncd, version 1. A command uses the same Operations whether the work
// is done by the daemon (package socket) or, when none is running, by the command's own process (package service).
//
// The types are the contract with scripts and with commands of other versions, in their JSON form: fields are added,
// none is renamed, and none changes its meaning. They are plain data of their own, so that what is stored may change.
package api

import (
	"context"
	"errors"
	"io"
)

// What is in the chain of the errors for something that was named, and is not there or not there any more. They do not travel: over the socket it is
// the status 404.
var (
	ErrNoRun  = errors.New("no such run is kept")
	ErrNoPlan = errors.New("no plan with this hash is held")
)

// IsMissing reports whether an error is that what was named is not there.
func IsMissing(err error) bool { return errors.Is(err, ErrNoRun) || errors.Is(err, ErrNoPlan) }

// Operations are what an operator can ask for. All methods may be called concurrently. Errors are classified
// by package fault and say what to do.
type Operations interface {
	// Status says how everything is.
	Status(ctx context.Context) (Status, error)
	// Sync runs connections now, all when none is named, waits for them and for what can be delivered at
	// once. progress, when not nil, is called now and then.
	Sync(ctx context.Context, req SyncRequest, progress func(Progress)) (SyncResult, error)
	// Plan says what a sync would do, without doing it: it works on a throw-away copy of the state. visit
	// is called for every action: for all of one tenant, in order, and then for those of the next, in one call at a time.
	Plan(ctx context.Context, req PlanRequest, visit func(PlannedAction)) (PlanResult, error)
	// PlanAt says what would happen at a target that has things of its own: with what waits for it, and with what a sync would bring.
	// It reads there, and writes nothing.
	PlanAt(ctx context.Context, req PlanAtRequest) (PlanAtResult, error)
	// Held returns actions of a held plan, a page at a time, without waiting for a run. What it costs follows the number of
	// actions up to the end of the page.
	Held(ctx context.Context, req HeldRequest) (HeldActions, error)
	// Approve lets the held plan with this hash go ahead, and delivers.
	Approve(ctx context.Context, hash string) (SyncResult, error)
	// Discard throws the held plan with this hash away; the next run reads in full. What is held at a target is looked at anew.
	Discard(ctx context.Context, hash string) error
	// Drain has workers finish the runs that they have begun and take no more, or take work again, and returns how many those are.
	Drain(ctx context.Context, req DrainRequest) (int, error)
	// Publish makes the configuration by which the daemon that is asked works the current one of all workers, and returns who has it.
	Publish(ctx context.Context) (Publication, error)
	// Resend tells one target again what it was told of every record, in new actions, and delivers. What waits for approval
	// goes on waiting, and no other target hears of it.
	Resend(ctx context.Context, req ResendRequest) (SyncResult, error)
	// Runs returns the latest runs, newest first.
	Runs(ctx context.Context, req RunsRequest) ([]Run, error)
	// RunActions returns actions of a run as they were sent, a page at a time.
	RunActions(ctx context.Context, req RunActionsRequest) (RunActions, error)
	// PlanUndo says what an undo of a run would bring back and what it cannot, a page at a time, and changes nothing.
	PlanUndo(ctx context.Context, req UndoRequest) (UndoPlan, error)
	// Undo brings back what was looked at, if it is still that, as a run of its own, and delivers.
	Undo(ctx context.Context, req UndoApproval) (SyncResult, error)
	// WhyAt says what the records of a kind that somebody has were at a time, from what is kept of what was sent.
	WhyAt(ctx context.Context, req WhyAtRequest) ([]Past, error)
	// Why explains the records of a kind ("user") that somebody has; who is a key, id, login, address, name or employee id.
	Why(ctx context.Context, kind, who string) ([]Reason, error)
	// Show says what is known of the people who are called so: what the source says, their records, what waits, what changed.
	Show(ctx context.Context, req ShowRequest) ([]Person, error)
	// Parked lists what is parked.
	Parked(ctx context.Context) ([]ParkedItem, error)
	// Replay tries parked items again; Drop forgets them. Both take the IDs of Parked, none for all, and return
	// how many were found. progress, when not nil, is called now and then.
	Replay(ctx context.Context, ids []string, progress func(Progress)) (int, error)
	Drop(ctx context.Context, ids []string) (int, error)
	// Matches lists what a human has to decide at a target that has things of its own, or of a connection that is made of others; at
	// all of them when none is named.
	Matches(ctx context.Context, target string) ([]Match, error)
	// Decide does what a human says of a match, and returns the record.
	Decide(ctx context.Context, by MatchDecision) (string, error)
	// Adopt looks at what is at a target that has things of its own, at all of them when none is named, and returns what waits
	// for an approval there (Approve): all of it, or the part that was asked for. A target at which nothing waits has an entry
	// without a hash.
	Adopt(ctx context.Context, req AdoptRequest) ([]HeldAtTarget, error)
	// Audit holds what is at a target against what was left there. It changes nothing, unless it is asked to repair.
	Audit(ctx context.Context, req AuditRequest) (AuditResult, error)
	// RenameConnection gives all that the state holds of a connection that is not configured any more to one that is,
	// under whose name nothing was made yet. At the targets nothing changes. A running daemon refuses.
	RenameConnection(ctx context.Context, from, to string) error
	// RetireConnection takes away the records of a connection that is not configured any more: by a plan that is held until
	// it is approved. When nothing is left to be done for it, the state forgets it.
	RetireConnection(ctx context.Context, name string) (SyncResult, error)
	// Stored answers questions about what was read, in their order, without asking a source.
	Stored(ctx context.Context, questions []StoredQuestion) ([]StoredRows, error)
	// SigninAttempts returns attempts to sign in of the last 30 days, the newest first.
	SigninAttempts(ctx context.Context, req SigninRequest) ([]SigninAttempt, error)
	// SigninSessions returns who is signed in; all when nobody is named, by the key of a record, the id of an object or of an attempt.
	SigninSessions(ctx context.Context, who string) ([]SigninSession, error)
	// EndSessions ends the sessions of somebody, who is named in the same way, and returns how many.
	EndSessions(ctx context.Context, who string) (int, error)
	// Decisions returns what people had done, the newest first.
	Decisions(ctx context.Context, req DecisionsRequest) ([]Decision, error)
	// SigninWho says whom somebody would be who comes by a provider, and changes nothing.
	SigninWho(ctx context.Context, req SigninWhoRequest) (SigninWho, error)
	// SigninLinks returns who was found to be whom by what a provider never gives to anybody else; all when nobody is named, by the key of a
	// record, the id of an object or of a link.
	SigninLinks(ctx context.Context, who string) ([]SigninLink, error)
	// Unlink forgets links, which are named in the same way, and returns how many. Sessions go on.
	Unlink(ctx context.Context, who string) (int, error)
	// SigninKeys returns the published keys of identity tokens, the oldest first, after what is asked for was done with them.
	SigninKeys(ctx context.Context, req SigninKeysRequest) ([]SigninKey, error)
	// Backup writes a copy of the whole state, as it is at one moment, in the form of the state file. After an
	// error what was written is of no use.
	Backup(ctx context.Context, to io.Writer) error
}
