package connectortest

import (
	"maps"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func checkForeignCursor(c *trial) {
	foreign := [][]byte{[]byte("not a cursor of this source"), []byte("{}"), {0}}
	for _, s := range c.Connector.Describe().Streams {
		if s.Name == c.stream.Name || !s.Delta {
			continue
		}
		l := c.readStream(c.ctx, connectors.Request{Tenant: c.tenant, Stream: s.Name, Mode: connectors.Full}, nil)
		if l.err != nil {
			c.Fatalf("full read of %s: %v", s.Name, l.err)
		}
		foreign = append(foreign, l.pages[len(l.pages)-1].cursor)
	}
	for _, cursor := range foreign {
		c.refused("a full read from a foreign cursor", c.read(c.ctx, connectors.Full, cursor, nil), fault.CursorExpired)
		if c.stream.Delta {
			c.refused("a delta from a foreign cursor", c.read(c.ctx, connectors.Delta, cursor, nil), fault.CursorExpired)
		}
	}
	if !c.stream.Delta {
		if l := c.read(c.ctx, connectors.Delta, nil, nil); l.err == nil || len(l.pages) > 0 {
			c.Errorf("Delta is not declared, and a delta read gave %d pages, error %v", len(l.pages), l.err)
		}
	}
}

func checkLostCursors(c *trial) {
	if !c.stream.Delta && !c.stream.Resumable {
		c.Skip("the stream has no cursors")
	}
	c.needs(LostCursors)
	l := c.full()
	c.breaks(LostCursors)
	for i, p := range l.pages {
		if p.resumable && i == 0 {
			c.refused("resuming from a lost cursor", c.read(c.ctx, connectors.Full, p.cursor, nil), fault.CursorExpired)
		}
	}
	if c.stream.Delta {
		last := l.pages[len(l.pages)-1].cursor
		c.refused("a delta from a lost cursor", c.read(c.ctx, connectors.Delta, last, nil), fault.CursorExpired)
	}
	c.full()
}

// checkResume goes on from every page that offers it and compares with the rest of the whole read.
func checkResume(c *trial) {
	if !c.stream.Resumable {
		c.Skip("the stream is not resumable")
	}
	all := c.full()
	tried := 0
	for i, p := range all.pages {
		if !p.resumable {
			continue
		}
		tried++
		rest := c.read(c.ctx, connectors.Full, p.cursor, nil)
		if rest.err != nil {
			c.Errorf("resume after page %d: %v", i, rest.err)
			continue
		}
		c.wellFormedRest(rest)
		want := listing{pages: all.pages[i+1:]}
		if !maps.Equal(rest.content(), want.content()) {
			c.Errorf("resume after page %d gives something else than the rest of the whole read", i)
		}
	}
	if tried == 0 {
		c.Error("Resumable is declared, and no page was")
	}
}

// wellFormedRest is wellFormed without the count, which is that of the whole listing.
func (c *trial) wellFormedRest(l listing) {
	c.Helper()
	for i, p := range l.pages {
		c.pageForm(p, i, i == len(l.pages)-1, connectors.Full)
	}
}

// checkDelta follows a source by deltas and compares with full reads.
func checkDelta(c *trial) {
	if !c.stream.Delta {
		c.Skip("the stream has no delta")
	}
	state := c.full()
	known := state.content()
	cursor := state.pages[len(state.pages)-1].cursor

	var deleted directory.Ref
	for _, step := range []struct {
		name string
		do   func(tb testing.TB, stream string) directory.Ref
	}{
		{"nothing", func(testing.TB, string) directory.Ref { return directory.Ref{} }},
		{"a change", c.Change}, {"a rename", c.Rename}, {"an addition", c.Add}, {"a removal", c.Delete},
	} {
		if step.do == nil {
			continue
		}
		deleted = step.do(c.TB, c.stream.Name)
		l := c.read(c.ctx, connectors.Delta, cursor, nil)
		if l.err != nil {
			c.Fatalf("delta after %s: %v", step.name, l.err)
		}
		c.wellFormed(l, connectors.Delta)
		cursor = l.pages[len(l.pages)-1].cursor
		apply(known, l)
	}
	if !c.stream.Tombstones {
		delete(known, deleted)
	}
	c.sameObjects(known, c.full())
}

// apply brings what is known of objects up to date by a delta. Partial objects are left to be compared by id.
func apply(known map[directory.Ref]string, l listing) {
	for _, p := range l.pages {
		for i := range p.objects {
			o := &p.objects[i]
			ref := directory.Ref{Kind: o.Kind, ID: o.ID}
			known[ref] = string(directory.AppendObject(nil, o))
			if o.Partial {
				known[ref] = partial
			}
		}
		for _, ref := range p.removed {
			delete(known, ref)
		}
	}
}

// partial stands for an object of which a delta brought a part.
const partial = "partial"

// sameObjects compares objects, members left out.
func (c *trial) sameObjects(known map[directory.Ref]string, l listing) {
	c.Helper()
	is := l.content()
	for ref, content := range known {
		switch now, ok := is[ref]; {
		case ref.Kind == 0:
		case !ok:
			c.Errorf("%s %s: known by deltas, not in a full read", ref.Kind, ref.ID)
		case now != content && content != partial:
			c.Errorf("%s %s: the deltas left it different from a full read", ref.Kind, ref.ID)
		}
	}
	for ref := range is {
		if _, ok := known[ref]; !ok && ref.Kind != 0 {
			c.Errorf("%s %s: in a full read, not known by deltas", ref.Kind, ref.ID)
		}
	}
}
