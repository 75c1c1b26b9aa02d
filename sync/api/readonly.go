package api

import (
	"context"
	"errors"
	"io"

	"dirsyncd/sync/fault"
)

// ReadOnly are operations for those who may look and not decide. What changes something is refused, and so is what asks sources and targets at
// length, a plan by another configuration, which is read with the daemon's rights, and a copy of the state, which holds keys. The error is of class
// Forbidden.
//
// It has each method of its own: one that is added to Operations has to be thought of here.
func ReadOnly(of Operations) Operations { return &readOnly{of} }

type readOnly struct{ of Operations }

func refused(what string) error {
	return &fault.Error{Class: fault.Forbidden, Op: what, Err: errors.New("you may look, and not decide"),
		Hint: "nothing was done: this is the socket of `readers`. Whoever may decide uses the one of `control`, such as with `sudo -u dirsyncd`"}
}

// Status implements Operations.
func (r *readOnly) Status(ctx context.Context) (Status, error) { return r.of.Status(ctx) }

// Sync implements Operations.
func (r *readOnly) Sync(context.Context, SyncRequest, func(Progress)) (SyncResult, error) {
	return SyncResult{}, refused("sync")
}

// Plan implements Operations.
func (r *readOnly) Plan(ctx context.Context, req PlanRequest, visit func(PlannedAction)) (PlanResult, error) {
	switch {
	case req.Config != nil:
		return PlanResult{}, refused("plan by another configuration")
	case !req.Offline:
		return PlanResult{}, refused("plan, and ask the sources for that")
	}
	return r.of.Plan(ctx, req, visit)
}

// PlanAt implements Operations.
func (r *readOnly) PlanAt(context.Context, PlanAtRequest) (PlanAtResult, error) {
	return PlanAtResult{}, refused("plan at a target")
}

// Held implements Operations.
func (r *readOnly) Held(ctx context.Context, req HeldRequest) (HeldActions, error) {
	return r.of.Held(ctx, req)
}

// Approve implements Operations.
func (r *readOnly) Approve(context.Context, string) (SyncResult, error) {
	return SyncResult{}, refused("approve")
}

// Drain implements Operations.
func (r *readOnly) Drain(context.Context, DrainRequest) (int, error) { return 0, refused("drain") }

// Publish implements Operations.
func (r *readOnly) Publish(context.Context) (Publication, error) {
	return Publication{}, refused("publish a configuration")
}

// Discard implements Operations.
func (r *readOnly) Discard(context.Context, string) error { return refused("discard") }

// Resend implements Operations.
func (r *readOnly) Resend(context.Context, ResendRequest) (SyncResult, error) {
	return SyncResult{}, refused("resend")
}

// Runs implements Operations.
func (r *readOnly) Runs(ctx context.Context, req RunsRequest) ([]Run, error) {
	return r.of.Runs(ctx, req)
}

// RunActions implements Operations.
func (r *readOnly) RunActions(ctx context.Context, req RunActionsRequest) (RunActions, error) {
	return r.of.RunActions(ctx, req)
}

// PlanUndo implements Operations.
func (r *readOnly) PlanUndo(ctx context.Context, req UndoRequest) (UndoPlan, error) {
	return r.of.PlanUndo(ctx, req)
}

// Undo implements Operations.
func (r *readOnly) Undo(context.Context, UndoApproval) (SyncResult, error) {
	return SyncResult{}, refused("undo")
}

// Why implements Operations.
func (r *readOnly) Why(ctx context.Context, kind, who string) ([]Reason, error) {
	return r.of.Why(ctx, kind, who)
}

// WhyAt implements Operations.
func (r *readOnly) WhyAt(ctx context.Context, req WhyAtRequest) ([]Past, error) {
	return r.of.WhyAt(ctx, req)
}

// Show implements Operations.
func (r *readOnly) Show(ctx context.Context, req ShowRequest) ([]Person, error) {
	return r.of.Show(ctx, req)
}

// Parked implements Operations.
func (r *readOnly) Parked(ctx context.Context) ([]ParkedItem, error) { return r.of.Parked(ctx) }

// Replay implements Operations.
func (r *readOnly) Replay(context.Context, []string, func(Progress)) (int, error) {
	return 0, refused("retry what is parked")
}

// Drop implements Operations.
func (r *readOnly) Drop(context.Context, []string) (int, error) {
	return 0, refused("drop what is parked")
}

// Matches implements Operations.
func (r *readOnly) Matches(ctx context.Context, target string) ([]Match, error) {
	return r.of.Matches(ctx, target)
}

// Decide implements Operations.
func (r *readOnly) Decide(context.Context, MatchDecision) (string, error) {
	return "", refused("decide about a match")
}

// Adopt implements Operations: what waits can be looked at, and no part of it made one that can be approved.
func (r *readOnly) Adopt(ctx context.Context, req AdoptRequest) ([]HeldAtTarget, error) {
	if len(req.Kinds) > 0 || req.Key != "" {
		return nil, refused("choose a part of the adoptions")
	}
	return r.of.Adopt(ctx, req)
}

// Audit implements Operations. What it finds is kept, so that it changes something also where it does not repair.
func (r *readOnly) Audit(context.Context, AuditRequest) (AuditResult, error) {
	return AuditResult{}, refused("audit")
}

// RenameConnection implements Operations.
func (r *readOnly) RenameConnection(context.Context, string, string) error {
	return refused("rename a connection")
}

// RetireConnection implements Operations.
func (r *readOnly) RetireConnection(context.Context, string) (SyncResult, error) {
	return SyncResult{}, refused("retire a connection")
}

// Stored implements Operations.
func (r *readOnly) Stored(ctx context.Context, questions []StoredQuestion) ([]StoredRows, error) {
	return r.of.Stored(ctx, questions)
}

// SigninAttempts implements Operations.
func (r *readOnly) SigninAttempts(ctx context.Context, req SigninRequest) ([]SigninAttempt, error) {
	return r.of.SigninAttempts(ctx, req)
}

// SigninSessions implements Operations.
func (r *readOnly) SigninSessions(ctx context.Context, who string) ([]SigninSession, error) {
	return r.of.SigninSessions(ctx, who)
}

// EndSessions implements Operations.
func (r *readOnly) EndSessions(context.Context, string) (int, error) {
	return 0, refused("end sessions")
}

// Decisions implements Operations.
func (r *readOnly) Decisions(ctx context.Context, req DecisionsRequest) ([]Decision, error) {
	return r.of.Decisions(ctx, req)
}

// SigninWho implements Operations.
func (r *readOnly) SigninWho(ctx context.Context, req SigninWhoRequest) (SigninWho, error) {
	return r.of.SigninWho(ctx, req)
}

// SigninLinks implements Operations.
func (r *readOnly) SigninLinks(ctx context.Context, who string) ([]SigninLink, error) {
	return r.of.SigninLinks(ctx, who)
}

// Unlink implements Operations.
func (r *readOnly) Unlink(context.Context, string) (int, error) { return 0, refused("forget links") }

// SigninKeys implements Operations.
func (r *readOnly) SigninKeys(ctx context.Context, req SigninKeysRequest) ([]SigninKey, error) {
	if req != (SigninKeysRequest{}) {
		return nil, refused("turn the keys of sign-in")
	}
	return r.of.SigninKeys(ctx, req)
}

// Backup implements Operations.
func (r *readOnly) Backup(context.Context, io.Writer) error { return refused("copy the state") }
