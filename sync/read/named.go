package read

import (
	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/relations"
)

// Whoever a page names is there, whatever becomes of the rest of its list: that the last list has missed him is forgotten in
// the page's transaction.

// nameMembers notes which members of a group that a list has missed are named by a page.
func (l *listing) nameMembers(d *pageDiff, group store.Num, handles []store.Num) {
	for _, missed := range []*roaring.Bitmap{l.missed.unlisted[group], d.doubted[group]} {
		for _, h := range handles {
			if h != 0 && missed != nil && missed.Contains(uint32(h)) {
				d.name(group, h)
			}
		}
	}
}

// nameAllMembers notes that a page names every member of a group.
func (l *listing) nameAllMembers(d *pageDiff, group store.Num) {
	if missed := l.missed.unlisted[group]; missed != nil {
		d.name(group, relations.Nums(missed)...)
	}
}

func (d *pageDiff) name(group store.Num, members ...store.Num) {
	if d.named == nil {
		d.named = map[store.Num]*roaring.Bitmap{}
	}
	unionInto(d.named, map[store.Num]*roaring.Bitmap{group: relations.Set(members)})
}

// changesMissed reports whether a page changes who counts as missed.
func (l *listing) changesMissed(d *pageDiff) bool {
	return len(d.doubted)+len(d.named) > 0 || l.missed.objects.Intersects(d.found.objects)
}

// missedAfter is what counts as missed after a page.
func (l *listing) missedAfter(d *pageDiff) *coverage {
	next := l.missed.with(d.doubted)
	next.objects.AndNot(d.found.objects)
	for group, members := range d.named {
		if left := next.unlisted[group]; left != nil {
			left = roaring.AndNot(left, members)
			if next.unlisted[group] = left; left.IsEmpty() {
				delete(next.unlisted, group)
			}
		}
	}
	return next
}
