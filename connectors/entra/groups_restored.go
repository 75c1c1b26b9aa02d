package entra

import (
	"context"
	"slices"

	"dirsyncd/sync/directory"
)

// rejoin asks who is in a restored group, and which groups it is in itself. Both are added, not put in place of what is
// known: who is in the deleted items himself is not listed, but comes back into his groups. Nobody leaves a group that is
// deleted, but somebody can have left it before, with the same round: of that round the service told only that the group is
// gone. Who left is asked for.
func (g *groupsReading) rejoin(ctx context.Context, id string) error {
	members, err := g.r.membersOf(ctx, g.op, id)
	if err != nil {
		return err
	}
	left, err := g.left(ctx, id, members)
	if err != nil {
		return err
	}
	for _, handle := range left {
		g.built.member(id, handle, false)
	}
	for _, handle := range members {
		g.built.member(id, handle, true)
	}
	first, err := g.r.client.requests.parents(id, most)
	if err != nil {
		return err
	}
	return g.r.eachID(ctx, g.op, first, func(parent, kind string) {
		if kind == "#microsoft.graph.group" {
			g.built.member(parent, directory.IDHandle(id), true)
		}
	})
}

// left returns the handles of those who are known as members of a group, are in none of two lists of its members, and are
// there: the service finds them by their ids, as it finds nobody in the deleted items.
func (g *groupsReading) left(ctx context.Context, id string, members []string) (left []string, err error) {
	people, groups, err := g.unlisted(ctx, id, members)
	if err != nil || len(people)+len(groups) == 0 {
		return nil, err
	}
	again, err := g.r.membersOf(ctx, g.op, id)
	if err != nil {
		return nil, err
	}
	there, err := g.look(ctx, groups)
	if err != nil {
		return nil, err
	}
	err = g.r.eachUserOf(ctx, g.op, people, []string{"id"}, &Selection{}, func(decoder *userDecoder) error {
		there = append(there, decoder.entry.id)
		return nil
	})
	for _, member := range there {
		if handle := directory.IDHandle(member); !slices.Contains(again, handle) {
			left = append(left, handle)
		}
	}
	return left, err
}

// unlisted returns the ids of the people and groups that are stored as members of a group, and that a list of its members
// does not name.
func (g *groupsReading) unlisted(ctx context.Context, id string, members []string) (people map[string]struct{}, groups []string, err error) {
	if g.req.Unlisted == nil {
		return nil, nil, nil
	}
	named, groups, err := g.req.Unlisted(ctx, id, members)
	known := func(id string) bool { return objectID.MatchString(id) } // the service refuses a list that names anything else
	people = make(map[string]struct{}, len(named))
	for _, id := range named {
		if known(id) {
			people[id] = struct{}{}
		}
	}
	return people, slices.DeleteFunc(groups, func(id string) bool { return !known(id) }), err
}
