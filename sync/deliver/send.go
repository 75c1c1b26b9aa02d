package deliver

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// recordEvery is how long answers may stay unrecorded while others are awaited: what a kill would repeat.
const recordEvery = time.Second

// answer is what one Deliver call came to.
type answer struct {
	batch    []*entry
	outcomes []targets.Outcome
	err      error
	took     time.Duration
}

// send delivers a window, several batches at a time where the target can. It returns the verdicts that are
// not recorded yet. It stops handing out batches when the context ends or the target has an outage, and
// waits for those under way.
func (w *Worker) send(ctx context.Context, p *partition, window []*entry) (done []verdict, err error) {
	answers := make(chan answer)
	running := 0
	recorded := w.opts.Now()
	for {
		for running < w.lanes && len(window) > 0 && err == nil && ctx.Err() == nil && !w.resting() {
			n := min(w.batch, len(window))
			batch := window[:n]
			window = window[n:]
			running++
			go func() { answers <- w.deliver(ctx, batch) }()
		}
		if running == 0 {
			return done, err
		}
		a := <-answers
		running--
		done = append(done, w.judge(ctx, p, a)...)
		if now := w.opts.Now(); running > 0 && err == nil && now.Sub(recorded) >= recordEvery {
			err = w.record(ctx, p, done)
			done, recorded = nil, now
		}
	}
}

// deliver makes one Deliver call. A panic of the target is an error like any other: it must not take the
// other targets with it.
func (w *Worker) deliver(ctx context.Context, batch []*entry) (a answer) {
	a.batch = batch
	start := w.opts.Now()
	defer func() {
		if cause := recover(); cause != nil {
			a.outcomes, a.err = nil, w.panicked(cause)
		}
		a.took = w.opts.Now().Sub(start)
	}()
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	actions := make([]directory.Action, len(batch))
	for i, e := range batch {
		actions[i] = *e.action
	}
	a.outcomes, a.err = w.target.Deliver(ctx, actions)
	if a.err == nil && len(a.outcomes) != len(batch) {
		a.err = &fault.Error{
			Class: fault.Internal, Op: "deliver", Hint: "this is a defect: please report it",
			Err: fmt.Errorf("the target answered %d outcomes for %d actions", len(a.outcomes), len(batch)),
		}
	}
	return a
}

// panicked logs where a target panicked and classifies it. Only the text of the runtime's own errors is
// kept: any other value may hold personal data.
func (w *Worker) panicked(cause any) error {
	err := fmt.Errorf("the target panicked with a %T", cause)
	if r, ok := cause.(runtime.Error); ok {
		err = fmt.Errorf("the target panicked: %w", r)
	}
	w.opts.Log.Error("target panicked", "err", err, "stack", string(debug.Stack()))
	return &fault.Error{Class: fault.Internal, Op: "deliver", Err: err, Hint: "this is a defect: please report it"}
}

// judge turns an answer into verdicts, and into waits for what has to be tried again.
func (w *Worker) judge(ctx context.Context, p *partition, a answer) []verdict {
	w.opts.Metrics.Took(a.took, len(a.batch))
	w.opts.Log.Debug("batch delivered", "partition", p.String(), "actions", len(a.batch), "took", a.took, "err", a.err)
	if a.err != nil {
		if ctx.Err() == nil {
			w.fail(a.err)
		}
		return nil
	}
	var done []verdict
	var again []verdict
	var wide error
	for i, e := range a.batch {
		err := a.outcomes[i].Err
		class := fault.ClassOf(err)
		switch {
		case err == nil, class == fault.Gone && e.action.Op.Removes():
			done = append(done, verdict{entry: e})
		case class == fault.Canceled && ctx.Err() != nil:
		case class.Retryable(), class == fault.Canceled:
			again = append(again, verdict{e, err})
		case class == fault.Auth, class == fault.Configuration:
			wide = err
		default:
			done = append(done, verdict{e, err})
		}
	}
	switch {
	case wide != nil:
		w.fail(wide)
	case len(done) > 0:
		w.succeed()
		done = append(done, w.backOff(p, again)...)
	case len(again) > 0:
		done = w.allFailed(p, again)
	}
	w.note(p, done)
	return done
}

// Failures in a row of different records after which the target is held to be at fault, not the records.
const longestStreak = 10

// allFailed decides whether the target or the records are at fault when every action of a batch failed by
// itself. Records that failed before say nothing about a target that works otherwise.
func (w *Worker) allFailed(p *partition, again []verdict) []verdict {
	cause := again[len(again)-1].refused
	if w.snapshot().outage != nil {
		// The target was tried again, and still nothing works. The next attempt begins with other records:
		// these may have reasons of their own.
		w.fail(cause)
		done := w.backOff(p, again)
		for _, v := range again {
			b := p.backoffs[v.subject]
			b.next = later(b.next, w.snapshot().outage.next.Add(time.Second))
		}
		return done
	}
	fresh := 0
	for _, v := range again {
		if p.backoffs[v.subject] == nil {
			fresh++
		}
	}
	w.streak += fresh
	if fresh > 0 && (len(again) > 1 || w.streak >= longestStreak) {
		w.fail(cause)
		return nil
	}
	return w.backOff(p, again)
}

// backOff makes records wait whose action failed, and gives up those that waited too long.
func (w *Worker) backOff(p *partition, again []verdict) (done []verdict) {
	now := w.opts.Now()
	for _, v := range again {
		b := p.backoffs[v.subject]
		if b == nil {
			b = &recordBackoff{first: now}
			p.backoffs[v.subject] = b
		}
		b.attempts++
		b.next = now.Add(w.opts.Backoff.wait(b.attempts, v.refused))
		w.opts.Metrics.Failed(fault.ClassOf(v.refused))
		if w.hopeless(b, v.entry, now) {
			v.refused = fmt.Errorf("given up after %d attempts: %w", b.attempts, v.refused)
			done = append(done, v)
		}
	}
	return done
}

const fewestAttempts = 5

// hopeless says when to give up: the record failed often and for long while the target took other actions.
// The time before the target last recovered does not count.
func (w *Worker) hopeless(b *recordBackoff, e *entry, now time.Time) bool {
	from := e.queued
	if w.recovered.After(from) {
		from = w.recovered
	}
	return b.attempts >= fewestAttempts && w.accepted.After(b.first) && now.Sub(from) >= w.opts.GiveUp
}

// note ends the waits of those records that are finished with, and tells the log and the metrics.
func (w *Worker) note(p *partition, done []verdict) {
	ops := map[directory.Op]int{}
	for _, v := range done {
		delete(p.backoffs, v.subject)
		if v.refused == nil {
			ops[v.action.Op]++
			continue
		}
		class := fault.ClassOf(v.refused)
		w.opts.Metrics.Parked(class)
		// The reason may quote the target's answer and with it a person's data; it is in the parked entry.
		w.opts.Log.Warn("action parked", "subject", v.subject, "op", v.action.Op.String(), "class", string(class))
	}
	for op, n := range ops {
		w.opts.Metrics.Delivered(op, n)
	}
}
