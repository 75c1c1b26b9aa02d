package read

import (
	"bytes"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// lost is what the objects of a page have lost because a list that they were made of may have been short
// (connectors.MayLack).
type lost struct {
	links  []lostLink
	counts []lostCount
	halves []lostHalf
	// nums are the objects of the page that are stored, those that lost something or not.
	nums []store.Num
}

// lostLink is a link that an object had and has no longer.
type lostLink struct {
	object int // of the page
	num    store.Num
	link   directory.Link
	// mark is what it is remembered by: the handle that it leads to.
	mark store.Num
	// there: the source has it when asked for it; asked is false when it does not say.
	there, asked bool
}

// lostCount is a number that is smaller than it was.
type lostCount struct {
	object int
	num    store.Num
	field  string
	was    directory.Value
}

// lostHalf is an object that one of several lists no longer has.
type lostHalf struct {
	object int
	num    store.Num
	was    *directory.Object
}

// keepLost puts back what the objects of a page have lost and what may only have been left out of a list: until the
// source, asked for it by itself, or the next list says the same. It returns what is in doubt, by object; none for those of
// whom nothing is any longer.
func (l *listing) keepLost(ctx context.Context, p *connectors.Page) (map[store.Num]*roaring.Bitmap, error) {
	var doubted map[store.Num]*roaring.Bitmap
	if p.MayLack != nil && len(p.Objects) > 0 {
		found, err := l.findLost(ctx, p)
		if err == nil {
			err = l.askForLost(ctx, p, found)
		}
		if err != nil {
			return nil, err
		}
		doubted = l.settleLost(p, found)
	}
	if p.Proof != nil {
		l.tellLost()
	}
	return doubted, nil
}

// findLost compares the objects of a page with what is stored of them.
func (l *listing) findLost(ctx context.Context, p *connectors.Page) (*lost, error) {
	found := &lost{}
	err := l.State.View(ctx, func(tx store.Reader) error {
		*found = lost{}
		rows, err := l.storedRows(tx, p.Objects)
		if err != nil {
			return err
		}
		var buf []byte
		for i := range p.Objects {
			o, row := &p.Objects[i], &rows[i]
			if row.Num == 0 {
				continue
			}
			found.nums = append(found.nums, row.Num)
			if buf = directory.AppendObject(buf[:0], o); row.Gone != store.Here || o.Partial || bytes.Equal(buf, row.Data) {
				continue
			}
			before, err := l.parse(row)
			if err != nil {
				return err
			}
			found.compare(i, row.Num, before, o, p.MayLack)
		}
		handles := make([]string, len(found.links))
		for i := range found.links {
			handles[i] = found.links[i].link.To
		}
		marks, err := tx.Lookup(handles, nil)
		for i, mark := range marks {
			if found.links[i].mark = mark; mark == 0 {
				found.links[i].mark = found.links[i].num
			}
		}
		return err
	})
	return found, err
}

func (f *lost) compare(at int, n store.Num, before, now *directory.Object, may *connectors.MayLack) {
	if may.Made != "" {
		was, _ := before.Get(may.Made)
		is, _ := now.Get(may.Made)
		if slices.ContainsFunc(was.List(), func(list string) bool { return !slices.Contains(is.List(), list) }) {
			f.halves = append(f.halves, lostHalf{object: at, num: n, was: before})
			return
		}
	}
	for _, link := range before.Links {
		if may.Link != nil && may.Link(link) && !slices.Contains(now.Links, link) {
			f.links = append(f.links, lostLink{object: at, num: n, link: link})
		}
	}
	for _, name := range may.Counts {
		was, _ := before.Get(name)
		is, _ := now.Get(name)
		if was.Type() == directory.NumberType && is.Number() < was.Number()-int64(may.Fewer) {
			f.counts = append(f.counts, lostCount{object: at, num: n, field: name, was: was})
		}
	}
}

// askForLost asks the source for links, as far as its word decides.
func (l *listing) askForLost(ctx context.Context, p *connectors.Page, f *lost) error {
	if p.MayLack.Look == nil {
		return nil
	}
	var places []int
	var links []connectors.Lost
	for i := range f.links {
		x := &f.links[i]
		if l.lostLinks.asked+len(links) < connectors.MostLooks && (p.MayLack.Definite || l.missedLink(x)) {
			places = append(places, i)
			links = append(links, connectors.Lost{Object: &p.Objects[x.object], Link: x.link})
		}
	}
	if len(links) == 0 {
		return nil
	}
	there, err := p.MayLack.Look(ctx, links)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		l.Log.Debug("nothing can be asked for one by one", "stream", l.stream.Name, "err", err)
	}
	l.lostLinks.asked += len(links)
	for i, is := range there[:min(len(there), len(places))] {
		x := &f.links[places[i]]
		x.asked, x.there = err == nil || is, is
		if is {
			l.lostLinks.there++
		}
	}
	return nil
}

// missedLink reports whether the last list lacked a link, too.
func (l *listing) missedLink(x *lostLink) bool {
	before := l.missed.unlisted[x.num]
	return before != nil && before.Contains(uint32(x.mark))
}

// settleLost decides about what was lost, and puts back what stays. Where the source had something that its list lacks,
// the list is known to be short, and is not believed of what was not asked for.
func (l *listing) settleLost(p *connectors.Page, f *lost) map[store.Num]*roaring.Bitmap {
	doubted := map[store.Num]*roaring.Bitmap{}
	for _, n := range f.nums {
		if l.missed.unlisted[n] != nil {
			doubted[n] = roaring.New()
		}
	}
	doubt := func(n, mark store.Num) {
		if doubted[n] == nil {
			doubted[n] = roaring.New()
		}
		doubted[n].Add(uint32(mark))
	}
	for i := range f.links {
		x := &f.links[i]
		twice := l.missedLink(x)
		if x.asked && !x.there && (p.MayLack.Definite || twice) || !x.asked && twice && l.lostLinks.there == 0 {
			l.lostLinks.news = true // gone
			continue
		}
		putBack(&p.Objects[x.object], x.link)
		doubt(x.num, x.mark) // the next list's lack is the second, also of one that is there
		if !x.there {
			l.lostLinks.doubted++
			l.lostLinks.news = l.lostLinks.news || !twice
		}
	}
	twice := func(n store.Num) bool {
		before := l.missed.unlisted[n]
		return before != nil && before.Contains(uint32(n))
	}
	for i := range f.halves {
		if x := &f.halves[i]; !twice(x.num) {
			p.Objects[x.object] = *x.was
			doubt(x.num, x.num)
			l.lostLinks.halves++
		}
	}
	for i := range f.counts {
		x := &f.counts[i]
		if twice(x.num) {
			continue
		}
		p.Objects[x.object].Set(x.field, x.was)
		doubt(x.num, x.num)
		l.lostLinks.counts++
	}
	if l.mode == connectors.Full {
		for n, marks := range doubted {
			if !marks.IsEmpty() {
				l.inDoubt.unlisted[n] = marks
			}
		}
		return nil
	}
	return doubted
}

// putBack gives an object a link, in its place by type and handle.
func putBack(o *directory.Object, link directory.Link) {
	at := slices.IndexFunc(o.Links, func(has directory.Link) bool {
		return has.Type > link.Type || has.Type == link.Type && has.To > link.To
	})
	if at < 0 {
		at = len(o.Links)
	}
	o.Links = slices.Insert(slices.Clip(o.Links), at, link)
}

// lostLinks counts what a listing has asked for, found and left in doubt. news: it is not all as it was after the last one.
type lostLinks struct {
	asked, there, doubted, counts, halves int
	news                                  bool
}

// tellLost tells of what was put back. Streams that are read from a cursor are read in full by the next run, or nobody
// would look again; not when this one has told no more than the last one did: then the schedule's will do.
func (l *listing) tellLost() {
	n := &l.lostLinks
	if n.doubted > 0 {
		l.note("%s: lists that can be short lack %s of before; they stay until the next lists lack them, too",
			l.stream.Name, counted(n.doubted, "assignment", "assignments"))
	}
	if n.there > 0 {
		l.note("%s: the source left out %s that it has: asked for by themselves they are still there, and they stay",
			l.stream.Name, counted(n.there, "assignment", "assignments"))
	}
	if n.counts > 0 {
		l.note("%s: lists that can be short give smaller numbers of %s than before; these stay until the next lists do, too",
			l.stream.Name, objects(n.counts))
	}
	if n.halves > 0 {
		l.note("%s: one of several lists that can be short lacks %s of before; these stay as they were until the next one does, too",
			l.stream.Name, objects(n.halves))
	}
	if n.doubted+n.counts+n.halves > 0 {
		l.found.Doubtful = true
		if l.stream.Delta && (n.news || n.counts+n.halves > 0) {
			l.found.Unproven = l.stream.Name + ": a list that may be short"
		}
	}
}
