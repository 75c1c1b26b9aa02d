package cases

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/spelling"
)

// checkTickets says what is wrong with the tickets that are expected.
func (w *Want) checkTickets(rules *mapping.Ruleset, object directory.Kind) error {
	if len(w.Tickets) == 0 {
		return nil
	}
	if object != directory.Person {
		return errors.New("want: tickets are opened for people")
	}
	var errs []error
	names := rules.TicketNames(0)
	for _, name := range slices.Sorted(maps.Keys(w.Tickets)) {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("want: there is no ticket %q (%s)", name, spelling.DidYouMean(name, names, "the tickets are: "+strings.Join(names, ", "))))
		}
		if w.Tickets[name] == false {
			continue
		}
		fields, ok := w.Tickets[name].(map[string]any)
		if !ok {
			errs = append(errs, fmt.Errorf("want: tickets.%s: write its fields, or false when it is not opened", name))
		}
		for field, v := range fields {
			if _, err := readValue(v); err != nil {
				errs = append(errs, fmt.Errorf("want: tickets.%s.%s: %w", name, field, err))
			}
		}
	}
	return errors.Join(errs...)
}

// compareTickets holds the tickets that a person would have, who joins or leaves with these records, against those that are expected.
func (w *Want) compareTickets(rules *mapping.Ruleset, in *input, res mapping.Result) []string {
	var d differences
	if in.person.Object.Kind != directory.Person || len(w.Tickets) == 0 && !w.Exact {
		return nil
	}
	got := map[string][]mapping.DesiredField{}
	for _, on := range []mapping.Occasion{mapping.Joining, mapping.Leaving} {
		list, err := rules.Tickets(on, &in.person)
		if err != nil {
			d.add("failed: %v", err)
			return d
		}
		for i := range list {
			t := &list[i]
			at := slices.IndexFunc(res.Records, func(r mapping.Desired) bool { return r.Kind == t.For })
			if !t.Wanted || at < 0 {
				continue
			}
			got[t.Name] = desired(t, res.Records[at].Fields)
			if _, mentioned := w.Tickets[t.Name]; w.Exact && !mentioned {
				d.add("got a ticket %s that is not expected", t.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Tickets)) {
		fields, opened := got[name]
		want, wanted := w.Tickets[name].(map[string]any)
		switch {
		case wanted && !opened:
			d.add("want a ticket %s, got none", name)
		case !wanted && opened:
			d.add("want no ticket %s, got one", name)
		case wanted:
			d.fields("tickets."+name, want, fields, w.Exact)
		}
	}
	return d
}

// desired are the fields of a ticket as those of a record. Whom it is about is known without looking.
func desired(t *mapping.Ticket, record []mapping.DesiredField) (fields []mapping.DesiredField) {
	plain := make([]directory.Field, len(record))
	for i := range record {
		plain[i] = record[i].Field
	}
	for _, f := range t.About("", plain) {
		if f.Name != t.For.String() {
			fields = append(fields, mapping.DesiredField{Field: f})
		}
	}
	return fields
}
