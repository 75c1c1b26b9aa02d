package saml

import (
	"testing"

	"dirsyncd/sync/mapping"
)

// TestRequireOfAttributes: what an operator requires is asked of attributes, by their names and by the words that the configuration has for them.
func TestRequireOfAttributes(t *testing.T) {
	r := newRig(t, nil)
	_, pending := r.begin(t)
	answer := r.answer(pending.Request)
	attribute := func(name, friendly string, values ...string) string {
		text := `<saml:Attribute Name="` + name + `" FriendlyName="` + friendly + `">`
		for _, v := range values {
			text += "<saml:AttributeValue>" + v + "</saml:AttributeValue>"
		}
		return text + "</saml:Attribute>"
	}
	answer.Attributes = attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "eduPersonAffiliation", "member", "staff") + attribute("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "", "ada@example.test")
	a, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`"staff" in claims["urn:oid:1.3.6.1.4.1.5923.1.1.1.1"]`: true,
		`"guest" in claims["urn:oid:1.3.6.1.4.1.5923.1.1.1.1"]`: false,
		`domain(claim.mail) == "example.test"`:                  true,
		`claim.object_guid != nil`:                              false,
	} {
		all, problems := mapping.CompileRequirements([]mapping.TextSpec{{Text: text}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := all.Check(a.Claims, r.now()); got[0].Holds != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
