package engine

import (
	"context"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// mostStored is how many rows Stored returns of one question.
const mostStored = 100_000

// StoredQuestion asks for what is stored of a connection's objects of a kind under some names.
type StoredQuestion struct {
	Connection string
	// Kind is the kind of object; zero asks for the tenants themselves, of which id, name and domain are known.
	Kind directory.Kind
	// Names are "id" and names of fields, attributes among them.
	Names []string
}

// StoredRows is the answer to a StoredQuestion.
type StoredRows struct {
	// Rows hold a value for each of the names, each row once, in order. When a single name is asked for, a list has a row for
	// each of its items; else its items are joined. What is blank is "".
	Rows [][]string
	// Seen is how many objects there are; More says that there are more rows.
	Seen int
	More bool
}

// Stored answers questions about what was read, without asking a source. Objects that count as removed have no part in it.
func Stored(ctx context.Context, st store.Store, questions []StoredQuestion) ([]StoredRows, error) {
	answers := make([]StoredRows, len(questions))
	for i := range questions {
		q := &questions[i]
		parts, err := st.Partitions(ctx, q.Connection)
		if err != nil {
			return nil, err
		}
		rows := rowSet{seen: make(map[string]bool)}
		for _, p := range parts {
			if err := st.View(ctx, p, func(tx store.Reader) error { return rows.read(tx, p, q) }); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(rows.Rows, func(a, b []string) int { return slices.CompareFunc(a, b, strings.Compare) })
		answers[i] = rows.StoredRows
	}
	return answers, nil
}

type rowSet struct {
	StoredRows
	seen map[string]bool
}

func (s *rowSet) read(tx store.Reader, p store.Partition, q *StoredQuestion) error {
	if q.Kind == 0 {
		state, err := tx.Tenant()
		if err != nil || p.Tenant == "" {
			return err
		}
		s.Seen++
		if len(q.Names) == 1 && q.Names[0] == directory.FieldDomains && len(state.Domains) == 0 {
			s.More = true // nobody knows which
			return nil
		}
		s.add(q, map[string]directory.Value{
			"id": directory.Text(p.Tenant), directory.FieldName: directory.Text(state.Name), directory.FieldDomain: directory.Text(state.Domain),
			directory.FieldDomains: directory.List(state.Domains...),
		})
		return nil
	}
	var bad error
	err := tx.Rows(q.Kind, 0, func(row store.Row) bool {
		if row.Gone != store.Here {
			return true
		}
		o, err := row.Object("look at a " + q.Kind.String())
		if err != nil {
			bad = err
			return false
		}
		s.Seen++
		values := map[string]directory.Value{"id": directory.Text(o.ID)}
		for _, name := range q.Names {
			if v, ok := o.Get(name); ok {
				values[name] = v
			}
		}
		s.add(q, values)
		return true
	})
	if bad != nil {
		return bad
	}
	return err
}

func (s *rowSet) add(q *StoredQuestion, values map[string]directory.Value) {
	row := make([]string, len(q.Names))
	for i, name := range q.Names {
		v := values[name]
		if list := v.List(); len(q.Names) == 1 && list != nil {
			for _, item := range list {
				s.put([]string{item})
			}
			return
		}
		row[i] = v.String()
		if v.Blank() {
			row[i] = ""
		}
	}
	s.put(row)
}

func (s *rowSet) put(row []string) {
	key := strings.Join(row, "\x00")
	switch {
	case s.seen[key]:
	case len(s.Rows) == mostStored:
		s.More = true
	default:
		s.seen[key] = true
		s.Rows = append(s.Rows, row)
	}
}
