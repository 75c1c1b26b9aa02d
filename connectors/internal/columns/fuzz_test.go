package columns

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dirsyncd/sync/directory"
)

// FuzzObject makes objects of any row: what comes out is in the form that every connector's objects have.
func FuzzObject(f *testing.F) {
	for _, row := range []string{
		"1|a@x, b@x|yes|2024-03-07 10:00+02|boss|g1;g2\ng3|Ann", "|||||", "007|\x00|wahr|31.12.2025|\u00a0|;;|\ufeffA", "\xff|\xff|1|0000-00-00|a/b%|;|x",
		"1|a||2024-02-30|||", "1|a||99999999|||", "1|a||20240307120000.9Z|||", "1|a||1/1/2024 12:00 AM|||", "a\nb|||||", "1|a||2024-03-07T23:59:60-12:00|||",
	} {
		f.Add(row, "")
	}
	f.Add("1|a+b|x|3/4/2025|b|c+d|e", "+")
	f.Fuzz(func(t *testing.T, row, separator string) {
		c := &Config{Separator: separator, Columns: map[string]Source{"manager": By("email", "boss"), "groups": Column("groups")}, Attributes: Attributes{All: true}}
		l, problems := Compile(c, Options{Kind: directory.Person, Named: []string{"email"}}, strings.Split("id|email|enabled|created|boss|groups|other", "|"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var o directory.Object
		problems = l.Object(texts(row), &o)
		if o.ID != "" && (!strings.HasPrefix(o.ID, "person:") || !utf8.ValidString(o.ID) || len(o.ID) > maxKey+len("person:")) {
			t.Errorf("id %q", o.ID)
		}
		if len(problems) > 0 {
			return
		}
		if o.ID == "" || !slices.IsSortedFunc(o.Fields, func(a, b directory.Field) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%q: %+v", o.ID, o.Fields)
		}
		for _, field := range o.Fields {
			if common, ok := directory.LookupCommonField(field.Name); field.Value.Blank() || ok && common.Type != field.Value.Type() {
				t.Errorf("%s is %v (%s)", field.Name, field.Value, field.Value.Type())
			}
		}
		back, err := directory.ParseObject(directory.AppendObject(nil, &o))
		if err != nil || describe(&back) != describe(&o) {
			t.Errorf("%v: %s, %s", err, describe(&o), describe(&back))
		}
	})
}

// FuzzDates reads any text as a date, in every order: what is a date is the same one when it is written the usual way.
func FuzzDates(f *testing.F) {
	for _, text := range []string{"2024-03-07", "7.3.2024", "3/7/2024 1:05 PM", "20240307120000.0Z", "2024-03-07T10:11:12.5+02:00", "0000-00-00", "2024-03-07 10:00 UTC", "2024-02-29", "1-1-1", "9999-12-31T23:59:60Z", "::", "2024-03-07 +"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, order := range append(orders(), "") {
			when, none, reason := parseTime(text, order, nil)
			if none || reason != "" {
				continue
			}
			again, _, reason := parseTime(when.UTC().Format("2006-01-02T15:04:05Z"), order, nil)
			if when.Year() >= 0 && when.Year() < 10000 && (reason != "" || !again.Equal(when)) {
				t.Errorf("%q %s is %v, and that is %v %s", text, order, when, again, reason)
			}
		}
	})
}
