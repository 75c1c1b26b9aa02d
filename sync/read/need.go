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
	need := store.Need{Kinds: l.stream.Kinds}
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
		need.IDs = append(need.IDs, directory.IDHandle(d.members[i].group))
		need.Handles = append(need.Handles, d.members[i].add...)
	}
	for _, g := range d.gone {
		need.Nums = append(need.Nums, g.num)
	}
	slices.Sort(need.Nums)
	return need
}
