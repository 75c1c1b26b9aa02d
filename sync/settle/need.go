package settle

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// looksAt is a context for the view in which objects are worked out.
func (s *Settlement) looksAt(ctx context.Context, kind directory.Kind, nums []store.Num) context.Context {
	return store.Expect(ctx, func() store.Need { return s.objectsNeed(kind, nums) })
}

func (s *Settlement) objectsNeed(kind directory.Kind, nums []store.Num) store.Need {
	want := s.wanted(kind)
	need := store.Need{Kinds: []directory.Kind{kind}, Nums: nums, Records: mapping.RecordsOf(kind), Groups: want.Groups}
	for _, one := range []struct {
		wanted bool
		kind   directory.Kind
	}{{want.Manager || want.Owner, directory.Person}, {want.Licences, directory.Licence}, {want.Customer, directory.Customer}, {want.Site, directory.Site}} {
		if one.wanted {
			need.Linked = append(need.Linked, one.kind)
		}
	}
	return need
}

// looksAtMarks is a context for the view in which a batch is compared with its marks.
func (s *Settlement) looksAtMarks(ctx context.Context, b *batch) context.Context {
	return store.Expect(ctx, func() store.Need {
		need := store.Need{Marks: b.kind}
		for i := range b.outcomes {
			need.Nums = append(need.Nums, b.outcomes[i].num)
		}
		if s.SameRules && !b.last {
			s.followNeed(b, &need)
		}
		return need
	})
}

// followNeed is what follow asks for.
func (s *Settlement) followNeed(b *batch, need *store.Need) {
	var nums []store.Num
	for i := range b.outcomes {
		nums = append(nums, b.outcomes[i].nums...)
	}
	need.Referrers = map[directory.LinkType][]store.Num{}
	if b.kind == directory.Person && s.uses.Owner {
		need.Referrers[directory.Owner] = nums
	}
	if link, looked := s.lookedAt(b.kind); slices.Contains(looked[:], true) {
		need.Referrers[link] = nums
	}
}

// stores is a context for the transaction that stores what a batch came to.
func (s *Settlement) stores(ctx context.Context, w *pendingWrites) context.Context {
	return store.Expect(ctx, func() store.Need {
		need := store.Need{Actions: w.actions && !s.Keep.Off}
		for _, o := range w.outcomes {
			if len(o.steps) > 0 {
				need.Nums, need.Records = append(need.Nums, o.num), mapping.RecordsOf(o.kind)
			}
		}
		return need
	})
}
