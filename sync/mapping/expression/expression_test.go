package expression

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/file"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// jane is somebody of whom much is known; of her phone, title, creation and whether her manager is enabled nothing.
func jane() Input {
	o := &directory.Object{Kind: directory.Person, ID: "5f1c"}
	for name, value := range map[string]string{
		"login": "jroe", "name": "Zoë Roe", "given_name": "Zoë", "family_name": "Roe", "email": "Zoe.Roe@Example.test",
		"department": "Sales", "office": "London", "mobile": "+44 7700", "path": "ou=London,ou=Sites,dc=example,dc=test",
		"employee_id": "0042", "attributes.costCentre": "R-17", "attributes.ms-DS-Level": "3",
	} {
		o.SetText(name, value)
	}
	o.Set("emails", directory.List("zoe@example.test", "a.roe@example.test"))
	o.Set("enabled", directory.Bool(true))
	o.Set("last_login", directory.Time(time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC)))
	o.Set("attributes.skills", directory.List("go", "bash"))
	o.Set("attributes.level", directory.Number(7))
	o.Set("attributes.flag", directory.Bool(false))
	o.Set("status", directory.Null())
	m := &directory.Object{Kind: directory.Person, ID: "77aa"}
	m.SetText("name", "The Boss")
	m.SetText("email", "boss@example.test")
	return Input{
		At:      time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
		Object:  o,
		Manager: m,
		Groups: []Membership{
			{Named{"g2", "Staff"}, false}, {Named{"g1", "Service Desk"}, true}, {Named{"g3", ""}, true},
		},
		Licences: []Named{{"sku-1", "Microsoft 365 E3"}},
		Source:   Source{Connection: "hq-ad", TenantID: "t1", TenantName: "Contoso", TenantDomain: "contoso.test", TenantDomains: []string{"contoso.test", "example.test"}},
	}
}

func evaluate(t *testing.T, text string, in Input) (directory.Value, error) {
	t.Helper()
	x, diagnostics := people().Value(text)
	if diagnostics != nil {
		t.Fatalf("%s does not compile: %+v", text, diagnostics)
	}
	e := NewEvaluator([]*Expression{x}).Begin(in)
	defer e.End()
	return e.Value(x)
}

func people() *Language {
	l := NewLanguage(directory.Person)
	rows := func(cells ...[]string) (list []Row) {
		for _, c := range cells {
			list = append(list, Row{c[0], c[1:]})
		}
		return list
	}
	role := &Choice{Name: "role", Type: directory.TextType}
	vip := &Choice{Name: "vip", Type: directory.BoolType}
	around := Surroundings{
		Tables: map[string]*Table{
			"teams": NewTable("teams", []string{""}, false, rows([]string{"Desk", "1st Line"}, []string{"Service Desk", "2nd Line"},
				[]string{"Staff", "2nd Line"}, []string{"Oslo", "Norway"})),
			"offices": NewTable("offices", []string{"city", "country"}, false, rows([]string{"Oslo", "Oslo", "NO"}, []string{"LONDON", "", "GB"})),
			"ids":     NewTable("ids", []string{"desk"}, true, rows([]string{"g1", "17"}, []string{"G1", "18"})),
		},
		Choices: []string{"role", "vip"},
		Choice: func(name string) (*Choice, error) {
			if name == "vip" {
				return vip, nil
			}
			return role, nil
		},
	}
	l = l.With(around)
	role.Lines = []Line{
		{When: mustCondition(l, `department == "None"`), Literal: directory.Text("nobody")},
		{When: mustCondition(l, `"Service Desk" in groups`), Value: mustValue(l, `lower(table.teams[groups])`)},
		{Literal: directory.Text("user")},
	}
	vip.Lines = []Line{{When: mustCondition(l, `title != nil`), Literal: directory.Bool(true)}}
	return l
}

func mustCondition(l *Language, text string) *Expression { return must(l.Condition(text)) }
func mustValue(l *Language, text string) *Expression     { return must(l.Value(text)) }

func must(x *Expression, wrong []Diagnostic) *Expression {
	if len(wrong) > 0 {
		panic(wrong)
	}
	return x
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		// Names.
		{`id`, `"5f1c"`},
		{`name`, `"Zoë Roe"`},
		{`emails`, `["a.roe@example.test","zoe@example.test"]`},
		{`groups`, `["Service Desk","Staff"]`},
		{`group_ids`, `["g1","g2","g3"]`},
		{`direct_groups`, `["Service Desk"]`},
		{`licences`, `["Microsoft 365 E3"]`},
		{`licence_ids`, `["sku-1"]`},
		{`manager.email`, `"boss@example.test"`},
		{`manager.id`, `"77aa"`},
		{`manager?.name`, `"The Boss"`},
		{`tenant.id + tenant.name + tenant.domain`, `"t1Contosocontoso.test"`},
		{`connection`, `"hq-ad"`},
		{`last_login`, `"2026-01-31T08:15:00Z"`},
		{`enabled`, `true`},
		{`attributes.costCentre`, `"R-17"`},
		{`attributes["ms-DS-Level"]`, `"3"`},
		{`attributes.skills`, `"bash"`},
		{`attributes.level`, `"7"`},
		{`attributes.flag`, `"false"`},
		{`attribute_values.skills`, `["bash","go"]`},
		{`attribute_values.costCentre`, `["R-17"]`},
		{`int(attributes.level) + 1`, `8`},

		// What is missing is blank.
		{`phone`, `null`},
		{`attributes.none`, `null`},
		{`attribute_values.none`, `null`},
		{`created`, `null`},
		{`manager.phone`, `null`},
		{`phone == ""`, `true`},
		{`phone + "x"`, `"x"`},
		{`phone + phone + "x" + title`, `"x"`},
		{`phone startsWith "+"`, `false`},
		{`phone contains "+"`, `false`},
		{`phone matches "^$"`, `true`},
		{`phone in emails`, `false`},
		{`phone in ["", "x"]`, `true`},
		{`len(phone)`, `0`},
		{`lower(phone)`, `null`},
		{`status == "active"`, `false`},
		{`attribute_values.none[0]`, `null`},
		{`attribute_values.none[0] == "x"`, `false`},
		{`emails[-1]`, `"zoe@example.test"`},
		{`emails[9] == ""`, `true`},
		{`first(attribute_values.none) == ""`, `true`},
		{`find(emails, # startsWith "q") == ""`, `true`},
		{`find(emails, # startsWith "q")`, `null`},
		{`upper(find(emails, # startsWith "q"))`, `null`},
		{`attribute_values.none == []`, `true`},
		{`emails == []`, `false`},

		// The first that is not blank.
		{`phone ?? mobile ?? "none"`, `"+44 7700"`},
		{`phone ?? title ?? "none"`, `"none"`},
		{`phone ?? title`, `null`},
		{`"" ?? "b"`, `"b"`},
		{`attributes.extra ?? office`, `"London"`},
		{`manager.phone ?? manager.email ?? email`, `"boss@example.test"`},
		{`attribute_values.none ?? emails`, `["a.roe@example.test","zoe@example.test"]`},
		{`attribute_values.none ?? ["x"]`, `["x"]`},
		{`attribute_values.none ?? filter(emails, # startsWith "a")`, `["a.roe@example.test"]`},
		{`upper(phone ?? office)`, `"LONDON"`},
		{`domain(phone ?? email)`, `"example.test"`},
		{`(phone ?? "no") + "!"`, `"no!"`},
		{`"(" + (phone ?? title ?? "-") + ")"`, `"(-)"`},
		{`created ?? last_login`, `"2026-01-31T08:15:00Z"`},
		{`manager.enabled ?? false`, `false`},
		{`enabled ?? false`, `true`},
		{`int(phone) ?? 5`, `5`},
		{`int(phone)`, `null`},
		{`find(emails, # == "q") ?? "none"`, `"none"`},
		{`phone ?? nil`, `null`},
		{`(phone ?? nil) == "x"`, `false`},
		{`(enabled ?? true) and (manager.enabled ?? true)`, `true`},

		// nil asks for blanks.
		{`phone == nil`, `true`},
		{`nil != mobile`, `true`},
		{`emails != nil`, `true`},
		{`attribute_values.none == nil`, `true`},
		{`created == nil`, `true`},
		{`manager.enabled == nil`, `true`},
		{`enabled != nil`, `true`},
		{`manager.id != nil`, `true`},
		{`date(phone) == nil`, `true`},
		{`created != nil and created < date("2026-01-01")`, `false`},
		{`phone != nil ? phone : nil`, `null`},
		{`(phone != nil ? phone : nil) == "x"`, `false`},
		{`nil`, `null`},

		// Times.
		{`last_login < date("2026-02-01")`, `true`},
		{`last_login == date("2026-01-31T09:15:00+01:00")`, `true`},
		{`(created ?? date("1970-01-01")) < date("2000-01-01")`, `true`},
		{`string(last_login)[:10]`, `"2026-01-31"`},

		// Operators.
		{`"Service Desk" in groups`, `true`},
		{`"Service Desk" not in groups`, `false`},
		{`department in ["Sales", "Support"]`, `true`},
		{`3 in [1, 2, 3]`, `true`},
		{`not (department == "Sales")`, `false`},
		{`department == "Sales" ? "S" : "T"`, `"S"`},
		{`department == "Sales" and office == "London" and enabled`, `true`},
		{`department == "X" || office == "London"`, `true`},
		{`1 < len(groups) < 3`, `true`},
		{`-(2) + 5 * 2`, `8`},
		{`given_name[:1] + "."`, `"Z."`},
		{`name[1:3]`, `"oë"`},
		{`name[-3:]`, `"Roe"`},
		{`emails[:1]`, `["a.roe@example.test"]`},
		{`emails[5:9]`, `null`},
		{`let l = lower(login); l + "@" + l`, `"jroe@jroe"`},
		{`let site = lower(login); site[:1]`, `"j"`},
		{`["b", office, "a"]`, `["London","a","b"]`},
		{`map(groups, lower(#))`, `["service desk","staff"]`},
		{`office | lower() | upper()`, `"LONDON"`},
		{`if enabled { "on" } else { "off" }`, `"on"`},
		{`any(groups, any(emails, # contains "zoe"))`, `true`},
		{`join(concat(filter(groups, # == "Staff"), emails), ";")`, `"Staff;a.roe@example.test;zoe@example.test"`},
		{`employee_id matches "^[0-9]+$" ? int(employee_id) : nil`, `42`},
	} {
		v, err := evaluate(t, c.expression, jane())
		got, _ := json.Marshal(v)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.expression, got, err, c.want)
		}
	}
}

func TestWithoutManager(t *testing.T) {
	p := jane()
	p.Manager = nil
	for expression, want := range map[string]string{
		`manager.email ?? email`: `"Zoe.Roe@Example.test"`, `manager.id == nil`: `true`, `manager.name == ""`: `true`,
		`manager.enabled ?? false`: `false`, `manager.created`: `null`,
	} {
		v, err := evaluate(t, expression, p)
		got, _ := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", expression, got, err, want)
		}
	}
}

func TestNobody(t *testing.T) {
	p := Input{Object: &directory.Object{Kind: directory.Person, ID: "1"}}
	for _, n := range NamesOf(directory.Person).List() {
		if n.Type == directory.BoolType || n.Name == TenantDomains {
			continue
		}
		if v, err := evaluate(t, n.Name, p); err != nil || !v.Blank() && n.Name != "id" {
			t.Errorf("%s of nobody: got %v, %v, want blank", n.Name, v, err)
		}
	}
}

// TestRefusals also holds the promise that an error names no value of the person.
func TestRefusals(t *testing.T) {
	p := jane()
	p.Object.Fields = p.Object.Fields[:len(p.Object.Fields):len(p.Object.Fields)]
	secret := "Confidential"
	p.Object.SetText("title", secret)
	p.Object.SetText("description", strings.Repeat(secret, maxText/len(secret)))
	for _, c := range []struct{ expression, want string }{
		{`manager.enabled`, `the source did not tell manager.enabled`},
		{`not manager.enabled`, "manager.enabled ?? false"},
		{`manager.enabled == false`, "did not tell manager.enabled"},
		{`title == "x" or manager.enabled`, "did not tell manager.enabled"},
		{`title != nil ? manager.enabled : false`, "did not tell manager.enabled"},
		{`created < date("2026-01-01")`, `created ?? date("1970-01-01")`},
		{`created == last_login`, "did not tell created"},
		{`date(phone) < last_login`, "computes with is blank"},
		{`int(phone) + 1`, "computes with is blank"},
		{`int(title)`, "the value is not a whole number"},
		{`date(title)`, "the text is not a date"},
		{`5 % int("0")`, "divide by zero"},
		{`int(1 / 0)`, "not a whole number"},
		{`description + title`, "64 KiB"},
		{`description + title + title`, "64 KiB"},
		{`replace(description, "C", title)`, "64 KiB"},
		{`join([description, title])`, "64 KiB"},
		{`[1, 2][len(title)] == 1`, "index out of range"},
	} {
		_, err := evaluate(t, c.expression, p)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.expression, err, c.want)
			continue
		}
		if fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s: class %s", c.expression, fault.ClassOf(err))
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error quotes the person: %v", c.expression, err)
		}
	}
}

// TestClassifyHidesValues: what the expression library says may quote a value, and is not passed on.
func TestClassifyHidesValues(t *testing.T) {
	for message, want := range map[string]string{
		"invalid operation: int(Confidential)":          `the expression cannot be computed for this object`,
		"cannot fetch Confidential from []string":       `the expression cannot be computed for this object`,
		"runtime error: integer divide by zero":         `runtime error: integer divide by zero`,
		"index out of range: 5 (array length is 2)":     `index out of range: 5 (array length is 2)`,
		"runtime error: slice bounds out of range [1:]": `the expression cannot be computed for this object`,
	} {
		err := classify(&file.Error{Message: message})
		if !strings.HasPrefix(err.Error(), want) || fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want %s", message, err, want)
		}
	}
}

func TestDiagnostics(t *testing.T) {
	for _, c := range []struct {
		expression, want, hint string
		at                     int
	}{
		{`departmnt == "Sales"`, "unknown name departmnt", `did you mean "department"?`, 0},
		{`lower(givenName)`, "unknown name givenName", `did you mean "given_name"?`, 6},
		{`mail`, "unknown name mail", `did you mean "email"?`, 0},
		{`extensionAttribute1 == "x"`, "unknown name", "attributes.extensionAttribute1", 0},
		{`attributes.ms-DS-Foo == "x"`, "unknown name DS", `attributes["ms-DS"]`, 14},
		{`attributes.cost-name`, "do not fit", `attributes["`, 15},
		{`manager.emial`, "unknown name manager.emial", `did you mean "manager.email"?`, 8},
		{`manager.attributes`, "unknown name manager.attributes", "", 8},
		{`manager == nil`, "manager is no value by itself", "manager.id", 0},
		{`tenant`, "tenant is no value by itself", "tenant.id", 0},
		{`attributes[name]`, "must be a literal", "", 10},
		{`Manager.name`, "unknown name Manager", `did you mean "manager"?`, 0},
		{`name.first`, "nothing has a part .first", "", 5},
		{`created.Year()`, "not a function", "", 8},
		{`any(emails, .domain == "x")`, "nothing has a part", "#", 13},
		{`now() > created`, "no now()", "older_than", 0},
		{`lowr(name)`, "unknown function lowr", `"lower"`, 0},
		{`toJSON(name)`, "unknown function toJSON", "", 0},
		{`reduce(emails, #acc + #)`, "unknown function reduce", "", 0},
		{`name()`, "name is no function", "", 0},
		{`lower == "x"`, "lower is a function", "lower(text)", 0},
		{`$env`, "unknown name $env", "", 0},
		{`__known(name, name)`, "unknown function __known", "", 0},
		{`department == true`, "the two sides of == do not fit: text and truth value", "without quotes", 11},
		{`enabled == "TRUE"`, "the two sides of == do not fit: truth value and text", "without quotes", 8},
		{`len(name) == "3"`, "do not fit", "string(…)", 10},
		{`groups == "Staff"`, "do not fit", `"…" in …`, 7},
		{`created < "2026-01-01"`, "do not fit", "date(", 8},
		{`name + 5`, "do not fit: text and whole number", "string(", 5},
		{`phone ?? 5`, "same type, not text and whole number", "", 6},
		{`phone ?? enabled`, "same type", "", 6},
		{`enabled ? name : 5`, "same type, not text and whole number", "", 17},
		{`"a" in ["a", 1]`, "one type", "", 7},
		{`"a" in ["a", name, enabled]`, "one type", "", 7},
		{`lower(5)`, "cannot use whole number as argument (type text) to call lower", "", 6},
		{`domain(name, name)`, "too many arguments", "", 0},
		{`join([1, 2])`, "join cannot take a list", "", 5},
		{`join(["a"], 2)`, "to call join", "write join(list), join(list, separator)", 12},
		{`join(["a"], ",", ",")`, "too many arguments to call join", "write join(list)", 0},
		{`concat()`, "not enough arguments to call concat", "write concat(list", 0},
		{`ou()`, "not enough arguments to call ou", "write ou(path)", 0},
		{`string(emails)`, "string cannot take a list of texts", "write string(value)", 7},
		{`first(nil)`, "first cannot take a nil", "", 6},
		{`int(enabled)`, "int cannot take a truth value", "", 4},
		{`concat(emails, name)`, "concat cannot take a text", "", 15},
		{`1.5`, "cannot be a fraction", "int(…)", 0},
		{`len(name) / 2`, "cannot be a fraction", "int(…)", 0},
		{`last_login - created`, "cannot be a length of time", "", 0},
		{`[1, 2]`, "cannot be a list", "", 0},
		{`{"a": 1}`, "a map cannot be used", "", 0},
		{`1..5`, "range", "", 1},
		{`name matches title`, "literal text", "contains", 5},
		{`name matches "("`, "missing closing )", "", 5},
		{`date("31.01.2026") < created`, "not a date", "2026-01-31", 5},
		{`let name = "x"; name`, "cannot be called name", "", 4},
		{`name; title`, "one value", "", 0},
		{`department = "x"`, "unexpected token", "== does", 11},
		{`name matchs "x"`, `unexpected word "matchs"`, `did you mean "matches"?`, 5},
		{`name startswith "x"`, `unexpected word "startswith"`, `did you mean "startsWith"?`, 5},
		{`enabled enabled`, `unexpected word "enabled"`, "and, or between", 8},
		{`enabled AND enabled`, "unexpected token", "and in small letters", 8},
		{`enabled & enabled`, "unexpected token", "write and, or", 8},
		{`phone ?? mobile == "x"`, "side by side", "brackets", 16},
		{`name ==`, "ends too early", "", 6},
		{`("x"`, "ends too early", "", 3},
		{``, "empty", "", 0},
		{`any(groups, any(groups, any(groups, true)))`, "2 deep", "", 24},
		{strings.Repeat("name + ", 3000) + "name", "longer than", "", 0},
		{strings.Repeat("1+", 5000) + "1", "exceeds maximum allowed nodes", "", 0},
		{"\xff", "not UTF-8", "", 0},
	} {
		x, diagnostics := people().Value(c.expression)
		if x != nil || len(diagnostics) == 0 {
			t.Errorf("%.60s compiles", c.expression)
			continue
		}
		f := diagnostics[0]
		if !strings.Contains(f.Message, c.want) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%.60s: got %q (%q), want %q (%q)", c.expression, f.Message, f.Hint, c.want, c.hint)
		}
		if f.At != c.at && len(c.expression) < 100 {
			t.Errorf("%s: diagnostic at letter %d, want %d", c.expression, f.At, c.at)
		}
	}
}

// TestDeepExpressions: the work to check an expression does not multiply with its depth.
func TestDeepExpressions(t *testing.T) {
	l := people()
	for _, around := range [][2]string{
		{"string(", ")"}, {"join([", "])"}, {"first(", ")"}, {"ou(", ")"}, {"trim(", ")"}, {"(enabled ? ", " : name)"},
		{"not (", ")"}, {"[", "]"}, {"-", ""}, {"lower(", ")"}, {"(name ?? ", ")"}, {"map(", ", #)"},
	} {
		for _, inner := range []string{"name", "nil", "5", "nme", ""} {
			l.Value(strings.Repeat(around[0], 400) + inner)
			l.Value(strings.Repeat(around[0], 400) + inner + strings.Repeat(around[1], 400))
		}
	}
}

func TestConditionMustBeTruth(t *testing.T) {
	for expression, want := range map[string]string{
		`department`: "this is a text", `groups`: "this is a list of texts", `5`: "this is a whole number",
		`created`: "this is a time", `nil`: "this is a nil", `enabled ? "a" : 1`: "same type",
	} {
		_, diagnostics := people().Condition(expression)
		if len(diagnostics) == 0 || !strings.Contains(diagnostics[0].Message, want) {
			t.Errorf("%s: got %+v, want %q", expression, diagnostics, want)
		}
	}
}

// TestEveryUnknownNameIsReported: one expression can have several diagnostics.
func TestEveryUnknownNameIsReported(t *testing.T) {
	_, diagnostics := people().Condition(`nam == "x" or manager.nam == titel`)
	if len(diagnostics) != 3 {
		t.Errorf("got %d diagnostics, want 3: %+v", len(diagnostics), diagnostics)
	}
}

func TestGroupNames(t *testing.T) {
	l := NewLanguage(directory.Group)
	for _, n := range []string{"id", "name", "description", "email", "path", "group_type", "connection", "tenant.id", "manager.name",
		"attributes.x", "attribute_values.x"} {
		if _, diagnostics := l.Value(n); diagnostics != nil {
			t.Errorf("%s: %+v", n, diagnostics)
		}
	}
	for _, n := range []string{"login", "groups", "owner.name", "enabled"} {
		if _, diagnostics := l.Value(n); diagnostics == nil {
			t.Errorf("a group has %s", n)
		}
	}
}
