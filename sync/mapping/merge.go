package mapping

import (
	"slices"

	"dirsyncd/sync/directory"
)

// Merge lays the wanted fields over what the targets were told before, and returns the fields that the record
// shall have, sorted by name. before is nil for a record that does not exist yet.
//
// Of a rule that is for new records only, a record that exists stays as it is, in fields too that it does not have yet.
// A field that is set on create only keeps its value afterwards. A blank value keeps the last one, or becomes
// Null where the operator chose to clear; where there was nothing before, a blank field is left out. A field
// that the rules do not name any more is nobody's business of ours and is left out, too.
//
// The result is in m, which may be nil.
func (d *Desired) Merge(m *directory.Memory, before *directory.Record) []directory.Field {
	if d.keeps(before) {
		fields := m.Fields(len(before.Fields))
		for i := range before.Fields {
			fields[i] = before.Fields[i].Field
		}
		return fields
	}
	fields := m.Fields(len(d.Fields))[:0]
	for i := range d.Fields { // sorted, and so is what comes of them
		want := &d.Fields[i]
		blank := want.Value.Blank()
		if !blank && want.On != OnCreate {
			fields = append(fields, want.Field)
			continue
		}
		var last directory.Value
		had := false
		if before != nil {
			last, had = before.Get(want.Name)
		}
		field := want.Field
		switch {
		case had && want.On == OnCreate:
			field.Value = last
		case !blank:
		case !had:
			continue
		case want.Blank == ClearBlank:
			field.Value = directory.Null()
		default:
			field.Value = last
		}
		fields = append(fields, field)
	}
	return fields
}

// keeps reports whether a record stays as it is.
func (d *Desired) keeps(before *directory.Record) bool {
	return d.NewOnly && before != nil && !before.Deleted
}

// Once names those fields of Merge's that are written when the record is made and left alone afterwards, in order: those that are set on
// create only, and those that keep their last value because the source has none any more.
func (d *Desired) Once(before *directory.Record) []string {
	var names []string
	if d.keeps(before) {
		for i := range before.Fields {
			names = append(names, before.Fields[i].Name)
		}
		return names
	}
	for i := range d.Fields {
		want := &d.Fields[i]
		blank := want.Value.Blank()
		if want.On != OnCreate && !d.NewOnly && (!blank || want.Blank == ClearBlank) {
			continue // most are written whenever they change
		}
		had := false
		if before != nil {
			_, had = before.Get(want.Name)
		}
		if had || !blank {
			names = append(names, want.Name)
		}
	}
	slices.Sort(names)
	return names
}
