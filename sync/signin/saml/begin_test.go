package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

func TestBegin(t *testing.T) {
	no := false
	tests := []struct {
		name     string
		change   func(*Config)
		bindings []string
		again    bool
		post     bool
		signed   bool
		force    string
	}{
		{name: "as it is", signed: true},
		{name: "again", again: true, signed: true, force: "true"},
		{name: "force_authn", change: func(c *Config) { c.ForceAuthn = true }, signed: true, force: "true"},
		{name: "post", change: func(c *Config) { c.Binding = "post" }, post: true, signed: true},
		{name: "post because there is no other", bindings: []string{"HTTP-POST"}, post: true, signed: true},
		{name: "redirect because there is no other", bindings: []string{"HTTP-Redirect"}, change: func(c *Config) { c.Binding = "post" }, signed: true},
		{name: "not signed", change: func(c *Config) { c.SignRequests = &no }},
		{name: "no key", change: func(c *Config) { c.Key, c.SingleLogout = settings.Secret{}, false }},
		{name: "no key, post", change: func(c *Config) { c.Key, c.SingleLogout, c.Binding = settings.Secret{}, false, "post" }, post: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.change)
			r.idp.Bindings = test.bindings
			r.serve(r.idp.Metadata())
			to, pending, err := r.Begin(t.Context(), signin.Start{State: strings.Repeat("s", 43), Again: test.again})
			if err != nil {
				t.Fatal(err)
			}
			if (to.Form != nil) != test.post || !strings.HasPrefix(to.URL, r.idp.Base+"/sso") {
				t.Fatalf("%+v", to)
			}
			text, values := messageIn(t, to, "SAMLRequest")
			if values.Get("RelayState") != "ssssssss" {
				t.Errorf("RelayState %q", values.Get("RelayState"))
			}
			got := attributesOf(t, text)
			for name, want := range map[string]string{
				"ID": pending.Request, "Destination": r.idp.Base + "/sso", "AssertionConsumerServiceURL": base + "/acs", "ForceAuthn": test.force,
				"ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "IssueInstant": "2026-03-02T09:00:00Z",
			} {
				if got[name] != want {
					t.Errorf("%s %q, want %q", name, got[name], want)
				}
			}
			if !ourRequest.MatchString(pending.Request) || !pending.At.Equal(start) || pending.State != strings.Repeat("s", 43) {
				t.Errorf("%+v", pending)
			}
			if !strings.Contains(text, `Format="`+samltest.Persistent+`"`) || !strings.Contains(text, ">"+base+"/metadata<") {
				t.Error(text)
			}
			switch {
			case !test.signed:
				if values.Has("Signature") || strings.Contains(text, "Signature") {
					t.Error("it is signed")
				}
			case test.post:
				verifyXML(t, text)
			default:
				verifyQuery(t, to.URL)
			}
		})
	}
}

// verifyQuery checks the signature of a query: SAML bindings 3.4.4.1.
func verifyQuery(t *testing.T, address string) {
	t.Helper()
	_, query, _ := strings.Cut(address, "?")
	signed, signature, ok := strings.Cut(query, "&Signature=")
	if !ok || !strings.Contains(signed, "&SigAlg="+url.QueryEscape(dsig.RSASHA256SignatureMethod)) {
		t.Fatalf("not signed: %s", query)
	}
	text, err := url.QueryUnescape(signature)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(&ourPair(t).Key.PublicKey, crypto.SHA256, sum[:], raw); err != nil {
		t.Error(err)
	}
}

func verifyXML(t *testing.T, text string) {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{ourPair(t).Cert}})
	ctx.Clock = dsig.NewFakeClockAt(start)
	if _, err := ctx.Validate(doc.Root()); err != nil {
		t.Error(err)
	}
}

func TestOurMetadata(t *testing.T) {
	r := newRig(t, func(c *Config) { c.NextKey = settings.NewSecret(other(t).PEM()) })
	data, err := r.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{
		`entityID="` + base + `/metadata"`, `Location="` + base + `/acs"`, `Location="` + base + `/slo"`, `use="encryption"`, `AuthnRequestsSigned="true"`,
		`WantAssertionsSigned="true"`, samltest.Persistent, "HTTP-POST", "HTTP-Redirect",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if n := strings.Count(text, `use="signing"`); n != 2 {
		t.Errorf("%d signing certificates", n)
	}
	if strings.Contains(text, "validUntil") || strings.Contains(text, "Artifact") {
		t.Error(text)
	}
	if r.asked.Load() != 0 {
		t.Error("the provider was asked")
	}
	r = newRig(t, func(c *Config) { c.Key, c.SingleLogout, c.OwnEntityID = settings.Secret{}, false, "urn:us" })
	if data, err = r.Metadata(); err != nil || strings.Contains(string(data), "SingleLogout") || !strings.Contains(string(data), `entityID="urn:us"`) {
		t.Errorf("%s, %v", data, err)
	}
	if r.Addresses() != (Addresses{EntityID: "urn:us", ACS: base + "/acs", Metadata: base + "/metadata"}) {
		t.Errorf("%+v", r.Addresses())
	}
}
