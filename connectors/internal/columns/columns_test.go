package columns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// texts makes a row of texts of a line with bars between the cells.
func texts(line string) []Cell {
	var cells []Cell
	for text := range strings.SplitSeq(line, "|") {
		cells = append(cells, Text(text))
	}
	return cells
}

func header(line string) []string { return strings.Split(line, "|") }

// config reads a configuration as operators write it.
func config(t testing.TB, text string) *Config {
	t.Helper()
	doc := strict.Parse([]byte(text), strict.Options{})
	c := new(Config)
	if text != "" && !doc.Root().Into(c) {
		t.Fatalf("%s: %v", text, doc.Problems())
	}
	return c
}

// compile fails the test when anything is wrong.
func compile(t testing.TB, text, columns string, opts Options) *Layout {
	t.Helper()
	c := config(t, text)
	var issues settings.Issues
	c.Validate(opts.Kind, "", issues.Report)
	l, problems := Compile(c, opts, header(columns))
	if len(issues) > 0 || len(problems) > 0 {
		t.Fatalf("%v %v", issues, problems)
	}
	return l
}

// describe renders an object in one line.
func describe(o *directory.Object) string {
	var b strings.Builder
	fmt.Fprint(&b, o.ID)
	for _, f := range o.Fields {
		text := f.Value.String()
		if f.Value.Type() == directory.NumberType || f.Value.Type() == directory.BoolType {
			text = "=" + text
		}
		fmt.Fprintf(&b, " %s:%s", f.Name, text)
	}
	for _, l := range o.Links {
		fmt.Fprintf(&b, " %d>%s", l.Type, l.To)
	}
	for _, h := range o.Handles {
		fmt.Fprintf(&b, " @%s", h)
	}
	return b.String()
}

func TestObject(t *testing.T) {
	tests := []struct {
		name, config, header string
		row                  []Cell
		opts                 Options
		want                 string
	}{
		{"columns by their own names", "", "ID|E-Mail|First name|family_name|Active", texts("007|a@x|Ann| Lee |yes"), Options{},
			"person:007 email:a@x emails:a@x family_name:Lee given_name:Ann"},
		{"said columns, fallback, fixed", `{key: no, columns: {login: mail, email: [mail, private], enabled: active, company: "fixed:Acme"}}`,
			"no|mail|private|active", texts("1||p@x|nein"), Options{},
			"person:1 company:Acme email:p@x emails:p@x enabled:=false"},
		{"a field is left empty", `{columns: {email: []}}`, "id|email", texts("1|a@x"), Options{}, "person:1"},
		{"a key of two columns", `{key: [company, no]}`, "company|no|name", texts("a/b|5%|N"), Options{}, "person:a%2Fb/5%25 company:a/b name:N"},
		{"references", `{columns: {manager: {column: boss, by: email}, groups: g}}`, "id|boss|g|email", texts("1| Boss@X  |a; b|me@x"),
			Options{Named: []string{"email"}}, "person:1 email:me@x emails:me@x 1>person.email:boss@x 2>id:group:a 2>id:group:b @person.email:me@x"},
		{"lists", `{columns: {emails: [m, n]}, attributes: all}`, "id|m|n|o", texts("1|b@x, a@x|c@x\nb@x|x;y"), Options{},
			"person:1 attributes.o:x;y emails:a@x, b@x, c@x"},
		{"typed cells", `{columns: {created: c, last_login: l}, attributes: [n, b, d, code]}`, "id|c|l|n|b|d|code",
			[]Cell{Int(5), Date(day(2024, 3, 7)), Local(day(2024, 3, 7)), Int(3), Bool(true), Date(day(2024, 3, 7)), Number("0049")}, Options{},
			"person:5 attributes.b:=true attributes.code:0049 attributes.d:2024-03-07 attributes.n:=3 created:2024-03-07T00:00:00Z last_login:2024-03-07T00:00:00Z"},
		{"a time zone", `{timezone: Europe/Berlin}`, "id|created|last_login", texts("1|2024-03-07|2024-03-07 12:00"), Options{},
			"person:1 created:2024-03-07T00:00:00Z last_login:2024-03-07T11:00:00Z"},
		{"a short row", "", "id|name|email", texts("1|N"), Options{}, "person:1 name:N"},
		{"blanks that are none in ASCII", "", "id|name", texts("\u00a01\u00a0|\ufeffN\x00"), Options{}, "person:1 name:N"},
		{"a licence", "", "id|name|quantity", texts("1|Office|10.0"), Options{Kind: directory.Licence}, "licence:1 name:Office quantity:=10"},
		{"a site and its customer", "", "id|number|name|customer|E-mail domain|zip", texts("1|0042|Head office|c7|acme.test|0150"), Options{Kind: directory.Site},
			"site:1 domain:acme.test name:Head office postal_code:0150 reference:0042 5>id:customer:c7"},
		{"where a person is", "{columns: {site: {column: office, by: name}}}", "id|customer|office", texts("1|c7|Head office"), Options{},
			"person:1 office:Head office 5>id:customer:c7 6>site.name:head office"},
		{"a device", "{columns: {owner: [c, u]}}", "id|c|u", texts("1|a|b"), Options{Kind: directory.Device, KeyParts: map[directory.Kind]int{directory.Person: 2}},
			"device:1 4>id:person:a/b"},
		{"a part of a reference that is not filled in", "{columns: {owner: [c, u]}}", "id|c|u", texts("1|a|"), Options{Kind: directory.Device}, "device:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.opts.Kind == 0 {
				test.opts.Kind = directory.Person
			}
			l := compile(t, test.config, test.header, test.opts)
			var o directory.Object
			for range 2 { // what is reused is not seen
				if problems := l.Object(test.row, &o); len(problems) > 0 {
					t.Fatal(problems)
				}
				if got := describe(&o); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			}
		})
	}
}

func day(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func TestRowProblems(t *testing.T) {
	tests := []struct{ config, header, row, id, want string }{
		{"", "id|name", " |N", "", `column "id" is empty, and is a part of the key`},
		{"", "id|name", "a\nb|N", "", `column "id" is a part of the key, and holds characters that are none`},
		{"", "id|name", strings.Repeat("a", 600) + "|N", "", `column "id" is too long for a key`},
		{"", "id|enabled", "1|maybe", "person:1", `column "enabled" is not a truth value`},
		{"", "id|created", "1|03/04/2025", "person:1", `column "created" is a date of which nobody can tell whether the day or the month comes first`},
		{"", "id|created|last_login", "1|31.2.2025|x", "person:1", `column "created" is a day that does not exist; column "last_login" is not a date`},
		{"{dates: mdy}", "id|created", "1|31/12/2025", "person:1", `column "created" is a day that does not exist`},
		{"{columns: {manager: [a, b]}}", "id|a|b", "1||x", "person:1", `column "a" is empty, and the rest of the key of manager is not`},
		{"", "id|description", "1|" + strings.Repeat("a", 70_000), "person:1", `column "description" is longer than 64 KiB`},
	}
	for _, test := range tests {
		l := compile(t, test.config, test.header, Options{Kind: directory.Person})
		var o directory.Object
		var reasons []string
		for _, p := range l.Object(texts(test.row), &o) {
			reasons = append(reasons, p.String())
		}
		if got := strings.Join(reasons, "; "); got != test.want || o.ID != test.id {
			t.Errorf("%q: %q, %s", test.row, o.ID, got)
		}
	}
}

func TestCompileProblems(t *testing.T) {
	tests := []struct {
		config, header string
		opts           Options
		want           string
	}{
		{"", "name|email", Options{}, "no column is the key"},
		{"{key: no}", "nr|name", Options{}, `column "no" does not exist; key names it`},
		{"{columns: {email: emial}}", "id|email2", Options{}, `column "emial" does not exist; columns.email names it`},
		{"", "id|email|E-Mail", Options{}, `column "E-Mail" and column "email" both mean email`},
		{"{key: no}", "no|no", Options{}, `column "no" exists 2 times`},
		{"{attributes: all}", "id|x|x", Options{}, `column "x" exists twice (places 2 and 3)`},
		{"{columns: {manager: boss}}", "id|boss", Options{KeyParts: map[directory.Kind]int{directory.Person: 2}},
			`column "boss" has 1 of the 2 parts of the key of a person`},
		{"", "id|name", Options{Named: []string{"email"}}, `column "columns.email" has no column, and others refer to a person by email`},
		{`{columns: {enabled: "fixed:perhaps"}}`, "id", Options{}, `column "columns.enabled" is not a truth value`},
	}
	for _, test := range tests {
		test.opts.Kind = directory.Person
		_, problems := Compile(config(t, test.config), test.opts, header(test.header))
		if len(problems) != 1 || problems[0].String() != test.want {
			t.Errorf("%s %s: %v", test.config, test.header, problems)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct{ config, want, hint string }{
		{"{columns: {emial: x}}", "columns.emial: is no field of a person", "did you mean \"email\"?"},
		{"{key: [a, a]}", `key: names column "a" twice`, ""},
		{"{columns: {name: [a, a]}}", `columns.name: names column "a" twice`, ""},
		{"{attributes: [a, a]}", `attributes: names column "a" twice`, ""},
		{"{dates: dym}", `dates: unknown order "dym"`, ""},
		{"{timezone: Mars}", `timezone: unknown time zone "Mars"`, ""},
		{"{columns: {email: {column: a, by: name}}}", "columns.email: is a field of its own, and refers to nothing", ""},
		{"{columns: {manager: {column: a, by: emial}}}", `columns.manager: a person is not known by "emial"`, "did you mean \"email\"?"},
		{"{columns: {manager: {column: a, by: enabled}}}", `columns.manager: a person is not known by "enabled"`, ""},
		{"{columns: {groups: [a, b]}}", `columns.groups: takes one column`, ""},
	}
	for _, test := range tests {
		var issues settings.Issues
		config(t, test.config).Validate(directory.Person, "", issues.Report)
		if len(issues) != 1 || issues[0].Path+": "+issues[0].Message != test.want || test.hint != "" && issues[0].Hint != test.hint {
			t.Errorf("%s: %+v", test.config, issues)
		}
	}
}

func TestDates(t *testing.T) {
	tests := []struct{ text, order, want string }{
		{"2024-03-07", "", "2024-03-07T00:00:00Z"}, {"2024/3/7", "dmy", "2024-03-07T00:00:00Z"}, {"20240307", "", "2024-03-07T00:00:00Z"},
		{"2024-03-07T10:11:12Z", "", "2024-03-07T10:11:12Z"}, {"2024-03-07 10:11:12.5+02:00", "", "2024-03-07T08:11:12Z"},
		{"2024-03-07 10:11:12.123456-0130", "", "2024-03-07T11:41:12Z"}, {"2024-03-07 10:11+02", "", "2024-03-07T08:11:00Z"},
		{"7.3.2024", "dmy", "2024-03-07T00:00:00Z"}, {"3/7/2024 1:05 PM", "mdy", "2024-03-07T13:05:00Z"}, {"12/31/2024", "", "2024-12-31T00:00:00Z"},
		{"31.12.2024", "", "2024-12-31T00:00:00Z"}, {"5/5/2024", "", "2024-05-05T00:00:00Z"}, {"20240307120000.0Z", "", "2024-03-07T12:00:00Z"},
		{"20240307120000Z", "", "2024-03-07T12:00:00Z"}, {"0000-00-00", "", "none"}, {"0000-00-00 00:00:00", "", "none"},
		{"29.2.2023", "dmy", "is a day that does not exist"}, {"3/4/24", "dmy", "has no year of four digits"}, {"3/4/2024", "ymd", "does not begin with the year"},
		{"2024-03", "", notDate}, {"yesterday", "", notDate}, {"2024-03-07 25:00", "", "has a time that cannot be read"},
		{"2024-03-07 10:00 +2:00", "", "has a time that cannot be read"}, {"2024-03-07x", "", notDate}, {"1-2/2024", "", notDate},
		{"45358", "", notDate},
	}
	for _, test := range tests {
		when, none, reason := parseTime(test.text, test.order, nil)
		got := when.UTC().Format(time.RFC3339)
		if reason != "" {
			got = reason
		} else if none {
			got = "none"
		}
		if got != test.want {
			t.Errorf("%q %s: %s, want %s", test.text, test.order, got, test.want)
		}
	}
}

func TestMembers(t *testing.T) {
	l := compile(t, "{columns: {members: {column: who, by: email}, member_groups: inner}}", "id|who|inner", Options{Kind: directory.Group})
	row := texts("1|A@x; b@x|2")
	var o directory.Object
	if problems := l.Object(row, &o); len(problems) > 0 || !l.HasMembers() {
		t.Fatal(problems)
	}
	if got := fmt.Sprint(l.Members(row, nil)); got != "[person.email:a@x person.email:b@x id:group:2]" {
		t.Error(got)
	}
	c := PairsConfig{Columns: map[string]Source{"member": By("email", "who")}}
	var issues settings.Issues
	c.Validate("members.", issues.Report)
	p, problems := CompilePairs(&c, nil, header("group|who|member_group"))
	if len(issues)+len(problems) > 0 {
		t.Fatal(issues, problems)
	}
	for row, want := range map[string]string{
		"g|A@x|": "group:g person.email:a@x []", "g||h": "group:g id:group:h []",
		"|a|": `person.email:a []`, "g||": `group:g  []`,
	} {
		group, member, problems := p.Pair(texts(row))
		if got := strings.TrimSpace(fmt.Sprint(group, " ", member, " ", problems)); got != want {
			t.Errorf("%q: %s, want %s", row, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	var k Keys
	for i := range 100_000 {
		if !k.Add(fmt.Sprint("person:", i)) {
			t.Fatalf("%d is taken for one that was there", i)
		}
	}
	for i := range 100_000 {
		if k.Add(fmt.Sprint("person:", i)) {
			t.Fatalf("%d is taken for a new one", i)
		}
	}
	if k.Len() != 100_000 {
		t.Error(k.Len())
	}
}

func BenchmarkObject(b *testing.B) {
	l := compile(b, "{columns: {manager: boss}}", "id|email|given name|family name|department|city|enabled|created|boss", Options{Kind: directory.Person})
	row := texts("12345|ann.lee@example.test|Ann|Lee|Research|London|yes|2024-03-07|99")
	var o directory.Object
	var keys Keys
	b.ReportAllocs()
	for b.Loop() {
		if problems := l.Object(row, &o); len(problems) > 0 {
			b.Fatal(problems)
		}
		keys.Add(o.ID)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
