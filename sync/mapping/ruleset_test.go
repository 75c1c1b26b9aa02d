package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping/expression"
)

const (
	user  = directory.UserRecord
	agent = directory.AgentRecord
	group = directory.GroupRecord
)

// set makes the fields of a record of names and values, each given a position of its own.
func set(pairs ...any) []FieldSpec {
	var fields []FieldSpec
	for i := 0; i+1 < len(pairs); i += 2 {
		at := Pos{Line: 100 + i, Column: 10}
		fields = append(fields, FieldSpec{Name: pairs[i].(string), Pos: at, Value: ValueSpec{Value: pairs[i+1], Pos: at}})
	}
	return fields
}

func makes(kind directory.RecordKind, pairs ...any) map[directory.RecordKind][]FieldSpec {
	return map[directory.RecordKind][]FieldSpec{kind: set(pairs...)}
}

func when(text string) TextSpec { return TextSpec{Text: text, Pos: Pos{Line: 7, Column: 15}} }

func deskSpec() Spec {
	return Spec{
		Name: "staff",
		Rules: []RuleSpec{
			{Name: "contractors stay out", When: when(`department == "Contractors"`), Ignore: true},
			{
				Name: "service desk", When: when(`"Service Desk" in groups and enabled`),
				Records: map[directory.RecordKind][]FieldSpec{
					agent: set("role", "Technician", "team", "1st Line"),
					user:  set("name", `= upper(name)`, "vip", true),
				},
			},
			{Name: "everyone else", When: when(`enabled`), Records: makes(user, "site", `= office ?? "Head office"`)},
		},
		Groups: []RuleSpec{
			{Name: "sites", When: when(`name startsWith "Site "`), Records: makes(group, "title", `= trimPrefix(name, "Site ")`)},
		},
		Fields: map[directory.RecordKind][]FieldSpec{
			user:  set("name", "= name", "email", "= email", "phone", "= phone ?? mobile", "manager", "= manager.name"),
			agent: set("name", "= name", "licences", "= licences"),
			group: set("email", "= email"),
		},
	}
}

// jane is an agent to deskSpec; of her phone and whether her manager is enabled nothing is known.
func jane() *Person {
	o := &directory.Object{Kind: directory.Person, ID: "5f1c"}
	for name, value := range map[string]string{
		"name": "Zoë Roe", "email": "Zoe.Roe@Example.test", "department": "Sales", "office": "London", "mobile": "+44 7700",
	} {
		o.SetText(name, value)
	}
	o.Set("enabled", directory.Bool(true))
	manager := &directory.Object{Kind: directory.Person, ID: "77aa"}
	manager.SetText("name", "The Boss")
	return &Person{
		Object:   o,
		Manager:  manager,
		Groups:   []Membership{{Named: Named{ID: "g2", Name: "Staff"}, Direct: false}, {Named: Named{ID: "g1", Name: "Service Desk"}, Direct: true}, {Named: Named{ID: "g3", Name: ""}, Direct: true}},
		Licences: []Named{{ID: "sku-1", Name: "Microsoft 365 E3"}},
	}
}

func mustCompile(t testing.TB, spec Spec) *Ruleset {
	t.Helper()
	rs, problems := Compile(spec)
	if problems != nil {
		t.Fatalf("the rules do not compile: %+v", problems)
	}
	return rs
}

// render shows a result in a form that is easy to compare.
func render(res Result, err error) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s ignored=%v err=%v", res.Rule, res.Ignored, err)
	for _, rec := range res.Records {
		fmt.Fprintf(&out, "\n%s:", rec.Kind)
		for _, f := range rec.Fields {
			v, _ := json.Marshal(f.Value)
			fmt.Fprintf(&out, " %s=%s", f.Name, v)
		}
	}
	return out.String()
}

func TestPerson(t *testing.T) {
	rs := mustCompile(t, deskSpec())
	change := func(edit func(*Person)) *Person { p := jane(); edit(p); return p }
	for _, c := range []struct {
		name   string
		person *Person
		want   string
	}{
		{"both records, own fields over common ones, in the order of kinds", jane(), `service desk ignored=false err=<nil>
user: email="Zoe.Roe@Example.test" manager="The Boss" name="ZOË ROE" phone="+44 7700" vip=true
agent: licences=["Microsoft 365 E3"] name="Zoë Roe" role="Technician" team="1st Line"`},
		{"ignored", change(func(p *Person) { p.Object.SetText("department", "Contractors") }),
			`contractors stay out ignored=true err=<nil>`},
		{"next rule", change(func(p *Person) { p.Groups = nil; p.Manager = nil }), `everyone else ignored=false err=<nil>
user: email="Zoe.Roe@Example.test" manager=null name="Zoë Roe" phone="+44 7700" site="London"`},
		{"no rule", change(func(p *Person) { p.Object.Set("enabled", directory.Bool(false)) }), ` ignored=false err=<nil>`},
		{"enabled is not known", change(func(p *Person) { p.Object.Set("enabled", directory.Null()) }),
			" ignored=false err=rule \"service desk\": when: the source did not tell enabled (say what to assume instead, " +
				"such as `enabled ?? false`, or give the connection's account the right to read it)"},
		{"a name in the wrong form", change(func(p *Person) { p.Object.Set("enabled", directory.Text("yes")) }),
			" ignored=false err=rule \"service desk\": when: the source did not tell enabled (say what to assume instead, " +
				"such as `enabled ?? false`, or give the connection's account the right to read it)"},
		{"nothing at all", &Person{}, " ignored=false err=rule \"everyone else\": when: the source did not tell enabled " +
			"(say what to assume instead, such as `enabled ?? false`, or give the connection's account the right to read it)"},
	} {
		if got := render(rs.Person(c.person)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	rs := mustCompile(t, deskSpec())
	o := &directory.Object{Kind: directory.Group, ID: "g"}
	o.SetText("name", "Site Oslo")
	if got, want := render(rs.Object(&View{Object: o})),
		"sites ignored=false err=<nil>\ngroup: email=null title=\"Oslo\""; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	o.SetText("name", "Staff")
	if got, want := render(rs.Object(&View{Object: o})), " ignored=false err=<nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPolicies(t *testing.T) {
	fields := set("a", "x", "b", "= phone", "c", "==x", "d", []string{"b", "==a"}, "e", int64(3), "f", "", "g", false)
	fields[0].On, fields[1].Blank = OnCreate, ClearBlank
	rs := mustCompile(t, Spec{Name: "m", Rules: []RuleSpec{{Name: "r", Records: map[directory.RecordKind][]FieldSpec{user: fields}}}})
	res, err := rs.Person(jane())
	if err != nil {
		t.Fatal(err)
	}
	got := res.Records[0].Fields
	want := []DesiredField{
		{directory.Field{Name: "a", Value: directory.Text("x")}, OnCreate, KeepBlank},
		{directory.Field{Name: "b", Value: directory.Null()}, OnAlways, ClearBlank},
		{directory.Field{Name: "c", Value: directory.Text("=x")}, OnAlways, KeepBlank},
		{directory.Field{Name: "d", Value: directory.List("=a", "b")}, OnAlways, KeepBlank},
		{directory.Field{Name: "e", Value: directory.Number(3)}, OnAlways, KeepBlank},
		{directory.Field{Name: "f", Value: directory.Null()}, OnAlways, KeepBlank},
		{directory.Field{Name: "g", Value: directory.Bool(false)}, OnAlways, KeepBlank},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFieldFailure: a field that has no value fails the whole person, and the error is one to act on.
func TestFieldFailure(t *testing.T) {
	rs := mustCompile(t, Spec{Name: "m", Rules: []RuleSpec{{Name: "r", Records: makes(user, "a", "= int(name)", "b", "x")}}})
	res, err := rs.Person(jane())
	if fault.ClassOf(err) != fault.Invalid || fault.Hint(err) == "" || !reflect.DeepEqual(res, Result{}) {
		t.Errorf("got %+v, %v", res, err)
	}
	if want := `rule "r": user.a: int(): the value is not a whole number`; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestProblems(t *testing.T) {
	spec := Spec{
		Name: "bad", Leavers: "remove",
		Rules: []RuleSpec{
			{Name: "a", Pos: Pos{1, 5}, When: TextSpec{"departmnt == \"x\"", Pos{2, 13}}, Ignore: true},
			{Name: "a", Pos: Pos{3, 5}, When: TextSpec{"enabled and\n  titel == 3", Pos{4, 13}}, Records: makes(user)},
			{Name: "", Pos: Pos{6, 5}, Records: makes(group)},
			{Name: "d", Pos: Pos{7, 5}, Ignore: true, Records: makes(user)},
			{Name: "e", Pos: Pos{8, 5}},
			{Name: "f", Pos: Pos{9, 5}, Records: map[directory.RecordKind][]FieldSpec{user: {
				{Name: "x", Pos: Pos{10, 9}, Value: ValueSpec{"=  nme ?? 5", Pos{10, 12}}},
				{Name: "x", Pos: Pos{11, 9}, Value: ValueSpec{1.5, Pos{11, 12}}, On: "creat", Blank: "cleared"},
				{Name: " y", Pos: Pos{12, 9}, Value: ValueSpec{nil, Pos{12, 12}}},
				{Name: "z", Pos: Pos{13, 9}, Value: ValueSpec{[]string{"= name"}, Pos{13, 12}}},
			}}},
		},
		Fields: map[directory.RecordKind][]FieldSpec{
			directory.TicketRecord: {{Name: "s", Pos: Pos{20, 9}, Value: ValueSpec{"x", Pos{20, 12}}}},
			group:                  {{Name: "g", Pos: Pos{21, 9}, Value: ValueSpec{"= login", Pos{21, 12}}}},
		},
	}
	rs, problems := Compile(spec)
	if rs != nil {
		t.Fatal("a ruleset with problems")
	}
	var got strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&got, "%d:%d %s (%s)\n", p.Pos.Line, p.Pos.Column, p.Message, p.Hint)
	}
	want := `0:0 leavers: "remove" is unknown (write deactivate, delete, keep)
2:13 rule "a": when: unknown name departmnt: no person has it (did you mean "department"?)
3:5 rule "a": there is a rule of this name before it (every rule has a name of its own)
4:13 rule "a": when: unknown name titel: no person has it (line 2, column 3 of the expression) (did you mean "title"?)
6:5 rule number 3 has no name (records and ` + "`dirsyncd why`" + ` name the rule that made them)
6:5 rule number 3: a rule for a person makes no group (it can make user or agent)
7:5 rule "d" is never reached: rule number 3 before it holds for every person (move it before that rule)
7:5 rule "d" ignores and makes a record at once (remove one of the two)
8:5 rule "e" is never reached: rule number 3 before it holds for every person (move it before that rule)
8:5 rule "e" does nothing (say ignore: true, or what it makes: user or agent)
9:5 rule "f" is never reached: rule number 3 before it holds for every person (move it before that rule)
10:15 rule "f": user.x: unknown name nme: no person has it (did you mean "name"?)
11:9 rule "f": user.x is set twice (remove one of the two)
11:9 rule "f": user.x: on: "creat" is unknown (did you mean "create"?)
11:9 rule "f": user.x: blank: "cleared" is unknown (did you mean "clear"?)
11:12 rule "f": user.x must be a text, a truth value, a whole number or a list of texts ()
12:9 rule "f": user. y: the name of a field begins or ends with a blank ()
12:12 rule "f": user. y has no value (for a field that is always empty write = nil)
13:12 rule "f": user.z: an item of a list is no expression (make the whole list an expression: = ["…", name])
20:9 fields: rules make no ticket (fields can be set for user, agent, group, licence, asset, customer and site)
21:14 fields: group.g: unknown name login: no group has it (an attribute under the source's own name is written attributes.login)
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if _, problems := Compile(Spec{Name: "empty"}); len(problems) != 1 {
		t.Errorf("an empty mapping: got %+v", problems)
	}
}

func TestUses(t *testing.T) {
	people := [directory.Site + 1]bool{directory.Person: true}
	for expression, want := range map[string]Uses{
		`name == "x"`: {}, `"x" in groups`: {Groups: true}, `group_ids != nil`: {Groups: true},
		`direct_groups[0] == "x"`: {Groups: true}, `any(licences, # == "x")`: {Licences: true},
		`licence_ids == []`: {Licences: true}, `manager.name == "x"`: {Manager: people},
		`let g = lower(manager?.email ?? groups[0]); g == "x"`: {Groups: true, Manager: people},
	} {
		rs := mustCompile(t, Spec{Name: "m", Rules: []RuleSpec{{Name: "r", When: when(expression), Ignore: true}}})
		if got := rs.Uses(); got != want {
			t.Errorf("%s: got %+v, want %+v", expression, got, want)
		}
	}
	want := Uses{Groups: true, Manager: people, Licences: true, Records: [directory.Site + 1]bool{directory.Person: true, directory.Group: true}}
	if got := mustCompile(t, deskSpec()).Uses(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Which kinds of object are to be looked at for a customer's change is told by kind.
	places := Spec{Name: "m", Rules: []RuleSpec{{Name: "r", Records: makes(user, "s", "= site.name")}},
		Licences: []RuleSpec{{Name: "r", When: when(`customer.reference == "7"`), Ignore: true}}}
	want = Uses{}
	want.Site[directory.Person], want.Customer[directory.Licence], want.Records[directory.Person] = true, true, true
	if got := mustCompile(t, places).Uses(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// A common field that every rule replaces is never computed.
	spec := Spec{Name: "m", Fields: makes(user, "m", "= manager.name"),
		Rules: []RuleSpec{{Name: "r", Records: makes(user, "m", "= name")}}}
	if got := mustCompile(t, spec).Uses(); got.Manager[directory.Person] {
		t.Errorf("got %+v, want no manager", got)
	}
	spec.Rules[0].Records = makes(user, "a", `= attributes.b + attributes["a-a"]`, "b", "= attribute_values.b")
	if got := mustCompile(t, spec).Attributes(); !reflect.DeepEqual(got, []string{"a-a", "b"}) {
		t.Errorf("got attributes %v", got)
	}
}

func TestHash(t *testing.T) {
	base := mustCompile(t, deskSpec()).Hash()
	same := map[string]func(*Spec){
		"name of the mapping": func(s *Spec) { s.Name = "other" },
		"positions":           func(s *Spec) { s.Rules[0].Pos, s.Rules[0].When.Pos = Pos{9, 9}, Pos{9, 9} },
		"blanks around":       func(s *Spec) { s.Rules[0].When.Text = " " + s.Rules[0].When.Text + "\n" },
		"defaults spelt out": func(s *Spec) {
			s.Leavers = DeactivateLeavers
			s.Fields[user][0].On, s.Fields[user][0].Blank = OnAlways, KeepBlank
		},
		"order of fields": func(s *Spec) { f := s.Fields[user]; f[0], f[1] = f[1], f[0] },
		"a common field that is moved into the only rule with the kind": func(s *Spec) {
			delete(s.Fields, agent)
			s.Rules[1].Records[agent] = append(set("name", "= name", "licences", "= licences"), s.Rules[1].Records[agent]...)
		},
	}
	for name, edit := range same {
		spec := deskSpec()
		edit(&spec)
		if mustCompile(t, spec).Hash() != base {
			t.Errorf("%s changes the hash", name)
		}
	}
	seen := map[string]string{base: "the base"}
	for name, edit := range map[string]func(*Spec){
		"when":           func(s *Spec) { s.Rules[0].When.Text += ` or false` },
		"ignore":         func(s *Spec) { s.Rules[2].Ignore, s.Rules[2].Records = true, nil },
		"order of rules": func(s *Spec) { s.Rules[0], s.Rules[1] = s.Rules[1], s.Rules[0] },
		"name of a rule": func(s *Spec) { s.Rules[0].Name = "x" },
		"value":          func(s *Spec) { s.Rules[1].Records[agent][0].Value.Value = "Lead" },
		"type of value":  func(s *Spec) { s.Rules[1].Records[user][1].Value.Value = "true" },
		"literal":        func(s *Spec) { s.Fields[user][0].Value.Value = "== name" },
		"on":             func(s *Spec) { s.Fields[user][0].On = OnCreate },
		"blank":          func(s *Spec) { s.Fields[user][1].Blank = ClearBlank },
		"leavers":        func(s *Spec) { s.Leavers = KeepLeavers },
		"name of field":  func(s *Spec) { s.Fields[user][1].Name = "mail" },
		"group rule":     func(s *Spec) { s.Groups = nil },
		"group field":    func(s *Spec) { s.Fields[group] = nil },
		"site rule": func(s *Spec) {
			s.Sites = []RuleSpec{{Name: "sites", Records: makes(directory.SiteRecord, "a", "x")}}
		},
	} {
		spec := deskSpec()
		edit(&spec)
		h := mustCompile(t, spec).Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[h] = name
	}
}

// TestHashStays: rules that were there before an upgrade have the hash that they had, or everybody would be mapped again.
func TestHashStays(t *testing.T) {
	spec := deskSpec()
	spec.Customers = []RuleSpec{{Name: "customers", Records: makes(directory.CustomerRecord, "name", "= name")}}
	if got, want := mustCompile(t, spec).Hash(), "04b124a14fd8d2b6f7b2a46cc5c3669a2625e767fb3a6009b6af0da7c2ece57c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestChangelogTellsSemantics: whoever upgrades learns that everybody will be mapped again.
func TestChangelogTellsSemantics(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "expr-lang/expr " + expression.Version + ", semantics " + semantics + "."; !strings.Contains(string(changelog), want) {
		t.Errorf("the changelog does not say %q: add it under Changed, and that everybody is mapped again after the upgrade", want)
	}
}

// TestPure: the same input has the same output, byte for byte, whoever computes it and whatever was computed before.
func TestPure(t *testing.T) {
	rs := mustCompile(t, deskSpec())
	people := []*Person{jane(), benchmarkPerson(1, 30), {}, jane()}
	people[3].Groups = []Membership{people[0].Groups[2], people[0].Groups[1], people[0].Groups[0]}
	var want []string
	for _, p := range people {
		_, x := rs.ExplainPerson(p)
		trace, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, render(mustCompile(t, deskSpec()).Person(p))+string(trace))
	}
	if want[0] != want[3] {
		t.Errorf("the order of groups matters:\n%s\n%s", want[0], want[3])
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*7 + worker) % len(people)
				_, x := rs.ExplainPerson(people[n])
				trace, _ := json.Marshal(x)
				if got := render(rs.Person(people[n])) + string(trace); got != want[n] {
					t.Errorf("person %d:\n got %s\nwant %s", n, got, want[n])
					return
				}
			}
		})
	}
	wg.Wait()
}
