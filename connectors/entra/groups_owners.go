package entra

import (
	"context"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// keepOwners lets the groups of a page of a first round keep the owners that are stored. Their owners may come in parts, and
// what a round that breaks off has not named, no later round of changes would name again. At the end of the round the groups that
// still have an owner more than it named are asked for by themselves.
func (g *groupsReading) keepOwners(ctx context.Context) error {
	if g.owners == nil || !g.full() || g.req.Stored == nil {
		return nil
	}
	var ids []string
	var places []int
	for i := range g.built.objects {
		if id := g.built.objects[i].ID; !g.built.dropped[i] && !g.halved(id) {
			ids, places = append(ids, id), append(places, i)
		}
	}
	before, err := g.req.Stored(ctx, directory.Group, ids)
	if err != nil {
		return err
	}
	for i := range before {
		o := &g.built.objects[places[i]]
		delete(g.owned, o.ID)
		for _, l := range before[i].Links {
			if l.Type == directory.Manager && !slices.Contains(o.Links, l) {
				o.Links = append(o.Links, directory.Link{Type: l.Type, To: strings.Clone(l.To)})
				g.owned[strings.Clone(o.ID)] = struct{}{}
			}
		}
	}
	if !g.last {
		return nil
	}
	for id := range g.owned {
		if _, here := g.built.at[id]; !here {
			g.object(directory.Object{Kind: directory.Group, ID: id, Partial: true})
		}
		g.halves[id] = struct{}{} // for complete to ask for
	}
	clear(g.owned)
	return nil
}

// halved reports whether complete asks for a group of the page by itself.
func (g *groupsReading) halved(id string) bool {
	_, ok := g.halves[id]
	return ok
}
