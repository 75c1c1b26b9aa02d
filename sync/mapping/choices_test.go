package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// withChoices is rules that look up a table and read choices.
func withChoices(t testing.TB, rows int) Spec {
	t.Helper()
	spec := TableSpec{Name: "roles", Columns: []string{""}}
	for i := range rows {
		spec.Rows = append(spec.Rows, RowSpec{Key: fmt.Sprint("Group ", i), Cells: []string{"Other"}, Pos: Pos{Line: i + 1}})
	}
	spec.Rows = append(spec.Rows, RowSpec{Key: "service desk", Cells: []string{"Technician"}})
	table, problems := NewTable(&spec)
	if problems != nil {
		t.Fatal(problems)
	}
	text := func(s string) ValueSpec { return ValueSpec{Value: s} }
	when := func(s string) TextSpec { return TextSpec{Text: s} }
	return Spec{
		Name:   "staff",
		Tables: map[string]*Table{"roles": table},
		Choices: []ChoiceSpec{
			{Name: "role", Lines: []LineSpec{{When: when(`title == "Boss"`), Is: text("Boss")}, {Is: text("= table.roles[groups]")}}},
			{Name: "kind", Lines: []LineSpec{{When: when(`choice.role != nil`), Is: text("agent")}, {When: when("enabled"), Is: text("user")}}},
		},
		Rules: []RuleSpec{
			{Name: "agents", When: when(`choice.kind == "agent"`), Records: map[directory.RecordKind][]FieldSpec{directory.AgentRecord: {{Name: "role", Value: text("= choice.role")}}}},
			{Name: "users", When: when(`choice.kind == "user"`), NewOnly: true, Records: map[directory.RecordKind][]FieldSpec{directory.UserRecord: {{Name: "phone", Value: text("= phone")}}}},
		},
	}
}

func TestChoices(t *testing.T) {
	rs := mustCompile(t, withChoices(t, 3))
	p := jane()
	res, x := rs.ExplainPerson(p)
	if res.Rule != "agents" || x.Err != nil || res.Records[0].Fields[0].Value.Text() != "Technician" {
		t.Fatalf("%+v %v", res, x.Err)
	}
	got, err := json.Marshal(x.Choices)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"choice":"role","value":"Technician","line":2,"is":"= table.roles[groups]","sources":{"groups":["Service Desk","Staff"],"table.roles[groups]":"service desk"}},` +
		`{"choice":"kind","value":"agent","line":1,"when":"choice.role != nil","is":"agent","sources":{"choice.role":"Technician"}}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// What a choice fails with is what the rule fails with.
	p.Groups, p.Object = nil, &directory.Object{Kind: directory.Person, ID: "x"}
	if _, err := rs.Person(p); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), `rule "agents": when: the source did not tell enabled`) {
		t.Errorf("%v", err)
	}
	uses := rs.Uses()
	if !uses.Groups || uses.Manager[directory.Person] || uses.Licences || !slices.Contains(rs.Tables(), withTable(rs)) {
		t.Errorf("%+v", uses)
	}
	if rs.Ignores("title") || !rs.Ignores("office") {
		t.Error("what choices read is read")
	}
}

func withTable(rs *Ruleset) *Table { return rs.Tables()[0] }

// What can matter is in the hash, and what no rule looks at is not.
func TestHashOfChoices(t *testing.T) {
	base := mustCompile(t, withChoices(t, 3)).Hash()
	for name, edit := range map[string]func(*Spec){
		"a row":      func(s *Spec) { s.Tables = withChoices(t, 4).Tables },
		"a line":     func(s *Spec) { s.Choices[0].Lines[0].Is.Value = "Chief" },
		"a type":     func(s *Spec) { s.Choices[1].Lines[0].When.Text = "true"; s.Choices[1].Lines = s.Choices[1].Lines[:1] },
		"new only":   func(s *Spec) { s.Rules[1].NewOnly = false },
		"both lists": func(s *Spec) { s.Choices[0].Lines = s.Choices[0].Lines[1:] },
	} {
		spec := withChoices(t, 3)
		edit(&spec)
		if mustCompile(t, spec).Hash() == base {
			t.Errorf("%s is not in the hash", name)
		}
	}
	spec := withChoices(t, 3)
	spec.Choices = append(spec.Choices, ChoiceSpec{Name: "unused", Lines: []LineSpec{{Is: ValueSpec{Value: "= department"}}}})
	spec.Tables["unused"] = spec.Tables["roles"]
	rs := mustCompile(t, spec)
	if rs.Hash() != base || len(rs.Unused()) != 1 || !rs.Ignores("department") {
		t.Errorf("what is unused is in the hash: %+v", rs.Unused())
	}
}

// A record that is there stays as it is, whoever made it; one that was deleted is made anew.
func TestNewOnly(t *testing.T) {
	rs := mustCompile(t, withChoices(t, 3))
	p := jane()
	p.Groups = nil
	p.Object.SetText("phone", "1")
	res, err := rs.Person(p)
	if err != nil || res.Rule != "users" {
		t.Fatal(res, err)
	}
	d := &res.Records[0]
	had := &directory.Record{Fields: []directory.RecordField{{Field: directory.Field{Name: "mobile", Value: directory.Text("2")}}}}
	for _, c := range []struct {
		name   string
		before *directory.Record
		want   string
	}{{"new", nil, "phone=1"}, {"there", had, "mobile=2"}, {"there without fields", &directory.Record{}, ""}, {"deleted", &directory.Record{Deleted: true}, "phone=1"}} {
		var got []string
		for _, f := range d.Merge(nil, c.before) {
			got = append(got, f.Name+"="+f.Value.Text())
		}
		if all := strings.Join(got, " "); all != c.want || len(d.Once(c.before)) != len(got) {
			t.Errorf("%s: %q, once %v, want %q", c.name, all, d.Once(c.before), c.want)
		}
	}
	if once := rs.OnCreate(directory.UserRecord, "users"); !slices.Equal(once, []string{"phone"}) {
		t.Errorf("a target that is new is told that %v is set once", once)
	}
}

// What a rule with update_only makes says so, of the kinds of record that it makes and of no others; it is another rule then.
func TestUpdateOnly(t *testing.T) {
	s := withChoices(t, 3)
	plain := mustCompile(t, s).Hash()
	s.Rules[1].NewOnly, s.Rules[1].UpdateOnly = false, true
	rs := mustCompile(t, s)
	p := jane()
	p.Groups = nil
	p.Object.SetText("phone", "1")
	res, err := rs.Person(p)
	if err != nil || res.Rule != "users" || !res.Records[0].UpdateOnly || res.Records[0].NewOnly {
		t.Fatal(res, err)
	}
	if !rs.UpdatesOnly(directory.UserRecord, "users") || rs.UpdatesOnly(directory.AgentRecord, "users") || rs.UpdatesOnly(directory.UserRecord, "agents") {
		t.Error("not the records of this rule")
	}
	s.Rules[1].UpdateOnly = false
	if other := mustCompile(t, s).Hash(); rs.Hash() == plain || rs.Hash() == other {
		t.Error("an edit that nobody notices")
	}
	s.Rules[1].NewOnly, s.Rules[1].UpdateOnly = true, true
	if _, problems := Compile(s); len(problems) != 1 {
		t.Errorf("for new ones only, and for those that are there: %v", problems)
	}
	s.Rules[1].NewOnly, s.Rules[1].Ignore, s.Rules[1].Records = false, true, nil
	if _, problems := Compile(s); len(problems) != 1 {
		t.Errorf("ignores and updates: %v", problems)
	}
}

// Rules with a table of ten thousand rows cost what those with ten do.
func BenchmarkTable(b *testing.B) {
	for _, rows := range []int{10, 10_000} {
		rs, p := mustCompile(b, withChoices(b, rows)), jane()
		b.Run(fmt.Sprint(rows, " rows"), func(b *testing.B) {
			for b.Loop() {
				if res, err := rs.Person(p); err != nil || res.Rule != "agents" {
					b.Fatal(res, err)
				}
			}
		})
	}
}
