package dn

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

func TestNormalForm(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"uid=ada,ou=People,dc=example,dc=test", "uid=ada,ou=people,dc=example,dc=test"},
		{" UID = Ada Ames , OU=People ", "uid=ada ames,ou=people"},
		{"cn=Ada  B.   Ames,dc=x", "cn=ada b. ames,dc=x"},
		{`CN=Ames\, Ada,DC=x`, `cn=ames\, ada,dc=x`},
		{`CN=Ames\2C Ada,DC=x`, `cn=ames\, ada,dc=x`},
		{"cn=Ada+uid=7,dc=x", "cn=ada+uid=7,dc=x"},
		{"uid=7+CN=Ada,dc=x", "cn=ada+uid=7,dc=x"},
		{"cn=Ämes,dc=x", "cn=ämes,dc=x"},
		{`cn=\C3\84mes,dc=x`, "cn=ämes,dc=x"},
		{"cn=\u212Aim,dc=x", "cn=kim,dc=x"}, // KELVIN SIGN
		{"cn=#04024869,dc=x", "cn=hi,dc=x"},
		{`cn=a\=b,dc=x`, "cn=a=b,dc=x"},
		{"cn=a=b,dc=x", "cn=a=b,dc=x"},
		{`CN=old\0ADEL:1,CN=Deleted Objects`, `cn=old\0adel:1,cn=deleted objects`},
		{"cn=a;dc=x", "cn=a,dc=x"},
		{"", ""},
		{" Not a DN ", "not a dn"},
		{"cn=", "cn="},
	} {
		if got := string(Form{SquashSpaces: true}.Append(nil, tc.in)); got != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.in, got, tc.want)
		}
	}
	if got := string(Form{}.Append([]byte("dn:"), "CN=A  B")); got != "dn:cn=a  b" {
		t.Errorf("without squashing: %q", got)
	}
}

// FuzzNormalForm: the normal form is its own, and two DNs that go-ldap calls equal have the same one, and only they.
func FuzzNormalForm(f *testing.F) {
	f.Add("uid=ada,dc=x", "UID=ADA, DC=X")
	f.Add(`cn=a\,b+sn=c,dc=x`, `SN=c+CN=a\2cb,dc=x`)
	f.Add("cn=ſ,dc=x", "cn=S,dc=x")
	f.Add("cn=#0401ff", `cn=\ff`)
	f.Add(` = ,`, `cn=\20a\20`)
	f.Add("\r=#=", "=#=")
	f.Fuzz(func(t *testing.T, a, b string) {
		var form Form
		for _, dn := range []string{a, b} {
			for _, form := range []Form{{}, {SquashSpaces: true}} {
				once := string(form.Append(nil, dn))
				if twice := string(form.Append(nil, once)); twice != once {
					t.Errorf("%q becomes %q, which becomes %q", dn, once, twice)
				}
			}
		}
		left, errA := ldap.ParseDN(a)
		right, errB := ldap.ParseDN(b)
		if errA != nil || errB != nil || !isUTF8(left) || !isUTF8(right) {
			return
		}
		same := string(form.Append(nil, a)) == string(form.Append(nil, b))
		if equal := left.EqualFold(right); equal != same {
			t.Errorf("%q and %q: EqualFold %t, same normal form %t", a, b, equal, same)
		}
	})
}

// isUTF8 reports whether all values are UTF-8. EqualFold takes all other bytes for the same character.
func isUTF8(dn *ldap.DN) bool {
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			if !utf8.ValidString(a.Type+a.Value) || strings.ContainsRune(a.Type+a.Value, utf8.RuneError) {
				return false
			}
		}
	}
	return true
}
