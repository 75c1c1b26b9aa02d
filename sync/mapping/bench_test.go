package mapping

import (
	"fmt"
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

// benchmarkSpec is five rules and ten fields, as a service desk would write them.
func benchmarkSpec() Spec {
	text := func(s string) ValueSpec { return ValueSpec{Value: s} }
	return Spec{
		Name: "staff",
		Rules: []RuleSpec{
			{Name: "contractors", When: TextSpec{Text: `department == "Contractors"`}, Ignore: true},
			{Name: "service accounts", When: TextSpec{Text: `user_type == "service" or login startsWith "svc-"`}, Ignore: true},
			{Name: "desk", When: TextSpec{Text: `"Service Desk" in groups`},
				Records: map[directory.RecordKind][]FieldSpec{
					directory.AgentRecord: {{Name: "role", Value: text("Technician")}},
				}},
			{Name: "board", When: TextSpec{Text: `title matches "(?i)^(chief|director)" and enabled`},
				Records: map[directory.RecordKind][]FieldSpec{
					directory.UserRecord: {{Name: "vip", Value: ValueSpec{Value: true}}},
				}},
			{Name: "everyone else", When: TextSpec{Text: `enabled`},
				Records: map[directory.RecordKind][]FieldSpec{
					directory.UserRecord: {
						{Name: "customer", Value: text("Acme")},
						{Name: "site", Value: text(`= office ?? "Head office"`)},
					},
				}},
		},
		Fields: map[directory.RecordKind][]FieldSpec{
			directory.UserRecord: {
				{Name: "name", Value: text("= name")},
				{Name: "email", Value: text("= email")},
				{Name: "phone", Value: text("= phone ?? mobile")},
				{Name: "title", Value: text("= title")},
				{Name: "department", Value: text("= department")},
				{Name: "manager", Value: text("= manager.email")},
				{Name: "display", Value: text(`= family_name + ", " + given_name`)},
				{Name: "cost_centre", Value: text(`= attributes.costCentre ?? "0000"`)},
			},
		},
	}
}

func benchmarkPerson(n, groups int) *Person {
	o := &directory.Object{Kind: directory.Person, ID: fmt.Sprintf("5f1c-%d", n)}
	for name, value := range map[string]string{
		"login": "jane", "name": "Jane Roe", "given_name": "Jane", "family_name": "Roe", "email": "jane@example.test",
		"title": "Engineer", "department": "Research", "company": "Acme", "office": "London", "mobile": "+44 7700 900000",
		"street": "1 High Street", "city": "London", "postal_code": "N1", "country": "GB", "employee_id": "4711",
		"path": "ou=Research,dc=example,dc=test", "attributes.costCentre": "R-17",
	} {
		o.SetText(name, value)
	}
	o.Set("emails", directory.List("jane@example.test", "j.roe@example.test"))
	o.Set("enabled", directory.Bool(true))
	o.Set("created", directory.Time(time.Unix(1700000000, 0)))
	p := &Person{Object: o, Source: Source{Connection: "hq-ad"}}
	for i := range groups {
		p.Groups = append(p.Groups, Membership{Named: Named{ID: fmt.Sprint("g", i), Name: fmt.Sprintf("Group %02d", i)}})
	}
	p.Manager = &directory.Object{Kind: directory.Person, ID: "m"}
	p.Manager.SetText("email", "boss@example.test")
	return p
}

func BenchmarkPerson(b *testing.B) {
	rs, problems := Compile(benchmarkSpec())
	if problems != nil {
		b.Fatal(problems)
	}
	for _, groups := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			p := benchmarkPerson(1, groups)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rs.Person(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPersonParallel(b *testing.B) {
	rs, problems := Compile(benchmarkSpec())
	if problems != nil {
		b.Fatal(problems)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		p := benchmarkPerson(1, 10)
		for pb.Next() {
			if _, err := rs.Person(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	spec := benchmarkSpec()
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Compile(spec); problems != nil {
			b.Fatal(problems)
		}
	}
}
