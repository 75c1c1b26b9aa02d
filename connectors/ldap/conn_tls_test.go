package ldap

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func TestTLS(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{
		Load: slapdtest.Population{People: 30, Groups: 2}.WriteLDIF,
		// The password is taken over encrypted connections only.
		Database: []string{"security simple_bind=128"},
	})
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	localhost := strings.Replace(s.URLS, "127.0.0.1", "localhost", 1)
	for name, tc := range map[string]struct {
		change func(*Config)
		class  fault.Class // empty: the read works
		words  string
	}{
		"ldaps":                {func(c *Config) { c.Servers, c.CAFile = []string{s.URLS}, settings.Path(s.CAFile) }, "", ""},
		"ldaps by name":        {func(c *Config) { c.Servers, c.CAFile = []string{localhost}, settings.Path(s.CAFile) }, "", ""},
		"start_tls":            {func(c *Config) { c.StartTLS, c.CAFile = true, settings.Path(s.CAFile) }, "", ""},
		"server_name":          {func(c *Config) { c.StartTLS, c.CAFile, c.ServerName = true, settings.Path(s.CAFile), "localhost" }, "", ""},
		"insecure_skip_verify": {func(c *Config) { c.StartTLS, c.InsecureSkipVerify = true, true }, "", ""},
		"not encrypted":        {func(*Config) {}, fault.Configuration, "start_tls"},
		"unknown authority":    {func(c *Config) { c.Servers = []string{s.URLS} }, fault.Configuration, "set ca_file"},
		"unknown by start_tls": {func(c *Config) { c.StartTLS = true }, fault.Configuration, "set ca_file"},
		"wrong name": {func(c *Config) {
			c.StartTLS, c.CAFile, c.ServerName = true, settings.Path(s.CAFile), "ldap.example.test"
		}, fault.Configuration, "server_name"},
		"TLS to a plain port": {func(c *Config) { c.Servers = []string{strings.Replace(s.URL, "ldap:", "ldaps:", 1)} }, "any", ""},
		"missing ca_file":     {func(c *Config) { c.StartTLS, c.CAFile = true, settings.Path(s.CAFile+"x") }, fault.Configuration, "ca_file"},
		"empty ca_file":       {func(c *Config) { c.StartTLS, c.CAFile = true, settings.Path(empty) }, fault.Configuration, "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			got := readAll(t.Context(), openFor(t, s, tc.change), streamUsers, nil)
			switch tc.class {
			case "":
				if got.must(t); len(got.objects) != 30 {
					t.Errorf("%d people, want 30", len(got.objects))
				}
			case "any":
				if got.err == nil || got.proof != nil {
					t.Errorf("error %v, proof %v", got.err, got.proof)
				}
			default:
				if fault.ClassOf(got.err) != tc.class || !strings.Contains(got.err.Error(), tc.words) {
					t.Errorf("class %s, error %v; want class %s, %q", fault.ClassOf(got.err), got.err, tc.class, tc.words)
				}
			}
		})
	}
}

// TestStartTLSRefused: a server without TLS refuses in words.
func TestStartTLSRefused(t *testing.T) {
	fake := newFakeServer(t, fakeAD())
	c := fake.open(t, func(c *Config) { c.StartTLS = true })
	expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Configuration, "start TLS")
}
