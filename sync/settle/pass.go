package settle

import (
	"context"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// outcome is what one object comes to.
type outcome struct {
	kind directory.Kind
	num  store.Num
	// id and the numbers of the object's handles; none for an object that is not stored.
	id    string
	nums  []store.Num
	steps []plan.Step
	// again are actions that would do again what an operator has undone: they wait.
	again []*directory.Action
	// err is why the rules failed for the object. Nothing is concluded about it then.
	err error
	// forget: the object is gone and need not be kept.
	forget bool
	// last: to be forgotten when the pass is over, and marked until then. Names that others state, too, mean somebody else
	// from then on: nobody has seen in the plan what follows from that, so it is the next run's.
	last bool
	// unprovenRemoval: the steps take records away for which there is no proof.
	unprovenRemoval bool
	// deferred: nothing is done about the object in this pass, and its mark stays.
	deferred bool
	// waits: it must have a mark when the pass is over, be it deferred or a list that keeps whom it would lose.
	waits bool
	// leaves: the object has no active record any more after the steps, and had one before.
	leaves bool
	// comes: it has an active record after the steps, and had none before; that of one who waits, too.
	comes bool
	// due is when the outcome may be another one although nothing about the object changes; zero: never.
	due time.Time
	// seats are those that the outcome takes anew and gives up, where they are counted and not assigned yet.
	seats seatWish
	// beyond: it makes the first record of somebody who signed in when the limit of the day was used up.
	beyond bool
	// left: the object is not stored, only records of it are.
	left bool
	// losses are the members that the object's lists lose, as far as those keep a record.
	losses []loss
	// groups and licences are those whose lists of people the outcome changes.
	groups, licences []store.Num
}

// loss is what a list loses: members by number, ascending, of those that it had.
type loss struct {
	kind    directory.RecordKind
	members []uint32
	had     int
}

// class says what the outcome waits with, and goes ahead with. Without actions it is the zero class.
func (o *outcome) class() class {
	var c class
	for _, step := range o.steps {
		if step.Action != nil && step.Kind != directory.TicketRecord { // tickets go with whom they are about
			c.ops = c.ops.with(step.Action.Op)
		}
	}
	c.unproven, c.beyond = o.unprovenRemoval && c.ops != 0, o.beyond && c.ops != 0
	return c
}

// batch is what one chunk of objects comes to. All of them are of one kind, in order.
type batch struct {
	kind     directory.Kind
	outcomes []outcome
	// last: all others are settled.
	last bool
	// room is where the outcomes are. Whoever keeps them beyond the batch's turn takes it away.
	room *room
}

// room is the memory of a batch: the outcomes with their steps, records and actions, and the records that there were before. When the
// batch has had its turn it is that of another one: whoever is shown an action or a record keeps no more of it than texts and lists of
// texts or numbers.
type room struct {
	outcomes []outcome
	memory   plan.Memory
}

// pass works out every outcome in a fixed order, that of settleOrder, and hands them on in batches; those who are to be
// postponed come in leaveOrder after all others. Working out the next batch goes on while the previous one is being stored.
func (s *Settlement) pass(ctx context.Context, postponed leavers, use func(context.Context, *batch) error) error {
	s.presence, s.matches = newPresence(), Matches{}
	s.references = References{Rules: s.Rules, Source: s.Source, Origin: s.Origin, At: s.at(), Staying: s.hold.waiting(), Waiting: s.comers()}
	s.spare = make(chan *room, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan *batch)
	worked := make(chan error, 1)
	go func() {
		defer close(ready)
		worked <- s.workOutSafely(ctx, postponed, func(b *batch) error {
			select {
			case ready <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	var failed error
	done := 0
	for b := range ready {
		if failed != nil {
			continue
		}
		done += len(b.outcomes)
		if failed = use(ctx, b); failed != nil {
			stop()
		}
		s.recycle(b)
		s.Progress(done, s.amount())
	}
	if err := <-worked; failed == nil {
		return err
	}
	return failed
}

// recycle gives the memory of a batch that is done to one that is to come.
func (s *Settlement) recycle(b *batch) {
	r := b.room
	if r == nil {
		return
	}
	b.outcomes, b.room = nil, nil
	clear(r.outcomes)
	r.memory.Reset()
	select {
	case s.spare <- r:
	default:
	}
}

// newBatch makes a batch in the memory of one that is done, if there is one.
func (s *Settlement) newBatch(kind directory.Kind) *batch {
	select {
	case r := <-s.spare:
		return &batch{kind: kind, room: r}
	default:
		return &batch{kind: kind, room: new(room)}
	}
}

// workOutSafely makes the batches on a goroutine of its own, where nobody else would catch a panic.
func (s *Settlement) workOutSafely(ctx context.Context, postponed leavers, hand func(*batch) error) (err error) {
	defer fault.Recover("settle", &err)
	if err := s.workOut(ctx, postponed, hand); err != nil {
		return err
	}
	return s.workOutLeavers(ctx, postponed, hand)
}

// workOut makes the batches of all who are not postponed.
func (s *Settlement) workOut(ctx context.Context, postponed leavers, hand func(*batch) error) error {
	for _, kind := range settleOrder() {
		set := s.worklist[kind]
		switch kind {
		case directory.Group:
			groups, err := s.groupsToSettle(ctx)
			if err != nil {
				return err
			}
			set = groups
		case directory.Licence:
			set = roaring.Or(set, s.presence.licences)
		}
		for chunk := range slices.Chunk(relations.Nums(set), s.Chunk) {
			b := s.newBatch(kind)
			err := s.State.View(s.looksAt(ctx, kind, chunk), func(tx store.Reader) error { return s.evaluate(tx, b, chunk) })
			if err != nil {
				return err
			}
			postponed.postpone(b)
			if err := hand(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleOrder is the order in which kinds are settled: a target hears of a customer before it hears of the
// customer's sites and people, and of people before it hears of the groups and licences that list them and of their devices.
func settleOrder() []directory.Kind {
	return []directory.Kind{directory.Customer, directory.Site, directory.Person, directory.Group, directory.Licence, directory.Device}
}

// amount is how many objects there are to settle.
func (s *Settlement) amount() (n int) {
	for _, set := range s.worklist {
		n += int(set.GetCardinality())
	}
	return n
}

// groupsToSettle adds to the dirty groups those that contain them, and those that contain somebody who gained
// or lost a record in this pass.
func (s *Settlement) groupsToSettle(ctx context.Context) (*roaring.Bitmap, error) {
	dirty := s.worklist[directory.Group]
	if !s.uses.Records[directory.Group] {
		return dirty, nil
	}
	set := roaring.Or(dirty, s.presence.groups)
	for chunk := range slices.Chunk(relations.Nums(dirty), s.Chunk) {
		err := s.State.View(ctx, func(tx store.Reader) error {
			above, err := s.groups.Above(tx, chunk)
			for _, groups := range above {
				set.Or(relations.Set(groups))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return set, nil
}
