package delinea

import (
	"encoding/json"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// FuzzAnswer: whatever an answer holds, it becomes rows and well-formed objects, or an error with a class.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"success":true,"Result":{"FullCount":1,"Results":[{"Row":{"ID":"a","Username":"b","StatusEnum":"Active","LastLogin":"/Date(1700000000000+0200)/"}}]}}`,
		`{"success":true,"Result":{"FullCount":2,"Results":[{"Row":{"ID":7,"Name":["x"],"RoleType":{}}},{"Row":{"ID":"\ud800","Name":"n","RoleType":"Script","Enabled":"True"}}]}}`,
		`{"success":false,"Message":"Unauthorized","MessageID":null}`, `{"success":true,"Result":null}`, `{"success":"yes"}`, `null`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	cfg := valid()
	cfg.LastLogin, cfg.Attributes = true, []string{"Title"}
	c := &Connector{cfg: *cfg, people: cfg.people(), host: "example.test"}
	f.Fuzz(func(t *testing.T, body []byte) {
		result, err := c.open("call", body)
		if err != nil {
			if fault.ClassOf(err) == fault.Internal || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s: %v", fault.ClassOf(err), err)
			}
			return
		}
		rows, n, problem := rowsOf(result)
		if problem == "" && n < 0 || problem != "" && rows != nil {
			t.Fatalf("%d rows of %d, %q", len(rows), n, problem)
		}
		groups, _ := c.rolesOf(rows)
		for _, o := range append(c.peopleOf(rows).Objects, groups.Objects...) {
			if _, err := directory.ParseObject(directory.AppendObject(nil, &o)); err != nil || o.ID == "" {
				t.Fatalf("object %+v: %v", o, err)
			}
			for _, field := range o.Fields {
				if common, ok := directory.LookupCommonField(field.Name); ok && field.Value.Type() != common.Type || field.Value.Type() == directory.TextType && field.Value.Text() == "" {
					t.Fatalf("%s is %s %q", field.Name, field.Value.Type(), field.Value)
				}
			}
		}
	})
}

// FuzzDate: a date is a moment, none, or an error.
func FuzzDate(f *testing.F) {
	for _, seed := range []string{"/Date(1700000000000)/", "/Date(-62135596800000)/", "/Date(1700000000000-0500)/", "2026-03-02T08:00:00Z", "/Date(", "x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, _ := json.Marshal(text)
		if at, err := (row{"d": raw}).date("d"); err != nil && !at.IsZero() {
			t.Fatalf("%v and %v", at, err)
		}
	})
}

// FuzzID: an id that may stand in a script is nothing else there.
func FuzzID(f *testing.F) {
	for _, seed := range []string{"c2c7bcc6-9560-44e0-8dff-5be221cd37ee", "' OR '1'='1", "a\\", "a;b", "Ж"} {
		f.Add(seed)
	}
	cfg := valid()
	people := cfg.people()
	f.Fuzz(func(t *testing.T, id string) {
		if script, ok := people.scriptFor(id); ok && (strings.Count(script, "'") != 2 || strings.ContainsAny(id, "'\"\\;() \n\r\t%*")) {
			t.Fatal(script)
		}
	})
}
