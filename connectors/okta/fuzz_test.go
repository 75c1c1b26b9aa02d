package okta

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// FuzzUser: whatever an entry holds, it comes out as a well-formed object or as an error with a class.
func FuzzUser(f *testing.F) {
	for _, seed := range []string{
		`{"id":"00u1","status":"ACTIVE","created":"2024-05-01T10:00:00.000Z","profile":{"login":"a@b","badge":1e99,"teams":["x",[1],{}]}}`,
		`{"id":"00u1","status":"ACTIVE","profile":{"login":{"a":1},"email":"\ud800","managerId":[1]}}`, `null`, `{"id":7}`, `{`,
	} {
		f.Add([]byte(seed))
	}
	cfg := Defaults()
	cfg.Attributes, cfg.LastLogin = []string{"badge", "teams", "login"}, true
	tr := newTranslator(cfg)
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, invalid := tr.user(raw, "here")
		if invalid != nil {
			if fault.ClassOf(invalid.Err) != fault.Invalid {
				t.Fatalf("class %s", fault.ClassOf(invalid.Err))
			}
			return
		}
		if _, err := directory.ParseObject(directory.AppendObject(nil, &o)); err != nil || o.ID == "" {
			t.Fatalf("object %+v: %v", o, err)
		}
		for i, field := range o.Fields {
			if i > 0 && o.Fields[i-1].Name >= field.Name {
				t.Fatalf("fields in disorder: %v", o.Fields)
			}
			if common, ok := directory.LookupCommonField(field.Name); ok && field.Value.Type() != common.Type {
				t.Fatalf("%s is %s", field.Name, field.Value.Type())
			}
			if field.Value.Type() == directory.TextType && field.Value.Text() == "" {
				t.Fatalf("%s is empty", field.Name)
			}
		}
	})
}

func FuzzGroup(f *testing.F) {
	f.Add([]byte(`{"id":"00g1","type":"OKTA_GROUP","lastMembershipUpdated":"2024-05-01T10:00:00.000Z","profile":{"name":"x","description":null}}`))
	f.Add([]byte(`{"id":"0oa1","label":"x","status":"ACTIVE","profile":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, translate := range []translateGroup{group, application} {
			o, seen, invalid := translate(raw, "here")
			if invalid == nil && (o.ID == "" || o.ID != seen.id || textOf(&o, "name") == "") {
				t.Fatalf("object %+v", o)
			}
		}
	})
}

// FuzzLinks: a link that is found leads to a path, and no header makes the reader fail.
func FuzzLinks(f *testing.F) {
	f.Add(`<https://o.test/api/v1/users?after=x>; rel="next"`)
	f.Add(`<https://o.test/a>; rel="self", <//b?c>; rel=next`)
	f.Add(`<https://%zz>; rel="next"`)
	f.Add(`<a>;rel="ne\"xt",`)
	f.Fuzz(func(t *testing.T, line string) {
		next, err := nextLink([]string{line})
		if err != nil && next != "" || next != "" && !strings.HasPrefix(next, "/") {
			t.Fatalf("%q, %v", next, err)
		}
	})
}

// FuzzCursor: a cursor that is taken has what a read needs.
func FuzzCursor(f *testing.F) {
	good := cursor{Connector: streamUsers, Settings: "s", Since: 1, Log: &logPosition{Since: 1}}
	f.Add(good.bytes())
	good.Resume = &resumePoint{Phase: 1}
	f.Add(good.bytes())
	f.Add([]byte(`{"okta":"users","settings":"s","since":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		now := time.UnixMilli(1000)
		c, err := parseCursor("read", data, streamUsers, "s", true, now)
		if err == nil && (c.Since <= 0 || c.Log == nil || c.Resume != nil) {
			t.Fatalf("took %s", data)
		}
		c, err = parseResume("read", data, streamUsers, "s", now)
		if err == nil && (c.Since <= 0 || c.Resume == nil || c.Resume.Phase >= phases) {
			t.Fatalf("took %s to resume", data)
		}
	})
}

func FuzzEntries(f *testing.F) {
	for _, seed := range []string{`[]`, `[null]`, `null`, `{}`, `[{}]<html>`, ` [1,2]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, problem := entriesOf(body)
		if problem == "" && !json.Valid(body) || problem != "" && len(entries) > 0 {
			t.Fatalf("%d entries, %q", len(entries), problem)
		}
	})
}
