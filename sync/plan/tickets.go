package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// Tickets are opened when a person comes or leaves. They are told once and never again, and are no records that anybody keeps in
// step. What was opened is remembered of each person in one record of the kind ticket, the stays: it is never active, is stored in the
// transaction that queues the tickets, and outlives the person.

// Ticket is one that is wanted now, or why it is not.
type Ticket struct {
	Name string
	// Not says why it is not opened, whatever is remembered; empty: it is, if this is another stay than that of the last one.
	Not string
	// AgainAfter is how long one is away for a return to be another stay; zero: it never is.
	AgainAfter time.Duration
	Fields     []directory.Field // sorted by name
}

// Names of the fields of the stays. Their stamps say when.
const (
	awayField    = "away"    // there while the person has no active record
	openedPrefix = "opened/" // of each ticket the last number
	notPrefix    = "not/"    // of each that was not opened last, why
)

// Stay is what is remembered of one ticket of a person.
type Stay struct {
	Ticket string
	// Number counts those that were opened under the name; zero for none.
	Number int
	Opened directory.Stamp
	// Not says why the last occasion opened none; empty when it did.
	Not   string
	Since directory.Stamp
}

// Stays takes apart what is remembered of a person's tickets, in the order of their names.
func Stays(rec *directory.Record) (list []Stay) {
	at := map[string]int{}
	of := func(name string) *Stay {
		if _, ok := at[name]; !ok {
			at[name] = len(list)
			list = append(list, Stay{Ticket: name})
		}
		return &list[at[name]]
	}
	for i := range rec.Fields {
		f := &rec.Fields[i]
		if name, ok := strings.CutPrefix(f.Name, openedPrefix); ok {
			s := of(name)
			s.Number, s.Opened = int(f.Value.Number()), *f.Since
		}
		if name, ok := strings.CutPrefix(f.Name, notPrefix); ok {
			s := of(name)
			s.Not, s.Since = f.Value.Text(), *f.Since
		}
	}
	slices.SortFunc(list, func(a, b Stay) int { return strings.Compare(a.Ticket, b.Ticket) })
	return list
}

// TicketKey is the key of a ticket about the person with a key: the number tells those of several stays apart.
func TicketKey(person, name string, number int) string {
	return person + "/ticket/" + name + "/" + strconv.Itoa(number)
}

// OpenTickets works out which tickets are opened as a person comes, or leaves, and what is remembered then. before are the records that
// the person had, stays what is remembered already, nil for nothing.
func (s *Subject) OpenTickets(before []*directory.Record, stays *directory.Record, leaves bool, tickets []Ticket) []Step {
	rec := directory.Record{Kind: directory.TicketRecord, Key: s.Origin.RecordKey(), Changed: *s.Run}
	if stays != nil {
		rec.Fields, rec.Revision = slices.Clone(stays.Fields), stays.Revision
	}
	rec.Revision++
	away, back := s.away(before, &rec)
	set := func(name string, v directory.Value) {
		unset(&rec, name)
		rec.Fields = append(rec.Fields, directory.RecordField{Field: directory.Field{Name: name, Value: v}, Since: s.Run})
	}
	var opened []Step
	for i := range tickets {
		t := &tickets[i]
		last, known := rec.Get(openedPrefix + t.Name)
		number := last.Number()
		not := t.Not
		switch {
		case not != "":
		case !leaves && !back, leaves && !known: // the first time
		case t.AgainAfter == 0:
			not = "it is for the first stay only: `again_after` is not set"
		case !leaves && away < t.AgainAfter:
			not = fmt.Sprintf("was away for %s, which is less than again_after", days(away))
		case leaves && s.At.Sub(sinceOf(&rec, openedPrefix+t.Name)) < t.AgainAfter:
			not = "the last one was opened less than again_after ago"
		}
		if not != "" {
			set(notPrefix+t.Name, directory.Text(not))
			continue
		}
		unset(&rec, notPrefix+t.Name)
		set(openedPrefix+t.Name, directory.Number(number+1))
		a := s.action(directory.Create, directory.TicketRecord, t.Fields)
		a.Record, a.Rule = TicketKey(s.Origin.RecordKey(), t.Name, int(number)+1), t.Name
		a.SealKey(1)
		opened = append(opened, Step{Kind: directory.TicketRecord, Action: a})
	}
	if unset(&rec, awayField); leaves {
		set(awayField, directory.Bool(true))
	}
	if len(rec.Fields) == 0 && stays == nil {
		return nil
	}
	slices.SortFunc(rec.Fields, func(a, b directory.RecordField) int { return strings.Compare(a.Name, b.Name) })
	if len(opened) == 0 {
		return []Step{{Kind: directory.TicketRecord, Record: &rec, Stored: true}}
	}
	for i := range opened {
		opened[i].Record, opened[i].Stored = &rec, true
	}
	return opened
}

// away says for how long somebody had no active record, and whether there was one before that.
func (s *Subject) away(before []*directory.Record, stays *directory.Record) (d time.Duration, back bool) {
	since := sinceOf(stays, awayField)
	known := !since.IsZero()
	for _, rec := range before {
		back = true
		if !known && rec.Changed.Time.After(since) {
			since = rec.Changed.Time
		}
	}
	back = back || len(stays.Fields) > 0
	if since.IsZero() {
		return 0, back
	}
	return s.At.Sub(since), back
}

func sinceOf(rec *directory.Record, name string) time.Time {
	for i := range rec.Fields {
		if rec.Fields[i].Name == name {
			return rec.Fields[i].Since.Time
		}
	}
	return time.Time{}
}

func unset(rec *directory.Record, name string) {
	rec.Fields = slices.DeleteFunc(rec.Fields, func(f directory.RecordField) bool { return f.Name == name })
}

// days is a time in words.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.Truncate(time.Minute).String()
}
