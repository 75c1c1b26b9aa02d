package engine

import (
	"context"
	"slices"
	"testing"

	"dirsyncd/connectors"
)

// twice lists everybody twice on one page: under another name first.
type twice struct{ *world }

func (w twice) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return w.world.Read(ctx, req, func(p *connectors.Page) error {
		later := p.Objects
		p.Objects = nil
		for _, o := range later {
			first := o
			first.Fields = slices.Clone(o.Fields)
			first.SetText("name", "Formerly "+o.ID)
			p.Objects = append(p.Objects, first)
		}
		p.Objects = append(p.Objects, later...)
		return emit(p)
	})
}

// Of an object that comes twice the later form holds, be it the one that is stored already.
func TestObjectTwiceOnAPage(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.expect("first", Clean, "create user 1")
	r.conn.Source = twice{r.world}
	r.expect("twice", Clean)
	r.people["1"] = person{name: "P2"}
	r.expect("twice, renamed", Clean, "update user 1 name:P1>P2")
}
