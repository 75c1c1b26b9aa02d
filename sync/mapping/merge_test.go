package mapping

import (
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// TestOnce: what is written when a record is made and left alone afterwards.
func TestOnce(t *testing.T) {
	old := &directory.Record{Fields: []directory.RecordField{{Field: directory.Field{Name: "a", Value: directory.Text("old")}}}}
	for _, c := range []struct {
		name   string
		before *directory.Record
		field  DesiredField
		want   string
	}{
		{"always", old, DesiredField{On: OnAlways, Blank: KeepBlank, Field: directory.Field{Value: directory.Text("new")}}, ""},
		{"on create, at the creation", nil, DesiredField{On: OnCreate, Blank: KeepBlank, Field: directory.Field{Value: directory.Text("new")}}, "a"},
		{"on create, later", old, DesiredField{On: OnCreate, Blank: ClearBlank, Field: directory.Field{Value: directory.Text("new")}}, "a"},
		{"on create, blank", nil, DesiredField{On: OnCreate, Blank: KeepBlank}, ""},
		{"on create, blank later", old, DesiredField{On: OnCreate, Blank: KeepBlank}, "a"},
		{"blank kept", old, DesiredField{On: OnAlways, Blank: KeepBlank}, "a"},
		{"blank kept, nothing to keep", nil, DesiredField{On: OnAlways, Blank: KeepBlank}, ""},
		{"blank cleared", old, DesiredField{On: OnAlways, Blank: ClearBlank}, ""},
	} {
		c.field.Name = "a"
		d := Desired{Fields: []DesiredField{c.field}}
		if got := strings.Join(d.Once(c.before), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		for _, name := range d.Once(c.before) {
			if fields := d.Merge(nil, c.before); len(fields) != 1 || fields[0].Name != name {
				t.Errorf("%s: %q is not among %v", c.name, name, fields)
			}
		}
	}
}
