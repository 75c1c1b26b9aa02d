// Package api is what an operator can ask of dirsyncd, version 1. A command uses the same Operations whether the work
// is done by the daemon (package socket) or, when none is running, by the command's own process (package service).
//
// The types are the contract with scripts and with commands of other versions, in their JSON form: fields are added,
// none is renamed, and none changes its meaning. They are plain data of their own, so that what is stored may change.
package api

import (
	"context"
	"io"
)

// Operations are what an operator can ask for. All methods may be called concurrently. Errors are classified
// by package fault and say what to do.
type Operations interface {
	// Status says how everything is.
	Status(ctx context.Context) (Status, error)
	// Sync runs connections now, all when none is named, waits for them and for what can be delivered at
	// once. progress, when not nil, is called now and then.
	Sync(ctx context.Context, req SyncRequest, progress func(Progress)) (SyncResult, error)
	// Plan says what a sync would do, without doing it: it works on a throw-away copy of the state. visit
	// is called for every action in order.
	Plan(ctx context.Context, req PlanRequest, visit func(PlannedAction)) ([]Run, error)
	// Approve lets the held plan with this hash go ahead, and delivers.
	Approve(ctx context.Context, hash string) (SyncResult, error)
	// Discard throws the held plan with this hash away; the next run reads in full.
	Discard(ctx context.Context, hash string) error
	// Runs returns the latest runs, newest first.
	Runs(ctx context.Context, req RunsRequest) ([]Run, error)
	// Why explains the records of a kind ("user") that somebody has; who is a key, id, login, address, name or employee id.
	Why(ctx context.Context, kind, who string) ([]Reason, error)
	// Parked lists what is parked.
	Parked(ctx context.Context) ([]ParkedItem, error)
	// Replay tries parked items again; Drop forgets them. Both take the IDs of Parked, none for all, and return
	// how many were found.
	Replay(ctx context.Context, ids []string) (int, error)
	Drop(ctx context.Context, ids []string) (int, error)
	// Backup writes a copy of the whole state, as it is at one moment, in the form of the state file. After an
	// error what was written is of no use.
	Backup(ctx context.Context, to io.Writer) error
}
