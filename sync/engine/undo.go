package engine

import (
	"context"
	"errors"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

// Undo names what is undone: a run, or what it did to the records with a key.
type Undo struct{ Run, Record string }

// UndoPlan says what an undo would bring back, and what it cannot, from what is stored now. It stores nothing and waits for no run. visit,
// when not nil, sees what each action of the run comes to.
func (e *Engine) UndoPlan(ctx context.Context, c *Connection, t connectors.Tenant, of Undo, visit func(*settle.Undone)) (p settle.UndoPlan, err error) {
	defer fault.Recover("look at an undo", &err)
	r := e.begin(c, t, tenantJob{Job: Job{Offline: true, Undo: &of, Trigger: "plan"}})
	r.rec.By = userOf(ctx)
	if err := r.load(ctx); err != nil {
		return p, err
	}
	u, err := r.undoOf(ctx, r.undoing())
	if err != nil {
		return p, err
	}
	return u.Plan(ctx, visit)
}

// undoing is the job's undo as it is stored when it has begun.
func (r *run) undoing() *store.Undoing {
	return &store.Undoing{Run: r.job.Undo.Run, Record: r.job.Undo.Record, ID: r.stamp.Run, Started: r.rec.Started, By: r.rec.By, Approved: r.job.Approve}
}

// undo brings back what the operator has looked at: if it is still that.
func (r *run) undo(ctx context.Context) error {
	d := r.undoing()
	u, err := r.undoOf(ctx, d)
	if err != nil {
		return err
	}
	p, err := u.Plan(ctx, nil)
	if err != nil {
		return err
	}
	if p.Hash == "" || p.Hash != d.Approved {
		return p.Changed(d.Run, d.Record, d.Approved)
	}
	if err := r.state.update(ctx, nil, undoes(d)); err != nil {
		return err
	}
	r.counts, err = r.applyUndo(ctx, d)
	r.rec.Undid = d.Run
	return err
}

// goOnUndoing brings an undo to its end that has begun and was cut: before anything else is decided about the records.
func (r *run) goOnUndoing(ctx context.Context) error {
	d := r.state.Undoing
	if d == nil {
		return nil
	}
	r.log.Info("an undo that was cut goes on", "undone", d.Run, "by", d.By)
	_, err := r.applyUndo(ctx, d)
	if fault.ClassOf(err) == fault.Gone { // nobody can bring back the rest any more, and no run is to fail for that
		r.note("the undo " + d.ID + " of run " + d.Run + " was cut, and nothing is kept any more of what is left of it to bring back")
		return r.state.update(ctx, nil, undoes(nil))
	}
	return err
}

// applyUndo does an undo that has begun, and stores it as a run of its own.
func (r *run) applyUndo(ctx context.Context, d *store.Undoing) (plan.Counts, error) {
	u, err := r.undoOf(ctx, d)
	if err != nil {
		return nil, err
	}
	counts, err := u.Apply(ctx)
	if err != nil {
		return counts, err
	}
	if !u.Keep.Off {
		counts = plan.Counts{}
		err := r.state.view(ctx, func(tx store.Reader) error {
			clear(counts)
			return tx.RunActions(d.ID, 0, func(_ int, a directory.RunAction) bool { counts.Add(a.Kind, a.Op); return true })
		})
		if err != nil {
			return counts, err
		}
	}
	done := store.Run{
		ID: d.ID, Trigger: Operator, By: d.By, Mode: modeUndo, Started: d.Started, Ended: r.engine.opts.Now().UTC(), Outcome: Clean, Counts: counts.Words(),
		Approved: d.Approved, Undid: d.Run,
	}
	return counts, r.state.update(ctx, func(tx store.Writer) error { return tx.PutRun(done) }, undoes(nil))
}

// modeUndo is the mode of a run that undoes another one.
const modeUndo = "undo"

// undoOf is an undo with all that it is to know of the run that it undoes.
func (r *run) undoOf(ctx context.Context, d *store.Undoing) (*settle.Undo, error) {
	task := r.settleTask()
	task.Run, task.At = directory.Stamp{Run: d.ID, Time: d.Started.Truncate(stampUnit)}, d.Started
	task.State = stage{r.state, []transition{undone}}
	u := &settle.Undo{Task: task, Of: d.Run, Record: d.Record, By: d.By}
	known := false
	err := r.state.view(ctx, func(tx store.Reader) error {
		known, u.Ours = false, false
		undid := ""
		err := tx.Runs(func(run store.Run) bool { // the newest first, and what a run has undone is older
			switch {
			case run.ID == d.Run:
				known, u.Ours, undid = true, run.Undid != "", run.Undid
			case known && run.ID == undid && run.Undid != "": // an undo of an undo does what the rules want
				u.Ours, undid = !u.Ours, run.Undid
			}
			return !known || undid != ""
		})
		if err == nil && !known {
			err = tx.RunActions(d.Run, 0, func(int, directory.RunAction) bool { known = true; return false })
		}
		return err
	})
	if err == nil && !known {
		err = &fault.Error{Class: fault.Gone, Op: "undo " + d.Run, Where: r.part.String(), Err: errors.New("no such run is kept"), Hint: "`dirsyncd runs` lists those that are"}
	}
	return u, err
}

// undoes says what is being undone from now on; nil: nothing.
func undoes(d *store.Undoing) transition {
	return func(s *store.TenantState) { s.Undoing = d }
}

// undone: some records have what was undone of them.
func undone(s *store.TenantState) { s.Undone = true }
