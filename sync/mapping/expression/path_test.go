package expression

import "testing"

func TestDN(t *testing.T) {
	for _, c := range []struct {
		dn, typ string
		at      int
		want    string
	}{
		{`cn=a\, b,ou=x`, "cn", 0, "a, b"},
		{`CN="a, b" , OU = x `, "cn", 0, "a, b"},
		{`cn=a\2Cb\C3\AB`, "cn", 0, "a,bë"},
		{`cn=trailing\ ,ou=x`, "cn", 0, "trailing "},
		{`cn=a\\  ,ou=x`, "cn", 0, `a\`},
		{`cn=#04024869`, "cn", 0, "Hi"},
		{`ou=a+uid=b,ou=c`, "uid", 0, "b"},
		{`ou=a+uid=b,ou=c`, "ou", -1, "c"},
		{`ou=a`, "ou", 1, ""},
		{`ou=a`, "ou", -2, ""},
		{`nonsense`, "ou", 0, ""},
		{`ou=a\`, "ou", 0, `a\`},
		{``, "ou", 0, ""},
	} {
		if got := dnPart(c.dn, c.typ, c.at); got != c.want {
			t.Errorf("dnPart(%q, %q, %d) = %q, want %q", c.dn, c.typ, c.at, got, c.want)
		}
	}
	if got := unit("/", 0); got != "" {
		t.Errorf(`unit("/") = %q`, got)
	}
}
