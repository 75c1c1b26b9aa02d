package engine

import (
	"context"
	"errors"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settle"
)

// finish says what became of the run: in the store, in the log, and to the caller.
func (r *run) finish(ctx context.Context, err error) Result {
	// A run that was stopped must still be able to say so.
	ctx = context.WithoutCancel(ctx)
	r.rec.Ended = r.engine.opts.Now().UTC()
	r.rec.Counts = r.counts.Words()
	r.rec.Outcome = Clean
	if e := r.countStored(ctx); err == nil {
		err = e
	}
	switch {
	case err != nil:
		r.rec.Outcome, r.rec.Error, r.rec.Class = Failed, err.Error(), string(fault.ClassOf(err))
	case r.rec.Held != "":
		r.rec.Outcome = Held
	case r.rec.Parked > 0:
		r.rec.Outcome = Parked
	}
	r.noteState(err)
	if more := r.parkedNow - parkedLines; more > 0 {
		r.log.Warn("parked", "more", more, "hint", "`dirsyncd parked list` has them all")
	}
	if r.agrees(err) {
		r.engine.prove(r.part, r.rec.Ended)
	}
	if e := r.forgetOld(ctx); e != nil {
		r.log.Error("what is too old of what was sent could not be forgotten", "err", e)
	}
	if e := r.remember(ctx, err); e != nil {
		r.log.Error("the run could not be recorded", "err", e)
		err = errors.Join(err, e)
	}
	r.logEnd(err)
	return Result{Partition: r.part, Run: r.rec, Mapping: r.conn.Rules.Name(), Err: err}
}

// countStored counts what there is at the end: what is parked, active records, and what targets have not taken yet.
func (r *run) countStored(ctx context.Context) error {
	return r.state.view(ctx, func(tx store.Reader) (err error) {
		if r.rec.Parked, err = tx.ParkedCount(); err != nil {
			return err
		}
		if r.forgets, err = r.tooMuch(tx); err != nil {
			return err
		}
		r.rec.Records, r.rec.Queued = nil, 0
		for _, kind := range directory.RecordKinds() {
			n, err := tx.ActiveRecords(kind)
			if err != nil {
				return err
			}
			if n > 0 && r.rec.Records == nil {
				r.rec.Records = map[string]int{}
			}
			if n > 0 {
				r.rec.Records[kind.String()] = n
			}
		}
		names, err := tx.Targets()
		for _, target := range names {
			if err == nil {
				var n int
				n, _, err = tx.OutboxDepth(target)
				r.rec.Queued += n
			}
		}
		return err
	})
}

// noteState logs when a partition starts to fail and when it recovers; the runs in between have their own line. A run
// that was overtaken stores nothing, so nobody would see a recovery.
func (r *run) noteState(err error) {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, store.ErrLeaseLost) || r.partial():
	case err != nil && r.state.Failing == nil:
		r.log.Error("connection is failing", "class", r.rec.Class, "err", err)
	case err == nil && r.state.Failing != nil:
		r.log.Info("connection recovered", "failing_since", r.state.Failing.Since.Format(time.RFC3339), "failed_runs", r.state.Failing.Runs)
	}
}

// remember stores the run, unless it was one that found nothing to do: an idle cycle costs no write. Nor is an undo a run that was refused as it is not
// any more what was looked at.
func (r *run) remember(ctx context.Context, err error) error {
	if r.job.Undo != nil && errors.Is(err, settle.ErrPlanChanged) {
		return nil
	}
	if !r.state.wrote && err == nil && r.state.Failing == nil && r.job.Trigger != Operator {
		return nil
	}
	var steps []transition
	switch {
	case errors.Is(err, context.Canceled) || r.partial():
	case err != nil:
		steps = append(steps, failed(err, r.rec.Started, r.rec.Ended), called(&r.tenant))
	default:
		steps = append(steps, recovered)
	}
	if r.agrees(err) {
		steps = append(steps, proven(r.rec.Ended))
	}
	return r.state.update(ctx, func(tx store.Writer) error { return tx.PutRun(r.rec) }, steps...)
}

// agrees reports whether what is stored agrees with the source, as far as the run knows.
func (r *run) agrees(err error) bool { return err == nil && !r.partial() && !r.inconclusive }

// partial reports whether the run asked the source for less than everything: it says nothing of how the connection is.
func (r *run) partial() bool { return r.job.Offline || r.job.User != "" }

// logEnd is the one line that a run ends with.
func (r *run) logEnd(err error) {
	n := func(op directory.Op) int { return r.counts.Of(op) }
	args := []any{
		"outcome", r.rec.Outcome, "mode", r.rec.Mode, "requests", r.rec.Requests, "read", r.rec.Read, "changed", r.rec.Changed, "removed", r.rec.Removed,
		"created", n(directory.Create), "updated", n(directory.Update), "deactivated", n(directory.Deactivate),
		"reactivated", n(directory.Reactivate), "deleted", n(directory.Delete), "unchanged", max(r.rec.Read-r.rec.Changed, 0),
		"parked", r.rec.Parked,
		"duration", r.rec.Ended.Sub(r.rec.Started).Round(time.Millisecond).String(),
	}
	args = append(args, r.asker()...)
	if r.rec.Told > 0 {
		args = append(args, "told", r.rec.Told)
	}
	if r.engine.opts.Next != nil {
		if next := r.engine.opts.Next(r.conn.Name); !next.IsZero() {
			if f := r.state.Failing; f != nil && f.Retry.After(next) {
				next = f.Retry
			}
			args = append(args, "next", next.UTC().Format(time.RFC3339))
		}
	}
	if r.rec.Held != "" {
		if h := r.state.Held; h != nil {
			args = append(args, "why", h.Reasons, "would", h.Counts)
		}
		args = append(args, "held", r.rec.Held, "hint", hintHeld(r.rec.Held))
	}
	if f := r.state.Failing; f != nil && !f.Retry.IsZero() {
		args = append(args, "left_alone_until", f.Retry.Format(time.RFC3339))
	}
	switch {
	case errors.Is(err, context.Canceled):
		r.log.Info("run stopped", args...)
	case err != nil:
		r.log.Error("run failed", append(args, "class", r.rec.Class, "err", err)...)
	case r.rec.Outcome != Clean && !(r.stillHeld() && r.idle()):
		r.engine.endQuiet(r.part)
		r.log.Warn("run ended", args...)
	case r.idle():
		r.log.Debug("run ended", args...)
		switch runs, since := r.engine.quietRun(r.part, r.rec.Ended); {
		case runs == 0:
		case r.stillHeld():
			r.log.Warn("nothing changed, and a plan waits still", "runs", runs, "since", since.Format(time.RFC3339), "held", r.rec.Held, "hint", hintHeld(r.rec.Held))
		default:
			r.log.Info("nothing changed", "runs", runs, "since", since.Format(time.RFC3339))
		}
	default:
		r.engine.endQuiet(r.part)
		r.log.Info("run ended", args...)
	}
}

// hintHeld says what to do about a plan that waits.
func hintHeld(hash string) string {
	return "look with `dirsyncd held " + hash + "`, then `dirsyncd approve " + hash + "` or `dirsyncd discard " + hash + "`"
}

// stillHeld reports whether the plan that waits is one that waited before the run: its line was written then.
func (r *run) stillHeld() bool {
	h := r.state.Held
	return r.rec.Outcome == Held && h != nil && h.Hash == r.rec.Held && h.Since.Before(r.rec.Started)
}

// idle reports whether a run that nobody asked for found nothing to tell.
func (r *run) idle() bool {
	return r.job.Patient && r.rec.Changed+r.rec.Removed+len(r.rec.Notes)+r.counts.Total() == 0
}
