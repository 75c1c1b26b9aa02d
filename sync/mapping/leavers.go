package mapping

import (
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/spelling"
)

// Leavers is what happens to the records of those who are gone.
type Leavers string

// What can happen to the records of those who are gone.
const (
	DeactivateLeavers Leavers = "deactivate" // the default: a return is a reactivate
	DeleteLeavers     Leavers = "delete"
	KeepLeavers       Leavers = "keep" // nothing is sent; a return is an update
)

// Leaver is what becomes of a record whose object is gone or matches no rule any more.
type Leaver struct {
	Do Leavers
	// DeleteAfter is how long after it was deactivated a record is deleted, when nothing of its object came back meanwhile; zero:
	// never. It goes with DeactivateLeavers.
	DeleteAfter time.Duration
}

// Leaver returns what becomes of records of a kind.
func (s *Spec) Leaver(kind directory.RecordKind) Leaver {
	if l, ok := s.LeaversOf[kind]; ok {
		return l
	}
	return Leaver{s.Leavers, s.DeleteAfter}
}

// Leaver returns what becomes of the records of a kind whose object is gone.
func (r *Ruleset) Leaver(kind directory.RecordKind) Leaver { return r.leavers[kind] }

func (c *compilation) leavers(s *Spec) (all [directory.TicketRecord + 1]Leaver) {
	allowed := []string{string(DeactivateLeavers), string(DeleteLeavers), string(KeepLeavers)}
	check := func(where string, l Leaver) Leaver {
		if l.Do == "" {
			l.Do = DeactivateLeavers
		}
		switch {
		case !slices.Contains(allowed, string(l.Do)):
			c.problem(Pos{}, spelling.DidYouMean(string(l.Do), allowed, "write "+strings.Join(allowed, ", ")), "%s: %q is unknown", where, string(l.Do))
		case l.DeleteAfter < 0 || l.DeleteAfter > 0 && l.Do != DeactivateLeavers:
			c.problem(Pos{}, "write do: deactivate, or leave out delete_after", "%s: delete_after is for records that are deactivated first", where)
		}
		return l
	}
	common := check("leavers", Leaver{s.Leavers, s.DeleteAfter})
	for _, kind := range directory.RecordKinds() {
		if l, ok := s.LeaversOf[kind]; ok {
			all[kind] = check("leavers."+kind.String(), l)
		} else {
			all[kind] = common
		}
	}
	return all
}

// leavers renders what becomes of leavers. Where it is one word for all kinds, that is all there is.
func (h hasher) leavers(of [directory.TicketRecord + 1]Leaver) {
	first := of[directory.CustomerRecord]
	h.text(string(first.Do))
	for _, kind := range directory.RecordKinds() {
		if l := of[kind]; l != (Leaver{Do: first.Do}) {
			h.text("leavers", kind.String(), string(l.Do), l.DeleteAfter.String())
		}
	}
}
