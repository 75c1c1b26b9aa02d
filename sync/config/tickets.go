package config

import (
	"slices"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// ticketList are the tickets of a mapping in the order of the file.
type ticketList struct {
	specs []mapping.TicketSpec
}

// ticketKeys are the keys of a ticket.
type ticketKeys struct {
	On         occasionWord       `yaml:"on" strict:"required"`
	For        ticketFor          `yaml:"for"`
	When       ruleText           `yaml:"when"`
	AgainAfter *settings.Duration `yaml:"again_after"`
	Fields     fieldList          `yaml:"fields" strict:"required"`
}

type occasionWord mapping.Occasion

// DecodeStrict reads the word.
func (w *occasionWord) DecodeStrict(v strict.Value) {
	choose(v, w, occasionWord(mapping.Joining), occasionWord(mapping.Leaving))
}

type ticketFor directory.RecordKind

// DecodeStrict reads the kind of record.
func (f *ticketFor) DecodeStrict(v strict.Value) {
	var word string
	choose(v, &word, directory.UserRecord.String(), directory.AgentRecord.String())
	kind, _ := directory.ParseRecordKind(word)
	*f = ticketFor(kind)
}

// DecodeStrict reads the tickets.
func (l *ticketList) DecodeStrict(v strict.Value) {
	entries, _ := v.Entries()
	for _, e := range entries {
		if !checkName(e, "ticket") {
			continue
		}
		keys := ticketKeys{For: ticketFor(directory.UserRecord)}
		item := e.Value.In(quoted("ticket", e.Key))
		if !item.Into(&keys) {
			continue
		}
		spec := mapping.TicketSpec{Name: e.Key, On: mapping.Occasion(keys.On), For: directory.RecordKind(keys.For), When: mapping.TextSpec(keys.When), Fields: keys.Fields}
		spec.Pos.Line, spec.Pos.Column = e.Value.KeyPos()
		if keys.AgainAfter != nil {
			if spec.AgainAfter = keys.AgainAfter.Std(); spec.AgainAfter <= 0 {
				at := item.Get("again_after")
				at.Problem("leave it out where no return is a new stay", "%s: it must be more than 0", at.Label())
			}
		}
		l.specs = append(l.specs, spec)
	}
}

// ticketTypes says when targets that can take tickets do.
const ticketTypes = "halo takes them with ticket: {type: NUMBER}, rest with a preset that has them"

// checkTickets warns of tickets that go nowhere.
func (l *loader) checkTickets() {
	for _, name := range l.mappingNames() {
		m := l.cfg.Mappings[name]
		if len(m.Spec.Tickets) == 0 {
			continue
		}
		for i := range l.cfg.Connections {
			c := &l.cfg.Connections[i]
			takes := func(target string) bool { return !l.ticketless[target] }
			if len(usersOf(c, name)) == 0 || slices.ContainsFunc(c.Targets, takes) {
				continue
			}
			at := m.Spec.Tickets[0].Pos
			l.mappings[name].value.Document().WarnAt(at.Line, at.Column, "add a target that takes them; "+ticketTypes,
				"ticket %s: no target of %s takes tickets", m.Spec.Tickets[0].Name, quoted("connection", c.Name))
		}
	}
}

// tickets renders the tickets as they are written; nil when there are none.
func (p *printer) tickets(specs []mapping.TicketSpec) any {
	if len(specs) == 0 {
		return nil
	}
	var all []pair
	for i := range specs {
		t := &specs[i]
		again := any(nil)
		if t.AgainAfter > 0 {
			again = settings.Duration(t.AgainAfter).String()
		}
		all = append(all, pair{t.Name, p.block(pair{"on", string(t.On)}, pair{"for", t.For.String()}, pair{"when", notEmpty(t.When.Text)},
			pair{"again_after", again}, pair{"fields", p.fields(t.Fields)})})
	}
	return p.block(all...)
}
