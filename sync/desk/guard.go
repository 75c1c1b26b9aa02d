package desk

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Class is a kind of thing that happens at a place. The words are stored.
type Class string

// The classes that are counted.
const (
	Creations     Class = "create"
	Adoptions     Class = "adopt"
	Overwrites    Class = "overwrite"
	Deactivations Class = "deactivate"
)

// Limit is how much of a class may happen to a kind in a day without a human. Nil is no limit.
type Limit struct {
	Count   *int
	Percent *float64 // of the things of the kind that are linked; those up to ten are not measured by it
}

// Guard are limits by class. They count what happens at the place, where the guard of a mapping counts what rules do.
type Guard map[Class]Limit

// DefaultGuard are the limits where the operator has none.
func DefaultGuard() Guard {
	count := func(n int) *int { return &n }
	percent := 10.0
	return Guard{
		Creations: {Count: count(200)}, Adoptions: {Count: count(50)}, Overwrites: {Count: count(50)},
		Deactivations: {Count: count(50), Percent: &percent},
	}
}

// day is how long what happened is counted.
const day = 24 * time.Hour

// done is how much of a class happened in the day that is counted.
func (d *Desk) done(kind directory.RecordKind, class Class) int {
	if c := d.state.Day; c != nil && d.opts.Now().Sub(c.Since) < day {
		return c.Done[kind.String()][string(class)]
	}
	return 0
}

// count adds one to what happened, in a state that is about to be stored.
func (d *Desk) count(s *store.DeskState, kind directory.RecordKind, class Class) {
	now := d.opts.Now().UTC().Truncate(time.Second)
	if s.Day == nil || now.Sub(s.Day.Since) >= day {
		s.Day = &store.DeskDay{Since: now, Done: map[string]map[string]int{}}
	}
	if s.Day.Done[kind.String()] == nil {
		s.Day.Done[kind.String()] = map[string]int{}
	}
	s.Day.Done[kind.String()][string(class)]++
}

// left is how much of what was approved is not done yet.
func (d *Desk) left(kind directory.RecordKind, class Class) int {
	n, now := 0, d.opts.Now()
	if f := d.state.First; f != nil && f.Approved != "" && now.Sub(f.Since) < allowed {
		n += f.Counts[kind.String()][string(class)]
	}
	return n + granted(&d.state, now)[kind.String()][string(class)]
}

// granted is what is left of what the operator approved of the guard's, and can still be done.
func granted(s *store.DeskState, now time.Time) map[string]map[string]int {
	g := s.Granted
	if h := s.Held; g == nil && h != nil && h.Approved == h.Hash {
		g = h
	}
	if g == nil || now.Sub(g.Since) >= allowed {
		return nil
	}
	return g.Counts
}

// approveHeld grants what is held under a hash, beside what is left of what was granted before. It reports whether there is something
// with that hash, or was: who was cut off may approve again.
func approveHeld(s *store.DeskState, hash string, now time.Time) bool {
	h := s.Held
	if h == nil || h.Hash != hash || h.Approved == hash {
		return s.Granted != nil && s.Granted.Hash == hash || h != nil && h.Hash == hash
	}
	s.Granted = &store.HeldWork{Hash: hash, Since: now, Counts: sum(granted(s, now), h.Counts)}
	s.Held = nil
	return true
}

// sum adds counts by kind and class.
func sum(all ...map[string]map[string]int) map[string]map[string]int {
	total := map[string]map[string]int{}
	for _, counts := range all {
		for kind, classes := range counts {
			if total[kind] == nil {
				total[kind] = map[string]int{}
			}
			for class, n := range classes {
				total[kind][class] += n
			}
		}
	}
	return total
}

// approved reports whether something may be done because a human approved so many, of which those of this round take theirs.
func (d *Desk) approved(w *work, class Class) bool {
	taken := d.taken[stop{w.Kind, class}]
	return taken[w.subject] || len(taken) < d.left(w.Kind, class)
}

// spend takes one from what was approved and can still be done, in a state that is about to be stored. It reports whether there was any.
func spend(s *store.DeskState, kind directory.RecordKind, class Class, now time.Time) bool {
	take := func(counts map[string]map[string]int) bool {
		if counts[kind.String()][string(class)] <= 0 {
			return false
		}
		counts[kind.String()][string(class)]--
		return true
	}
	if f := s.First; f != nil && f.Approved != "" && now.Sub(f.Since) < allowed && take(f.Counts) {
		return true
	}
	return take(granted(s, now))
}

// guarded makes a record wait when too much of a class would happen in a day. All of it waits then: what is waiting to be
// done counts before any of it is.
func (d *Desk) guarded(w *work, class Class) bool {
	at := stop{w.Kind, class}
	if d.approved(w, class) {
		if d.taken[at] == nil {
			d.taken[at] = map[string]bool{}
		}
		d.taken[at][w.subject] = true
		delete(d.stopped, at)
		return false
	}
	limit, ok := d.opts.Guard[class]
	if !ok {
		return false
	}
	c := d.together(at, w.subject)
	n := d.done(w.Kind, class) + len(c.pending)
	switch {
	case limit.Count != nil && n > *limit.Count:
		c.reason = fmt.Sprintf("%s %d %ss in a day; the limit is %d", class, n, w.Kind, *limit.Count)
	case limit.Percent != nil && c.linked > 10 && float64(n)*100 > *limit.Percent*float64(c.linked):
		c.reason = fmt.Sprintf("%s %d of %d %ss in a day; the limit is %g%%", class, n, c.linked, w.Kind, *limit.Percent)
	default:
		return false
	}
	if d.stopped[at] == nil {
		d.stopped[at] = map[string]bool{}
	}
	d.stopped[at][w.subject] = true
	w.wait(targets.Wait{Cause: targets.CauseGuard, Key: guardKey, Text: "it would " + c.reason})
	return true
}

// stop names what the guard has stopped.
type stop struct {
	kind  directory.RecordKind
	class Class
}

// amount is what the guard compares with a limit. Until a round is stored, it is counted once for all that is handed over.
type amount struct {
	pending []string // sorted
	linked  int
	reason  string // why it is too much; empty when it is not
}

// together adds a record, and those that were stopped before it, to those of which something waits to be done: of what is
// found out one by one, such as what an adoption overwrites, all that waits is one question.
func (d *Desk) together(at stop, subject string) *amount {
	c := d.amounts[at]
	if c == nil {
		c = &amount{}
		c.pending, c.linked = d.pending(at.kind, at.class)
		for stopped := range d.stopped[at] {
			if e := d.roster.of[stopped]; e != nil && e.pending != 0 {
				c.pending = append(c.pending, stopped)
			}
		}
		slices.Sort(c.pending)
		c.pending = slices.DeleteFunc(slices.Compact(c.pending), func(s string) bool { return d.taken[at][s] })
		d.amounts[at] = c
	}
	if i, there := slices.BinarySearch(c.pending, subject); !there {
		c.pending = slices.Insert(c.pending, i, subject)
	}
	return c
}

// holdAll holds what a round had too much of, in a state that is about to be stored.
func (d *Desk) holdAll(s *store.DeskState) {
	for _, k := range d.kinds {
		for _, class := range []Class{Creations, Adoptions, Overwrites, Deactivations} {
			if c := d.amounts[stop{k.Kind, class}]; c != nil && c.reason != "" {
				d.hold(s, k.Kind, class, c.reason, c.pending)
			}
		}
	}
}

// exceeds reports whether a round had too much of something.
func (d *Desk) exceeds() bool {
	for _, c := range d.amounts {
		if c.reason != "" {
			return true
		}
	}
	return false
}

// pending lists the records of a kind of which something of a class waits to be done, and counts those that are linked.
func (d *Desk) pending(kind directory.RecordKind, class Class) (subjects []string, linked int) {
	for _, e := range d.roster.waiting[kind] {
		switch {
		case e.state == store.InReview:
		case class == Deactivations && e.pending.Removes() && e.id != "" && !e.idle,
			class == Creations && !e.pending.Removes() && !e.updates && e.id == "" && !d.foreseen(e),
			class == Adoptions && !e.pending.Removes() && e.id == "" && d.foreseen(e):
			subjects = append(subjects, e.subject)
		}
	}
	slices.Sort(subjects)
	return subjects, d.roster.have[kind]
}

// foreseen reports whether the last survey says that a record is to be adopted.
func (d *Desk) foreseen(e *known) bool {
	s := d.surveys[e.kind]
	if s == nil {
		return false
	}
	v, judged := s.verdicts[e.subject]
	return judged && v.Situation == Same && v.Key != MarkKey
}

// hold adds to the work that waits for the operator, in a state that is about to be stored.
func (d *Desk) hold(s *store.DeskState, kind directory.RecordKind, class Class, reason string, pending []string) {
	h := s.Held
	if h == nil || h.Approved == h.Hash && h.Hash != "" {
		if h != nil && s.Granted == nil {
			s.Granted = h // of a version before
		}
		h = &store.HeldWork{Since: d.opts.Now().UTC().Truncate(time.Second), Counts: map[string]map[string]int{}}
	} else {
		h = &store.HeldWork{Since: h.Since, Counts: h.Counts, Reasons: h.Reasons}
	}
	if h.Counts[kind.String()] == nil {
		h.Counts[kind.String()] = map[string]int{}
	}
	h.Counts[kind.String()][string(class)] = len(pending)
	prefix := string(class) + " "
	h.Reasons = slices.DeleteFunc(slices.Clone(h.Reasons), func(r string) bool {
		return strings.HasPrefix(r, prefix) && strings.Contains(r, " "+kind.String()+"s ")
	})
	h.Reasons = append(h.Reasons, reason)
	slices.Sort(h.Reasons)
	h.Hash = hashOf(countLines(h.Counts), pending)
	s.Held = h
}

func countLines(counts map[string]map[string]int) (lines []string) {
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		for _, class := range slices.Sorted(maps.Keys(counts[kind])) {
			lines = append(lines, fmt.Sprintf("%s %s %d", kind, class, counts[kind][class]))
		}
	}
	return lines
}

// hashOf names what waits.
func hashOf(lists ...[]string) string {
	h := sha256.New()
	for _, list := range lists {
		for _, line := range list {
			_, _ = h.Write([]byte(line + "\n"))
		}
		_, _ = h.Write([]byte{0})
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:10]))
}
