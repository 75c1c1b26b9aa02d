package okta

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func TestValues(t *testing.T) {
	for text, want := range map[string]directory.Value{
		`"x"`: directory.Text("x"), `""`: directory.Text(""), `null`: directory.Null(), `true`: directory.Bool(true), `false`: directory.Bool(false),
		`7`: directory.Number(7), `-3`: directory.Number(-3), `9007199254740993`: directory.Number(9007199254740993),
		`12345678901234567890123`: directory.Text("12345678901234567890123"), `1.5`: directory.Text("1.5"),
		`["b","a","",null]`: directory.List("a", "b"), `[1,true]`: directory.List("1", "true"), `[]`: directory.List(),
		`{"a":1}`: directory.Text(`{"a":1}`), `"\u00e9\ud800"`: directory.Text("é\uFFFD"), ``: directory.Null(),
	} {
		if got := valueOf(json.RawMessage(text)); !got.Equal(want) {
			t.Errorf("%s: got %s %v, want %s %v", text, got.Type(), got, want.Type(), want)
		}
	}
}

func TestUser(t *testing.T) {
	cfg := Defaults()
	cfg.Attributes = []string{"badge", "teams", "none", "remote", "badge"}
	cfg.Fields = map[string]Names{"office": {"building", "site"}, "emails": {"email", "aliases"}, "manager": {"boss", "managerId"}}
	cfg.LastLogin = true
	raw := `{"id":"00u1","status":"LOCKED_OUT","created":"2024-05-01T10:00:00.000Z","lastLogin":null,"profile":{
		"login":"Ada@Example.com","email":"ada@example.com","firstName":"Ada","lastName":"Ås","displayName":null,"mobilePhone":null,
		"employeeNumber":"E7 ","aliases":["a@x","b@x"],"site":"North","building":"","badge":9007199254740993,"teams":["x","y"],"remote":false,
		"managerId":"Eve@example.com","boss":"","countryCode":"NO","title":"","password":{"value":"no"}},"credentials":{"odd":1},"_links":7}`
	o, invalid := newTranslator(cfg).user(json.RawMessage(raw), "here")
	if invalid != nil {
		t.Fatal(invalid.Err)
	}
	var got []string
	for _, f := range o.Fields {
		got = append(got, f.Name+"="+f.Value.String())
	}
	want := []string{
		"attributes.badge=9007199254740993", "attributes.remote=false", "attributes.teams=x, y", "country=NO", "created=2024-05-01T10:00:00Z",
		"email=ada@example.com", "emails=a@x, ada@example.com, b@x", "employee_id=E7 ", "enabled=true", "family_name=Ås", "given_name=Ada",
		"login=Ada@Example.com", "name=Ada Ås", "office=North", "status=LOCKED_OUT",
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields\n got %q\nwant %q", got, want)
	}
	if links := fmt.Sprint(o.Links); links != "[{manager login:eve@example.com} {manager email:eve@example.com} {member_of builtin:everyone}]" {
		t.Errorf("links %s", links)
	}
	if handles := fmt.Sprint(o.Handles); handles != "[login:ada@example.com email:ada@example.com employee:e7]" {
		t.Errorf("handles %s", handles)
	}
}

func TestUnreadableUsers(t *testing.T) {
	tr := newTranslator(Defaults())
	for raw, id := range map[string]string{
		`null`: "", `7`: "", `{}`: "", `{"id":"","status":"ACTIVE","profile":{}}`: "", `{"id":7}`: "",
		`{"id":"00u1","status":"ACTIVE","profile":"odd"}`:                             "00u1",
		`{"id":"00u1","status":"ACTIVE"}`:                                             "00u1",
		`{"id":"00u1","status":"ACTIVE","profile":null}`:                              "00u1",
		`{"id":"00u1","status":"VERY_NEW","profile":{}}`:                              "00u1",
		`{"id":"00u1","status":7,"profile":{}}`:                                       "00u1",
		`{"id":"00u1","profile":{}}`:                                                  "00u1",
		`{"id":"00u1","status":"ACTIVE","profile":{},"created":"yesterday"}`:          "00u1",
		`{"id":"00u1","status":"ACTIVE","profile":{},"lastLogin":"31/01/2026 10:00"}`: "00u1",
	} {
		_, invalid := tr.user(json.RawMessage(raw), "here")
		if invalid == nil || invalid.ID != id || fault.ClassOf(invalid.Err) != fault.Invalid || fault.Hint(invalid.Err) == "" {
			t.Errorf("%s: %+v", raw, invalid)
		}
	}
	// A status that the operator names is known, even when Okta has invented it since.
	cfg := Defaults()
	cfg.Statuses.Active = append(cfg.Statuses.Active, "VERY_NEW")
	if o, invalid := newTranslator(cfg).user(json.RawMessage(`{"id":"00u1","status":"VERY_NEW","profile":{}}`), "here"); invalid != nil || textOf(&o, "enabled") != "true" {
		t.Errorf("a status of the operator: %+v", invalid)
	}
}

func TestStatuses(t *testing.T) {
	tr := newTranslator(Defaults())
	for status, enabled := range map[string]bool{
		"STAGED": false, "PROVISIONED": false, "ACTIVE": true, "RECOVERY": true, "PASSWORD_EXPIRED": true, "LOCKED_OUT": true,
		"SUSPENDED": false, "DEPROVISIONED": false,
	} {
		o, _ := tr.user(json.RawMessage(`{"id":"00u1","status":"`+status+`","profile":{}}`), "here")
		if v, _ := o.Get(directory.FieldEnabled); v.Bool() != enabled || textOf(&o, "status") != status {
			t.Errorf("%s: enabled %t", status, v.Bool())
		}
	}
}

func TestManagers(t *testing.T) {
	for text, want := range map[string]string{
		"": "[]", "00u1ab2cd3ef4gh5ij6k": "[{manager id:00u1ab2cd3ef4gh5ij6k}]", " Ada@X.com ": "[{manager login:ada@x.com} {manager email:ada@x.com}]",
		"4711": "[{manager employee:4711} {manager login:4711}]", "00u": "[{manager employee:00u} {manager login:00u}]",
	} {
		if got := fmt.Sprint(managerLinks(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	const self, next = `<https://o.test/api/v1/users?limit=2>; rel="self"`, `<https://o.test/api/v1/users?after=a%2Cb&limit=2>; rel="next"`
	const want = "/api/v1/users?after=a%2Cb&limit=2"
	for name, tc := range map[string]struct {
		lines []string
		want  string
		bad   bool
	}{
		"apart":                   {[]string{self, next}, want, false},
		"the other way round":     {[]string{next, self}, want, false},
		"joined":                  {[]string{self + ", " + next}, want, false},
		"joined without a blank":  {[]string{next + "," + self}, want, false},
		"the last page":           {[]string{self}, "", false},
		"none":                    {nil, "", false},
		"empty":                   {[]string{"", " , "}, "", false},
		"without quotes":          {[]string{strings.ReplaceAll(next, `"`, "")}, want, false},
		"several relations":       {[]string{strings.Replace(next, `"next"`, `"last next"`, 1)}, want, false},
		"parameters":              {[]string{strings.Replace(next, "; rel", `; title="a, b; c=\"<x>\""; REL`, 1)}, want, false},
		"the same twice":          {[]string{next, next}, want, false},
		"two different":           {[]string{next, strings.Replace(next, "after=a", "after=z", 1)}, "", true},
		"next in the address":     {[]string{`<https://o.test/api/v1/users?q=rel="next">; rel="self"`}, "", false},
		"no URL":                  {[]string{`<https://%zz/>; rel="next"`}, "", true},
		"no path":                 {[]string{`<mailto:a@b>; rel="next"`}, "", true},
		"an open bracket":         {[]string{`<https://o.test/api; rel="next"`}, "", true},
		"no link":                 {[]string{`next=https://o.test/`}, "", true},
		"another host is dropped": {[]string{strings.Replace(next, "o.test", "evil.test", 1)}, want, false},
	} {
		got, err := nextLink(tc.lines)
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
