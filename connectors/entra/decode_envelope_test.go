package entra

import (
	"strings"
	"testing"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// FuzzPage feeds whole pages to what reads them: never a panic, never an object without an id, never an empty text.
func FuzzPage(f *testing.F) {
	f.Add(string(userPage(2)))
	f.Add(`{"value":[null,7,{"id":"x","members@delta":[{"id":"y","@removed":{}}],"groupTypes":["Unified"],"mailEnabled":null}],"@odata.nextLink":null}`)
	f.Add(`{"value":[{"id":"x","skuId":"y","prepaidUnits":{"enabled":1},"signInActivity":{"lastSignInDateTime":"2026-01-01T00:00:00Z"},"licenseAssignmentStates":[{"skuId":"a"}]}]}`)
	sel := Selection{Licences: true, Manager: true, SignInActivity: true, TenantType: B2C, Attributes: []string{"licenseAssignmentStates", "a", "a.b", "onPremisesExtensionAttributes.extensionAttribute1"}}
	names := BuiltInLicenceNames()
	f.Fuzz(func(t *testing.T, text string) {
		page, err := openEnvelope("read", []byte(text))
		if err != nil {
			return
		}
		users, groups, devices := newUserDecoder(&sel), newGroupDecoder(), newDeviceDecoder(true)
		for w := jsonscan.Enter(page.value); w.More(); {
			v := w.Value()
			if users.entry.load(v) == nil {
				o, err := users.translate()
				checkObject(t, o, err)
				_, _, _ = users.managerOf()
			}
			if groups.entry.load(v) == nil {
				for _, partial := range []bool{false, true} {
					o, err := groups.translate(partial)
					checkObject(t, o, err)
				}
				_ = groups.eachMember(func(handle string, _ bool) {
					if handle == "id:" {
						t.Error("a member without id")
					}
				})
			}
			if devices.entry.load(v) == nil {
				o, err := devices.translate()
				checkObject(t, o, err)
			}
			o, err := licenceObject(v, names)
			checkObject(t, o, err)
		}
	})
}

func checkObject(t *testing.T, o directory.Object, err error) {
	t.Helper()
	if err != nil {
		return
	}
	if o.ID == "" {
		t.Error("no id")
	}
	for i, f := range o.Fields {
		if i > 0 && o.Fields[i-1].Name >= f.Name {
			t.Errorf("%s after %s", f.Name, o.Fields[i-1].Name)
		}
		common, ok := directory.LookupCommonField(f.Name)
		if !ok && !strings.HasPrefix(f.Name, directory.AttributePrefix) || ok && f.Value.Type() != common.Type && f.Value.Type() != directory.NullType {
			t.Errorf("%s is %s", f.Name, f.Value.Type())
		}
		if f.Value.Type() == directory.TextType && f.Value.Text() == "" {
			t.Errorf("%s is empty", f.Name)
		}
	}
	if _, err := directory.ParseObject(directory.AppendObject(nil, &o)); err != nil {
		t.Error(err)
	}
}

// TestEnvelope: an answer that is not a page is never an empty page.
func TestEnvelope(t *testing.T) {
	for _, bad := range []string{
		``, ` `, `null`, `[]`, `"x"`, `7`, `{}`, `{"value":null}`, `{"value":{}}`, `{"value":"x"}`, `{"value":[]`, `{"value":[]}{"value":[]}`,
		`{"value":[],"value":[]}`, `{"value":[],"@odata.nextLink":7}`, `{"value":[],"@odata.nextLink":"a","@odata.deltaLink":"b"}`, `{"Value":[]}`,
		`{"error":{"code":"x"}}`, "\xEF\xBB\xBF",
	} {
		if e, err := openEnvelope("read", []byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, e)
		}
	}
	e, err := openEnvelope("read", []byte("\xEF\xBB\xBF {\"@odata.context\":\"x\",\"value\" : [ ] ,\"@odata.nextLink\":\"https:\\/\\/x\\/?a=1\\u0026b\"} "))
	if err != nil || e.next != "https://x/?a=1&b" || e.delta != "" {
		t.Errorf("%+v, %v", e, err)
	}
}
