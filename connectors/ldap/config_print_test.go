package ldap

import (
	"os"
	"strings"
	"testing"
)

func TestInForce(t *testing.T) {
	c := Defaults()
	c.Preset, c.Fields, c.Users.Filter = presetOpenLDAP, map[string]Names{"department": {"ou"}}, "(uid=*)"
	block, remark := c.InForce()
	full := block.(*Config)
	if remark != "" || full.Fields["department"][0] != "ou" || full.Fields["login"][0] != "uid" || full.Users.Filter != "(uid=*)" ||
		full.Groups.Filter == "" || full.Anchor.Users != "entryUUID" || len(full.Groups.Members) != 4 || len(c.Fields) != 1 {
		t.Errorf("%+v, %q", full, remark)
	}
	full.Servers, full.Base = []string{"ldap://127.0.0.1"}, Names{"dc=example"}
	if issues := full.Validate(); len(issues) > 0 {
		t.Errorf("what is printed does not load: %v", issues)
	}
	c.Preset = ""
	block, remark = c.InForce()
	if block.(*Config) != c {
		t.Error("a preset that the server decides on is filled in")
	}
	for _, words := range []string{"preset: openldap", "preset: activedirectory", "fields.login: [sAMAccountName]", "groups.filter: (objectClass=group)"} {
		if !strings.Contains(remark, words) {
			t.Errorf("the remark does not say %q", words)
		}
	}
	for _, words := range []string{"fields.department", "users.filter"} {
		if strings.Contains(remark, words) {
			t.Errorf("the remark says %q, which is written", words)
		}
	}
}

// TestTableOfFields: the documentation says which attribute fills which name.
func TestTableOfFields(t *testing.T) {
	text, err := os.ReadFile("../../docs/ldap.md")
	if err != nil {
		t.Fatal(err)
	}
	code := func(names Names) string { return "`" + strings.Join(names, "`, `") + "`" }
	open, ad := openLDAP(), activeDirectory()
	for field := range open.person {
		if row := "| `" + field + "` | " + code(open.person[field]) + " | " + code(ad.person[field]) + " |\n"; !strings.Contains(string(text), row) {
			t.Errorf("docs/ldap.md has no row %s", row)
		}
	}
	for _, m := range marks() {
		if !strings.Contains(string(text), "`"+m.attribute+"`") {
			t.Errorf("docs/ldap.md does not name %s", m.attribute)
		}
	}
}
