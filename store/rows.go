package store

import (
	"context"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Object parses the row's stored form; the object does not refer to it. op says what for, should the state be damaged.
func (r *Row) Object(op string) (directory.Object, error) {
	o, _, err := r.ObjectInto(op, nil)
	return o, err
}

// ObjectInto is Object with the fields appended to fields, which comes back (directory.ParseObjectInto).
func (r *Row) ObjectInto(op string, fields []directory.Field) (directory.Object, []directory.Field, error) {
	o, fields, err := directory.ParseObjectInto(r.Data, fields)
	if err != nil {
		err = &fault.Error{Class: fault.Internal, Op: op, Err: err, Hint: "the state file is damaged; restore a backup"}
	}
	return o, fields, err
}

// rowsAtOnce is how many rows are looked at in one view: a view keeps a store from reusing space, and what it
// touched counts as memory.
const rowsAtOnce = 20_000

// EachRow calls fn for every object of a kind, those gone included, in several views of a partition: what changes
// between them may be seen or not. Rows are valid during the call.
func EachRow(ctx context.Context, view func(context.Context, func(Reader) error) error, kind directory.Kind, fn func(Row)) error {
	after, more := Num(0), true
	for more {
		more = false
		err := view(ctx, func(tx Reader) error {
			n := 0
			return tx.Rows(kind, after, func(row Row) bool {
				fn(row)
				after = row.Num
				n++
				more = n == rowsAtOnce
				return !more
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
