package plan

import (
	"maps"

	"dirsyncd/sync/directory"
)

// Entry is one of the things that are counted over time. Exactly one of Op, Field, List and All says which, or List and All together.
type Entry struct {
	Kind directory.RecordKind
	// Op counts actions on records of the kind.
	Op directory.Op
	// Field counts updates of records of the kind that change a field of this name.
	Field string
	// List counts the members that one record of the kind has lost: the number is that of its object in the store.
	List uint32
	// All counts the members that all lists together have lost. With List it is no count but how many members that list had at most
	// when it lost some.
	All bool
}

// Name is the entry in words: "user/deactivate", "user.email", "memberships". A single list has none.
func (e Entry) Name() (string, bool) {
	switch {
	case e.List != 0:
		return "", false
	case e.All:
		return "memberships", true
	case e.Field != "":
		return e.Kind.String() + "." + e.Field, true
	default:
		return e.Kind.String() + "/" + e.Op.String(), true
	}
}

// lostMembers is the Entry of what all lists lose.
func lostMembers() Entry { return Entry{All: true} }

// Done is how much was done, by what is counted. Nobody changes one that was handed on.
type Done map[Entry]int

// Act counts an action. Tickets are none: no limit is about them.
func (d Done) Act(a *directory.Action) {
	if a.Kind == directory.TicketRecord {
		return
	}
	d[Entry{Kind: a.Kind, Op: a.Op}]++
	if a.Op != directory.Update {
		return
	}
	for i := range a.Changes {
		d[Entry{Kind: a.Kind, Field: a.Changes[i].Name}]++
	}
}

// sizeOf is the Entry of how many members a list had.
func sizeOf(lost Entry) Entry { return Entry{Kind: lost.Kind, List: lost.List, All: true} }

// Lose counts members that a list loses, of people who keep a record, and that it had so many before.
func (d Done) Lose(kind directory.RecordKind, list uint32, members, had int) {
	d[lostMembers()] += members
	e := Entry{Kind: kind, List: list}
	d[e] += members
	d[sizeOf(e)] = max(d[sizeOf(e)], had)
}

// Merge adds others.
func (d Done) Merge(other Done) {
	for e, n := range other {
		if e.List != 0 && e.All {
			d[e] = max(d[e], n)
			continue
		}
		d[e] += n
	}
}

// Clone returns a copy that may be changed.
func (d Done) Clone() Done {
	if d == nil {
		return Done{}
	}
	return maps.Clone(d)
}

// Counts are the actions among them.
func (d Done) Counts() Counts {
	c := Counts{}
	for e, n := range d {
		if e.Op != 0 {
			c.Merge(Counts{e.Kind: {e.Op: n}})
		}
	}
	return c
}
