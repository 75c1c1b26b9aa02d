package oidc

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// blocks has every key of every preset, as the program reads it; what excludes another is in the second.
func blocks(t *testing.T) map[string][]string {
	t.Helper()
	c := oidctest.NewCertificate(t, "example.test")
	file := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, slices.Concat(c.Cert, c.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	withSecret := "\nclient_id: " + app + "\nclient_secret: s3cret\nclient_secret_ends: 2027-03-31\nscopes: [openid, profile]\nprompt: login\nacr_values: [a, b]\nmax_age: 12h\nui_locales: [de, en-GB]\nsingle_logout: true\n"
	withKey := "\nclient_id: " + app + "\ncertificate: {file: " + file + "}\nkey_id: k1\nmax_age: 0s\n"
	return map[string][]string{
		"generic": {
			"issuer: https://login.example.test\ndomain_hint: example.test\nhd: example.test\nsubject: uid\nmail: mail\nobject: guid\ntrust_mail: true" + withSecret,
			"issuer: https://login.example.test/realms/x" + withKey,
		},
		"entra": {
			"tenant: " + tenantA + "\nauthority: https://login.microsoftonline.us\ndomain_hint: example.test" + withSecret,
			"tenants: [" + tenantA + ", " + tenantB + "]" + withKey, "customers_of: csp" + withKey,
		},
		"entra-b2c": {
			"tenant: contoso\ndomain: login.example.test\nflow: B2C_1_signin\nsign_up: B2C_1_signup\nreset: B2C_1A_reset\ntrust_mail: [local, google.com]\ndomain_hint: x" + withSecret,
			"tenant: contoso\nflow: B2C_1_signin\ntrust_mail: local" + withKey,
		},
		"entra-external": {
			"tenant: " + tenantA + "\nsubdomain: contoso\nissuer: https://contoso.ciamlogin.com/" + tenantA + "/v2.0\ntrust_mail: [local]\ndomain_hint: x" + withSecret,
			"tenant: " + tenantA + "\ndomain: login.example.test" + withKey,
		},
		"okta":   {"url: https://example.okta.com\nauthorization_server: default" + withSecret, "url: https://example.okta.com" + withKey},
		"google": {"hosted_domains: [example.test, example.org]" + withSecret, withKey},
		"delinea": {
			"url: https://example.delinea.app\napplication: app1\nissuer: https://example.delinea.app/app1/\nsubject: uuid\nmail: mail\nobject: uuid\ntrust_mail: true" + withSecret,
			"url: https://example.delinea.app\ndiscovery: https://example.delinea.app/x/.well-known/openid-configuration\nuser_id: uuid" + withKey,
		},
	}
}

func TestDecode(t *testing.T) {
	all := blocks(t)
	for _, name := range Presets() {
		seen := map[string]bool{}
		for _, text := range all[name] {
			doc, s := strict.Parse([]byte(text), strict.Options{}), Blank(name)
			doc.Root().Into(s)
			if problems := doc.Problems(); len(problems) > 0 {
				t.Fatalf("%s: %+v\n%s", name, problems, text)
			}
			if issues := s.Validate(); len(issues) > 0 {
				t.Errorf("%s: %+v\n%s", name, issues, text)
			}
			entries, _ := doc.Root().Entries()
			for _, e := range entries {
				seen[e.Key] = true
			}
			c := s.preset(Options{}).client
			if c.ClientID != app || c.MaxAge == nil || c.MaxAge.Std() != 0 && c.MaxAge.Std() != 12*time.Hour {
				t.Errorf("%s: read %+v", name, c)
			}
			if _, err := c.credential(); err != nil {
				t.Error(err)
			}
		}
		for _, key := range strict.Keys(Blank(name)) {
			if !seen[key] {
				t.Errorf("%s: %s is not tried", name, key)
			}
		}
	}
	if Blank("saml") != nil {
		t.Error("a preset that is none of ours")
	}
}

// TestDocumented: the operator's guide names every preset and every key.
func TestDocumented(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "sign-in-oidc.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Presets() {
		if !strings.Contains(string(guide), "\n## `"+name+"`") {
			t.Errorf("%s has no section", name)
		}
		for _, key := range strict.Keys(Blank(name)) {
			if !strings.Contains(string(guide), "`"+key+"`") {
				t.Errorf("%s: %s is not explained", name, key)
			}
		}
	}
}

// TestProblems: what is wrong with a block, each with its key and its line.
func TestProblems(t *testing.T) {
	ok := map[string]string{
		"generic": "issuer: https://login.example.test", "entra": "tenant: " + tenantA, "entra-b2c": "tenant: contoso\nflow: B2C_1_signin",
		"entra-external": "tenant: " + tenantA + "\nsubdomain: contoso", "okta": "url: https://example.okta.com", "google": "hosted_domains: [example.test]",
		"delinea": "url: https://example.delinea.app\napplication: app1",
	}
	who := "\nclient_id: " + app + "\nclient_secret: s3cret\n"
	for _, tc := range []struct{ preset, text, path string }{
		{"generic", "issuer: https://login.example.test", "client_id"},
		{"generic", ok["generic"] + "\nclient_id: x", "client_secret"},
		{"generic", ok["generic"] + who + "certificate: x", "certificate"},
		{"generic", ok["generic"] + "\nclient_id: x\ncertificate: x", "certificate"},
		{"generic", ok["generic"] + who + "key_id: k", "key_id"},
		{"generic", "issuer: https://login.example.test\nclient_id: x\ncertificate: x\nclient_secret_ends: 2027-03-31", "client_secret_ends"},
		{"generic", ok["generic"] + who + "scopes: [profile]", "scopes"},
		{"generic", ok["generic"] + who + "scopes: [openid, 'a b']", "scopes[1]"},
		{"generic", ok["generic"] + who + "prompt: ask", "prompt"},
		{"generic", ok["generic"] + who + "acr_values: ['a b']", "acr_values[0]"},
		{"generic", ok["generic"] + who + "ui_locales: [german please]", "ui_locales[0]"},
		{"generic", "issuer: http://login.example.test" + who, "issuer"},
		{"generic", "issuer: https://login.example.test/.well-known/openid-configuration" + who, "issuer"},
		{"generic", "issuer: https://u:p@login.example.test" + who, "issuer"},
		{"generic", "issuer: https://{host}" + who, "issuer"},
		{"generic", who, "issuer"},
		{"generic", ok["generic"] + who + "subject: ''", "subject"},
		{"generic", ok["generic"] + who + "mail: ''", "mail"},
		{"entra", who, "tenant"},
		{"entra", "tenant: contoso.onmicrosoft.com" + who, "tenant"},
		{"entra", "tenant: common" + who, "tenant"},
		{"entra", "tenant: AAAAAAAA-0000-4000-8000-000000000001" + who, "tenant"},
		{"entra", ok["entra"] + "\ncustomers_of: csp" + who, "customers_of"},
		{"entra", "tenants: []" + who, "tenants"},
		{"entra", "tenants: [" + tenantA + ", contoso.com]" + who, "tenants[1]"},
		{"entra", ok["entra"] + "\nauthority: http://x" + who, "authority"},
		{"entra", ok["entra"] + who + "scopes: [openid]", "scopes"},
		{"entra", ok["entra"] + "\nclient_id: dirsyncd\nclient_secret: x", "client_id"},
		{"entra-b2c", "tenant: contoso.onmicrosoft.com\nflow: B2C_1_x" + who, "tenant"},
		{"entra-b2c", "tenant: contoso" + who, "flow"},
		{"entra-b2c", "tenant: contoso\nflow: signin" + who, "flow"},
		{"entra-b2c", "tenant: contoso\nflow: B2C_1_x/../y" + who, "flow"},
		{"entra-b2c", ok["entra-b2c"] + "\nreset: b2c_1_SIGNIN" + who, "reset"},
		{"entra-b2c", ok["entra-b2c"] + "\ndomain: https://x" + who, "domain"},
		{"entra-external", "tenant: contoso\nsubdomain: contoso" + who, "tenant"},
		{"entra-external", "tenant: " + tenantA + who, "subdomain"},
		{"entra-external", ok["entra-external"] + "\ndomain: login.example.test" + who, "domain"},
		{"entra-external", "tenant: " + tenantA + "\nsubdomain: contoso/x" + who, "subdomain"},
		{"entra-external", ok["entra-external"] + "\nissuer: x" + who, "issuer"},
		{"okta", who, "url"},
		{"okta", "url: https://example-admin.okta.com" + who, "url"},
		{"okta", "url: https://example.okta.com/oauth2/default" + who, "url"},
		{"okta", ok["okta"] + "\nauthorization_server: oauth2/default" + who, "authorization_server"},
		{"google", "hosted_domains: [Example.test]" + who, "hosted_domains[0]"},
		{"google", "hosted_domains: ['*']" + who, "hosted_domains[0]"},
		{"delinea", "application: app1" + who, "url"},
		{"delinea", "url: https://example.delinea.app" + who, "application"},
		{"delinea", "url: https://example.delinea.app\napplication: a/b" + who, "application"},
		{"delinea", ok["delinea"] + "\ndiscovery: https://evil.test/x" + who, "discovery"},
		{"delinea", ok["delinea"] + "\nissuer: x" + who, "issuer"},
		{"delinea", ok["delinea"] + "\nobject: guid\nuser_id: uuid" + who, "object"},
	} {
		doc, s := strict.Parse([]byte(tc.text), strict.Options{}), Blank(tc.preset)
		doc.Root().Into(s)
		if problems := doc.Problems(); len(problems) > 0 {
			t.Errorf("%s: %v", tc.text, problems)
			continue
		}
		issues := s.Validate()
		if !slices.ContainsFunc(issues, func(i settings.Issue) bool { return i.Path == tc.path }) {
			t.Errorf("%s\n%s: %+v, want one at %s", tc.preset, tc.text, issues, tc.path)
		}
		for _, i := range issues {
			if strings.Contains(i.Message+i.Hint, "s3cret") || i.Hint == "" {
				t.Errorf("%+v", i)
			}
		}
	}
	// A key that means nothing, and one of another preset, have their line.
	doc := strict.Parse([]byte("tenant: "+tenantA+"\nhosted_domains: [x]\n"), strict.Options{})
	doc.Root().Into(Blank("entra"))
	if problems := doc.Problems(); len(problems) != 1 || problems[0].Line != 2 {
		t.Errorf("%v", problems)
	}
}

// TestSecretsDoNotShow: what prints settings shows no secret.
func TestSecretsDoNotShow(t *testing.T) {
	for _, name := range Presets() {
		s := Blank(name)
		reflect.ValueOf(s).Elem().FieldByName("Client").Set(reflect.ValueOf(Client{ClientSecret: settings.NewSecret("s3cret")}))
		if text := strings.ToLower(printed(s)); strings.Contains(text, "s3cret") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
