package connectortest

import (
	"context"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// checkByID asks for objects by their ids, and compares with a full read.
func checkByID(c *trial) {
	if !c.stream.ByID {
		c.Skip("objects of the stream cannot be asked for by id")
	}
	all := c.full()
	ids := all.ids()
	some := []directory.Ref{ids[0], ids[len(ids)/2]}
	l := c.byID(c.ctx, []string{some[0].ID, some[1].ID}, all)
	if l.err != nil || !slices.Equal(l.ids(), some) {
		c.Errorf("asked for two objects: %v, error %v; want %v", l.ids(), l.err, some)
	}
	for _, p := range l.pages {
		if len(p.removed) > 0 {
			c.Errorf("who is there is named as removed: %v", p.removed)
		}
	}
	if l := c.byID(c.ctx, []string{"nobody"}, all); l.err != nil || len(l.ids()) > 0 {
		c.Errorf("asked for who is not there: %d objects, error %v", len(l.ids()), l.err)
	}
	if c.Delete != nil {
		gone := c.Delete(c, c.stream.Name)
		l := c.byID(c.ctx, []string{gone.ID}, all)
		if l.err != nil || len(l.ids()) > 0 {
			c.Errorf("asked for who was deleted: %v, error %v", l.ids(), l.err)
		}
		said := false
		for _, p := range l.pages {
			said = said || slices.Contains(p.removed, gone)
		}
		c.Logf("the source says that who was deleted is not there: %t", said)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	c.ended(c.byID(ctx, []string{some[0].ID}, all), context.Canceled)
}

// byID reads in ByID mode and looks at the form of the answer: whole objects, as a full read shows them.
func (c *trial) byID(ctx context.Context, ids []string, all listing) listing {
	c.Helper()
	l := c.readStream(ctx, connectors.Request{
		Tenant: c.tenant, Stream: c.stream.Name, Mode: connectors.ByID, Cursor: all.pages[len(all.pages)-1].cursor, IDs: ids,
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
		if len(p.cursor) > 0 || p.resumable || (i == len(l.pages)-1) != (p.proof != nil) {
			c.Errorf("page %d of %d: a cursor of %d bytes, proof %v", i, len(l.pages), len(p.cursor), p.proof)
		}
		for _, ref := range p.removed {
			if !slices.Contains(ids, ref.ID) {
				c.Errorf("%s %s is named as removed, and nobody asked", ref.Kind, ref.ID)
			}
		}
	}
	return l
}
