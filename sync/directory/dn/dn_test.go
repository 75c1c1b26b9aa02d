package dn

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Name
	}{
		{"", nil},
		{" \t", nil},
		{"CN=Ada Ames,dc=x", Name{{{"CN", "Ada Ames"}}, {{"dc", "x"}}}},
		{` cn = a\, b ; ou=c+uid=\C3\AB `, Name{{{"cn", "a, b"}}, {{"ou", "c"}, {"uid", "ë"}}}},
		{`cn=a\\  ,ou=b\ `, Name{{{"cn", `a\`}}, {{"ou", "b "}}}},
		{"cn=#04024869", Name{{{"cn", "Hi"}}}},
		{"cn=#0481024869", Name{{{"cn", "Hi"}}}},
		{"cn=#1f820102ffff", Name{{{"cn", "\xff\xff"}}}},
		{"cn=", Name{{{"cn", ""}}}},
	} {
		if got, err := Parse(c.in); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q is %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"a", "cn=a,", ",cn=a", "cn=a+", "=a", `cn="a"`, "cn=a<b", "cn=a\x00", `cn=a\`, `cn=\x`, `cn=\4`, "cn=#", "cn=#0", "cn=#04",
		"cn=#0401", "cn=#04014141", "cn=#0480410000", "cn=#04850000000041", "cn=#04ffff", "cn=#1f", "cn=#1fffff", "cn=#xx", `"cn"=a`,
	} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q is %q, want an error", in, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []Attribute
	}{
		{"", nil},
		{"nonsense", nil},
		{"a,cn=b,,=c", []Attribute{{"cn", "b"}}},
		{`CN="a, b" , OU = x `, []Attribute{{"CN", "a, b"}, {"OU", "x"}}},
		{`cn=a"b,ou=c"`, []Attribute{{"cn", `a"b`}, {"ou", `c"`}}},
		{`cn="a,ou=b`, []Attribute{{"cn", `"a`}, {"ou", "b"}}},
		{`cn="a\",b",ou=c`, []Attribute{{"cn", `a",b`}, {"ou", "c"}}},
		{`ou=a\`, []Attribute{{"ou", `a\`}}},
		{`ou=\xy`, []Attribute{{"ou", "xy"}}},
		{"cn=#zz", []Attribute{{"cn", "#zz"}}},
	} {
		if got := Attributes(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q has %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParent(t *testing.T) {
	for in, want := range map[string]string{
		"uid=a,ou=B,dc=c": "ou=B,dc=c", `cn=a\,b, OU=x`: "OU=x", "dc=c": "", "": "", `cn=a\`: "",
		"cn=a+uid=b,dc=c": "dc=c", `cn="a,b";dc=c`: "dc=c",
	} {
		if got := Parent(in); got != want {
			t.Errorf("parent of %q is %q, want %q", in, got, want)
		}
	}
}

func TestStripUID(t *testing.T) {
	for in, want := range map[string]string{
		"cn=a,dc=b#'0101'B": "cn=a,dc=b", "cn=a#'012'B": "cn=a#'012'B", "cn=a": "cn=a", "cn=a#''B": "cn=a", "'B": "'B",
	} {
		if got := StripUID(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// FuzzAttributes: whatever text it is, reading it comes to an end; where Parse takes it, both readings are the same.
func FuzzAttributes(f *testing.F) {
	f.Add(`cn=a\, b+uid=\C3\AB,ou=x`)
	f.Add(`CN="a, b" , OU = x `)
	f.Add(`ou=a\`)
	f.Add("cn=#04024869;==,")
	f.Fuzz(func(t *testing.T, text string) {
		all := Attributes(text)
		name, err := Parse(text)
		if err != nil {
			return
		}
		var strict []Attribute
		for _, rdn := range name {
			strict = append(strict, rdn...)
		}
		if !reflect.DeepEqual(all, strict) {
			t.Errorf("%q: Attributes %q, Parse %q", text, all, strict)
		}
	})
}
