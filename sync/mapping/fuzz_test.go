package mapping

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// FuzzExpression: whatever an operator writes either compiles or is a problem at a place within it, and what
// compiles ends with a value or a classified error for anybody.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`phone ?? mobile ?? "none"`, `"Service Desk" in groups`, `manager.email ?? email`, `attributes["a-b"] + name`,
		`any(groups, any(emails, # contains "x"))`, `let a = lower(name); a + a`, `created < date("2026-01-01")`,
		`enabled ? emails : ["x"]`, `name[1:2]`, `emails[-1]`, `if enabled { 1 } else { 2 }`, `1 < len(groups) < 3`,
		`concat(filter(emails, # != ""), [name])`, `int(attributes.x) ?? 1 % 0`, `not (a and b)`, `a??b??nil==nil`,
		`map(split(name, ""), # | upper())`, `manager?.name`, `(((`, `"\u00e9`, `ou(path, -1)`, `{`, `#`, `.a`, `::lower(name)`,
		`find(map(emails, len(#)), # > 1) ?? 2`, `[nil, nil]`, `nil ?? nil`, `true ? nil : nil`, `let x = nil; x`,
		`sort(uniq([name, name]))`, `none([], #)`, `lower(first([]))`, `count(groups)`, `any(groups)`, `len()`,
	} {
		f.Add(s, "x", false)
	}
	people := newLanguage(personVocabulary())
	f.Fuzz(func(t *testing.T, text, value string, isCondition bool) {
		x, flaws := people.compile(text, isCondition)
		if x == nil {
			if len(flaws) == 0 {
				t.Fatal("neither an expression nor a flaw")
			}
			for _, f := range flaws {
				if f.at < 0 || f.at > len(text) || f.message == "" {
					t.Fatalf("flaw at %d of %d: %q", f.at, len(text), f.message)
				}
			}
			return
		}
		p := jane()
		p.Object.SetText("name", value)
		for _, p := range []*Person{p, {}} {
			e := newEvaluation()
			e.look(personInput(p), x.sources)
			var err error
			if isCondition {
				_, err = e.truth(x)
			} else {
				_, err = e.value(x)
			}
			if err != nil && fault.ClassOf(classify(err, "r", "f")) != fault.Invalid {
				t.Fatalf("unclassified: %v", err)
			}
		}
	})
}

// FuzzPerson: no object makes the rules panic, and the same object has the same result.
func FuzzPerson(f *testing.F) {
	f.Add("Sales", "Service Desk", "a@b", int64(0), byte(2), byte(9))
	f.Add("", "", "\xff\x00", int64(-1<<62), byte(0), byte(200))
	spec := benchmarkSpec()
	spec.Rules[4].Records[user] = append(spec.Rules[4].Records[user], set(
		"d", `= domain(email) + ou(path) + dn_part(path, "cn") + string(created ?? date("1970-01-01"))`,
		"e", `= emails[0][:3] + name[-2:] + join(sort(groups), ",")`, "f", `= created`,
	)...)
	rs := mustCompile(f, spec)
	f.Fuzz(func(t *testing.T, department, group, email string, seconds int64, form, enabled byte) {
		values := []directory.Value{
			directory.Null(), directory.Text(email), directory.Bool(enabled%2 == 0), directory.Number(seconds),
			directory.Time(time.Unix(seconds, 0)), directory.List(email, department),
		}
		o := &directory.Object{Kind: directory.Person, ID: email}
		for i, field := range directory.CommonFields() {
			o.Set(field.Name, values[(i*7+int(form))%len(values)])
		}
		o.Set("department", directory.Text(department))
		if enabled > 100 {
			o.Set("enabled", directory.Bool(true))
		}
		p := &Person{Object: o, Manager: o, Groups: []Membership{{Named{group, group}, true}, {Named{}, false}}}
		first := render(rs.Person(p))
		if again := render(rs.Person(p)); again != first {
			t.Fatalf("got %s, then %s", first, again)
		}
		if res, x := rs.ExplainPerson(p); render(res, x.Err) != first {
			t.Fatalf("explained %s, was %s", render(res, x.Err), first)
		}
	})
}
