// Package controltest has operations for tests.
package controltest

import (
	"context"
	"errors"
	"io"

	"dirsyncd/sync/control"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Fake is Operations made of functions. A method whose function is nil fails. The functions must be safe for
// the concurrent use that the test makes of them.
type Fake struct {
	StatusFunc  func(context.Context) (control.Status, error)
	SyncFunc    func(context.Context, control.SyncRequest, func(control.Progress)) (control.SyncResult, error)
	PlanFunc    func(context.Context, control.PlanRequest, func(control.PlannedAction)) ([]control.Run, error)
	ApproveFunc func(context.Context, string) (control.SyncResult, error)
	DiscardFunc func(context.Context, string) error
	RunsFunc    func(context.Context, control.RunsRequest) ([]control.Run, error)
	WhyFunc     func(context.Context, string, string) ([]engine.Reason, error)
	ParkedFunc  func(context.Context) ([]control.ParkedItem, error)
	ReplayFunc  func(context.Context, []string) (int, error)
	DropFunc    func(context.Context, []string) (int, error)
	BackupFunc  func(context.Context, io.Writer) error
}

var _ control.Operations = (*Fake)(nil)

// EveryField returns operations that answer with values of which every field is set.
func EveryField() *Fake {
	return &Fake{
		StatusFunc: func(context.Context) (control.Status, error) { return Filled[control.Status](), nil },
		SyncFunc: func(_ context.Context, _ control.SyncRequest, show func(control.Progress)) (control.SyncResult, error) {
			show(Filled[control.Progress]())
			return Filled[control.SyncResult](), nil
		},
		PlanFunc: func(_ context.Context, _ control.PlanRequest, visit func(control.PlannedAction)) ([]control.Run, error) {
			visit(Filled[control.PlannedAction]())
			return Filled[[]control.Run](), nil
		},
		ApproveFunc: func(context.Context, string) (control.SyncResult, error) { return Filled[control.SyncResult](), nil },
		DiscardFunc: func(context.Context, string) error { return nil },
		RunsFunc:    func(context.Context, control.RunsRequest) ([]control.Run, error) { return Filled[[]control.Run](), nil },
		WhyFunc:     func(context.Context, string, string) ([]engine.Reason, error) { return Filled[[]engine.Reason](), nil },
		ParkedFunc:  func(context.Context) ([]control.ParkedItem, error) { return Filled[[]control.ParkedItem](), nil },
		ReplayFunc:  func(context.Context, []string) (int, error) { return 5, nil },
		DropFunc:    func(context.Context, []string) (int, error) { return 6, nil },
	}
}

func unexpected(op string) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: errors.New("the test did not expect this")}
}

// Status implements control.Operations.
func (f *Fake) Status(ctx context.Context) (control.Status, error) {
	if f.StatusFunc == nil {
		return control.Status{}, unexpected("status")
	}
	return f.StatusFunc(ctx)
}

// Sync implements control.Operations.
func (f *Fake) Sync(ctx context.Context, r control.SyncRequest, p func(control.Progress)) (control.SyncResult, error) {
	if f.SyncFunc == nil {
		return control.SyncResult{}, unexpected("sync")
	}
	return f.SyncFunc(ctx, r, p)
}

// Plan implements control.Operations.
func (f *Fake) Plan(ctx context.Context, r control.PlanRequest, visit func(control.PlannedAction)) ([]control.Run, error) {
	if f.PlanFunc == nil {
		return nil, unexpected("plan")
	}
	return f.PlanFunc(ctx, r, visit)
}

// Approve implements control.Operations.
func (f *Fake) Approve(ctx context.Context, hash string) (control.SyncResult, error) {
	if f.ApproveFunc == nil {
		return control.SyncResult{}, unexpected("approve")
	}
	return f.ApproveFunc(ctx, hash)
}

// Discard implements control.Operations.
func (f *Fake) Discard(ctx context.Context, hash string) error {
	if f.DiscardFunc == nil {
		return unexpected("discard")
	}
	return f.DiscardFunc(ctx, hash)
}

// Runs implements control.Operations.
func (f *Fake) Runs(ctx context.Context, r control.RunsRequest) ([]control.Run, error) {
	if f.RunsFunc == nil {
		return nil, unexpected("runs")
	}
	return f.RunsFunc(ctx, r)
}

// Why implements control.Operations.
func (f *Fake) Why(ctx context.Context, kind, who string) ([]engine.Reason, error) {
	if f.WhyFunc == nil {
		return nil, unexpected("why")
	}
	return f.WhyFunc(ctx, kind, who)
}

// Parked implements control.Operations.
func (f *Fake) Parked(ctx context.Context) ([]control.ParkedItem, error) {
	if f.ParkedFunc == nil {
		return nil, unexpected("parked")
	}
	return f.ParkedFunc(ctx)
}

// Replay implements control.Operations.
func (f *Fake) Replay(ctx context.Context, ids []string) (int, error) {
	if f.ReplayFunc == nil {
		return 0, unexpected("replay")
	}
	return f.ReplayFunc(ctx, ids)
}

// Drop implements control.Operations.
func (f *Fake) Drop(ctx context.Context, ids []string) (int, error) {
	if f.DropFunc == nil {
		return 0, unexpected("drop")
	}
	return f.DropFunc(ctx, ids)
}

// Backup implements control.Operations.
func (f *Fake) Backup(ctx context.Context, to io.Writer) error {
	if f.BackupFunc == nil {
		return unexpected("backup")
	}
	return f.BackupFunc(ctx, to)
}
