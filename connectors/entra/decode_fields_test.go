package entra

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// form translates one user.
func form(t *testing.T, sel Selection, text string) (directory.Object, error) {
	t.Helper()
	f := newUserDecoder(&sel)
	if err := f.entry.load(jsonscan.Value(text)); err != nil {
		t.Fatal(err)
	}
	return f.translate()
}

func TestUserFields(t *testing.T) {
	for name, test := range map[string]struct {
		sel  Selection
		text string
		want map[string]string // "-" is absent
	}{
		"nothing": {Selection{}, `{"id":"X"}`, map[string]string{"email": "-", "emails": "-", "enabled": "-", "phone": "-"}},
		"empty texts and lists": {Selection{}, `{"id":"x","displayName":"","mail":"","businessPhones":[],"otherMails":[""],"userType":null}`,
			map[string]string{"name": "-", "email": "-", "emails": "-", "phone": "-", "user_type": "-"}},
		"guest": {Selection{}, `{"id":"x","userType":"Guest","userPrincipalName":"a_b.test#EXT#@c.onmicrosoft.test","mail":"a@b.test"}`,
			map[string]string{"user_type": "guest", "login": "a_b.test#EXT#@c.onmicrosoft.test", "email": "a@b.test"}},
		"addresses": {Selection{}, `{"id":"x","mail":"A@x.test","proxyAddresses":["SMTP:a@x.test","smtp:b@x.test","x500:/o=x","sip:a@x.test","smtp:"],"otherMails":["c@x.test",null]}`,
			map[string]string{"email": "A@x.test", "emails": "A@x.test, b@x.test, c@x.test"}},
		"local account": {Selection{TenantType: B2C},
			`{"id":"x","mail":null,"otherMails":["o@x.test"],"identities":[{"signInType":"userName","issuerAssignedId":"u"},{"signInType":"emailAddress1","issuer":"i","issuerAssignedId":"e@x.test"}]}`,
			map[string]string{"email": "e@x.test", "emails": "e@x.test, o@x.test"}},
		"local account without address":       {Selection{TenantType: External}, `{"id":"x","otherMails":["o@x.test"],"identities":[]}`, map[string]string{"email": "o@x.test"}},
		"other addresses do not replace mail": {Selection{}, `{"id":"x","otherMails":["o@x.test"]}`, map[string]string{"email": "-", "emails": "o@x.test"}},
		"never":                               {Selection{}, `{"id":"x","createdDateTime":"0001-01-01T00:00:00Z"}`, map[string]string{"created": "-"}},
		"broken seconds":                      {Selection{}, `{"id":"x","createdDateTime":"2021-03-12T10:36:14.1234567Z"}`, map[string]string{"created": "2021-03-12T10:36:14Z"}},
		"sign-in that went well": {Selection{SignInActivity: true}, `{"id":"x","signInActivity":{"lastSignInDateTime":"2026-01-03T00:00:00Z","lastSuccessfulSignInDateTime":"2026-01-02T00:00:00Z"}}`,
			map[string]string{"last_login": "2026-01-02T00:00:00Z"}},
		"latest of two": {Selection{SignInActivity: true}, `{"id":"x","signInActivity":{"lastSignInDateTime":"2026-01-03T00:00:00Z","lastNonInteractiveSignInDateTime":"2026-01-04T00:00:00Z"}}`,
			map[string]string{"last_login": "2026-01-04T00:00:00Z"}},
		"leaves":          {Selection{LeaveDate: true}, `{"id":"x","employeeLeaveDateTime":"2026-09-30T23:59:59Z"}`, map[string]string{"expires": "2026-09-30T23:59:59Z"}},
		"stays":           {Selection{LeaveDate: true}, `{"id":"x","employeeLeaveDateTime":null}`, map[string]string{"expires": "-"}},
		"nobody asked":    {Selection{}, `{"id":"x","employeeLeaveDateTime":"2026-09-30T23:59:59Z"}`, map[string]string{"expires": "-"}},
		"never signed in": {Selection{SignInActivity: true}, `{"id":"x","signInActivity":null}`, map[string]string{"last_login": "-"}},
		"escapes":         {Selection{}, `{"id":"x","displayName":"Zo\u00eb \"Z\" \\ O\/N"}`, map[string]string{"name": `Zoë "Z" \ O/N`}},
		"attributes of all kinds": {
			Selection{Attributes: []string{"a", "b", "c", "d", "e", "f", "g", "h.i", "onPremisesExtensionAttributes.extensionAttribute3", "licenseAssignmentStates"}},
			`{"id":"x","a":"t","b":12345678901234567,"c":1.5,"d":true,"e":["y","x"],"f":{"k" : [1, 2]},"g":null,"h":{"i":"deep"},"onPremisesExtensionAttributes":{"extensionAttribute3":"three"},
			"licenseAssignmentStates":[{"skuId":"S","assignedByGroup":null,"state":"Active","error":"None"},{"skuId":"S","assignedByGroup":"G","state":"Error","error":"CountViolation"}]}`,
			map[string]string{
				"attributes.a": "t", "attributes.b": "12345678901234567", "attributes.c": "1.5", "attributes.d": "true", "attributes.e": "x, y",
				"attributes.f": `{"k":[1,2]}`, "attributes.g": "-", "attributes.h.i": "deep",
				"attributes.onPremisesExtensionAttributes.extensionAttribute3": "three",
				"attributes.licenseAssignmentStates":                           "s direct, s group G Error CountViolation",
			},
		},
	} {
		o, err := form(t, test.sel, test.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkObject(t, o, nil)
		for field, want := range test.want {
			v, ok := o.Get(field)
			if got := v.String(); ok != (want != "-") || ok && got != want {
				t.Errorf("%s: %s is %q (%t), want %q", name, field, got, ok, want)
			}
		}
	}
}

// TestIDs: a GUID has one spelling, however the service writes it.
func TestIDs(t *testing.T) {
	const id = "AAAAAAAA-0000-4000-8000-00000000000B"
	o, err := form(t, Selection{Licences: true}, `{"id":"`+id+`","assignedLicenses":[{"skuId":"`+id+`"},{"skuId":"`+strings.ToLower(id)+`"}]}`)
	if err != nil || o.ID != strings.ToLower(id) || len(o.Links) != 1 || o.Links[0].To != "sku:"+strings.ToLower(id) {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestManagerDelta reads the forms in which a manager comes.
func TestManagerDelta(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"x"}`:                              "unknown",
		`{"id":"x","manager@delta":[]}`:           "",
		`{"id":"x","manager":null}`:               "",
		`{"id":"x","manager":{"id":"m"}}`:         "m",
		`{"id":"x","manager@delta":[{"id":"m"}]}`: "m",
		`{"id":"x","manager@delta":[{"id":"m","@removed":{"reason":"deleted"}}]}`:       "",
		`{"id":"x","manager@delta":[{"id":"o","@removed":{}},{"id":"m"}]}`:              "m",
		`{"id":"x","manager@delta":[{"id":"m"},{"id":"o","@removed":{}}]}`:              "m",
		`{"id":"x","manager@delta":[{"id":"m"},{"id":"m","@removed":{}}]}`:              "",
		`{"id":"x","manager@delta":[{"id":"m","@removed":{}},{"id":"m"}]}`:              "m",
		`{"id":"x","manager@delta":[{"id":"m","@odata.type":"#microsoft.graph.user"}]}`: "m",
	} {
		f := newUserDecoder(&Selection{Manager: true})
		if err := f.entry.load(jsonscan.Value(text)); err != nil {
			t.Fatal(err)
		}
		got, stated, err := f.managerOf()
		if !stated {
			got = "unknown"
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q, %v", text, got, want, err)
		}
	}
}

// TestGroupPartial: a short answer states what it mentions, clears what is null, and leaves the rest alone.
func TestGroupPartial(t *testing.T) {
	f := newGroupDecoder()
	if err := f.entry.load(`{"id":"g","mail":null,"description":"d","securityEnabled":true}`); err != nil {
		t.Fatal(err)
	}
	o, err := f.translate(true)
	if err != nil || !o.Partial || len(o.Fields) != 2 || o.Fields[1].Name != "email" || o.Fields[1].Value.Type() != directory.NullType || !f.halfKnown() {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestFold: on one page the last word holds.
func TestFold(t *testing.T) {
	f := newPageBuilder(directory.Group)
	name := func(v directory.Value) []directory.Field { return []directory.Field{{Name: "name", Value: v}} }
	f.object(directory.Object{Kind: directory.Group, ID: "a", Fields: name(directory.Text("1"))})
	f.object(directory.Object{Kind: directory.Group, ID: "a", Fields: name(directory.Text("2"))})
	f.object(directory.Object{Kind: directory.Group, ID: "a", Partial: true, Fields: name(directory.Null())})
	f.member("b", "id:x", true)
	f.object(directory.Object{Kind: directory.Group, ID: "b"})
	f.remove("b")
	f.remove("c")
	f.object(directory.Object{Kind: directory.Group, ID: "c"})
	f.member("a", "id:x", true)
	f.member("a", "id:x", false)
	f.member("a", "id:y", false)
	f.member("a", "id:y", true)
	p := f.page(false)
	if len(p.Objects) != 2 || len(p.Objects[0].Fields) != 0 || p.Objects[1].ID != "c" || len(p.Removed) != 1 || p.Removed[0].ID != "b" {
		t.Errorf("%+v", p)
	}
	if len(p.Members) != 1 || len(p.Members[0].Add) != 1 || p.Members[0].Add[0] != "id:y" || len(p.Members[0].Remove) != 1 {
		t.Errorf("%+v", p.Members)
	}
	f.reset()
	if p := f.page(false); len(p.Objects)+len(p.Removed)+len(p.Members) != 0 {
		t.Errorf("after reset: %+v", p)
	}
}

// TestLicences: quantity, used and free, the name, the handle that people's licences name.
func TestLicences(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 10, SKUs: 2}}, microsoftsim.Pages{})
	list := w.tenant.SKUs()
	list[0].Enabled, list[0].Warning, list[0].Suspended = 4, 3, 100
	list[1].ID, list[1].PartNumber = "ABCDEF00-0000-4000-8000-000000000001", "UNHEARD_OF"
	w.tenant.SetSKUs(list...)
	objects, last, err := readAll(t, w.open(nil), streamLicences, connectors.Full, nil)
	if err != nil || len(objects) != 2 || last.Proof == nil {
		t.Fatal(objects, err)
	}
	first, second := objects[list[0].ID], objects["abcdef00-0000-4000-8000-000000000001"]
	for _, test := range []struct {
		o           directory.Object
		field, want string
	}{
		{first, "name", "Microsoft 365 Business Standard"}, {first, "sku", "O365_BUSINESS_PREMIUM"}, {first, "status", "Enabled"},
		{first, "quantity", "7"}, {first, "used", "10"}, {first, "free", "0"}, {second, "name", "UNHEARD_OF"},
	} {
		if v, _ := test.o.Get(test.field); v.String() != test.want {
			t.Errorf("%s is %q, want %q", test.field, v, test.want)
		}
	}
	if len(second.Handles) != 1 || second.Handles[0] != "sku:abcdef00-0000-4000-8000-000000000001" {
		t.Errorf("%q", second.Handles)
	}
}

// TestDevices: the device's user is a link, and what changes by itself is not there unless asked for.
func TestDevices(t *testing.T) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 3, Managed: 6}}, microsoftsim.Pages{})
	objects, _, err := readAll(t, w.open(func(c *Config) { c.Devices = true }), streamDevices, connectors.Full, nil)
	one, five := objects[w.tenant.ManagedID(0)], objects[w.tenant.ManagedID(5)]
	if err != nil || len(objects) != 6 || links(one, directory.Owner) != 1 || one.Links[0].To != "id:"+w.tenant.PersonID(0) || len(five.Links) != 0 {
		t.Errorf("%+v %+v %v", one, five, err)
	}
	if v, ok := one.Get(directory.FieldLastSeen); ok {
		t.Errorf("last_seen %s", v)
	}
	objects, _, err = readAll(t, w.open(func(c *Config) { c.Devices, c.DeviceLastSeen = true, true }), streamDevices, connectors.Full, nil)
	one = objects[one.ID]
	if v, ok := one.Get(directory.FieldLastSeen); err != nil || !ok || v.Type() != directory.TimeType {
		t.Errorf("last_seen %s %v", v, err)
	}
}

// TestSignInActivity: people are listed in full every time, and no delta is promised.
func TestSignInActivity(t *testing.T) {
	w := small(t)
	w.tenant.Set(w.tenant.PersonID(1), microsoftsim.Props{"signInActivity": map[string]any{"lastSignInDateTime": "2026-01-05T10:00:00Z"}})
	c := w.open(func(c *Config) { c.SignInActivity = true })
	if s := c.Describe().Streams[0]; s.Delta || s.Tombstones || s.Resumable {
		t.Errorf("%+v", s)
	}
	objects, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
	one := objects[w.tenant.PersonID(1)]
	if v, ok := one.Get(directory.FieldLastLogin); err != nil || !ok || v.String() != "2026-01-05T10:00:00Z" || len(last.Cursor) != 0 {
		t.Errorf("%s %v", v, err)
	}
	w.tenant.Revoke(testClient, "AuditLog.Read.All")
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); err == nil || !strings.Contains(err.Error(), "AuditLog.Read.All") {
		t.Error(err)
	}
}
