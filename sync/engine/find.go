package engine

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
)

// find looks for objects: by key or id, which name one; else by what people call them, which may be several. Those
// that are there come before those of whom only records are left.
func (q *question) find(tx store.Reader, kind directory.Kind, who string) ([]store.Num, error) {
	if n, err := q.findKey(tx, kind, who); err != nil || n != 0 {
		return []store.Num{n}, err
	}
	here, left, err := findObjects(tx, kind, who)
	if err != nil {
		return nil, err
	}
	gone, former, err := findRecords(tx, kind, who)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(here, left, gone)
	if len(found) == 0 {
		found = former
	}
	if len(found) == 0 {
		return nil, q.unknown(kind, who)
	}
	return distinct(found), nil
}

// distinct keeps the first of each: somebody may have records of two kinds.
func distinct(list []store.Num) (out []store.Num) {
	for _, n := range list {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// findKey looks for an object, or for what is left of it, by the key of its records or by its id. Ids that begin with the kind of object
// (person:4711, of files and databases) are found without that, too: people know what stands in the column.
func (q *question) findKey(tx store.Reader, kind directory.Kind, who string) (store.Num, error) {
	id := strings.TrimPrefix(who, q.origin.RecordKey())
	nums, err := tx.Lookup([]string{directory.IDHandle(id), directory.IDHandle(kind.String() + ":" + id)}, nil)
	if err != nil {
		return 0, err
	}
	for _, n := range nums {
		if n == 0 {
			continue
		}
		if _, ok, err := tx.Row(kind, n); err != nil || ok {
			return n, err
		}
		for _, rk := range mapping.RecordsOf(kind) {
			if _, ok, err := tx.Record(rk, n); err != nil || ok {
				return n, err
			}
		}
	}
	return 0, nil
}

// isCalled reports whether a field is one by which people know somebody, in objects and, where the rules use these names, in
// records, and has this value, or has it among others.
func isCalled(field string, v directory.Value, who string) bool {
	if who == "" {
		return false
	}
	switch field {
	case directory.FieldLogin, directory.FieldEmail, directory.FieldEmails, directory.FieldName, directory.FieldEmployeeID:
	default:
		return false
	}
	same := func(text string) bool { return strings.EqualFold(text, who) }
	address := func(text string) bool {
		_, bare, _ := strings.Cut(text, ":") // "smtp:a@example.test", as Microsoft writes them
		return same(text) || same(bare)
	}
	return same(v.Text()) || slices.ContainsFunc(v.List(), address)
}

// findObjects looks among the stored objects; left are those that count as removed and were not settled yet.
func findObjects(tx store.Reader, kind directory.Kind, who string) (here, left []store.Num, err error) {
	var bad error
	err = tx.Rows(kind, 0, func(row store.Row) bool {
		o, err := row.Object("why")
		if err != nil {
			bad = err
			return false
		}
		called := slices.ContainsFunc(o.Fields, func(f directory.Field) bool {
			return isCalled(f.Name, f.Value, who)
		})
		switch {
		case !called:
		case row.Gone == store.Here:
			here = append(here, row.Num)
		default:
			left = append(left, row.Num)
		}
		return true
	})
	if err == nil {
		err = bad
	}
	return here, left, err
}

// findRecords looks among the records: gone are those whose object was forgotten, former are of somebody who is there
// and is called something else by now.
func findRecords(tx store.Reader, object directory.Kind, who string) (gone, former []store.Num, err error) {
	var found []store.Num
	for _, kind := range mapping.RecordsOf(object) {
		err := tx.Records(kind, 0, func(n store.Num, rec directory.Record) bool {
			if slices.ContainsFunc(rec.Fields, func(f directory.RecordField) bool {
				return isCalled(f.Name, f.Value, who)
			}) {
				found = append(found, n)
			}
			return true
		})
		if err != nil {
			return nil, nil, err
		}
	}
	rows, err := tx.RowsOf(object, found, nil)
	for i := range rows {
		if rows[i].Num != 0 {
			former = append(former, found[i])
		} else {
			gone = append(gone, found[i])
		}
	}
	return gone, former, err
}

// unknown says that nobody was found, and how to ask for somebody of whom less is known.
func (q *question) unknown(kind directory.Kind, who string) error {
	return &fault.Error{Class: fault.Gone, Op: q.op, Where: store.Partition{Connection: q.conn.Name, Tenant: q.origin.Tenant}.String(), Err: fmt.Errorf("no %s is known as %q", kind, who),
		Hint: "give the record's key, or the id, login, any mail address, name or employee id as the source has it; who is gone is found by " +
			"the key or id, or by the email, name or login that the record has"}
}
