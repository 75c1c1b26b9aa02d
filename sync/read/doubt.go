package read

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// Some lists can be short and look whole. What such a list does not name is missed: it stays as it is, and the store
// remembers it until the next list of the stream or group. What two lists in a row have missed is gone, unless the source
// itself counts more than it lists: then it stays as long as that is so.

// missedBy is where it is remembered what the last list of a stream has missed: beside the streams, under a name that
// none of them has.
func missedBy(stream string) string { return stream + ", missed once" }

// loadMissed reads what the last list has missed: objects, and members of groups.
func (l *listing) loadMissed(tx store.Reader) error {
	l.missed, l.inDoubt = newCoverage(), newCoverage()
	return l.missed.load(tx, missedBy(l.stream.Name))
}

// sameMissed reports whether this listing has missed what the last one did.
func (l *listing) sameMissed() bool {
	if !l.missed.objects.Equals(l.inDoubt.objects) || !maps.Equal(l.missed.more, l.inDoubt.more) || len(l.missed.unlisted) != len(l.inDoubt.unlisted) {
		return false
	}
	for group, handles := range l.inDoubt.unlisted {
		if was := l.missed.unlisted[group]; was == nil || !was.Equals(handles) {
			return false
		}
	}
	return true
}

// saveMissed remembers what this listing has missed.
func saveMissed(tx store.Writer, stream string, inDoubt *coverage) error {
	if err := tx.ClearSeen(missedBy(stream)); err != nil {
		return err
	}
	if inDoubt.objects.IsEmpty() && len(inDoubt.unlisted)+len(inDoubt.more) == 0 {
		return nil
	}
	chunk, err := inDoubt.encode()
	if err != nil {
		return err
	}
	return tx.AppendSeen(missedBy(stream), chunk)
}

// believed returns those of the objects that this list did not name that are gone: the source does not find them when
// asked for one by one, and, unless its word is definite, the last list did not name them either.
func (l *listing) believed(ctx context.Context, kind directory.Kind, absent *roaring.Bitmap) (*roaring.Bitmap, error) {
	twice := roaring.And(absent, l.missed.objects)
	gone := twice.Clone()
	if l.definite && absent.GetCardinality() <= connectors.MostLooks {
		gone = absent.Clone()
	}
	there, asked, err := l.look(ctx, kind, gone)
	if err != nil {
		return nil, err
	}
	switch {
	case asked:
	case l.contradicted(wholeList, l.countedMore()):
		gone.Clear()
	default:
		gone.And(twice)
	}
	once := absent.GetCardinality() - gone.GetCardinality() - uint64(there)
	stays := roaring.AndNot(absent, gone)
	l.inDoubt.objects.Or(stays)
	if once > 0 {
		l.found.Doubtful = true
		// Where this list has told no more than the last one did, the schedule's full read will do.
		if l.stream.Delta && !(gone.IsEmpty() && roaring.AndNot(stays, l.missed.objects).IsEmpty()) {
			l.found.Unproven = l.stream.Name + ": a list that may be short"
		}
		l.note("%s: a list that can be short lacks %s of those before; they stay until the next one lacks them, too",
			l.stream.Name, objects(int(once)))
	}
	if there > 0 {
		l.note("%s: the source left out %s that it has: by their ids they are still there, and they stay",
			l.stream.Name, objects(there))
	}
	return gone, nil
}

// look asks the source for objects that two lists have missed, and takes those from gone that are there. When there are
// such, the list is known to be short, and proves nothing of those who were not asked for. asked is false when the
// source does not say.
func (l *listing) look(ctx context.Context, kind directory.Kind, gone *roaring.Bitmap) (there int, asked bool, err error) {
	if gone.IsEmpty() || l.lookFor == nil {
		return 0, false, nil
	}
	nums := l.lookedFor(relations.Nums(gone))
	if l.contradicted(wholeList, l.countedMore()) {
		gone.Clear() // but for those who are asked for
		for _, n := range nums {
			gone.Add(uint32(n))
		}
	}
	ids := make([]string, len(nums))
	err = l.State.View(ctx, func(tx store.Reader) error {
		rows, err := tx.RowsOf(kind, nums, nil)
		for i := range rows {
			o, err := l.parse(&rows[i])
			if err != nil {
				return err
			}
			ids[i] = o.ID
		}
		return err
	})
	if err != nil {
		return 0, false, err
	}
	found, failed := l.lookFor(ctx, ids)
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	if failed != nil {
		l.Log.Debug("nobody can be asked for one by one", "stream", l.stream.Name, "err", failed)
	}
	if len(found) == 0 {
		return 0, failed == nil, nil
	}
	gone.Clear()
	for i, id := range ids {
		if failed == nil && !slices.Contains(found, id) {
			gone.Add(uint32(nums[i]))
		}
	}
	return len(found), failed == nil, nil
}

// lookedFor are those of some objects who are asked for: others every time where they are too many, or some never were.
func (l *listing) lookedFor(nums []store.Num) []store.Num {
	if len(nums) <= connectors.MostLooks {
		return nums
	}
	first := rand.New(rand.NewPCG(uint64(l.Began.UnixNano()), 0)).IntN(len(nums))
	nums = slices.Concat(nums[first:], nums[:first])[:connectors.MostLooks]
	slices.Sort(nums)
	return nums
}

// doubtfulOf are those of the members that a complete list did not name who may only have been left out.
func doubtfulOf(tx store.Reader, m *connectors.Members, unlisted *roaring.Bitmap) (*roaring.Bitmap, error) {
	switch {
	case !m.MayBeShort:
		return roaring.New(), nil
	case !m.PeopleCounted:
		return unlisted.Clone(), nil
	}
	handles, groups := relations.Nums(unlisted), roaring.New()
	owners, err := tx.Owners(handles, nil)
	if err != nil {
		return nil, err
	}
	rows, err := tx.RowsOf(directory.Group, owners, nil)
	for i := range rows {
		if rows[i].Num != 0 {
			groups.Add(uint32(handles[i]))
		}
	}
	return groups, err
}

// wholeList stands for the list of a stream's objects among the groups, whose lists are those of members.
const wholeList = store.Num(0)

// countedMore is by how many the source counts more objects than the stream's list names.
func (l *listing) countedMore() uint32 {
	return uint32(max(0, min(l.proof.CountedMore, math.MaxInt32)))
}

// tellCounted tells that the source counts more objects than it lists, and remembers by how many where nobody of before is
// absent. Who came or changed may be missing, too: the next run reads in full, unless the same are missing again.
func (l *listing) tellCounted(absent bool) {
	more, known := l.countedMore(), l.missed.more[wholeList]
	if l.contradicted(wholeList, more) {
		l.found.Doubtful = true
		again := !l.inDoubt.objects.IsEmpty() && l.inDoubt.objects.Equals(l.missed.objects)
		if l.stream.Delta && !again {
			l.found.Unproven = l.stream.Name + ": the source counts more than it lists"
		}
		l.note("%s: the source counts %s more than it lists; nobody is gone but who is not there when asked for", l.stream.Name, objects(int(more)))
	}
	if !absent || more < known {
		known = more
	}
	if known > 0 {
		l.inDoubt.more[wholeList] = known
	}
}

// countedMore notes that the source counts more members of a group than it lists.
func (c *coverage) countedMore(group store.Num, m *connectors.Members) {
	if m.MayBeShort && m.CountedMore > 0 {
		c.more[group] = uint32(min(m.CountedMore, math.MaxInt32))
	}
}

// learnMore remembers by how many the source counts more members of a group than it lists: what that is when a list lacks
// nobody of before is not held against later lists. Otherwise what was known stays.
func (l *listing) learnMore(group store.Num) {
	more := l.missed.more[group]
	if l.covered.whole.Contains(uint32(group)) && (l.covered.unlisted[group] == nil || l.covered.more[group] < more) {
		more = l.covered.more[group]
	}
	if more > 0 {
		l.inDoubt.more[group] = more
	}
}

// contradicted reports whether the source counts members whom its list lacks.
func (l *listing) contradicted(group store.Num, more uint32) bool { return more > l.missed.more[group] }

// leftTwice returns those of the members that a list did not name whom the last list of the group did not name either.
// The others are in doubt; all are while the source counts more of them.
func (l *listing) leftTwice(group store.Num, more uint32, unlisted, doubted *roaring.Bitmap) *roaring.Bitmap {
	doubted.Or(unlisted)
	before := l.missed.unlisted[group]
	if before == nil || l.contradicted(group, more) {
		return roaring.New()
	}
	doubted.AndNot(before)
	return roaring.And(unlisted, before)
}

// doubtMembers tells of members who are in doubt. Streams that are read from a cursor are read in full by the next run,
// or nobody would look again; not for the sake of those of whom two lists and a count disagree: they wait for the next
// full read of the schedule.
func (l *listing) doubtMembers(ctx context.Context, doubted map[store.Num]*roaring.Bitmap) error {
	missed, counted := &doubtedMembers{}, &doubtedMembers{}
	for group, handles := range doubted {
		before := l.missed.unlisted[group]
		if before == nil || !roaring.AndNot(handles, before).IsEmpty() {
			missed.add(group, handles)
		} else {
			counted.add(group, handles)
		}
	}
	if missed.groups > 0 {
		which, err := l.firstOf(ctx, missed)
		if err != nil {
			return err
		}
		if l.stream.Delta {
			l.found.Unproven = "a list of members that may be short"
		}
		l.note("%s: lists of members that no count agrees with lack %d memberships of before (%s); they stay until the next lists lack them, too",
			l.stream.Name, missed.members, which)
	}
	if counted.groups > 0 {
		which, err := l.firstOf(ctx, counted)
		if err != nil {
			return err
		}
		l.note("%s: list after list lacks %d memberships of before, and the source counts more members than it lists (%s); they stay until the count agrees or they are listed",
			l.stream.Name, counted.members, which)
	}
	l.found.Doubtful = l.found.Doubtful || missed.groups+counted.groups > 0
	return nil
}

// doubtedMembers sums up members who are in doubt.
type doubtedMembers struct {
	groups, members int
	first           store.Num
}

func (m *doubtedMembers) add(group store.Num, handles *roaring.Bitmap) {
	if m.groups == 0 || group < m.first {
		m.first = group
	}
	m.groups++
	m.members += int(handles.GetCardinality())
}

// firstOf names the first of the groups, and says how many more there are.
func (l *listing) firstOf(ctx context.Context, m *doubtedMembers) (which string, err error) {
	which = "a group"
	err = l.State.View(ctx, func(tx store.Reader) error {
		row, _, err := tx.Row(directory.Group, m.first)
		if err != nil {
			return err
		}
		group, err := l.parse(&row)
		if err == nil && group != nil {
			name, _ := group.Get(directory.FieldName)
			which = fmt.Sprintf("%q", cmp.Or(name.Text(), group.ID))
		}
		return err
	})
	if m.groups > 1 {
		which += fmt.Sprintf(" and %d more", m.groups-1)
	}
	return which, err
}

// leftByDelta splits the members whom a list of an incremental read did not name: those who left, because two lists
// have missed them or the source says so by another way, and those in doubt.
func (l *listing) leftByDelta(tx store.Reader, group store.Num, m *connectors.Members, unlisted *roaring.Bitmap) (left, doubted *roaring.Bitmap, err error) {
	doubted = roaring.New()
	left = l.leftTwice(group, uint32(max(0, min(m.CountedMore, math.MaxInt32))), unlisted, doubted)
	if len(m.Remove) == 0 || doubted.IsEmpty() {
		return left, doubted, nil
	}
	named, err := tx.Lookup(m.Remove, nil)
	if err != nil {
		return nil, nil, err
	}
	// The source may name somebody by another handle than that by which the list would have.
	owners, err := tx.Owners(named, nil)
	if err != nil {
		return nil, nil, err
	}
	handles := relations.Nums(doubted)
	of, err := tx.Owners(handles, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, h := range handles {
		if slices.Contains(named, h) || of[i] != 0 && slices.Contains(owners, of[i]) {
			doubted.Remove(uint32(h))
			left.Add(uint32(h))
		}
	}
	return left, doubted, nil
}

// doubt says that members of a group are in doubt, or with an empty set that none of them is any longer.
func (d *pageDiff) doubt(group store.Num, members *roaring.Bitmap) {
	if d.doubted == nil {
		d.doubted = map[store.Num]*roaring.Bitmap{}
	}
	d.doubted[group] = members
}

// tellDoubted tells of the members whom a page of an incremental read left in doubt.
func (l *listing) tellDoubted(ctx context.Context, d *pageDiff) error {
	news := map[store.Num]*roaring.Bitmap{}
	for group, members := range d.doubted {
		if !members.IsEmpty() {
			news[group] = members
		}
	}
	return l.doubtMembers(ctx, news)
}

// with returns what was missed, with the members in doubt of some groups in the place of those of before.
func (c *coverage) with(doubted map[store.Num]*roaring.Bitmap) *coverage {
	next := newCoverage()
	next.objects.Or(c.objects)
	maps.Copy(next.more, c.more)
	unionInto(next.unlisted, c.unlisted)
	for group, members := range doubted {
		delete(next.unlisted, group)
		if !members.IsEmpty() {
			next.unlisted[group] = members
		}
	}
	return next
}
