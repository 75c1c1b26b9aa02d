package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// verdict is what became of an entry, to be recorded.
type verdict struct {
	*entry
	refused error // nil: the target took it, or wait is set
	wait    *store.Wait
}

// judge turns an answer into verdicts, and into waits for what has to be tried again.
func (w *Worker) judge(ctx context.Context, a answer) {
	w.opts.Metrics.Took(a.took, len(a.batch))
	w.opts.Log.Debug("batch delivered", "partition", a.partitions[0].String(), "partitions", len(a.partitions),
		"actions", len(a.batch), "took", a.took, "err", a.err)
	if a.err != nil {
		if ctx.Err() == nil {
			w.callFailed(a.partitions, a.err)
		}
		return
	}
	var doubtful, again, waiting []verdict
	var wide error
	done := make([]verdict, 0, len(a.batch))
	for i, e := range a.batch {
		err := a.outcomes[i].Err
		class := fault.ClassOf(err)
		switch {
		case err == nil && a.outcomes[i].Wait != nil:
			waiting = append(waiting, verdict{entry: e, wait: w.waitOf(e, a.outcomes[i].Wait, a.wakes)})
		case err == nil, class == fault.Gone && e.action.Op.Removes():
			done = append(done, verdict{entry: e})
		case class == fault.Canceled && ctx.Err() != nil:
		case class.Retryable(), class == fault.Canceled:
			again = append(again, verdict{entry: e, refused: err})
		case class == fault.Auth, class == fault.Configuration:
			wide = err
		case a.outcomes[i].Doubtful:
			doubtful = append(doubtful, verdict{entry: e, refused: err})
		default:
			done = append(done, verdict{entry: e, refused: err})
		}
	}
	distrusted := w.distrusts(doubtful, slices.ContainsFunc(done, func(v verdict) bool { return v.refused == nil }))
	if !distrusted {
		done = append(done, doubtful...)
	}
	switch {
	case wide != nil:
		w.callFailed(a.partitions, wide)
	case distrusted:
		w.suspect(a.partitions)
		w.fail(errRefusesAll)
		done = append(done, w.backOffBehind(append(again, doubtful...))...)
	case len(done) > 0:
		w.succeed(a.call, done)
		done = append(done, w.backOff(again)...)
	case len(again) > 0:
		done = w.allFailed(a.partitions, again)
	}
	w.note(append(done, waiting...)) // those that wait say nothing about the target
}

// Failures in a row of different records after which the target is held to be at fault, not the records.
const longestStreak = 10

// allFailed decides whether the target or the records are at fault when every action of a batch failed by
// itself. Records that failed before say nothing about a target that works otherwise, nor does a partition that did.
func (w *Worker) allFailed(parts []*partition, again []verdict) []verdict {
	cause := again[len(again)-1].refused
	own, fresh := true, 0
	for _, v := range again {
		own = own && w.ownFault(v.from)
		if v.from.backoffs[v.subject] == nil {
			fresh++
		}
	}
	w.suspect(parts)
	if own {
		return w.backOff(again)
	}
	if w.snapshot().outage != nil {
		// The target was tried again, and still nothing works. The next attempt begins with other records:
		// these may have reasons of their own.
		w.fail(cause)
		return w.backOffBehind(again)
	}
	w.streak += fresh
	if fresh > 0 && (len(again) > 1 || w.streak >= longestStreak) {
		w.fail(cause)
		return nil
	}
	return w.backOff(again)
}

// Doubtful refusals in a row of different records after which the target is held to be at fault: of one that has taken
// nothing yet, and of one that has.
const (
	firstRefusals = 10
	laterRefusals = 100
)

var errRefusesAll = &fault.Error{
	Class: fault.Configuration, Op: "deliver", Err: errors.New("it refuses every record that it is sent, whichever it is"),
	Hint: "`dirsyncd parked list` shows what it answers to the first ones: is this the right place, and does it understand these events? What waits is kept and " +
		"tried again by itself; what was parked, by `dirsyncd parked replay`",
}

// distrusts reports whether doubtful refusals are the target's fault. As soon as it takes anything, they are not.
func (w *Worker) distrusts(doubtful []verdict, took bool) bool {
	if took {
		w.refusals, w.tookAny = 0, true
		return false
	}
	for _, v := range doubtful {
		if v.from.backoffs[v.subject] == nil {
			w.refusals++
		}
	}
	limit := firstRefusals
	if w.tookAny {
		limit = laterRefusals
	}
	return len(doubtful) > 0 && w.refusals >= limit
}

// backOffBehind makes records wait until others were tried.
func (w *Worker) backOffBehind(again []verdict) (done []verdict) {
	done = w.backOff(again)
	for _, v := range again {
		v.from.backoffs[v.subject].behind = true
	}
	return done
}

// release lets the records that are behind go on. It reports whether there were any.
func (w *Worker) release() bool {
	found := false
	for _, p := range w.parts {
		for _, b := range p.backoffs {
			found = found || b.behind
			b.behind = false
		}
	}
	return found
}

// backOff makes records wait whose action failed, and gives up those that waited too long.
func (w *Worker) backOff(again []verdict) (done []verdict) {
	now := w.opts.Now()
	for _, v := range again {
		b := v.from.backoffs[v.subject]
		if b == nil {
			b = &recordBackoff{first: now}
			v.from.backoffs[v.subject] = b
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
	if e.seq == 0 {
		from = later(from, b.first) // how long it waited before does not count
	}
	return b.attempts >= fewestAttempts && w.accepted.After(b.first) && now.Sub(from) >= w.opts.GiveUp
}

// note keeps verdicts until they are recorded, ends the waits of their records, and tells the log and the metrics.
func (w *Worker) note(done []verdict) {
	ops := map[directory.Op]int{}
	for _, v := range done {
		v.from.done = append(v.from.done, v)
		delete(v.from.backoffs, v.subject)
		if v.wait != nil {
			continue
		}
		if v.refused == nil {
			ops[v.action.Op]++
			continue
		}
		class := fault.ClassOf(v.refused)
		w.opts.Metrics.Parked(class)
		w.tellParked(v, class)
	}
	for op, n := range ops {
		w.opts.Metrics.Delivered(op, n)
	}
}

// tellRefused wakes those who wait for records whose actions are parked: nothing comes of these by itself, and who waits for one may say so.
func (w *Worker) tellRefused(done []verdict) {
	var subjects []string
	for _, v := range done {
		if v.refused != nil {
			subjects = append(subjects, v.subject)
		}
	}
	w.WakeWaiting(subjects...)
}

// mostTold is how many parked actions the log names one by one in a minute.
const mostTold = 10

// tellParked logs a parked action, or counts it for untold.
func (w *Worker) tellParked(v verdict, class fault.Class) {
	if now := w.opts.Now(); now.Sub(w.tellingSince) >= time.Minute {
		w.tellUntold()
		w.tellingSince, w.told = now, 0
	}
	if w.told >= mostTold {
		w.untold++
		return
	}
	w.told++
	log := w.opts.Log.With("connection", v.from.Connection, "tenant", v.from.Tenant, "subject", v.subject)
	log.Warn("action parked", "op", v.action.Op.String(), "class", string(class), "where", whereOf(v.refused), "hint", "`dirsyncd parked list` says why")
	// The reason may quote the target's answer and with it a person's data.
	log.Debug("why the action is parked", "err", v.refused)
}

// tellUntold logs how many parked actions were not named.
func (w *Worker) tellUntold() {
	if w.untold > 0 {
		w.opts.Log.Warn("actions parked", "more", w.untold, "hint", "`dirsyncd parked list` has them all")
		w.untold = 0
	}
}

// whereOf names the place of an error, which never holds anything about a person (fault.Error.Where).
func whereOf(err error) string {
	var e *fault.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Where
}

// writeVerdicts records verdicts: what was taken leaves the outbox, what was refused is parked.
func (w *Worker) writeVerdicts(tx store.Writer, done []verdict, counts *Counts) error {
	if len(done) == 0 {
		return nil
	}
	seqs := make([]uint64, 0, len(done))
	var over []string // records that wait no longer
	for _, v := range done {
		if v.seq > 0 {
			seqs = append(seqs, v.seq)
		}
		if v.waiting > 0 && v.wait == nil {
			over = append(over, v.subject)
		}
		if v.refused != nil {
			counts.Parked++
			if err := w.park(tx, v); err != nil {
				return err
			}
			continue
		}
		if v.wait != nil {
			counts.Waits++
			if _, err := tx.PutWait(*v.wait); err != nil {
				return err
			}
		} else {
			counts.Delivered++
		}
		if v.parked != 0 {
			if _, err := tx.Unpark(v.parked); err != nil {
				return err
			}
		}
	}
	if len(over) > 0 {
		if _, err := tx.EndWaits(w.name, over); err != nil {
			return err
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	slices.Sort(seqs)
	return tx.Dequeue(w.name, seqs)
}

// Stage is the stage of every entry that a worker parks (store.Parked).
const Stage = "deliver"

func (w *Worker) park(tx store.Writer, v verdict) error {
	_, err := tx.Park(store.Parked{
		Since: w.opts.Now(), Reason: v.refused.Error(), Class: string(fault.ClassOf(v.refused)), Stage: Stage,
		Target: w.name, Subject: v.subject, Action: directory.AppendAction(nil, v.action), Tried: v.again,
	})
	return err
}
