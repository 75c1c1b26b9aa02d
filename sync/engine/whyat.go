package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// Past is a record as the targets had been told of it at a time, worked back from what it is now by what is kept of what was sent.
type Past struct {
	Kind, Key, Connection, Tenant string
	Name                          string // that it has now
	At                            time.Time
	// State is one of a record, or absent; empty: nobody knows any more.
	State string
	// Rule, Run and Since are the rule and the run of the last action about it by then, as far as that is kept.
	Rule, Run string
	Since     time.Time
	Fields    []PastField // by name
	// Reaches is since when all that was sent is kept; zero when nothing is.
	Reaches time.Time
}

// PastField is a field at a time.
type PastField struct {
	Field string
	Value any
	// Run set it at Since; empty: before what is kept.
	Run   string
	Since time.Time
	// Unknown: it has changed since, and what is kept does not reach back that far.
	Unknown bool
}

// stateAbsent is that of a record before it was made.
const stateAbsent = "absent"

// WhyAt says what the records of a kind that somebody has were at a time, and which runs had made them so. who is as for Why.
func (e *Engine) WhyAt(ctx context.Context, c *Connection, t connectors.Tenant, kind directory.RecordKind, who string, at time.Time) ([]Past, error) {
	c = c.Of(&t)
	q := &question{conn: c, origin: originOf(c, &t, c.Name), op: "why", at: e.opts.Now().UTC()}
	part := store.Partition{Connection: c.Name, Tenant: t.ID}
	var list []Past
	err := e.store.View(ctx, part, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		q.origin.Connection = originName(part, &state)
		nums, err := q.find(tx, mapping.ObjectOf(kind), who)
		if err != nil {
			return err
		}
		list = nil
		for _, n := range nums {
			rec, known, err := tx.Record(kind, n)
			if err != nil {
				return err
			}
			if !known {
				continue
			}
			past, err := recordAt(tx, &rec, at)
			if err != nil {
				return err
			}
			past.Connection, past.Tenant = c.Name, t.ID
			list = append(list, past)
		}
		if len(list) == 0 {
			return q.unknown(mapping.ObjectOf(kind), who)
		}
		return nil
	})
	return list, err
}

// recordAt works a record back to a time.
func recordAt(tx store.Reader, rec *directory.Record, at time.Time) (Past, error) {
	p := Past{Kind: rec.Kind.String(), Key: rec.Key, At: at}
	if name, ok := rec.Get(directory.FieldName); ok {
		p.Name = name.Text()
	}
	first, _, _, err := tx.ActionsKept()
	if err != nil {
		return p, err
	}
	if first != "" {
		p.Reaches = runBegan(first)
	}
	var all []sentBy
	err = tx.ActionsOf(rec.Key, func(run string, a directory.RunAction) bool {
		if a.Kind == rec.Kind {
			all = append(all, sentBy{run, a})
		}
		return true
	})
	if err != nil {
		return p, err
	}
	// The newest first: names of runs do not tell which of one second was that.
	slices.SortStableFunc(all, func(a, b sentBy) int { return cmp.Compare(b.Revision, a.Revision) })
	later := all
	for i := range all {
		if !runBegan(all[i].run).After(at) {
			later = all[:i]
			break
		}
	}
	earlier := all[len(later):]
	whole := first != "" && !at.Before(p.Reaches)
	p.state(rec, later, earlier, whole)
	p.fields(rec, later, earlier, whole)
	return p, nil
}

// sentBy is an action and the run that queued it.
type sentBy struct {
	run string
	directory.RunAction
}

// state says what the record itself was.
func (p *Past) state(rec *directory.Record, later, earlier []sentBy, whole bool) {
	switch {
	case !rec.Changed.Time.After(p.At):
		p.State, p.Rule, p.Run, p.Since = recordState(rec), rec.Rule, rec.Changed.Run, rec.Changed.Time
		return
	case len(later) > 0 && later[len(later)-1].Op == directory.Create && later[len(later)-1].Revision == 1:
		p.State = stateAbsent // it was made later, whatever is kept
		return
	case !whole:
		return
	case len(earlier) > 0:
		p.State, p.Rule, p.Run, p.Since = stateActive, earlier[0].Rule, earlier[0].run, runBegan(earlier[0].run)
		switch earlier[0].Op {
		case directory.Deactivate:
			p.State = stateDeactivated
		case directory.Delete:
			p.State = stateDeleted
		}
		return
	case len(later) == 0:
		return
	}
	switch oldest := later[len(later)-1]; {
	case oldest.Op == directory.Create: // again
		p.State = stateDeleted
	case oldest.Op == directory.Reactivate:
		p.State = stateDeactivated
	case oldest.Op != directory.Delete: // which may be of one that was deactivated
		p.State = stateActive
	}
}

// fields says what its fields were.
func (p *Past) fields(rec *directory.Record, later, earlier []sentBy, whole bool) {
	if p.State == stateAbsent || p.State == stateDeleted {
		return
	}
	values, changed := map[string]directory.Value{}, map[string]bool{}
	for i := range rec.Fields {
		values[rec.Fields[i].Name] = rec.Fields[i].Value
		changed[rec.Fields[i].Name] = rec.Fields[i].Since.Time.After(p.At)
	}
	for i := range later {
		for _, c := range later[i].Changes {
			values[c.Name], changed[c.Name] = c.From, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f := PastField{Field: name, Value: values[name].Any()}
		if !changed[name] {
			for i := range rec.Fields {
				if rec.Fields[i].Name == name {
					f.Run, f.Since = rec.Fields[i].Since.Run, rec.Fields[i].Since.Time
				}
			}
		} else if !whole {
			f.Value, f.Unknown = nil, true
		} else if i := slices.IndexFunc(earlier, func(a sentBy) bool { return sets(&a.RunAction, name) }); i >= 0 {
			f.Run, f.Since = earlier[i].run, runBegan(earlier[i].run)
		}
		if f.Value != nil || f.Unknown {
			p.Fields = append(p.Fields, f)
		}
	}
}

// sets reports whether an action gave a field its value.
func sets(a *directory.RunAction, field string) bool {
	return a.Op == directory.Create || slices.ContainsFunc(a.Changes, func(c directory.FieldChange) bool { return c.Name == field })
}
