package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// namedOf is how many of those who differ are named.
const namedOf = 5

// noLongerHeld says what became of a plan that waited once, and how the one that waits now differs from it.
func (s *Service) noLongerHeld(ctx context.Context, p store.Partition, state *store.TenantState, f *store.FormerPlan) error {
	at := f.Ended.Local().Format("2006-01-02 15:04")
	e := &fault.Error{Class: fault.Configuration, Op: "find plan " + f.Hash, Where: p.String(), Hint: "`dirsyncd status` shows what is held"}
	now := state.Held
	if now == nil {
		how := map[string]string{
			store.PlanApproved: "was approved", store.PlanDiscarded: "was thrown away",
			store.PlanReplaced: "was replaced by another one, of which nothing is held any longer",
		}[f.How]
		if how == "" {
			how = "needed nobody any longer: the source or the rules took it back, or the limits were edited"
		}
		if f.By != "" && (f.How == store.PlanApproved || f.How == store.PlanDiscarded) {
			how += " by " + f.By
		}
		e.Err = fmt.Errorf("no plan with this hash is held: on %s it %s", at, how)
		return e
	}
	text := fmt.Sprintf("no plan with this hash is held: since %s it is %s", at, now.Hash)
	differs, err := s.difference(ctx, p, f.What, now.What)
	if err != nil {
		return err
	}
	if differs != "" {
		text += ", which " + differs
	}
	e.Err = fmt.Errorf("%s", text)
	e.Hint = "look at it with `dirsyncd plan --offline " + p.Connection + "`, then `dirsyncd approve " + now.Hash + "`"
	return e
}

// difference says whom of two plans only one holds; nothing when that is not remembered.
func (s *Service) difference(ctx context.Context, p store.Partition, was, now map[string][]byte) (string, error) {
	if len(was) == 0 || len(now) == 0 {
		return "", nil
	}
	var more, fewer []string
	words := slices.Compact(slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(now))))))
	for _, word := range words {
		before, after := numbersOf(was[word]), numbersOf(now[word])
		for _, d := range []struct {
			list *[]string
			set  *roaring.Bitmap
		}{{&more, roaring.AndNot(after, before)}, {&fewer, roaring.AndNot(before, after)}} {
			text, err := s.named(ctx, p, word, d.set)
			if err != nil {
				return "", err
			}
			if text != "" {
				*d.list = append(*d.list, text)
			}
		}
	}
	switch {
	case len(more)+len(fewer) == 0:
		return "holds the same records, of which other members or reasons differ", nil
	case len(fewer) == 0:
		return "holds besides " + strings.Join(more, "; "), nil
	case len(more) == 0:
		return "holds no longer " + strings.Join(fewer, "; "), nil
	default:
		return "holds besides " + strings.Join(more, "; ") + "; and no longer " + strings.Join(fewer, "; "), nil
	}
}

// numbersOf reads a set as a held plan has it. One that cannot be read is empty: it is for showing only.
func numbersOf(data []byte) *roaring.Bitmap {
	set := roaring.New()
	if len(data) > 0 && set.UnmarshalBinary(data) != nil {
		return roaring.New()
	}
	return set
}

// named says how many records of a kind there are in a set, and the first of them by name.
func (s *Service) named(ctx context.Context, p store.Partition, word string, set *roaring.Bitmap) (string, error) {
	total := int(set.GetCardinality())
	kind, ok := directory.ParseRecordKind(word)
	if total == 0 || !ok {
		return "", nil
	}
	nums := make([]store.Num, 0, namedOf)
	for it := set.Iterator(); it.HasNext() && len(nums) < namedOf; {
		nums = append(nums, store.Num(it.Next()))
	}
	var names []string
	err := s.store.View(ctx, p, func(tx store.Reader) error {
		names = nil
		return tx.RecordsOf(nil, []directory.RecordKind{kind}, nums, func(_ store.Num, rec directory.Record) bool {
			name := rec.Key
			if v, ok := rec.Get("name"); ok && !v.Blank() {
				name = v.Text() + " (" + rec.Key + ")"
			}
			names = append(names, name)
			return true
		})
	})
	if more := total - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%d %s: %s", total, word, strings.Join(names, ", ")), err
}
