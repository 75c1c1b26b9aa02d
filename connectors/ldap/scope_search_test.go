package ldap

import (
	"strconv"
	"testing"
	"time"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
)

// fieldOf is what a configuration makes of one field of a person; empty when there is none.
func fieldOf(p preset, cfg *Config, name, dn string, attributes map[string]string) string {
	tr := newTranslator(directory.Person, p, cfg)
	e := &wire.Entry{DN: dn}
	for name, value := range attributes {
		e.Attributes = append(e.Attributes, wire.Attribute{Name: name, Values: []string{value}})
	}
	tr.row.load(e)
	for i := range tr.rules {
		if v, ok := tr.rules[i].read(tr.row); ok && tr.rules[i].name == name {
			return v.String()
		}
	}
	return ""
}

func TestWhichSearchFoundSomebody(t *testing.T) {
	once := false
	cfg := Defaults()
	cfg.Users.Search = []SearchLine{
		{Base: "OU=Nameless,DC=x"},
		{Name: "Desk", Base: "OU=Service Desk,OU=IT,DC=x", Recursive: &once},
		{Name: "London", Base: "OU=London,OU=Sites,DC=x"},
		{Name: "Sites", Base: "OU=Sites,DC=x"},
	}
	for dn, want := range map[string]string{
		"uid=a,ou=London,ou=Sites,dc=x":             "London",
		"UID=a,OU=Sales, ou=london ,ou=SITES,dc=x":  "London",
		"uid=a,ou=Oslo,ou=Sites,dc=x":               "Sites",
		"uid=a,ou=Service  Desk,ou=IT,dc=x":         "Desk",
		"uid=a,ou=Tools,ou=Service Desk,ou=IT,dc=x": "",
		"uid=a,ou=Nameless,dc=x":                    "",
		`uid=a,ou=Not\,OU\=London,dc=x`:             "",
		`uid=a,ou=b\,ou=London,ou=Sites,dc=x`:       "Sites",
	} {
		if got := fieldOf(openLDAP(), cfg, directory.FieldSearch, dn, nil); got != want {
			t.Errorf("%s: found by %q, want %q", dn, got, want)
		}
	}
	if got := fieldOf(openLDAP(), Defaults(), directory.FieldSearch, "uid=a,dc=x", nil); got != "" {
		t.Errorf("without names: %q", got)
	}
	if _, unread := Defaults().Unread(directory.Person, directory.FieldSearch); !unread {
		t.Error("rules may look at the search although no line has a name")
	}
	if hint, unread := cfg.Unread(directory.Person, directory.FieldSearch); unread {
		t.Error(hint)
	}
}

func TestExpires(t *testing.T) {
	filetime := func(at time.Time) string { return strconv.FormatInt((at.Unix()+filetimeEpoch)*1e7, 10) }
	day := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		preset     preset
		attributes map[string]string
		want       string
	}{
		"a date":                   {activeDirectory(), map[string]string{"accountExpires": filetime(day)}, "2026-06-30T22:00:00Z"},
		"never":                    {activeDirectory(), map[string]string{"accountExpires": "0"}, ""},
		"never, in full":           {activeDirectory(), map[string]string{"accountExpires": "9223372036854775807"}, ""},
		"beyond what can be told":  {activeDirectory(), map[string]string{"accountExpires": "9223372036854775806"}, ""},
		"not told":                 {activeDirectory(), nil, ""},
		"shadow":                   {openLDAP(), map[string]string{"shadowExpire": "20485"}, "2026-02-01T00:00:00Z"},
		"shadow, disabled":         {openLDAP(), map[string]string{"shadowExpire": "1"}, ""},
		"shadow, never":            {openLDAP(), map[string]string{"shadowExpire": "-1"}, ""},
		"the first of several":     {openLDAP(), map[string]string{"shadowExpire": "20485", "pwdEndTime": "20260131120000Z", "krbPrincipalExpiration": "20270101000000Z"}, "2026-01-31T12:00:00Z"},
		"begins":                   {openLDAP(), map[string]string{"pwdStartTime": "20260131120000Z"}, ""},
		"samba, never":             {openLDAP(), map[string]string{"sambaKickoffTime": "2147483647"}, ""},
		"of Active Directory only": {openLDAP(), map[string]string{"accountExpires": filetime(day)}, ""},
	} {
		if got := fieldOf(tc.preset, Defaults(), directory.FieldExpires, "uid=a,dc=x", tc.attributes); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	own := Defaults()
	own.Fields = map[string]Names{directory.FieldExpires: {"contractEnd"}}
	if got := fieldOf(openLDAP(), own, directory.FieldExpires, "uid=a,dc=x", map[string]string{"contractEnd": "20260131120000Z", "shadowExpire": "1000"}); got != "2026-01-31T12:00:00Z" {
		t.Errorf("an attribute of one's own: %q", got)
	}
}
