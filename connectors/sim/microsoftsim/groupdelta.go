package microsoftsim

import (
	"slices"
	"strings"
)

// fillGroups writes a page of a first round of groups with their members. A group that does not fit comes in parts,
// one after the other or, with Quirks.Interleave, after the first parts of all groups. A token counts places in
// the list of groups and in the lists of members, neither of which ever shrinks.
func (r *round) fillGroups(next *pageToken) bool {
	list := r.d.objects[groups]
	at, part := r.token.Offset, r.token.Part
	sent, members := 0, 0
	for at < len(list) && sent < r.pages.Groups && members < r.pages.Members {
		g := list[at]
		switch {
		case !r.present(g), r.quirks.Interleave && part > 0 && part >= len(g.members):
			at, part = r.after(list, at, part)
			continue
		case g.state != live:
			r.first(g)
			sent++
			at, part = r.after(list, at, part)
			continue
		}
		room := r.pages.Members - members
		if r.quirks.Interleave {
			room = r.chunk()
		}
		end := min(len(g.members), part+room)
		r.group(g, part, end)
		members += end - part
		sent++
		if r.quirks.Interleave {
			at, part = r.after(list, at, part)
			continue
		}
		if end >= len(g.members) {
			at, part = at+1, 0
		} else {
			part = end
		}
	}
	next.Offset, next.Part = at, part
	return at < len(list)
}

// chunk is how many members of one group a page holds when parts are interleaved.
func (r *round) chunk() int { return max(1, r.pages.Members/3) }

// after moves to the next group, or with Quirks.Interleave from the last one to the next part of the first. Nothing
// is left when no group has that part.
func (r *round) after(list []*object, at, part int) (int, int) {
	at++
	if !r.quirks.Interleave {
		return at, 0
	}
	if at < len(list) {
		return at, part
	}
	part += r.chunk()
	for i, g := range list {
		if part < len(g.members) && g.state == live {
			return i, part
		}
	}
	return len(list), part
}

// group writes a group with a part of its members.
func (r *round) group(g *object, from, to int) {
	r.w.item()
	first := true
	r.w.WriteByte('{')
	r.properties(&first, g, nil)
	var entries []string
	for _, m := range g.members[from:to] {
		o := r.d.byID[m.id]
		switch {
		case o == nil:
		case !m.gone && o.state == live:
			entries = append(entries, entry(o, false))
		case m.gone && r.quirks.FirstRoundRemoved:
			entries = append(entries, entry(o, true))
		}
	}
	if len(entries) > 0 {
		r.w.key(&first, "members@delta", "["+strings.Join(entries, ",")+"]")
	}
	if r.selects("owners") {
		r.owners(&first, g, from == 0, to >= len(g.members))
	}
	r.w.WriteByte('}')
}

// owners writes the first half of a group's owners with the first part of its members, and the rest with the last.
func (r *round) owners(first *bool, g *object, begin, end bool) {
	var entries []string
	half := (len(g.owners) + 1) / 2
	for i, m := range g.owners {
		if o := r.d.byID[m.id]; o != nil && o.state == live && !m.gone && (begin && i < half || end && i >= half) {
			entries = append(entries, entry(o, false))
		}
	}
	if len(entries) > 0 {
		r.w.key(first, "owners@delta", "["+strings.Join(entries, ",")+"]")
	}
}

// ownerChanges writes the owners that came or went.
func (r *round) ownerChanges(first *bool, n *news) {
	var entries []string
	for _, id := range n.owners {
		i := slices.IndexFunc(n.object.owners, func(m member) bool { return m.id == id })
		entries = append(entries, entry(r.d.must(id), n.object.owners[i].gone))
	}
	if len(entries) > 0 {
		r.w.key(first, "owners@delta", "["+strings.Join(entries, ",")+"]")
	}
}

func entry(o *object, gone bool) string {
	text := `{"@odata.type":"` + o.res.odataType() + `","id":"` + o.id + `"`
	if gone {
		text += `,"@removed":{"reason":"deleted"}`
	}
	return text + "}"
}

// memberChanges writes the members that came or went. A group that is new or restored has all of its members among
// the changes, or not: the real service does not promise it either.
func (r *round) memberChanges(first *bool, n *news, from, to int) {
	var entries []string
	for _, id := range n.members[from:to] {
		o := r.d.byID[id]
		i := n.object.slots[id] // made by the change that this tells of
		if o != nil {
			entries = append(entries, entry(o, n.object.members[i].gone))
		}
	}
	if len(entries) > 0 {
		r.w.key(first, "members@delta", "["+strings.Join(entries, ",")+"]")
	}
}
