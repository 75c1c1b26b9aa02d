package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

// SignIn is the trigger of what sign-ins make: one run for each minute of a partition.
const SignIn = "sign-in"

// Arrival is somebody of whom a sign-in tells before their source does, or in place of one.
type Arrival struct {
	// Object is what the provider said, a person. The id is that at the source, so that a later read finds the same object.
	Object directory.Object
	// By is the provider of identity.
	By string
	// Until is until when it means nothing that the source does not list them; zero: it never means anything.
	Until time.Time
	// Beyond: more came today than may come unasked. They are stored, and the operator decides in the next plan.
	Beyond bool
}

// Arrived is what came of an arrival. Of whom the rules make no record, and of whom the source has said that they are gone, nothing is stored.
type Arrived struct {
	Owner
	// Created: they have a record now that they had not.
	Created bool
	// Active: they have one, be it of before.
	Active bool
	// Waits: they are stored, and get their record when the operator or, of a seat of the desk, a run has given it.
	Waits bool
	// Gone: the source has said so.
	Gone bool
	// Rule decided that there is no record; empty when none did.
	Rule string
	// Failed is what the rules failed with.
	Failed error
}

// SettleOne makes the record of somebody who signs in and has none, in one transaction, beside whatever runs of the tenant are under
// way: it waits for one page or chunk of theirs, and for no lease. Whoever is stored already stays as the source says; two calls for one person
// make one. The error is of class fault.Conflict as long as the tenant's first sync is not over: nobody knows yet who is there.
func (e *Engine) SettleOne(ctx context.Context, c *Connection, t connectors.Tenant, a Arrival) (got Arrived, err error) {
	defer fault.Recover("settle one person", &err)
	if t.Name == "" && t.Domain == "" { // what the tenant has of its own may go by them
		was := e.stateOf(store.Partition{Connection: c.Name, Tenant: t.ID})
		if err := was.load(ctx); err != nil {
			return got, err
		}
		t.Name, t.Domain = was.Name, was.Domain
	}
	r := e.begin(c, t, tenantJob{Job: Job{Trigger: SignIn}})
	if err := r.load(ctx); err != nil {
		return got, err
	}
	r.ofMinute()
	if l, limited := r.conn.Guard[directory.Create]; limited && l.Count != nil && *l.Count < 1 {
		a.Beyond = true // nobody comes unasked
	}
	token := alone(rand.Text())
	var told []*directory.Action
	steps := []transition{token, decidedAt(r.stamp.Time)}
	if a.Beyond {
		steps = append(steps, waitsBeyond)
	}
	err = r.state.update(ctx, func(tx store.Writer) error {
		told = nil
		task := r.settleTask()
		task.Queued, task.Acted = func(string) {}, func(a *directory.Action) { told = append(told, a) }
		one := arrival{run: r, Arrival: a, task: task}
		if err := one.settle(ctx, tx); err != nil {
			return err
		}
		got = one.got
		if !one.wrote {
			return errNothing
		}
		return one.record(tx)
	}, steps...)
	if errors.Is(err, errNothing) {
		return got, nil
	}
	if err != nil {
		return Arrived{}, err
	}
	if len(told) > 0 {
		for _, target := range c.Targets {
			r.queued(target)
		}
	}
	return got, nil
}

// errNothing ends a transaction that has nothing to store.
var errNothing = errors.New("nothing to store")

// alone names the last settling of one person.
func alone(name string) transition {
	return func(s *store.TenantState) { s.Alone = name }
}

// arrival is one transaction of SettleOne.
type arrival struct {
	*run
	Arrival
	task   *settle.Task
	got    Arrived
	counts plan.Counts
	wrote  bool
}

func (a *arrival) settle(ctx context.Context, tx store.Writer) error {
	state, err := tx.Tenant()
	if err != nil {
		return err
	}
	if state.RulesHash == "" || state.Initial {
		return &fault.Error{Class: fault.Conflict, Op: "settle one person", Where: a.part.String(), Err: errors.New("the first sync is not over"),
			Hint: "`dirsyncd sync " + a.conn.Name + "` reads and maps everybody; what it holds is to be approved"}
	}
	a.got.Owner = Owner{Partition: a.part, ID: a.Object.ID, Record: a.task.Origin.Of(a.Object.ID).RecordKey()}
	nums, err := tx.Lookup([]string{directory.IDHandle(a.Object.ID)}, nil)
	if err != nil {
		return err
	}
	known, answered, err := a.look(tx, nums[0])
	if err != nil || answered {
		return err
	}
	n := nums[0]
	if !known {
		if n, err = tx.PutRow(a.object(), store.Here); err != nil {
			return err
		}
	}
	if a.Beyond && !known {
		a.got.Waits, a.wrote = true, true
		return tx.MarkDirty(directory.Person, n, store.Changed)
	}
	one, err := settle.One(ctx, a.task, tx, n)
	if err != nil || one.Failed != nil {
		a.got.Failed = one.Failed
		return err
	}
	if known && isHeld(state.Held, one.Counts) {
		a.got.Waits = true
		return nil // and nothing of it is stored
	}
	active, err := isActive(tx, n)
	if err != nil {
		return err
	}
	a.got.Rule, a.got.Active, a.counts = one.Rule, active, one.Counts
	switch {
	case one.Seatless:
		a.got.Waits, a.wrote = true, !known
		return tx.MarkDirty(directory.Person, n, store.Changed)
	case active:
		a.got.Created = one.Counts.Total() > 0
		a.wrote = a.got.Created
	}
	return nil
}

// look says how somebody stands who may be stored, and whether that is the answer: they are gone, have a record, or wait for the operator.
func (a *arrival) look(tx store.Reader, n store.Num) (known, answered bool, err error) {
	row, known, err := tx.Row(directory.Person, n)
	if err != nil {
		return false, false, err
	}
	record, err := recordKey(tx, n)
	if err != nil {
		return false, false, err
	}
	if !known {
		a.got.Gone = record != "" // forgotten, but for the records
		return false, a.got.Gone, nil
	}
	o, err := row.Object("settle one person")
	if err != nil {
		return false, false, err
	}
	a.got.Active, err = isActive(tx, n)
	beyond, _ := o.Get(directory.FieldSignedInBeyond)
	a.got.Gone, a.got.Waits = row.Gone != store.Here, beyond.Bool() && record == ""
	return true, a.got.Active || a.got.Gone || a.got.Waits, err
}

// object is the person as it is stored until the source says more.
func (a *arrival) object() *directory.Object {
	o := a.Object
	o.Partial, o.Fields = false, slices.Clone(o.Fields)
	o.SetText(directory.FieldSignedInBy, a.By)
	if !a.Until.IsZero() {
		o.Set(directory.FieldSignedInUntil, directory.Time(a.Until))
	}
	if a.Beyond {
		o.Set(directory.FieldSignedInBeyond, directory.Bool(true))
	}
	return &o
}

// isHeld reports whether a plan waits with some of what is to be done.
func isHeld(h *store.HeldPlan, counts plan.Counts) bool {
	return h != nil && slices.ContainsFunc(directory.Ops(), func(op directory.Op) bool {
		return counts.Of(op) > 0 && (!h.RemovalsOnly || slices.Contains(h.Beyond, op.String()))
	})
}

// isActive reports whether somebody has an active record.
func isActive(tx store.Reader, n store.Num) (active bool, err error) {
	err = tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), []store.Num{n}, func(_ store.Num, rec directory.Record) bool {
		active = active || rec.Active
		return !active
	})
	return active, err
}

// record adds what was done to the run of the minute.
func (a *arrival) record(tx store.Writer) error {
	rec := a.rec
	err := tx.Runs(func(r store.Run) bool {
		if r.ID == rec.ID {
			rec = r
		}
		return r.ID > rec.ID
	})
	if err != nil {
		return err
	}
	rec.Ended, rec.Outcome = a.engine.opts.Now().UTC(), Clean
	rec.Read++
	rec.Changed++
	if rec.Counts == nil {
		rec.Counts = map[string]map[string]int{}
	}
	for kind, ops := range a.counts.Words() {
		if rec.Counts[kind] == nil {
			rec.Counts[kind] = map[string]int{}
		}
		for op, n := range ops {
			rec.Counts[kind][op] += n
		}
	}
	if a.got.Waits {
		const note = "somebody who signed in waits: the limit of the day is used up, or there is no seat"
		if len(rec.Notes) == 0 {
			rec.Notes = []string{note}
		}
	}
	return tx.PutRun(rec)
}

// Keep notes that somebody who is there because they signed in did so again: their source may not know of them until then. Of all others, and where
// the time differs by less than a day, it stores nothing.
func (e *Engine) Keep(ctx context.Context, c *Connection, o Owner, until time.Time) error {
	const enough = 24 * time.Hour
	r := e.begin(c, connectors.Tenant{ID: o.Partition.Tenant}, tenantJob{Job: Job{Trigger: SignIn}})
	if err := r.load(ctx); err != nil {
		return err
	}
	err := r.state.update(ctx, func(tx store.Writer) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(o.ID)}, nil)
		if err != nil {
			return err
		}
		row, ok, err := tx.Row(directory.Person, nums[0])
		if err != nil || !ok || row.Gone != store.Here {
			return errors.Join(err, errNothing)
		}
		object, err := row.Object("keep somebody who signed in")
		if err != nil {
			return err
		}
		before, ends := object.Get(directory.FieldSignedInUntil)
		if !ends || until.Sub(before.Time()) < enough {
			return errNothing
		}
		object.Set(directory.FieldSignedInUntil, directory.Time(until))
		_, err = tx.PutRow(&object, store.Here)
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("keep somebody who signed in, in %s: %w", o.Partition, err)
	}
	return err
}
