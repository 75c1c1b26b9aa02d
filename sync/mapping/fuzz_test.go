package mapping

import (
	"reflect"
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

// FuzzPerson: no object makes the rules panic, and the same object has the same result.
func FuzzPerson(f *testing.F) {
	f.Add("Sales", "Service Desk", "a@b", int64(0), byte(2), byte(9))
	f.Add("Sales", "ours.test", "a@ours.test", int64(1), byte(1), byte(101))
	f.Add("", "", "\xff\x00", int64(-1<<62), byte(0), byte(200))
	spec := benchmarkSpec()
	spec.Rules[4].Records[user] = append(spec.Rules[4].Records[user], set(
		"d", `= domain(email) + ou(path) + dn_part(path, "cn") + string(created ?? date("1970-01-01"))`,
		"h", `= "x" in (tenant.domains ?? [name])`, "i", `= tenant.id == "told" ? tenant.domains : []`,
		"e", `= emails[0][:3] + name[-2:] + join(sort(groups), ",")`, "f", `= created`,
		"g", `= (customer.name ?? site.domain) + string(customer.created ?? date("1970-01-01"))`,
	)...)
	choices := withChoices(f, 3)
	spec.Tables, spec.Choices = choices.Tables, choices.Choices
	spec.Rules = append(spec.Rules[:4:4], append(choices.Rules, spec.Rules[4:]...)...)
	spec.Tickets = []TicketSpec{
		{Name: "joiner", On: Joining, For: user, When: TextSpec{Text: `email != "" and (created == nil or not (department in groups))`},
			Fields: set("summary", `= "New: " + name + string(created ?? date("1970-01-01"))`, "domain", "= domain(email)")},
		{Name: "leaver", On: Leaving, For: user, When: TextSpec{Text: `enabled or name startsWith email`}, Fields: set("summary", `= emails[0][:3] + string(date(department))`)},
	}
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
		p := &Person{Object: o, Manager: o, Customer: o, Site: o, Groups: []Membership{{Named: Named{ID: group, Name: group}, Direct: true}, {}}}
		if form%2 == 0 {
			p.Source = Source{TenantID: "told", TenantDomains: []string{group}}
		}
		first := render(rs.Person(p))
		if again := render(rs.Person(p)); again != first {
			t.Fatalf("got %s, then %s", first, again)
		}
		left, err := rs.Tickets(Leaving, p)
		if err != nil || len(left) != 1 || left[0].Wanted && (len(left[0].Fields) == 0 || left[0].Fields[0].Value.Blank()) {
			t.Fatalf("who leaves is held up: %v, %v", left, err)
		}
		joined, err := rs.Tickets(Joining, p)
		if again, other := rs.Tickets(Joining, p); !reflect.DeepEqual(again, joined) || (other == nil) != (err == nil) {
			t.Fatalf("got %v, %v, then %v, %v", joined, err, again, other)
		}
		if res, x := rs.ExplainPerson(p); render(res, x.Err) != first {
			t.Fatalf("explained %s, was %s", render(res, x.Err), first)
		}
	})
}
