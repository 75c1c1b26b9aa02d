package connectortest

import (
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// wellFormed looks at everything that a successful read has emitted.
func (c *trial) wellFormed(l listing, mode connectors.Mode) {
	c.Helper()
	if len(l.pages) == 0 {
		c.Errorf("Read of %s returned nil and emitted no page, so no Proof", c.stream.Name)
		return
	}
	for i, p := range l.pages {
		c.pageForm(p, i, i == len(l.pages)-1, mode)
	}
	if p := l.proof(); p != nil {
		c.proofForm(l, p, mode)
	}
}

func (c *trial) pageForm(p page, n int, last bool, mode connectors.Mode) {
	c.Helper()
	if last != (p.proof != nil) {
		c.Errorf("page %d: last %t, Proof %t; the last page and only that one carries a Proof", n, last, p.proof != nil)
	}
	if mode == connectors.Full && len(p.removed) > 0 {
		c.Errorf("page %d: a full read names removed objects", n)
	}
	if mode == connectors.Delta && !c.stream.Tombstones && len(p.removed) > 0 {
		c.Errorf("page %d: removed objects, but Tombstones is not declared", n)
	}
	if p.resumable && (!c.stream.Resumable || len(p.cursor) == 0 || mode != connectors.Full) {
		c.Errorf("page %d: Resumable in a %s read, cursor of %d bytes, declared %t", n, mode, len(p.cursor), c.stream.Resumable)
	}
	if last && c.stream.Delta != (len(p.cursor) > 0) {
		c.Errorf("the last page's cursor has %d bytes, Delta declared %t", len(p.cursor), c.stream.Delta)
	}
	for i := range p.objects {
		c.objectForm(&p.objects[i], mode)
	}
	for _, m := range p.members {
		c.membersForm(m, mode)
	}
	for _, inv := range p.invalid {
		if inv.Where == "" || !slices.Contains(c.stream.Kinds, inv.Kind) {
			c.Errorf("invalid entry without Where or of kind %s, which is not one of the stream's", inv.Kind)
		}
		c.classified("Invalid.Err", inv.Err, fault.Invalid)
	}
}

func (c *trial) objectForm(o *directory.Object, mode connectors.Mode) {
	c.Helper()
	if o.ID == "" || !slices.Contains(c.stream.Kinds, o.Kind) {
		c.Errorf("object %q of kind %s in stream %s of kinds %v", o.ID, o.Kind, c.stream.Name, c.stream.Kinds)
	}
	if o.Partial && mode == connectors.Full {
		c.Errorf("%s %s: Partial in a full read", o.Kind, o.ID)
	}
	if slices.Contains(o.Handles, "") {
		c.Errorf("%s %s: an empty handle", o.Kind, o.ID)
	}
	for i, f := range o.Fields {
		if i > 0 && o.Fields[i-1].Name >= f.Name {
			c.Errorf("%s %s: field %s after %s; fields are sorted and unique", o.Kind, o.ID, f.Name, o.Fields[i-1].Name)
		}
		c.fieldForm(o, f)
	}
	for _, link := range o.Links {
		if link.To == "" || link.Type == 0 {
			c.Errorf("%s %s: link %+v", o.Kind, o.ID, link)
		}
	}
	if _, err := directory.ParseObject(directory.AppendObject(nil, o)); err != nil {
		c.Errorf("%s %s does not survive storing: %v", o.Kind, o.ID, err)
	}
}

func (c *trial) fieldForm(o *directory.Object, f directory.Field) {
	c.Helper()
	common, ok := directory.LookupCommonField(f.Name)
	switch {
	case !ok && (!strings.HasPrefix(f.Name, directory.AttributePrefix) || f.Name == directory.AttributePrefix):
		c.Errorf("%s %s: field %q is neither a common field nor an attribute", o.Kind, o.ID, f.Name)
	case ok && f.Value.Type() != common.Type && f.Value.Type() != directory.NullType:
		c.Errorf("%s %s: field %s is %s, want %s", o.Kind, o.ID, f.Name, f.Value.Type(), common.Type)
	case f.Value.Type() == directory.TextType && f.Value.Text() == "":
		c.Errorf("%s %s: field %s is an empty text; leave it out, or set it to Null", o.Kind, o.ID, f.Name)
	}
}

func (c *trial) membersForm(m connectors.Members, mode connectors.Mode) {
	c.Helper()
	switch {
	case !c.stream.Members:
		c.Errorf("members of group %s, but Members is not declared", m.Group)
	case m.Group == "":
		c.Error("members of a group without id")
	case mode == connectors.Full && len(m.Remove) > 0:
		c.Errorf("group %s: removed members in a full read", m.Group)
	case m.Whole && len(m.Remove) > 0:
		c.Errorf("group %s: a whole list with removed members", m.Group)
	case slices.Contains(m.Add, "") || slices.Contains(m.Remove, ""):
		c.Errorf("group %s: an empty handle among the members", m.Group)
	}
}

func (c *trial) proofForm(l listing, p *connectors.Proof, mode connectors.Mode) {
	c.Helper()
	if p.Scope == "" && mode == connectors.Full {
		c.Error("Proof.Scope is empty")
	}
	listed := len(l.ids())
	for _, pg := range l.pages {
		for _, inv := range pg.invalid {
			if inv.ID != "" {
				listed++
			}
		}
	}
	switch {
	case p.Count < -1:
		c.Errorf("Proof.Count is %d", p.Count)
	case mode != connectors.Full:
	case !c.stream.Counted && p.Count != -1:
		c.Errorf("Proof.Count is %d, but Counted is not declared", p.Count)
	case c.stream.Counted && p.Count != listed:
		c.Errorf("Proof.Count is %d, and %d objects were listed", p.Count, listed)
	}
}
