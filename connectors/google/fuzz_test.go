package google

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// bare is a reading that asks nobody.
func bare(tb testing.TB, change func(*Config)) *reading {
	tb.Helper()
	cfg := valid()
	if change != nil {
		change(cfg)
	}
	c, err := open(cfg, connectors.Env{Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	a, err := c.account("")
	if err != nil {
		tb.Fatal(err)
	}
	r := &reading{account: a, connector: c, op: "read users", customer: "C01", began: time.Now(), stream: c.Describe().Streams[0]}
	r.emit = func(*connectors.Page) error { return nil }
	return r
}

// FuzzUser: whatever a page of people holds, what comes of it keeps to the form of objects, and everybody is either
// an object or named as unreadable.
func FuzzUser(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"admin#directory#users","users":[{"id":"1","primaryEmail":"a@b","name":{"fullName":"A"},"emails":[{"address":"a@b"}],"customSchemas":{"S":{"f":[{"value":1}]}}}]}`,
		`{"etag":"x","users":[null,5,{"id":""},{"id":"1","phones":{"type":"work","value":"1"},"organizations":null}],"nextPageToken":"t"}`,
		`{"kind":"x","users":[{"id":"1","creationTime":"1970-01-01T00:00:00.000Z","aliases":["","x"],"relations":[{"type":"manager","value":"@"}]}]}`,
		`{"kind":"x","users":{}}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	r := bare(f, func(c *Config) {
		c.Attributes = []string{"S.f", "emails", "organizations.costCenter", "phones.work", "lastLoginTime"}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseListPage("read users", body)
		if err != nil {
			if fault.ClassOf(err) != fault.Transient {
				t.Errorf("%v", err)
			}
			return
		}
		for _, raw := range d.Users {
			u, err := parseUser(raw)
			if err != nil {
				_ = r.invalidUser(raw, err, "somewhere")
				continue
			}
			o, err := r.person(u, raw, nil)
			if err != nil {
				continue
			}
			wellFormed(t, &o)
		}
	})
}

func wellFormed(t *testing.T, o *directory.Object) {
	t.Helper()
	if _, err := directory.ParseObject(directory.AppendObject(nil, o)); err != nil {
		t.Errorf("does not survive storing: %v", err)
	}
	for i, f := range o.Fields {
		if i > 0 && o.Fields[i-1].Name >= f.Name {
			t.Errorf("field %s after %s", f.Name, o.Fields[i-1].Name)
		}
		if common, ok := directory.LookupCommonField(f.Name); ok && f.Value.Type() != common.Type || f.Value.Blank() {
			t.Errorf("field %s: %v %q", f.Name, f.Value.Type(), f.Value)
		}
	}
	for _, h := range o.Handles {
		if h == "mail:" {
			t.Error("an empty handle")
		}
	}
	for _, l := range o.Links {
		if l.To == "" || l.Type == 0 {
			t.Errorf("link %+v", l)
		}
	}
}

// FuzzSplit: whatever is JSON is split as the standard library decodes it, and what is split but for the inside of
// entries is JSON.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"x","users":[{"a":"]}\\\""},null,[1,[2]],"\u0041", -1.5e3 ,true],"nextPageToken":"t","other":{"users":[1]}}`, `{}`, ` { "users" : null } `,
		`{"users":[],"users":[1]}`, `{"users":[x],"users":[1]}`, `{"users":[1,]}`, `{"users":[1}`, `{"kind":1}`, `{"a":tru}`, `{"users":{}}`, `{"users":[{]}]}`, `{"kind":"x"}x`, `{} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d listPage
		err := splitListPage(body, d.list, d.text)
		var want struct {
			Users []json.RawMessage `json:"users"`
			Token string            `json:"nextPageToken"`
		}
		entriesAreJSON := true
		for _, lists := range [][]json.RawMessage{d.Users, d.Groups, d.Members, d.Items, d.ChromeOS, d.Mobile, d.Subscriptions} {
			for _, e := range lists {
				entriesAreJSON = entriesAreJSON && json.Valid(e)
			}
		}
		var all map[string]json.RawMessage
		if wantErr := json.Unmarshal(body, &all); wantErr != nil {
			if err == nil && entriesAreJSON {
				t.Errorf("taken, although it is no JSON: %v", wantErr)
			}
			return
		}
		if all == nil || err != nil {
			return
		}
		if json.Unmarshal(all["users"], &want.Users) == nil && len(want.Users) != len(d.Users) {
			t.Errorf("%d entries, want %d", len(d.Users), len(want.Users))
		}
		for i := range min(len(want.Users), len(d.Users)) {
			if string(want.Users[i]) != string(d.Users[i]) {
				t.Errorf("entry %q, want %q", d.Users[i], want.Users[i])
			}
		}
		if json.Unmarshal(all["nextPageToken"], &want.Token) == nil && want.Token != d.NextPageToken {
			t.Errorf("token %q, want %q", d.NextPageToken, want.Token)
		}
	})
}

// FuzzEvents: the audit log leads to events or to a full read, never to anything else.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"kind":"x","items":[{"id":{"time":"2026-01-01T00:00:00Z","uniqueQualifier":"-1"},"events":[{"type":"USER_SETTINGS","name":"DELETE_USER","parameters":[{"name":"USER_EMAIL","value":"A@b"}]}]}]}`))
	f.Add([]byte(`{"kind":"x","items":[{"id":{"time":5}},null,{"events":{"name":"X","parameters":null}}]}`))
	r := bare(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseListPage("read users", body)
		if err != nil {
			return
		}
		l := &log{marks: map[uint64]time.Time{}}
		for _, raw := range d.Items {
			if err := r.note(l, raw, nil); err != nil && fault.ClassOf(err) != fault.CursorExpired {
				t.Errorf("%v", err)
			}
		}
	})
}

// FuzzCursor: a cursor is read back as it was written, and anything else is refused.
func FuzzCursor(f *testing.F) {
	r := bare(f, nil)
	good := r.firstCursor()
	f.Add(good)
	f.Add([]byte(`{"v":1,"since":1,"full":1}`))
	f.Add([]byte(`{"v":1,"stream":"users","seen":"AAAA"}`))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := r.parseCursor(data)
		if err != nil {
			if fault.ClassOf(err) != fault.CursorExpired {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := r.parseCursor(c.bytes())
		if err != nil || again != c {
			t.Errorf("%+v came back as %+v, %v", c, again, err)
		}
	})
}

// FuzzAnswer: an error document of any shape has a class, and what it says of people does not get through.
func FuzzAnswer(f *testing.F) {
	f.Add(403, []byte(`{"error":{"code":403,"message":"x","errors":[{"reason":"quotaExceeded"}]}}`))
	f.Add(400, []byte(`{"error":"invalid_grant","error_description":"Invalid email or User ID"}`))
	f.Add(429, []byte(`<html>`))
	x := explainer{time.Now}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 300 || status > 599 {
			return
		}
		for _, op := range []string{opToken, "list users"} {
			if e := x.explain(&rest.Answer{Op: op, Status: status, Body: body}); e != nil {
				if e.Class == "" || e.Err == nil {
					t.Errorf("%+v", e)
				}
				for _, r := range e.Error() {
					if r == '@' {
						t.Errorf("an address in %q", e.Error())
					}
				}
			}
		}
	})
}

// FuzzAttribute: whatever Validate lets through can be asked for and read.
func FuzzAttribute(f *testing.F) {
	f.Add("Schema.field", []byte(`{"customSchemas":{"Schema":{"field":[{"type":"work","value":"x"},{"value":{}}]}}}`))
	f.Add("phones.work", []byte(`{"phones":[{"type":"work","value":"x"},{"type":"work","value":"y"}]}`))
	f.Add("lastLoginTime", []byte(`{"lastLoginTime":"1970-01-01T00:00:00.000Z"}`))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		a, err := parseAttribute(name)
		var all map[string]json.RawMessage
		if err != nil || json.Unmarshal(body, &all) != nil {
			return
		}
		if v, ok := a.read(all); ok {
			_ = fmt.Sprint(v)
		}
	})
}
