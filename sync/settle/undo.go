package settle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// An undo goes over the kept actions of a run twice, as a settling does over its objects: Plan counts and shows, Apply stores. What it
// brings back already is brought back no more, so that one that was cut goes on from its beginning.

// Undo is an undo of a run, or of what it did to one object's records.
type Undo struct {
	*Task
	// Of is the run, Record the key of the records that are meant, empty for all; By is the user who asks.
	Of, Record, By string
	// Ours: the run was an undo itself, of what the rules want.
	Ours bool

	s *Settlement
	// on and off are the people who get and lose their record in the pass.
	on, off *roaring.Bitmap
}

// UndoPlan is what an undo comes to.
type UndoPlan struct {
	// Hash is that of what it would bring back; empty when that is nothing.
	Hash   string
	Counts plan.Counts
	// Breaches are the limits of a run that it goes beyond.
	Breaches []plan.Breach
	// Cannot is how many records are left as they are, in whole or in part, and Forgotten how many of the run's first actions are not kept any
	// more.
	Cannot, Forgotten int
	// Seen is how many actions of the run it looked at.
	Seen int
}

// Undone is what the undo of one action comes to.
type Undone struct {
	Of directory.RunAction
	// Action brings back what it can; nil for nothing.
	Action *directory.Action
	// Kept is what stays as it is, and why.
	Kept []plan.Kept
}

// undoPhases are the kinds of record in the order in which they are brought back: customers and sites come before those who belong to them,
// and go after them. Within a phase it goes backwards through the run.
func undoPhases() []undoPhase {
	people := []directory.RecordKind{directory.UserRecord, directory.AgentRecord}
	lists := []directory.RecordKind{directory.GroupRecord, directory.LicenceRecord, directory.AssetRecord, directory.TicketRecord}
	customer, site := []directory.RecordKind{directory.CustomerRecord}, []directory.RecordKind{directory.SiteRecord}
	return []undoPhase{{customer, stays}, {site, stays}, {people, both}, {lists, both}, {site, goes}, {customer, goes}}
}

type undoPhase struct {
	kinds []directory.RecordKind
	which int
}

// Which of a phase's records are meant: those that stay or come back, those that go, or both.
const (
	both = iota
	stays
	goes
)

func (p undoPhase) has(a *directory.RunAction) bool {
	if !slices.Contains(p.kinds, a.Kind) {
		return false
	}
	gone := a.Op == directory.Create || a.Op == directory.Reactivate
	return p.which == both || gone == (p.which == goes)
}

// Plan works out the undo and stores nothing. visit sees what each action comes to, in the order in which it would be done.
func (u *Undo) Plan(ctx context.Context, visit func(*Undone)) (UndoPlan, error) {
	p := UndoPlan{Counts: plan.Counts{}}
	sum := sha256.New()
	err := u.pass(ctx, func(first, n int) { p.Forgotten, p.Seen = first, n }, func(list []undoneStep) error {
		for i := range list {
			p.add(&list[i], sum)
			if visit != nil {
				visit(&list[i].Undone)
			}
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	if p.Counts.Total() > 0 {
		p.Hash = hex.EncodeToString(sum.Sum(nil)[:6])
	}
	population, err := u.s.population(ctx)
	if err != nil {
		return p, err
	}
	p.Breaches = u.Guard.Check(p.Counts, population)
	return p, nil
}

func (p *UndoPlan) add(d *undoneStep, sum hash.Hash) {
	if len(d.Kept) > 0 {
		p.Cannot++
	}
	if d.Action != nil {
		p.Counts.Add(d.Action.Kind, d.Action.Op)
		sum.Write([]byte(d.Action.Key))
	}
}

// Changed is the error of an undo, of one record alone where there is one, that is not the one that was looked at.
func (p *UndoPlan) Changed(of, record, approve string) error {
	look := "dirsyncd undo " + of
	if record != "" {
		look += " --record " + record
	}
	now, hint := "there is nothing to bring back any longer", "`"+look+"` says what of it stays, and why"
	if p.Hash != "" {
		now, hint = "it is now "+p.Hash, "look at it again with `"+look+"`, and approve that one"
	}
	return &fault.Error{Class: fault.Conflict, Op: "undo " + of, Err: fmt.Errorf("%w (%s): %s", ErrPlanChanged, approve, now), Hint: hint}
}

// Apply brings back what can be, and returns how many actions were queued.
func (u *Undo) Apply(ctx context.Context) (plan.Counts, error) {
	counts, first := plan.Counts{}, true
	err := u.pass(ctx, func(int, int) {}, func(list []undoneStep) error {
		list = slices.DeleteFunc(list, func(d undoneStep) bool { return d.step.Action == nil })
		if len(list) == 0 {
			return nil
		}
		kept := 0
		err := u.State.Update(ctx, func(tx store.Writer) (err error) {
			if first { // of one that was cut there are some
				if u.s.kept, err = keptOf(tx, u.Run.Run); err != nil {
					return err
				}
			}
			kept, err = u.store(tx, list)
			return err
		})
		if err != nil {
			return err
		}
		u.s.kept, first = kept, false
		for i := range list {
			a := list[i].step.Action
			counts.Add(a.Kind, a.Op)
			if u.Acted != nil {
				u.Acted(a)
			}
		}
		for _, target := range u.Targets {
			u.Queued(target)
		}
		return nil
	})
	return counts, err
}

// store stores steps, queues their actions, and marks the objects so that the next run looks at what waits of them.
func (u *Undo) store(tx store.Writer, list []undoneStep) (kept int, err error) {
	actions, seats := make([]directory.RunAction, len(list)), map[seat]int{}
	for i := range list {
		d := &list[i]
		if err := u.s.commitStep(tx, d.num, d.step, seats); err != nil {
			return 0, err
		}
		actions[i] = runAction(d.num, &d.step)
		kind := mapping.ObjectOf(d.Of.Kind)
		if _, there, err := tx.Row(kind, d.num); err != nil {
			return 0, err
		} else if !there {
			if d.step.Record.Undone != nil {
				err = tx.PutDue(kind, d.num, d.step.Record.Undone.At.Time)
			}
			if err != nil {
				return 0, err
			}
			continue
		}
		why := store.Changed
		switch kind {
		case directory.Person:
			why = store.Remapped
		case directory.Group:
			why = store.MembersChanged
		}
		if err := (relations.Marker{}).Stored(tx, kind, []store.Num{d.num}, why); err != nil {
			return 0, err
		}
	}
	if err := u.s.keepTaken(tx, seats); err != nil {
		return 0, err
	}
	return u.s.keepAll(tx, actions) // what is forgotten for these may be what is still to be brought back
}

// undoneStep is Undone with what is to be stored.
type undoneStep struct {
	Undone
	num  store.Num
	step plan.Step
}

// pass goes over the run's actions in the order of an undo, some at a time.
func (u *Undo) pass(ctx context.Context, begin func(first, n int), use func([]undoneStep) error) error {
	u.s, u.on, u.off = newSettlement(u.Task), roaring.New(), roaring.New()
	first, end, kinds, err := u.look(ctx)
	if err != nil {
		return err
	}
	begin(max(first, 0), end-max(first, 0))
	for _, phase := range undoPhases() {
		if !slices.ContainsFunc(phase.kinds, func(k directory.RecordKind) bool { return kinds[k] }) {
			continue
		}
		for to := end; to > first; to -= u.chunk() {
			if err := ctx.Err(); err != nil {
				return err
			}
			list, err := u.part(ctx, phase, max(first, to-u.chunk()), to)
			if err == nil && len(list) > 0 {
				err = use(list)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *Undo) chunk() int { return max(1, u.Chunk) }

// look finds the positions of the actions that are kept, and of which kinds of record they are.
func (u *Undo) look(ctx context.Context) (first, end int, kinds map[directory.RecordKind]bool, err error) {
	err = u.State.View(ctx, func(tx store.Reader) error {
		first, end, kinds = -1, 0, map[directory.RecordKind]bool{}
		return tx.RunActions(u.Of, 0, func(at int, a directory.RunAction) bool {
			if first < 0 {
				first = at
			}
			end = at + 1
			kinds[a.Kind] = true
			return true
		})
	})
	return max(first, 0), end, kinds, err
}

// part works out the undo of a phase's actions between two positions, the last one first.
func (u *Undo) part(ctx context.Context, phase undoPhase, from, to int) (list []undoneStep, err error) {
	err = u.State.View(ctx, func(tx store.Reader) error {
		list = nil
		err := tx.RunActions(u.Of, from, func(at int, a directory.RunAction) bool {
			if at < to && phase.has(&a) && (u.Record == "" || a.Key == u.Record) {
				list = append(list, undoneStep{Undone: Undone{Of: a}, num: store.Num(a.Num)})
			}
			return at+1 < to
		})
		if err != nil {
			return err
		}
		slices.Reverse(list)
		seen := map[directory.RecordKind]map[store.Num]bool{}
		for i := range list {
			d := &list[i]
			if seen[d.Of.Kind] == nil {
				seen[d.Of.Kind] = map[store.Num]bool{}
			}
			if seen[d.Of.Kind][d.num] {
				d.Kept = []plan.Kept{{Why: "the run changed it more than once: undo it again for the rest"}}
				continue
			}
			seen[d.Of.Kind][d.num] = true
			if err := u.decide(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// decide works out what the undo of one action comes to.
func (u *Undo) decide(tx store.Reader, d *undoneStep) error {
	var rec *directory.Record
	if stored, known, err := tx.Record(d.Of.Kind, d.num); err != nil {
		return err
	} else if known {
		rec = &stored
	}
	_, there, err := tx.Row(mapping.ObjectOf(d.Of.Kind), d.num)
	if err != nil {
		return err
	}
	var bad error
	// Of somebody whom the store has forgotten the rules want nothing.
	r := &plan.Reversal{Of: u.Of, By: u.By, Ours: u.Ours && there, Listed: func(nums []uint32) (list []uint32) {
		list, bad = u.listed(tx, nums)
		return list
	}}
	subject := &plan.Subject{Run: &u.Run, At: u.at(), Leaver: u.s.leaver, Kept: func(rec *directory.Record) bool {
		name, _ := u.Rules.Kept(rec, u.at())
		return name != ""
	}}
	if rec != nil {
		subject.Origin, subject.Rule = u.s.originOf(rec), rec.Rule
	}
	subject.Keys = func(nums []uint32) (keys []string) {
		if bad == nil {
			keys, bad = u.s.recordKeys(tx, nums)
		}
		return keys
	}
	d.step, d.Kept = plan.Undo(subject, rec, &d.Of, r)
	if d.Action = d.step.Action; d.Action == nil || bad != nil {
		return bad
	}
	d.Action.Once = slices.DeleteFunc(slices.Clone(u.Rules.OnCreate(d.Of.Kind, d.step.Record.Rule)), func(name string) bool {
		_, has := d.step.Record.Get(name)
		return !has
	})
	if mapping.ObjectOf(d.Of.Kind) == directory.Person && rec.Active != d.step.Record.Active {
		if d.step.Record.Active {
			u.on.Add(uint32(d.num))
		} else {
			u.off.Add(uint32(d.num))
		}
	}
	return nil
}

// listed returns those of some people whom a list may name when the undo is done.
func (u *Undo) listed(tx store.Reader, nums []uint32) ([]uint32, error) {
	set := roaring.New()
	ask := make([]store.Num, len(nums))
	for i, n := range nums {
		ask[i] = store.Num(n)
	}
	err := tx.RecordsOf(nil, mapping.RecordsOf(directory.Person), ask, func(n store.Num, rec directory.Record) bool {
		if rec.Active {
			set.Add(uint32(n))
		}
		return true
	})
	set.AndNot(u.off)
	all := roaring.BitmapOf(nums...)
	all.And(u.on)
	set.Or(all)
	if set.IsEmpty() {
		return nil, err
	}
	return set.ToArray(), err
}
