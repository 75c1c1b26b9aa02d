package ldap

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// check says what a check finds about a subject: how it begins, and the detail with the hint.
func check(t *testing.T, c *Connector, subject string) (ok bool, text string) {
	t.Helper()
	findings, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ok = true
	for _, f := range findings {
		if strings.HasPrefix(f.Subject, subject) {
			ok = ok && f.OK
			text += f.Detail + " " + f.Hint + "; "
		}
	}
	return ok, text
}

// TestCheckShapes: what is there and not read is said before the first run.
func TestCheckShapes(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: func(w io.Writer, suffix string) error {
		_, err := fmt.Fprintf(w, "dn: ou=aliases,%s\nobjectClass: organizationalUnit\nou: aliases\n\n"+
			"dn: cn=all,ou=aliases,%s\nobjectClass: alias\nobjectClass: extensibleObject\ncn: all\naliasedObjectName: ou=people,%s\n\n"+
			"dn: uid=ann,ou=people,%s\nobjectClass: inetOrgPerson\nuid: ann\ncn: ann\nsn: ann\n\n"+
			"dn: cn=vpn,ou=groups,%s\nobjectClass: groupOfNames\ncn: vpn\nmember: uid=ann,ou=people,%s\nmember: cn=inner,ou=services,%s\n\n",
			suffix, suffix, suffix, suffix, suffix, suffix, suffix)
		return err
	}})
	for name, tc := range map[string]struct {
		change  func(*Config)
		subject string
		ok      bool
		words   string
	}{
		"an alias as base":       {func(c *Config) { c.Users.Base = Names{"cn=all,ou=aliases," + s.Suffix} }, "users below", false, "alias entries are not followed"},
		"aliases in the base":    {func(c *Config) { c.Users.Base = Names{"ou=aliases," + s.Suffix} }, "users below", false, "alias entries are not followed"},
		"aliases among others":   {nil, "users below", true, "alias entries are not followed"},
		"a nested group outside": {func(c *Config) { c.Base = Names{"ou=people," + s.Suffix, "ou=groups," + s.Suffix} }, "members", true, "such as cn=inner,ou=services"},
		"people in one of two":   {func(c *Config) { c.Base = Names{"ou=people," + s.Suffix, "ou=groups," + s.Suffix} }, "users below", true, "0 visible"},
		"nobody anywhere":        {func(c *Config) { c.Users.Base = Names{"ou=groups," + s.Suffix} }, "users below", false, "0 visible"},
	} {
		if ok, text := check(t, openFor(t, s, tc.change), tc.subject); ok != tc.ok || !strings.Contains(text, tc.words) {
			t.Errorf("%s: %t %q, want %t %q", name, ok, text, tc.ok, tc.words)
		}
	}
}

// TestHints: what the server says leads to what helps.
func TestHints(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Access: []string{"access to * by anonymous auth by users read"}, Global: []string{"disallow bind_anon", "require authc"}})
	got := readAll(t.Context(), openFor(t, s, func(c *Config) { c.Bind = BindConfig{} }), streamUsers, nil)
	if hint := fault.Hint(got.err); !strings.Contains(hint, "set bind") {
		t.Errorf("anonymous: %v, hint %q", got.err, hint)
	}
	const must = "Operations are restricted to bind/unbind/abandon/StartTLS/modify password"
	if hint := fault.Hint(resultError("read users", "", 50, must)); !strings.Contains(hint, "change its password") {
		t.Errorf("must change: hint %q", hint)
	}
	if hint := fault.Hint(resultError("read users", "", 11, "")); !strings.Contains(hint, "nsslapd-lookthroughlimit") {
		t.Errorf("389: hint %q", hint)
	}
	for name, tc := range map[string]struct {
		cert x509.Certificate
		want string
	}{
		"CN only": {x509.Certificate{Subject: pkix.Name{CommonName: "ldap.example.test"}}, "subjectAltName"},
		"name":    {x509.Certificate{DNSNames: []string{"ldap.example.test"}}, "set server_name"},
		"address": {x509.Certificate{IPAddresses: []net.IP{{127, 0, 0, 1}}}, "set server_name"},
	} {
		err := x509.HostnameError{Certificate: &tc.cert, Host: "other.example.test"}
		if hint := fault.Hint(tlsError("read users", "", err)); !strings.Contains(hint, tc.want) {
			t.Errorf("%s: hint %q", name, hint)
		}
	}
}
