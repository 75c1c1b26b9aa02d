package connectortest

import (
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// checkShortLists reads a source whose lists are short and look whole: 200, the chain closed, a part missing. A connector
// that notices fails; one that cannot must not vouch for what is missing. What it says is missing for certain is removed.
func checkShortLists(c *trial) {
	if c.Shorten == nil {
		c.Skip("the source's lists cannot be short and look whole")
	}
	before := c.full().newest()
	c.Shorten(c.TB)
	l := c.read(c.ctx, connectors.Full, nil, nil)
	if l.err != nil {
		c.classified("a short list", l.err)
		c.unproven(l)
		return
	}
	c.wellFormed(l, connectors.Full)
	after, missing := l.newest(), false
	for ref, was := range before.objects {
		is, listed := after.objects[ref]
		if !listed {
			missing = true
			if !c.doubts(l) {
				c.Errorf("%s %s is missing from a short list, and its proof vouches for that", ref.Kind, ref.ID)
			}
			continue
		}
		if may := is.page.mayLack; may != nil && may.Made != "" {
			continue // the whole of it stays as it was
		}
		for _, link := range was.object.Links {
			if slices.Contains(is.object.Links, link) {
				continue
			}
			missing = true
			if may := is.page.mayLack; may == nil || may.Link == nil || !may.Link(link) {
				c.Errorf("%s %s has lost %s by a short list, and the page vouches for that", ref.Kind, ref.ID, link.To)
			}
		}
		for _, f := range was.object.Fields {
			now, _ := is.object.Get(f.Name)
			if f.Value.Type() != directory.NumberType || now.Number() >= f.Value.Number() {
				continue
			}
			missing = true
			if may := is.page.mayLack; may == nil || !slices.Contains(may.Counts, f.Name) {
				c.Errorf("%s %s has a smaller %s by a short list, and the page vouches for that", ref.Kind, ref.ID, f.Name)
			}
		}
	}
	for group, was := range before.members {
		is, listed := after.members[group]
		for _, handle := range was.Add {
			if !listed || slices.Contains(is.Add, handle) {
				continue
			}
			missing = true
			if (!is.Whole || !is.MayBeShort) && !l.looksForMembers() {
				c.Errorf("group %s has lost %s by a short list, which vouches for that", group, handle)
			}
		}
	}
	if !missing {
		c.Errorf("Shorten has left nothing out of %s", c.stream.Name)
	}
}

// doubts reports whether a proof leaves open whether an object that the list lacks is gone.
func (c *trial) doubts(l listing) bool {
	p := l.proof()
	return p.MayBeShort || p.Doubt != "" || c.stream.Counted && p.Count != len(l.ids())
}

func (l listing) looksForMembers() bool { return l.pages[len(l.pages)-1].looksForMembers }

// state is what a listing says in the end.
type state struct {
	objects map[directory.Ref]onPage
	members map[string]connectors.Members
}

// onPage is an object and the page that had it last.
type onPage struct {
	object *directory.Object
	page   *page
}

func (l listing) newest() state {
	s := state{map[directory.Ref]onPage{}, map[string]connectors.Members{}}
	for i := range l.pages {
		p := &l.pages[i]
		for j := range p.objects {
			o := &p.objects[j]
			s.objects[directory.Ref{Kind: o.Kind, ID: o.ID}] = onPage{o, p}
		}
		for _, m := range p.members {
			if was, ok := s.members[m.Group]; ok && !m.Whole {
				m.Add = slices.Concat(was.Add, m.Add)
			}
			s.members[m.Group] = m
		}
	}
	return s
}
