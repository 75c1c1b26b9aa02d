// Package apitest has operations for tests.
package apitest

import (
	"context"
	"errors"
	"io"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// Fake is Operations made of functions. A method whose function is nil fails. The functions must be safe for
// the concurrent use that the test makes of them.
type Fake struct {
	StatusFunc  func(context.Context) (api.Status, error)
	SyncFunc    func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error)
	PlanFunc    func(context.Context, api.PlanRequest, func(api.PlannedAction)) (api.PlanResult, error)
	PlanAtFunc  func(context.Context, api.PlanAtRequest) (api.PlanAtResult, error)
	ApproveFunc func(context.Context, string) (api.SyncResult, error)
	DiscardFunc func(context.Context, string) error
	DrainFunc   func(context.Context, api.DrainRequest) (int, error)
	PublishFunc func(context.Context) (api.Publication, error)
	ResendFunc  func(context.Context, api.ResendRequest) (api.SyncResult, error)
	RunsFunc    func(context.Context, api.RunsRequest) ([]api.Run, error)
	WhyFunc     func(context.Context, string, string) ([]api.Reason, error)
	ShowFunc    func(context.Context, api.ShowRequest) ([]api.Person, error)
	ParkedFunc  func(context.Context) ([]api.ParkedItem, error)
	StoredFunc  func(context.Context, []api.StoredQuestion) ([]api.StoredRows, error)
	ReplayFunc  func(context.Context, []string, func(api.Progress)) (int, error)
	DropFunc    func(context.Context, []string) (int, error)
	MatchesFunc func(context.Context, string) ([]api.Match, error)
	DecideFunc  func(context.Context, api.MatchDecision) (string, error)
	AdoptFunc   func(context.Context, api.AdoptRequest) ([]api.HeldAtTarget, error)
	AuditFunc   func(context.Context, api.AuditRequest) (api.AuditResult, error)
	RenameFunc  func(context.Context, string, string) error
	RetireFunc  func(context.Context, string) (api.SyncResult, error)
	BackupFunc  func(context.Context, io.Writer) error

	SigninAttemptsFunc func(context.Context, api.SigninRequest) ([]api.SigninAttempt, error)
	SigninSessionsFunc func(context.Context, string) ([]api.SigninSession, error)
	EndSessionsFunc    func(context.Context, string) (int, error)

	HeldFunc        func(context.Context, api.HeldRequest) (api.HeldActions, error)
	DecisionsFunc   func(context.Context, api.DecisionsRequest) ([]api.Decision, error)
	RunActionsFunc  func(context.Context, api.RunActionsRequest) (api.RunActions, error)
	PlanUndoFunc    func(context.Context, api.UndoRequest) (api.UndoPlan, error)
	UndoFunc        func(context.Context, api.UndoApproval) (api.SyncResult, error)
	WhyAtFunc       func(context.Context, api.WhyAtRequest) ([]api.Past, error)
	SigninWhoFunc   func(context.Context, api.SigninWhoRequest) (api.SigninWho, error)
	SigninLinksFunc func(context.Context, string) ([]api.SigninLink, error)
	UnlinkFunc      func(context.Context, string) (int, error)
	SigninKeysFunc  func(context.Context, api.SigninKeysRequest) ([]api.SigninKey, error)
}

var _ api.Operations = (*Fake)(nil)

// EveryField returns operations that answer with values of which every field is set.
func EveryField() *Fake {
	return &Fake{
		StatusFunc: func(context.Context) (api.Status, error) { return Filled[api.Status](), nil },
		SyncFunc: func(_ context.Context, _ api.SyncRequest, show func(api.Progress)) (api.SyncResult, error) {
			show(Filled[api.Progress]())
			return Filled[api.SyncResult](), nil
		},
		PlanFunc: func(_ context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			visit(Filled[api.PlannedAction]())
			return Filled[api.PlanResult](), nil
		},
		PlanAtFunc: func(context.Context, api.PlanAtRequest) (api.PlanAtResult, error) {
			return Filled[api.PlanAtResult](), nil
		},
		ApproveFunc: func(context.Context, string) (api.SyncResult, error) { return Filled[api.SyncResult](), nil },
		DiscardFunc: func(context.Context, string) error { return nil },
		DrainFunc:   func(context.Context, api.DrainRequest) (int, error) { return 2, nil },
		PublishFunc: func(context.Context) (api.Publication, error) { return Filled[api.Publication](), nil },
		ResendFunc:  func(context.Context, api.ResendRequest) (api.SyncResult, error) { return Filled[api.SyncResult](), nil },
		RunsFunc:    func(context.Context, api.RunsRequest) ([]api.Run, error) { return Filled[[]api.Run](), nil },
		WhyFunc:     func(context.Context, string, string) ([]api.Reason, error) { return Filled[[]api.Reason](), nil },
		ShowFunc:    func(context.Context, api.ShowRequest) ([]api.Person, error) { return Filled[[]api.Person](), nil },
		ParkedFunc:  func(context.Context) ([]api.ParkedItem, error) { return Filled[[]api.ParkedItem](), nil },
		SigninAttemptsFunc: func(context.Context, api.SigninRequest) ([]api.SigninAttempt, error) {
			return Filled[[]api.SigninAttempt](), nil
		},
		SigninSessionsFunc: func(context.Context, string) ([]api.SigninSession, error) { return Filled[[]api.SigninSession](), nil },
		EndSessionsFunc:    func(context.Context, string) (int, error) { return 7, nil },
		SigninWhoFunc: func(context.Context, api.SigninWhoRequest) (api.SigninWho, error) {
			return Filled[api.SigninWho](), nil
		},
		SigninLinksFunc: func(context.Context, string) ([]api.SigninLink, error) { return Filled[[]api.SigninLink](), nil },
		UnlinkFunc:      func(context.Context, string) (int, error) { return 8, nil },
		SigninKeysFunc: func(context.Context, api.SigninKeysRequest) ([]api.SigninKey, error) {
			return Filled[[]api.SigninKey](), nil
		},
		StoredFunc: func(context.Context, []api.StoredQuestion) ([]api.StoredRows, error) {
			return Filled[[]api.StoredRows](), nil
		},
		ReplayFunc: func(_ context.Context, _ []string, show func(api.Progress)) (int, error) {
			show(Filled[api.Progress]())
			return 5, nil
		},
		DropFunc:    func(context.Context, []string) (int, error) { return 6, nil },
		MatchesFunc: func(context.Context, string) ([]api.Match, error) { return Filled[[]api.Match](), nil },
		DecideFunc:  func(context.Context, api.MatchDecision) (string, error) { return "user/hq/1", nil },
		AdoptFunc: func(context.Context, api.AdoptRequest) ([]api.HeldAtTarget, error) {
			return Filled[[]api.HeldAtTarget](), nil
		},
		AuditFunc: func(context.Context, api.AuditRequest) (api.AuditResult, error) {
			return Filled[api.AuditResult](), nil
		},
		HeldFunc: func(context.Context, api.HeldRequest) (api.HeldActions, error) {
			return Filled[api.HeldActions](), nil
		},
		RunActionsFunc: func(context.Context, api.RunActionsRequest) (api.RunActions, error) {
			return Filled[api.RunActions](), nil
		},
		PlanUndoFunc: func(context.Context, api.UndoRequest) (api.UndoPlan, error) { return Filled[api.UndoPlan](), nil },
		UndoFunc:     func(context.Context, api.UndoApproval) (api.SyncResult, error) { return Filled[api.SyncResult](), nil },
		WhyAtFunc:    func(context.Context, api.WhyAtRequest) ([]api.Past, error) { return Filled[[]api.Past](), nil },
		DecisionsFunc: func(context.Context, api.DecisionsRequest) ([]api.Decision, error) {
			return Filled[[]api.Decision](), nil
		},
		RenameFunc: func(context.Context, string, string) error { return nil },
		RetireFunc: func(context.Context, string) (api.SyncResult, error) { return Filled[api.SyncResult](), nil },
	}
}

func unexpected(op string) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: errors.New("the test did not expect this")}
}

// Matches implements api.Operations.
func (f *Fake) Matches(ctx context.Context, target string) ([]api.Match, error) {
	if f.MatchesFunc == nil {
		return nil, unexpected("matches")
	}
	return f.MatchesFunc(ctx, target)
}

// Decide implements api.Operations.
func (f *Fake) Decide(ctx context.Context, by api.MatchDecision) (string, error) {
	if f.DecideFunc == nil {
		return "", unexpected("decide")
	}
	return f.DecideFunc(ctx, by)
}

// Adopt implements api.Operations.
func (f *Fake) Adopt(ctx context.Context, req api.AdoptRequest) ([]api.HeldAtTarget, error) {
	if f.AdoptFunc == nil {
		return nil, unexpected("adopt")
	}
	return f.AdoptFunc(ctx, req)
}

// Audit implements api.Operations.
func (f *Fake) Audit(ctx context.Context, req api.AuditRequest) (api.AuditResult, error) {
	if f.AuditFunc == nil {
		return api.AuditResult{}, unexpected("audit")
	}
	return f.AuditFunc(ctx, req)
}

// Held implements api.Operations.
func (f *Fake) Held(ctx context.Context, req api.HeldRequest) (api.HeldActions, error) {
	if f.HeldFunc == nil {
		return api.HeldActions{}, unexpected("held")
	}
	return f.HeldFunc(ctx, req)
}

// RunActions implements api.Operations.
func (f *Fake) RunActions(ctx context.Context, req api.RunActionsRequest) (api.RunActions, error) {
	if f.RunActionsFunc == nil {
		return api.RunActions{}, unexpected("run actions")
	}
	return f.RunActionsFunc(ctx, req)
}

// PlanUndo implements api.Operations.
func (f *Fake) PlanUndo(ctx context.Context, req api.UndoRequest) (api.UndoPlan, error) {
	if f.PlanUndoFunc == nil {
		return api.UndoPlan{}, unexpected("plan undo")
	}
	return f.PlanUndoFunc(ctx, req)
}

// Undo implements api.Operations.
func (f *Fake) Undo(ctx context.Context, req api.UndoApproval) (api.SyncResult, error) {
	if f.UndoFunc == nil {
		return api.SyncResult{}, unexpected("undo")
	}
	return f.UndoFunc(ctx, req)
}

// WhyAt implements api.Operations.
func (f *Fake) WhyAt(ctx context.Context, req api.WhyAtRequest) ([]api.Past, error) {
	if f.WhyAtFunc == nil {
		return nil, unexpected("why at")
	}
	return f.WhyAtFunc(ctx, req)
}

// Decisions implements api.Operations.
func (f *Fake) Decisions(ctx context.Context, req api.DecisionsRequest) ([]api.Decision, error) {
	if f.DecisionsFunc == nil {
		return nil, unexpected("decisions")
	}
	return f.DecisionsFunc(ctx, req)
}

// Status implements api.Operations.
func (f *Fake) Status(ctx context.Context) (api.Status, error) {
	if f.StatusFunc == nil {
		return api.Status{}, unexpected("status")
	}
	return f.StatusFunc(ctx)
}

// Sync implements api.Operations.
func (f *Fake) Sync(ctx context.Context, r api.SyncRequest, p func(api.Progress)) (api.SyncResult, error) {
	if f.SyncFunc == nil {
		return api.SyncResult{}, unexpected("sync")
	}
	return f.SyncFunc(ctx, r, p)
}

// Plan implements api.Operations.
func (f *Fake) Plan(ctx context.Context, r api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
	if f.PlanFunc == nil {
		return api.PlanResult{}, unexpected("plan")
	}
	return f.PlanFunc(ctx, r, visit)
}

// PlanAt implements api.Operations.
func (f *Fake) PlanAt(ctx context.Context, r api.PlanAtRequest) (api.PlanAtResult, error) {
	if f.PlanAtFunc == nil {
		return api.PlanAtResult{}, unexpected("plan at a target")
	}
	return f.PlanAtFunc(ctx, r)
}

// Approve implements api.Operations.
func (f *Fake) Approve(ctx context.Context, hash string) (api.SyncResult, error) {
	if f.ApproveFunc == nil {
		return api.SyncResult{}, unexpected("approve")
	}
	return f.ApproveFunc(ctx, hash)
}

// RenameConnection implements api.Operations.
func (f *Fake) RenameConnection(ctx context.Context, from, to string) error {
	if f.RenameFunc == nil {
		return unexpected("rename")
	}
	return f.RenameFunc(ctx, from, to)
}

// RetireConnection implements api.Operations.
func (f *Fake) RetireConnection(ctx context.Context, name string) (api.SyncResult, error) {
	if f.RetireFunc == nil {
		return api.SyncResult{}, unexpected("retire")
	}
	return f.RetireFunc(ctx, name)
}

// Publish implements api.Operations.
func (f *Fake) Publish(ctx context.Context) (api.Publication, error) {
	if f.PublishFunc == nil {
		return api.Publication{}, unexpected("publish")
	}
	return f.PublishFunc(ctx)
}

// Drain implements api.Operations.
func (f *Fake) Drain(ctx context.Context, r api.DrainRequest) (int, error) {
	if f.DrainFunc == nil {
		return 0, unexpected("drain")
	}
	return f.DrainFunc(ctx, r)
}

// Discard implements api.Operations.
func (f *Fake) Discard(ctx context.Context, hash string) error {
	if f.DiscardFunc == nil {
		return unexpected("discard")
	}
	return f.DiscardFunc(ctx, hash)
}

// Resend implements api.Operations.
func (f *Fake) Resend(ctx context.Context, r api.ResendRequest) (api.SyncResult, error) {
	if f.ResendFunc == nil {
		return api.SyncResult{}, unexpected("resend")
	}
	return f.ResendFunc(ctx, r)
}

// Runs implements api.Operations.
func (f *Fake) Runs(ctx context.Context, r api.RunsRequest) ([]api.Run, error) {
	if f.RunsFunc == nil {
		return nil, unexpected("runs")
	}
	return f.RunsFunc(ctx, r)
}

// Why implements api.Operations.
func (f *Fake) Why(ctx context.Context, kind, who string) ([]api.Reason, error) {
	if f.WhyFunc == nil {
		return nil, unexpected("why")
	}
	return f.WhyFunc(ctx, kind, who)
}

// Show implements api.Operations.
func (f *Fake) Show(ctx context.Context, r api.ShowRequest) ([]api.Person, error) {
	if f.ShowFunc == nil {
		return nil, unexpected("show")
	}
	return f.ShowFunc(ctx, r)
}

// Stored implements api.Operations.
func (f *Fake) Stored(ctx context.Context, questions []api.StoredQuestion) ([]api.StoredRows, error) {
	if f.StoredFunc == nil {
		return nil, unexpected("stored")
	}
	return f.StoredFunc(ctx, questions)
}

// Parked implements api.Operations.
func (f *Fake) Parked(ctx context.Context) ([]api.ParkedItem, error) {
	if f.ParkedFunc == nil {
		return nil, unexpected("parked")
	}
	return f.ParkedFunc(ctx)
}

// Replay implements api.Operations.
func (f *Fake) Replay(ctx context.Context, ids []string, p func(api.Progress)) (int, error) {
	if f.ReplayFunc == nil {
		return 0, unexpected("replay")
	}
	return f.ReplayFunc(ctx, ids, p)
}

// Drop implements api.Operations.
func (f *Fake) Drop(ctx context.Context, ids []string) (int, error) {
	if f.DropFunc == nil {
		return 0, unexpected("drop")
	}
	return f.DropFunc(ctx, ids)
}

// Backup implements api.Operations.
func (f *Fake) Backup(ctx context.Context, to io.Writer) error {
	if f.BackupFunc == nil {
		return unexpected("backup")
	}
	return f.BackupFunc(ctx, to)
}

// SigninAttempts implements api.Operations.
func (f *Fake) SigninAttempts(ctx context.Context, req api.SigninRequest) ([]api.SigninAttempt, error) {
	if f.SigninAttemptsFunc == nil {
		return nil, unexpected("attempts to sign in")
	}
	return f.SigninAttemptsFunc(ctx, req)
}

// SigninSessions implements api.Operations.
func (f *Fake) SigninSessions(ctx context.Context, who string) ([]api.SigninSession, error) {
	if f.SigninSessionsFunc == nil {
		return nil, unexpected("sessions")
	}
	return f.SigninSessionsFunc(ctx, who)
}

// EndSessions implements api.Operations.
func (f *Fake) EndSessions(ctx context.Context, who string) (int, error) {
	if f.EndSessionsFunc == nil {
		return 0, unexpected("end sessions")
	}
	return f.EndSessionsFunc(ctx, who)
}

// SigninWho implements api.Operations.
func (f *Fake) SigninWho(ctx context.Context, req api.SigninWhoRequest) (api.SigninWho, error) {
	if f.SigninWhoFunc == nil {
		return api.SigninWho{}, unexpected("who")
	}
	return f.SigninWhoFunc(ctx, req)
}

// SigninLinks implements api.Operations.
func (f *Fake) SigninLinks(ctx context.Context, who string) ([]api.SigninLink, error) {
	if f.SigninLinksFunc == nil {
		return nil, unexpected("links")
	}
	return f.SigninLinksFunc(ctx, who)
}

// Unlink implements api.Operations.
func (f *Fake) Unlink(ctx context.Context, who string) (int, error) {
	if f.UnlinkFunc == nil {
		return 0, unexpected("unlink")
	}
	return f.UnlinkFunc(ctx, who)
}

// SigninKeys implements api.Operations.
func (f *Fake) SigninKeys(ctx context.Context, req api.SigninKeysRequest) ([]api.SigninKey, error) {
	if f.SigninKeysFunc == nil {
		return nil, unexpected("keys")
	}
	return f.SigninKeysFunc(ctx, req)
}
