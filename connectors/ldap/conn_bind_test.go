package ldap

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it

	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// byCertificate makes a connector bind with the client certificate of an OpenLDAP server's test authority.
func byCertificate(s *slapdtest.Server) func(*Config) {
	return func(c *Config) {
		c.Servers, c.CAFile = []string{s.URLS}, settings.Path(s.CAFile)
		c.Bind = BindConfig{Method: bindExternal}
		c.TLS = TLSConfig{CertFile: settings.Path(s.ClientCert), KeyFile: settings.Path(s.ClientKey)}
	}
}

func TestBindExternal(t *testing.T) {
	replicator := "cn=replicator,ou=services,dc=example,dc=test"
	s := slapdtest.Start(t, slapdtest.Options{
		Load:   slapdtest.Population{People: 600, Groups: 2}.WriteLDIF,
		Global: []string{"TLSVerifyClient try", `authz-regexp "^cn=` + slapdtest.ClientName + `$" "` + replicator + `"`},
		// Whoever is not mapped sees nothing.
		Access: []string{`access to * by dn.exact="` + replicator + `" read by anonymous auth by * none`},
	})
	c := openFor(t, s, byCertificate(s))
	got := readAll(t.Context(), c, streamUsers, nil).must(t)
	if len(got.objects) != 600 || !strings.Contains(got.proof.Scope, "as certificate of subject sha256:") {
		t.Errorf("%d people, scope %q", len(got.objects), got.proof.Scope)
	}
	readAll(t.Context(), openFor(t, s, func(c *Config) {
		byCertificate(s)(c)
		c.Servers, c.StartTLS = []string{s.URL}, true
	}), streamUsers, nil).must(t)
	findings, err := c.Check(t.Context())
	if err != nil || !strings.HasPrefix(findings[0].Detail, "bound by external") {
		t.Errorf("findings %+v, error %v", findings, err)
	}

	other := t.TempDir() // a certificate of an authority that the server does not know
	if err := slapdtest.WriteCertificates(other); err != nil {
		t.Fatal(err)
	}
	foreign := openFor(t, s, func(c *Config) {
		byCertificate(s)(c)
		c.TLS = TLSConfig{CertFile: settings.Path(filepath.Join(other, "client.pem")), KeyFile: settings.Path(filepath.Join(other, "client.key"))}
	})
	if got := readAll(t.Context(), foreign, streamUsers, nil); got.err == nil || got.proof != nil || fault.Hint(got.err) == "" {
		t.Errorf("with a foreign certificate: %v", got.err)
	}
	for name, tls := range map[string]TLSConfig{
		"no file":   {CertFile: "/does/not/exist", KeyFile: settings.Path(s.ClientKey)},
		"wrong key": {CertFile: settings.Path(s.ClientCert), KeyFile: settings.Path(filepath.Join(other, "client.key"))},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, readAll(t.Context(), openFor(t, s, func(c *Config) { byCertificate(s)(c); c.TLS = tls }), streamUsers, nil),
				fault.Configuration, "tls.cert_file")
		})
	}
}

// TestBindExternalActiveDirectory: there the certificate counts from the handshake on, and a bind would be refused.
func TestBindExternalActiveDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := slapdtest.WriteCertificates(dir); err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	d := fakeAD()
	d.bind = func(string, string) (int64, string) { return ldap.LDAPResultUnwillingToPerform, "bound already" }
	d.whoami = `u:EXAMPLE\sync`
	f := &fakeServer{url: "ldaps://" + l.Addr().String(), directory: d}
	f.listen(t, l)
	c := f.open(t, func(c *Config) {
		c.Bind, c.CAFile = BindConfig{Method: bindExternal}, settings.Path(filepath.Join(dir, "ca.pem"))
		c.TLS = TLSConfig{CertFile: settings.Path(filepath.Join(dir, "client.pem")), KeyFile: settings.Path(filepath.Join(dir, "client.key"))}
	})
	readAll(t.Context(), c, streamUsers, nil).must(t)
	d.whoami = ""
	expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Auth, "no account")
}

// ntlmServer checks the answer to an NTLM challenge (MS-NLMP 3.3.2).
type ntlmServer struct{ user, domain, password string }

const (
	ntlmChallenge = "\x01\x23\x45\x67\x89\xab\xcd\xef"
	ntlmTarget    = "\x02\x00\x0e\x00E\x00X\x00A\x00M\x00P\x00L\x00E\x00\x00\x00\x00\x00"
)

func (s ntlmServer) answer(message []byte) (challenge string, code int64, text string) {
	if !bytes.HasPrefix(message, []byte("NTLMSSP\x00")) {
		return "", ldap.LDAPResultProtocolError, "not NTLM"
	}
	if message[8] == 1 {
		flags := binary.LittleEndian.AppendUint32(nil, 0x00888205) // Unicode, NTLM, target information, extended security
		field := func(n, offset int) string {
			b := binary.LittleEndian.AppendUint16(nil, uint16(n))
			b = binary.LittleEndian.AppendUint16(b, uint16(n))
			return string(binary.LittleEndian.AppendUint32(b, uint32(offset)))
		}
		const head = 48
		return "NTLMSSP\x00\x02\x00\x00\x00" + field(0, head) + string(flags) + ntlmChallenge + strings.Repeat("\x00", 8) +
			field(len(ntlmTarget), head) + ntlmTarget, ldap.LDAPResultSaslBindInProgress, ""
	}
	field := func(at int) []byte {
		n, offset := binary.LittleEndian.Uint16(message[at:]), binary.LittleEndian.Uint32(message[at+4:])
		return message[offset : offset+uint32(n)]
	}
	response, domain, user := field(20), field(28), field(36)
	hash := md4.New()
	hash.Write(wide(s.password))
	key := hmacMD5(hash.Sum(nil), wide(strings.ToUpper(s.user)+s.domain))
	if !bytes.Equal(user, wide(s.user)) || !bytes.Equal(domain, wide(s.domain)) ||
		!bytes.Equal(response[:16], hmacMD5(key, append([]byte(ntlmChallenge), response[16:]...))) {
		return "", ldap.LDAPResultInvalidCredentials, "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v4563"
	}
	return "", 0, ""
}

func wide(s string) (b []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func hmacMD5(key, data []byte) []byte {
	h := hmac.New(md5.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func TestBindNTLM(t *testing.T) {
	d := fakeAD()
	f := newFakeServer(t, d)
	as := func(user, password string) *Connector {
		return f.open(t, func(c *Config) {
			c.Bind = BindConfig{Method: bindNTLM, User: user, Password: settings.NewSecret(password)}
		})
	}
	d.ntlm = ntlmServer{"sync", "EXAMPLE", "pässword"}.answer
	readAll(t.Context(), as(`EXAMPLE\sync`, "pässword"), streamUsers, nil).must(t)
	expect(t, readAll(t.Context(), as(`EXAMPLE\sync`, "other"), streamUsers, nil), fault.Auth, "wrong user name or password")
	d.ntlm = ntlmServer{"sync@example.test", "", "x"}.answer
	readAll(t.Context(), as("sync@example.test", "x"), streamUsers, nil).must(t)
	for name, tc := range map[string]struct {
		code  int64
		text  string
		class fault.Class
		words string
	}{
		"signing":         {8, "00002028: LdapErr: DSID-0C090202, comment: The server requires binds to turn on integrity checking", fault.Configuration, "bind.method simple"},
		"channel binding": {49, "80090346: LdapErr: DSID-0C0905F5, comment: AcceptSecurityContext error, data 80090346, v4563", fault.Auth, "LdapEnforceChannelBinding"},
		"not offered":     {7, "Bad AuthenticationChoice [0x89]", fault.Configuration, "another bind.method"},
	} {
		t.Run(name, func(t *testing.T) {
			d.ntlm = func([]byte) (string, int64, string) { return "", tc.code, tc.text }
			expect(t, readAll(t.Context(), as("x", "x"), streamUsers, nil), tc.class, tc.words)
		})
	}
}

// domainKerberos binds to Samba by Kerberos, and by NTLM, which it does not offer.
func domainKerberos(t *testing.T, d *domain) {
	d.AddReader("krb")
	ou := d.AddOU("Kerberos", sambatest.Suffix)
	d.AddUser("kerberos-user", ou, nil)
	door := d.Proxy(t)
	keytab := settings.Path(d.Keytab("krb"))
	open := func(change func(*Config)) *seen {
		t.Helper()
		c := d.open(t, func(c *Config) {
			c.Servers = []string{door.URLS}
			c.Bind = BindConfig{Method: bindGSSAPI, User: "krb@" + sambatest.Domain, Keytab: keytab, KDC: Names{door.KDC}, Service: sambatest.Service}
			if change != nil {
				change(c)
			}
		}, ou)
		return readAll(t.Context(), c, streamUsers, nil)
	}
	if got := open(nil).must(t); len(got.objects) != 1 || !strings.HasSuffix(got.proof.Scope, "as krb@EXAMPLE.TEST") {
		t.Errorf("%d people, scope %q", len(got.objects), got.proof.Scope)
	}
	open(func(c *Config) { c.Bind.Keytab, c.Bind.Password = "", settings.NewSecret(sambatest.ReaderPassword) }).must(t)
	dns := newFakeDNS(t)
	dns.set("_kerberos._tcp.example.test", srvAt(t, "dc1.example.test", door.KDC))
	dns.set(srvControllers, srvAt(t, "localhost", strings.TrimPrefix(door.URLS, "ldaps://")))
	open(func(c *Config) { c.Bind.KDC, c.DNS, c.Servers = nil, dns.address, []string{"ldaps+srv://example.test"} }).must(t)
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	text := "[libdefaults]\n default_realm = EXAMPLE.TEST\n udp_preference_limit = 1\n rdns = false\n[realms]\n EXAMPLE.TEST = {\n  kdc = " + door.KDC + "\n }\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open(func(c *Config) { c.Bind.KDC, c.Bind.Krb5Conf = nil, settings.Path(conf) }).must(t)

	for name, tc := range map[string]struct {
		change func(*Config)
		class  fault.Class
		words  string
	}{
		"not encrypted":   {func(c *Config) { c.Servers = []string{door.URL} }, fault.Configuration, "allow_sasl_over_tls"},
		"wrong password":  {func(c *Config) { c.Bind.Keytab, c.Bind.Password = "", settings.NewSecret("wr0ng") }, fault.Auth, "wrong Kerberos key"},
		"unknown user":    {func(c *Config) { c.Bind.User = "nobody@" + sambatest.Domain }, fault.Auth, "bind.user"},
		"unknown service": {func(c *Config) { c.Bind.Service = "" }, fault.Auth, "bind.service"},
		"no keytab":       {func(c *Config) { c.Bind.Keytab = "/does/not/exist" }, fault.Configuration, "keytab"},
		"no KDC":          {func(c *Config) { c.Bind.KDC = Names{"127.0.0.1:1"} }, fault.Transient, "bind.kdc"},
		"unknown realm":   {func(c *Config) { c.Bind.KDC, c.DNS, c.Bind.Realm = nil, dns.address, "ELSEWHERE.TEST" }, fault.Configuration, "bind.kdc"},
		"bad krb5_conf":   {func(c *Config) { c.Bind.KDC, c.Bind.Krb5Conf = nil, "/does/not/exist" }, fault.Configuration, "krb5_conf"},
		"ntlm": {func(c *Config) {
			c.Bind = BindConfig{Method: bindNTLM, User: "krb@" + sambatest.Domain, Password: settings.NewSecret(sambatest.ReaderPassword)}
		}, fault.Transient, "NTLM binds"},
	} {
		t.Run(name, func(t *testing.T) {
			got := open(tc.change)
			expect(t, got, tc.class, tc.words)
			if got.err != nil && strings.Contains(got.err.Error(), "wr0ng") {
				t.Errorf("the error shows the password: %v", got.err)
			}
		})
	}
	d.Replace("CN=krb,CN=Users,"+sambatest.Suffix, "userAccountControl", "514")
	expect(t, open(nil), fault.Auth, "disabled")
}
