package settle

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// leavers are customers and sites that lose their records. They are settled last, so that a target hears that one goes
// after it heard what becomes of those who belong to it. People are not among them: whoever comes in their place may need
// their log-in name, address or seat. Nil when nobody is postponed.
type leavers map[directory.Kind]*roaring.Bitmap

func newLeavers() leavers {
	l := leavers{}
	for _, kind := range leaveOrder() {
		l[kind] = roaring.New()
	}
	return l
}

// leaveOrder is the order in which those are settled who were postponed: the other way round than in settleOrder.
func leaveOrder() []directory.Kind {
	return []directory.Kind{directory.Site, directory.Customer}
}

// postpone takes those out of a batch who are to be settled last. Their marks stay until then, and nobody else's outcome
// depends on their records: what others see of them is whether they are there.
func (l leavers) postpone(b *batch) {
	if l[b.kind] == nil {
		return
	}
	b.outcomes = slices.DeleteFunc(b.outcomes, func(o outcome) bool {
		if o.leaves {
			l[b.kind].Add(uint32(o.num))
		}
		return o.leaves
	})
}

// workOutLeavers makes the batches of those who were postponed.
func (s *Settlement) workOutLeavers(ctx context.Context, l leavers, hand func(*batch) error) error {
	for _, kind := range leaveOrder() {
		if l[kind] == nil {
			continue
		}
		for chunk := range slices.Chunk(relations.Nums(l[kind]), s.Chunk) {
			b := s.newBatch(kind)
			b.last = true
			err := s.State.View(s.looksAt(ctx, kind, chunk), func(tx store.Reader) error { return s.evaluate(tx, b, chunk) })
			if err != nil {
				return err
			}
			if err := hand(b); err != nil {
				return err
			}
		}
	}
	return nil
}
