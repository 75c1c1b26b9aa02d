package ldap

import (
	"context"
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// seen is what a read of one stream has shown.
type seen struct {
	objects map[string]directory.Object // by id
	members map[string][]string         // by group id
	invalid []connectors.Invalid
	proof   *connectors.Proof
	pages   int
	folded  bool // ids
	err     error
}

// readAll reads a stream in full. each is called after every page.
func readAll(ctx context.Context, c *Connector, stream string, each func(s *seen)) *seen {
	s := &seen{objects: make(map[string]directory.Object), members: make(map[string][]string)}
	s.err = connectors.Guard(c).Read(ctx, connectors.Request{Stream: stream, Mode: connectors.Full}, func(p *connectors.Page) error {
		for _, o := range p.Objects {
			o.Handles, o.Fields, o.Links = slices.Clone(o.Handles), slices.Clone(o.Fields), slices.Clone(o.Links)
			s.objects[o.ID] = o
		}
		for _, m := range p.Members {
			s.members[m.Group] = slices.Clone(m.Add)
		}
		s.invalid = append(s.invalid, p.Invalid...)
		s.proof = p.Proof
		s.folded = s.folded || p.FoldedIDs
		s.pages++
		if each != nil {
			each(s)
		}
		return nil
	})
	return s
}

// must fails the test unless the read was complete.
func (s *seen) must(t *testing.T) *seen {
	t.Helper()
	if s.err != nil || s.proof == nil {
		t.Fatalf("read: proof %v, error %v", s.proof, s.err)
	}
	return s
}

// field returns a field of an object as text.
func (s *seen) field(id, name string) string {
	o := s.objects[id]
	v, ok := o.Get(name)
	if !ok {
		return "(none)"
	}
	return v.String()
}

type finding = connectors.Finding

// attributesNamed lists attributes of which no content is asked for.
func attributesNamed(names ...string) []Attribute {
	list := make([]Attribute, len(names))
	for i, name := range names {
		list[i] = Attribute{Name: name}
	}
	return list
}
