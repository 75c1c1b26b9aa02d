package mapping

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Merge lays the wanted fields over what the targets were told before, and returns the fields that the record
// shall have, sorted by name. before is nil for a record that does not exist yet.
//
// A field that is set on create only keeps its value afterwards. A blank value keeps the last one, or becomes
// Null where the operator chose to clear; where there was nothing before, a blank field is left out. A field
// that the rules do not name any more is nobody's business of ours and is left out, too.
func (d *Desired) Merge(before *directory.Record) []directory.Field {
	fields := make([]directory.Field, 0, len(d.Fields))
	for _, want := range d.Fields {
		var last directory.Value
		had := false
		if before != nil {
			last, had = before.Get(want.Name)
		}
		switch {
		case had && want.On == OnCreate:
			want.Value = last
		case !want.Value.Blank():
		case !had:
			continue
		case want.Blank == ClearBlank:
			want.Value = directory.Null()
		default:
			want.Value = last
		}
		fields = append(fields, want.Field)
	}
	slices.SortFunc(fields, func(a, b directory.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}
