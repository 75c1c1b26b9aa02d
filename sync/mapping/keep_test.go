package mapping

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

// TestKept: records are kept by key and by what their fields say, whether or not there is an object; what cannot be computed keeps.
func TestKept(t *testing.T) {
	spec := Spec{Name: "m", Rules: []RuleSpec{{Name: "everyone", Records: map[directory.RecordKind][]FieldSpec{
		directory.UserRecord:  set("role", "= title", "until", "= attributes.until", "level", "= attributes.level", "Cost Centre", "= department", "tags", "= emails"),
		directory.AgentRecord: set("role", "= title"),
	}}}, Keep: []KeepSpec{
		{Name: "hand", Keys: []string{"hq/7"}},
		{Name: "board", When: TextSpec{Text: ` role == "Board" `}, Records: []directory.RecordKind{directory.UserRecord}},
		{Name: "cost", When: TextSpec{Text: `fields["Cost Centre"] startsWith "R-" and kind == "user"`}},
		{Name: "tag", When: TextSpec{Text: `tags contains "keep"`}},
		{Name: "level", When: TextSpec{Text: `level != "" and int(level) > 8`}},
		{Name: "until", When: TextSpec{Text: `until != "" and not past(date(until))`}},
	}}
	rs := mustCompile(t, spec)
	if !rs.KeepsByTime() {
		t.Error("a date is asked")
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		kind  directory.RecordKind
		key   string
		field string
		value directory.Value
		want  string
		next  time.Time
	}{
		"nobody":        {value: directory.Text("Clerk"), field: "role"},
		"key":           {key: "hq/7", want: "hand"},
		"condition":     {field: "role", value: directory.Text("Board"), want: "board"},
		"another kind":  {kind: directory.AgentRecord, field: "role", value: directory.Text("Board")},
		"name of words": {field: "Cost Centre", value: directory.Text("R-17"), want: "cost"},
		"list":          {field: "tags", value: directory.List("a", "keep"), want: "tag"},
		"number":        {field: "level", value: directory.Number(9), want: "level"},
		"cannot tell":   {field: "level", value: directory.Text("high"), want: "level"},
		"until then":    {field: "until", value: directory.Text("2026-04-01"), want: "until", next: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)},
		"no longer":     {field: "until", value: directory.Text("2026-02-01")},
	} {
		rec := &directory.Record{Kind: directory.UserRecord, Key: "hq/1"}
		if c.kind != 0 {
			rec.Kind = c.kind
		}
		if c.key != "" {
			rec.Key = c.key
		}
		if c.field != "" {
			rec.Fields = []directory.RecordField{{Field: directory.Field{Name: c.field, Value: c.value}}}
		}
		if got, next := rs.Kept(rec, at); got != c.want || !next.Equal(c.next) {
			t.Errorf("%s: %q until %v, want %q until %v", name, got, next, c.want, c.next)
		}
	}
	without := spec
	without.Keep = spec.Keep[1:]
	if mustCompile(t, without).Hash() == rs.Hash() {
		t.Error("the list has no part in the hash")
	}
}

// TestNeverKept: a condition about a value that no rule gives is pointed out, and one that may hold is not.
func TestNeverKept(t *testing.T) {
	for text, want := range map[string]string{
		`role == "Board"`:                     "",
		`role == "Bord"`:                      `keep "k": no rule gives a record the role "Bord"`,
		`kind == "user" and role == "board"`:  `keep "k": no rule gives a record the role "board"`,
		`title == "Director"`:                 "",
		`role in ["Board", "Clerk"]`:          "",
		`team == "Desk"`:                      `keep "k": no rule gives a record the team "Desk"`,
		`kind == "agent" or name == "nobody"`: "",
	} {
		rs := mustCompile(t, Spec{Name: "m", Rules: []RuleSpec{
			{Name: "board", When: TextSpec{Text: `department == "Board"`}, Records: map[directory.RecordKind][]FieldSpec{directory.UserRecord: set("role", "Board", "title", "= title")}},
			{Name: "rest", Records: map[directory.RecordKind][]FieldSpec{
				directory.UserRecord: set("role", "Clerk", "name", "= name"), directory.AgentRecord: set("team", "Desk")}},
		}, Keep: []KeepSpec{{Name: "k", When: TextSpec{Text: text}, Records: []directory.RecordKind{directory.UserRecord}}}})
		got := ""
		for _, p := range rs.Unused() {
			got += p.Message
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
