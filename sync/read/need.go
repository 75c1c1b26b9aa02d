package read

import (
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// lookedUp is what is looked up to compare a page with what is stored.
func (l *listing) lookedUp(p *connectors.Page) store.Need {
	need := store.Need{Kinds: l.stream.Kinds, Digests: len(p.Members) > 0}
	for i := range p.Objects {
		need.IDs = append(need.IDs, directory.IDHandle(p.Objects[i].ID))
	}
	for i := range p.Members {
		need.IDs = append(need.IDs, directory.IDHandle(p.Members[i].Group))
	}
	for _, ref := range p.Removed {
		need.IDs = append(need.IDs, directory.IDHandle(ref.ID))
	}
	return need
}

// written is what is looked up to write what a page changes.
func (l *listing) written(d *pageDiff) store.Need {
	need := store.Need{Kinds: l.stream.Kinds, Members: map[store.Num][]store.Num{}}
	for i := range d.puts {
		for _, o := range []*directory.Object{d.puts[i].object, d.puts[i].before} {
			if o == nil {
				continue
			}
			need.IDs = append(need.IDs, directory.IDHandle(o.ID))
			need.Handles = append(need.Handles, o.Handles...)
			for _, link := range o.Links {
				need.Handles = append(need.Handles, link.To)
			}
		}
	}
	for i := range d.members {
		m := &d.members[i]
		need.IDs = append(need.IDs, directory.IDHandle(m.group))
		need.Handles = append(need.Handles, m.add...)
		if m.num != 0 {
			need.Members[m.num] = slices.Concat(need.Members[m.num], m.known, m.remove)
		}
	}
	for _, g := range d.gone {
		need.Nums = append(need.Nums, g.num)
	}
	slices.Sort(need.Nums)
	return need
}
