package connectortest

import (
	"context"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// checkReferrers asks for objects by id and for what refers to some handles, and compares with a full read.
func checkReferrers(c *trial) {
	if c.stream.Rewritten == "" {
		c.Skip("a delta of the stream names everything that reads differently")
	}
	all := c.full()
	ids := all.ids()
	last := all.pages[len(all.pages)-1]
	if len(last.cursor) == 0 {
		c.Skip("nothing is read incrementally here")
	}
	if l := c.referrers(c.ctx, []string{c.stream.Rewritten + "nobody has this"}, []string{"nobody"}, all); l.err != nil || len(l.ids()) > 0 {
		c.Errorf("asked for what is not there: %d objects, error %v", len(l.ids()), l.err)
	}
	some := []directory.Ref{ids[0], ids[len(ids)/2]}
	l := c.referrers(c.ctx, nil, []string{some[0].ID, some[1].ID, "nobody"}, all)
	if l.err != nil || !slices.Equal(l.ids(), some) {
		c.Errorf("asked for two objects by id: %v, error %v; want %v", l.ids(), l.err, some)
	}
	handles := all.referred(c.stream.Rewritten)
	if len(handles) == 0 {
		c.Log("nothing refers to anything here")
	}
	for _, h := range handles[:min(2, len(handles))] {
		l := c.referrers(c.ctx, []string{h}, nil, all)
		if want := all.referrersOf(h); l.err != nil || !containsAll(l.ids(), want) {
			c.Errorf("asked for what refers to a handle: %v, error %v; want %v", l.ids(), l.err, want)
		}
	}
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	c.ended(c.referrers(ctx, nil, []string{some[0].ID}, all), context.Canceled)
}

// referrers reads in Referrers mode and looks at the form of the answer: whole objects, as a full read shows them.
func (c *trial) referrers(ctx context.Context, handles, ids []string, all listing) listing {
	c.Helper()
	l := c.readStream(ctx, connectors.Request{
		Tenant: c.tenant, Stream: c.stream.Name, Mode: connectors.Referrers, Cursor: all.pages[len(all.pages)-1].cursor, Handles: handles, IDs: ids,
	}, nil)
	if l.err != nil {
		return l
	}
	known := all.content()
	for ref, content := range l.content() {
		if known[ref] != content {
			c.Errorf("%s %s reads differently in a full read", ref.Kind, ref.ID)
		}
	}
	for i, p := range l.pages {
		if len(p.removed) > 0 || len(p.cursor) > 0 || p.resumable || (i == len(l.pages)-1) != (p.proof != nil) {
			c.Errorf("page %d of %d: %d removals, a cursor of %d bytes, proof %v", i, len(l.pages), len(p.removed), len(p.cursor), p.proof)
		}
		for _, m := range p.members {
			if !m.Whole {
				c.Errorf("page %d: the members of %s are not whole", i, m.Group)
			}
		}
	}
	return l
}

// referred lists the handles to which something in a listing refers, those with a beginning.
func (l listing) referred(beginning string) (handles []string) {
	take := func(h string) {
		if strings.HasPrefix(h, beginning) && !slices.Contains(handles, h) {
			handles = append(handles, h)
		}
	}
	for _, p := range l.pages {
		for i := range p.objects {
			for _, link := range p.objects[i].Links {
				take(link.To)
			}
		}
		for _, m := range p.members {
			for _, h := range m.Add {
				take(h)
			}
		}
	}
	return handles
}

// referrersOf lists the objects of a listing that refer to a handle.
func (l listing) referrersOf(handle string) (refs []directory.Ref) {
	for _, p := range l.pages {
		for i := range p.objects {
			o := &p.objects[i]
			if slices.ContainsFunc(o.Links, func(link directory.Link) bool { return link.To == handle }) {
				refs = append(refs, directory.Ref{Kind: o.Kind, ID: o.ID})
			}
		}
		for _, m := range p.members {
			if slices.Contains(m.Add, handle) {
				refs = append(refs, directory.Ref{Kind: directory.Group, ID: m.Group})
			}
		}
	}
	return refs
}

func containsAll(refs, want []directory.Ref) bool {
	return !slices.ContainsFunc(want, func(ref directory.Ref) bool { return !slices.Contains(refs, ref) })
}
