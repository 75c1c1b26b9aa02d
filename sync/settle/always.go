package settle

import (
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// addAlways adds to lists of groups those whom their rules want in them whatever the source says, by the keys of their records.
func (s *Settlement) addAlways(tx store.Reader, listing []*candidate, sets []*roaring.Bitmap) error {
	if !s.uses.Always {
		return nil
	}
	var handles []string
	var of []int
	prefix := s.Origin.Of("").RecordKey()
	for i, c := range listing {
		for _, key := range c.always {
			if id, ours := strings.CutPrefix(key, prefix); ours {
				handles, of = append(handles, directory.IDHandle(id)), append(of, i)
			}
		}
	}
	nums, err := tx.Lookup(handles, nil)
	for i, n := range nums {
		if n != 0 {
			sets[of[i]].Add(uint32(n))
		}
	}
	return err
}

// alwaysIn returns the groups whose rules want any of some people among the members, by the people's numbers: no list of the source's tells
// of them. All records of groups are looked at, when one of these few people gains or loses a record, and only then.
func (s *Settlement) alwaysIn(tx store.Reader, people []*candidate) (map[store.Num][]store.Num, error) {
	if !s.uses.Always {
		return nil, nil
	}
	wanted := map[string]store.Num{}
	for _, rule := range s.Rules.RuleNames(directory.Group) {
		for _, c := range people {
			if key := s.Origin.Of(c.id).RecordKey(); slices.Contains(s.Rules.Always(rule), key) {
				wanted[key] = c.num
			}
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	groups := map[store.Num][]store.Num{}
	err := tx.Records(directory.GroupRecord, 0, func(n store.Num, rec directory.Record) bool {
		for _, key := range s.Rules.Always(rec.Rule) {
			if person, ok := wanted[key]; ok {
				groups[person] = append(groups[person], n)
			}
		}
		return true
	})
	return groups, err
}
