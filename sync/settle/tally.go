package settle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// ops is a set of operations.
type ops uint8

func (s ops) with(op directory.Op) ops { return s | 1<<op }
func (s ops) has(op directory.Op) bool { return s&(1<<op) != 0 }
func (s ops) any(of ops) bool          { return s&of != 0 }

// removing are the operations that take a record away.
const removing = ops(1<<directory.Deactivate | 1<<directory.Delete)

// class is what outcomes have in common that wait, or go ahead, together.
type class struct {
	ops      ops
	unproven bool
	beyond   bool // outcome.beyond
	// lists: not the outcomes themselves, but the members that they take from lists.
	lists bool
	// undone: not the outcomes themselves, but what of them was undone (outcome.again).
	undone bool
}

// portion is the part of a plan that is of one class.
type portion struct {
	hash   hash.Hash
	counts plan.Counts
	// objects are those whose records the portion takes away, or whose lists become shorter, by kind of record.
	objects map[directory.RecordKind]*roaring.Bitmap
	// leavers are people, customers and sites that lose their last active record, or are gone.
	leavers *roaring.Bitmap
	// comers are the same of those who get their first one.
	comers *roaring.Bitmap
}

// tally sums up a plan.
type tally struct {
	counts plan.Counts
	// proven counts the same without removals for which there is no proof, and without those who are beyond a limit of their own.
	proven   plan.Counts
	unproven int
	// beyond are the people of outcome.beyond.
	beyond int
	// undone counts the actions of outcome.again by what they say of the undo.
	undone map[string]int
	// done is proven, with the fields that are changed, by the class of the outcomes, and with class.lists the members that lists of such lose;
	// members is how many these had.
	done     map[class]plan.Done
	members  map[plan.Entry]int
	portions map[class]*portion
	// lost are the memberships that lists lose, of people who keep a record; broken the lists that lose too many.
	lost, broken int
	// made is the plan itself; nil when it is not kept.
	made *made
}

// tally makes the plan without storing anything.
func (s *Settlement) tally(ctx context.Context, visit func(*directory.Action)) (*tally, error) {
	t := &tally{counts: plan.Counts{}, proven: plan.Counts{}, done: map[class]plan.Done{}, members: map[plan.Entry]int{}, portions: map[class]*portion{}}
	if visit == nil && s.keepsPlan() {
		t.made = &made{}
	}
	err := s.pass(ctx, nil, func(_ context.Context, b *batch) error {
		for i := range b.outcomes {
			o := &b.outcomes[i]
			t.add(o, visit)
			for k := range o.losses {
				t.addLoss(o, &o.losses[k], s.Lists)
			}
		}
		if t.made != nil {
			t.made.keep(s, b)
		}
		return nil
	})
	return t, err
}

func (t *tally) portion(c class) *portion {
	p := t.portions[c]
	if p == nil {
		p = &portion{hash: sha256.New(), counts: plan.Counts{}, objects: map[directory.RecordKind]*roaring.Bitmap{}, leavers: roaring.New(), comers: roaring.New()}
		t.portions[c] = p
	}
	return p
}

func (t *tally) doneBy(c class) plan.Done {
	if t.done[c] == nil {
		t.done[c] = plan.Done{}
	}
	return t.done[c]
}

func (t *tally) add(o *outcome, visit func(*directory.Action)) {
	t.addAgain(o, visit)
	c := o.class()
	if c.ops == 0 {
		return
	}
	if c.beyond {
		t.beyond++
	}
	p := t.portion(c)
	for _, step := range o.steps {
		a := step.Action
		if a == nil {
			continue
		}
		t.counts.Add(a.Kind, a.Op)
		p.counts.Add(a.Kind, a.Op)
		switch {
		case a.Kind == directory.TicketRecord:
			// It follows from what is decided about the person.
		case !c.ops.any(removing):
			p.hash.Write([]byte(a.Key))
		default:
			// Who is removed is the plan, not by which of several words for it, nor what becomes of the person else.
			p.note(a.Op, a.Kind, a.Record)
		}
		if a.Op.Removes() {
			p.mark(a.Kind, o.num)
		}
		switch {
		case a.Kind == directory.TicketRecord: // no limit is about them
		case o.unprovenRemoval:
			t.unproven++
		case c.beyond: // they wait by themselves
		default:
			t.proven.Add(a.Kind, a.Op)
			t.doneBy(c).Act(a)
		}
		if visit != nil {
			visit(a)
		}
	}
	switch o.kind {
	case directory.Person, directory.Customer, directory.Site:
		if o.leaves || o.forget {
			p.leavers.Add(uint32(o.num))
		}
		if o.comes {
			p.comers.Add(uint32(o.num))
		}
	}
}

// addLoss adds the members that a list loses.
func (t *tally) addLoss(o *outcome, l *loss, limits plan.Lists) {
	t.lost += len(l.members)
	c := o.class()
	c.lists = true
	t.doneBy(c).Lose(l.kind, uint32(o.num), len(l.members), l.had)
	t.members[plan.Entry{Kind: l.kind, List: uint32(o.num)}] = l.had
	if limits.Breaks(len(l.members), l.had) {
		t.broken++
	}
	p := t.portion(class{lists: true})
	p.counts.Add(l.kind, directory.Update)
	p.mark(l.kind, o.num)
	p.note(directory.Update, l.kind, o.id)
	for _, n := range l.members {
		_ = binary.Write(p.hash, binary.BigEndian, n) // a hash never fails
	}
}

func (p *portion) note(op directory.Op, kind directory.RecordKind, key string) {
	p.hash.Write([]byte{byte(op), byte(kind)})
	_ = binary.Write(p.hash, binary.BigEndian, uint32(len(key))) // a hash never fails
	p.hash.Write([]byte(key))
}

func (p *portion) mark(kind directory.RecordKind, n store.Num) {
	if p.objects[kind] == nil {
		p.objects[kind] = roaring.New()
	}
	p.objects[kind].Add(uint32(n))
}

// of returns the portions that a hold keeps back, in order.
func (t *tally) of(h *hold) (list []*portion) {
	classes := slices.SortedFunc(maps.Keys(t.portions), func(a, b class) int {
		return cmp.Or(cmp.Compare(a.ops, b.ops), compareBool(a.unproven, b.unproven), compareBool(a.beyond, b.beyond), compareBool(a.lists, b.lists), compareBool(a.undone, b.undone))
	})
	for _, c := range classes {
		if h.covers(c) {
			list = append(list, t.portions[c])
		}
	}
	return list
}

// ahead is what of done is not kept back by a hold, which may be nil. It is the most that is done then: what follows from it that others wait, such
// as that a list keeps them and does not change, is known when it is worked out again.
func (t *tally) ahead(h *hold) plan.Done {
	done := plan.Done{}
	for c, part := range t.done {
		of := c
		of.lists = false
		if h.covers(of) || c.lists && h.covers(class{lists: true}) {
			continue
		}
		done.Merge(part)
	}
	return done
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// planHash is the hash of what waits, short enough to be typed.
func planHash(portions []*portion) string {
	whole := sha256.New()
	for _, p := range portions {
		whole.Write(p.hash.Sum(nil))
	}
	return hex.EncodeToString(whole.Sum(nil)[:6])
}
