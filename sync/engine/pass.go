package engine

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// settleChunk is how many objects are settled in one transaction; see Engine.chunk.
const settleChunk = 2000

// outcome is what one object comes to.
type outcome struct {
	kind  directory.Kind
	num   store.Num
	id    string
	steps []plan.Step
	// err is why the rules failed for the object. Nothing is concluded about it then.
	err error
	// forget: the object is gone and need not be kept.
	forget bool
	// unproven: the steps take records away for which there is no proof.
	unproven bool
	// lists are groups and licences whose lists of people the outcome changes.
	lists []directoryNum
	// leave: nothing is done about the object in this pass, and its mark stays.
	leave bool
}

// directoryNum is an object of a kind.
type directoryNum struct {
	kind directory.Kind
	num  store.Num
}

// batch is what one chunk of objects comes to.
type batch struct{ outcomes []outcome }

// pass works out every outcome in a fixed order, that of settleOrder, and hands them on in batches. Working
// out the next batch goes on while the previous one is being stored.
func (s *settlement) pass(ctx context.Context, use func(context.Context, *batch) error) error {
	s.activity = newActivity()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan *batch)
	worked := make(chan error, 1)
	go func() {
		defer close(ready)
		worked <- s.workOutSafely(ctx, func(b *batch) error {
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
		if failed = use(ctx, b); failed != nil {
			stop()
		}
		done += len(b.outcomes)
		s.progress("settle", "", done, s.amount())
	}
	if err := <-worked; failed == nil {
		return err
	}
	return failed
}

// workOutSafely makes the batches on a goroutine of its own, where nobody else would catch a panic.
func (s *settlement) workOutSafely(ctx context.Context, hand func(*batch) error) (err error) {
	defer fault.Recover("settle", &err)
	return s.workOut(ctx, hand)
}

// workOut makes the batches.
func (s *settlement) workOut(ctx context.Context, hand func(*batch) error) error {
	for _, kind := range settleOrder() {
		set, one := s.look[kind], s.object
		switch kind {
		case directory.Person:
			one = s.person
		case directory.Group:
			groups, err := s.groupsToSettle(ctx)
			if err != nil {
				return err
			}
			set = groups
		case directory.Licence:
			set = roaring.Or(set, s.activity.licences)
		}
		if err := s.each(ctx, kind, set, one, hand); err != nil {
			return err
		}
	}
	return nil
}

// settleOrder is the order in which kinds are settled: a target hears of a customer before it hears of the
// customer's people, and of people before it hears of the groups and licences that list them.
func settleOrder() []directory.Kind {
	return []directory.Kind{directory.Customer, directory.Person, directory.Group, directory.Licence, directory.Device}
}

// amount is how many objects there are to settle.
func (s *settlement) amount() (n int) {
	for _, set := range s.look {
		n += int(set.GetCardinality())
	}
	return n
}

// each works out the objects of a set, chunk by chunk.
func (s *settlement) each(ctx context.Context, kind directory.Kind, set *roaring.Bitmap,
	one func(store.Reader, directory.Kind, store.Num) (outcome, error), hand func(*batch) error,
) error {
	for chunk := range slices.Chunk(nums(set), s.chunk) {
		b := &batch{outcomes: make([]outcome, 0, len(chunk))}
		err := s.view(ctx, func(tx store.Reader) error {
			for _, n := range chunk {
				o, err := one(tx, kind, n)
				if err != nil {
					return err
				}
				o.kind, o.num = kind, n
				b.outcomes = append(b.outcomes, o)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := hand(b); err != nil {
			return err
		}
	}
	return nil
}

// activity remembers who gains and who loses an active record in a pass, before that is stored.
type activity struct {
	on, off *roaring.Bitmap
	// groups contain one of them; licences are held by one.
	groups, licences *roaring.Bitmap
	// keys are the record keys of those who lose theirs: their objects may be gone when a group asks.
	keys map[store.Num]string
}

func newActivity() activity {
	return activity{on: roaring.New(), off: roaring.New(), groups: roaring.New(), licences: roaring.New(), keys: map[store.Num]string{}}
}

func (a *activity) note(n store.Num, key string, is bool) {
	if is {
		a.on.Add(uint32(n))
		return
	}
	a.off.Add(uint32(n))
	a.keys[n] = key
}
