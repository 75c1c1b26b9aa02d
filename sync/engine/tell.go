package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

// Targets that are told of every record at once: those that are new to the connection, and those for which the operator asks
// for everything again. What is under way is stored, so that the next run goes on should this one be cut.

// introduceTargets tells targets that are new to the connection about every record that there is, and goes on with what was
// asked for again.
func (r *run) introduceTargets(ctx context.Context, s *settle.Settlement) error {
	for _, target := range r.conn.Targets {
		if r.state.RulesHash == "" {
			continue
		}
		if !slices.Contains(r.state.Targets, target) {
			r.rec.Notes = append(r.rec.Notes, "target "+target+" is new to this connection; sending it every record")
			r.log.Info("a new target is told every record", "target", target)
			if err := r.tellAll(ctx, store.Telling{Target: target}, func() (int, error) { return s.Introduce(ctx, target) }); err != nil {
				return err
			}
		} else if t, ok := telling(r.state.Telling, target); ok && !t.Queued {
			if err := r.again(ctx, s.Task, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// resend tells a target again what it was told of every record, and asks nobody else anything. One that is new to the
// connection is told everything by the next run that settles.
func (r *run) resend(ctx context.Context, target string) error {
	if r.state.RulesHash == "" || !slices.Contains(r.state.Targets, target) {
		r.rec.Notes = append(r.rec.Notes, "target "+target+" is new to this connection: it gets every record with the next run")
		return nil
	}
	t, ok := telling(r.state.Telling, target)
	if !ok || t.Queued || t.Seed == "" || !t.From.Equal(r.job.ResendFrom) {
		t = store.Telling{Target: target, Seed: r.stamp.Run, From: r.job.ResendFrom}
	}
	return r.again(ctx, r.settleTask(), t)
}

// WouldTell counts what a target would be told again, of the records that have changed since a time.
func (e *Engine) WouldTell(ctx context.Context, p store.Partition, from time.Time) (plan.Counts, error) {
	state := e.stateOf(p)
	return settle.WouldTell(ctx, stage{state, nil}, from)
}

func (r *run) again(ctx context.Context, task *settle.Task, t store.Telling) error {
	before := r.rec.Told
	err := r.tellAll(ctx, t, func() (int, error) { return settle.Again(ctx, task, t.Target, t.Seed, t.From) })
	of := fmt.Sprintf("all its %d records", r.rec.Told-before)
	if !t.From.IsZero() {
		of = fmt.Sprintf("the %d records that it was told of since %s", r.rec.Told-before, t.From.UTC().Format(time.RFC3339))
	}
	r.rec.Notes = append(r.rec.Notes, "target "+t.Target+" is sent the present state of "+of+" again")
	return err
}

// tellAll does what tell does, and remembers that it is done.
func (r *run) tellAll(ctx context.Context, t store.Telling, tell func() (int, error)) error {
	t.Since, t.Records, t.Queued = r.stamp.Time, 0, false
	if err := r.state.update(ctx, nil, tells(t)); err != nil {
		return err
	}
	n, err := tell()
	if r.rec.Told += n; err != nil {
		return err
	}
	t.Records, t.Queued = n, true
	return r.state.update(ctx, nil, tells(t))
}

// telling finds what is remembered of a target.
func telling(list []store.Telling, target string) (store.Telling, bool) {
	i := slices.IndexFunc(list, func(t store.Telling) bool { return t.Target == target })
	if i < 0 {
		return store.Telling{}, false
	}
	return list[i], true
}

// tells remembers that a target is told of every record.
func tells(t store.Telling) transition {
	return func(s *store.TenantState) {
		s.Telling = append(slices.DeleteFunc(slices.Clone(s.Telling), func(o store.Telling) bool { return o.Target == t.Target }), t)
	}
}

// stillTold leaves out targets that the connection does not have any more.
func stillTold(list []store.Telling, targets []string) (kept []store.Telling) {
	for _, t := range list {
		if slices.Contains(targets, t.Target) {
			kept = append(kept, t)
		}
	}
	return kept
}
