package mapping

import (
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
	"dirsyncd/sync/spelling"
)

// TicketSpec says which ticket is opened when somebody comes or leaves. It is no part of the rules' hash: what it says is asked
// when that happens, and an edit opens no ticket for whom it has happened before.
type TicketSpec struct {
	Name string
	Pos  Pos
	// On is when it is opened, For what the person becomes or was: a user or an agent.
	On  Occasion
	For directory.RecordKind
	// When narrows it to some people; empty: all.
	When TextSpec
	// AgainAfter is how long somebody has to be away for a return to be a new stay, with tickets of its own; zero: no return is.
	AgainAfter time.Duration
	Fields     []FieldSpec
}

// Occasion is when a ticket is opened.
type Occasion string

// The occasions.
const (
	Joining Occasion = "join"  // the first record of a person is made
	Leaving Occasion = "leave" // the last one is taken away
)

// Ticket is one that the mapping opens on an occasion, as far as the rules have a say in it.
type Ticket struct {
	Name       string
	For        directory.RecordKind
	AgainAfter time.Duration
	// Wanted: its condition holds.
	Wanted bool
	Fields []directory.Field // sorted by name, none blank
}

// About returns a ticket's fields with whom it is about, by the key of the record, and with the customer and the site of that record, where
// it has none of its own. They are sorted by name.
func (t *Ticket) About(key string, record []directory.Field) []directory.Field {
	fields := append(slices.Clone(t.Fields), directory.Field{Name: t.For.String(), Value: directory.Text(key)})
	for _, f := range record {
		has := slices.ContainsFunc(fields, func(o directory.Field) bool { return o.Name == f.Name })
		if (f.Name == "customer" || f.Name == "site") && !has && !f.Value.Blank() {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b directory.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// ticket is a compiled TicketSpec.
type ticket struct {
	spec *TicketSpec
	when *expression.Expression // nil: always
	// fields are its fields, sorted by name.
	fields []*field
}

// ticketRules compiles what tickets are opened. in is the section of people.
func (c *compilation) ticketRules(specs []TicketSpec, in *section) []*ticket {
	var all []*ticket
	seen := map[string]bool{}
	for i := range specs {
		spec := &specs[i]
		label := "ticket " + spec.Name
		if seen[spec.Name] {
			c.problem(spec.Pos, "every ticket has a name of its own", "%s: there is a ticket of this name before it", label)
		}
		seen[spec.Name] = true
		if on := []string{string(Joining), string(Leaving)}; !slices.Contains(on, string(spec.On)) {
			c.problem(spec.Pos, spelling.DidYouMean(string(spec.On), on, "write on: join, or on: leave"), "%s: on: %q is unknown", label, string(spec.On))
		}
		if !slices.Contains(RecordsOf(directory.Person), spec.For) {
			c.problem(spec.Pos, "write for: user, or for: agent", "%s: tickets are opened for people, not for a %s", label, spec.For)
		}
		if spec.AgainAfter < 0 {
			c.problem(spec.Pos, "write again_after: 90d", "%s: again_after must be more than 0", label)
		}
		t := &ticket{spec: spec}
		c.condition = strings.TrimSpace(spec.When.Text)
		if c.condition != "" {
			t.when = c.expression(in, in.language.Condition, true, spec.When.Text, 0, spec.When.Pos, label+": when")
		}
		t.fields = newRecordRule(directory.TicketRecord, nil, c.fields(spec.Fields, in, label, label)).fields
		c.condition = ""
		c.ticketFields(spec, label)
		all = append(all, t)
	}
	return all
}

// ticketFields reports what a ticket cannot have, and what it must.
func (c *compilation) ticketFields(spec *TicketSpec, label string) {
	summary := false
	for i := range spec.Fields {
		f := &spec.Fields[i]
		summary = summary || f.Name == directory.FieldSummary
		switch {
		case f.Name == spec.For.String():
			c.problem(f.Pos, "leave it out", "%s.%s: that is whom the ticket is about, and is set by itself", label, f.Name)
		case f.On == OnCreate || f.Blank == ClearBlank:
			c.problem(f.Pos, "write the value alone", "%s.%s: a ticket is written once, so on and blank mean nothing", label, f.Name)
		}
	}
	if !summary {
		c.problem(spec.Pos, `write fields: {summary: '= "New starter: " + name'}`, "%s has no summary", label)
	}
}

// ticketsOfNobody reports tickets for kinds of record that no rule makes.
func (c *compilation) ticketsOfNobody(s *Spec) {
	for i := range s.Tickets {
		t := &s.Tickets[i]
		made := slices.ContainsFunc(s.Rules, func(r RuleSpec) bool { _, ok := r.Records[t.For]; return ok })
		if !made && slices.Contains(RecordsOf(directory.Person), t.For) {
			c.problem(t.Pos, "say for: with what rules make of people", "ticket %s: no rule makes a record of the kind %s", t.Name, t.For)
		}
	}
}

// OpensTickets reports whether the mapping opens any.
func (r *Ruleset) OpensTickets() bool { return len(r.rules[directory.Person].tickets) > 0 }

// TicketNames lists the tickets for records of a kind, or of any for zero, in the order of the configuration.
func (r *Ruleset) TicketNames(kind directory.RecordKind) (names []string) {
	for _, t := range r.rules[directory.Person].tickets {
		if kind == 0 || t.spec.For == kind {
			names = append(names, t.spec.Name)
		}
	}
	return names
}

// TicketOn says on which occasion a ticket is opened; empty when there is none of the name.
func (r *Ruleset) TicketOn(name string) Occasion {
	for _, t := range r.rules[directory.Person].tickets {
		if t.spec.Name == name {
			return t.spec.On
		}
	}
	return ""
}

// Tickets asks for the tickets of an occasion for a person. Of somebody who joins, an expression that fails is an error like one of a
// rule. Who leaves is not held up by it: the condition counts as true, the field is left out, and the ticket says so.
func (r *Ruleset) Tickets(on Occasion, p *Person) ([]Ticket, error) {
	l := &r.rules[directory.Person]
	var all []Ticket
	e := l.evaluator.Begin(p.input())
	defer e.End()
	for _, t := range l.tickets {
		if t.spec.On != on {
			continue
		}
		made, err := t.open(e)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	return all, nil
}

func (t *ticket) open(e *expression.Evaluation) (Ticket, error) {
	out := Ticket{Name: t.spec.Name, For: t.spec.For, AgainAfter: t.spec.AgainAfter, Wanted: true}
	failed := func(err error, where string) error {
		if t.spec.On == Leaving {
			return nil
		}
		return inRule(err, "ticket", t.spec.Name, where)
	}
	if t.when != nil {
		holds, err := e.Truth(t.when)
		if err != nil {
			if err := failed(err, "when"); err != nil {
				return out, err
			}
			holds = true
		}
		if out.Wanted = holds; !holds {
			return out, nil
		}
	}
	for _, f := range t.fields {
		v := f.literal
		if f.expr != nil {
			var err error
			if v, err = e.Value(f.expr); err != nil {
				if err := failed(err, f.name); err != nil {
					return out, err
				}
				v = directory.Null()
				if f.name == directory.FieldSummary {
					v = directory.Text("ticket " + t.spec.Name)
				}
			}
		}
		if v.Blank() && f.name == directory.FieldSummary {
			v = directory.Text("ticket " + t.spec.Name)
		}
		if !v.Blank() {
			out.Fields = append(out.Fields, directory.Field{Name: f.name, Value: v})
		}
	}
	return out, nil
}

// expressions lists what a ticket asks.
func (t *ticket) expressions() (all []*expression.Expression) {
	if t.when != nil {
		all = append(all, t.when)
	}
	for _, f := range t.fields {
		if f.expr != nil {
			all = append(all, f.expr)
		}
	}
	return all
}
