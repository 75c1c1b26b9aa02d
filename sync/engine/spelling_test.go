package engine

import (
	"context"
	"errors"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// folding is a source whose ids are the same in capitals and small letters.
type folding struct{ *world }

func (f folding) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return f.world.Read(ctx, req, func(p *connectors.Page) error {
		p.FoldedIDs = true
		return emit(p)
	})
}

// An id that the source spells in another way than before is the same object; nobody is taken away and created anew,
// whichever way the state has it from before.
func TestSpellingOfIDs(t *testing.T) {
	r := newRig(t)
	r.add("N1", "P1")
	r.add("N2", "P2")
	r.groups["Desk"] = []string{"p:N1"}
	r.expect("before ids were folded", Clean, "create user N1", "create user N2")
	r.conn.Source = folding{r.world}
	r.expect("the same", Clean)
	respell := func(from, to string) {
		p := r.people[from]
		if p.handle == "" {
			p.handle = "p:" + from
		}
		r.people[to] = p
		delete(r.people, from)
	}
	respell("N1", "n1")
	r.groups["DESK"] = r.groups["Desk"]
	delete(r.groups, "Desk")
	r.expect("another spelling", Clean)
	respell("n1", "N  1")
	r.expect("blanks are not nothing", Clean, "deactivate user N1", "create user N  1")
	respell("N  1", "n 1")
	r.expect("their number is", Clean)
	respell("n 1", "N1")
	r.expect("who was gone comes back", Clean, "reactivate user N1", "deactivate user N  1")
	respell("N1", "n1")
	r.invalid = []connectors.Invalid{{Kind: directory.Person, ID: "n2", Where: "n2", Err: &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("damaged")}}}
	delete(r.people, "N2")
	if _, res := r.sync(); res.Run.Removed != 0 {
		t.Errorf("an entry that could not be read counts as gone: %+v", res.Run)
	}
}
