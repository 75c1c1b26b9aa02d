package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestMethods: what discovery lists decides how we say who we are; nothing else is tried.
func TestMethods(t *testing.T) {
	certificate := oidctest.NewCertificate(t, "example.test")
	pair, err := readCredential(string(certificate.Cert) + string(certificate.Key))
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		listed  []string
		signing []string
		pem     string
		public  crypto.PublicKey
		want    string // a part of the form; "-" when it must have no secret
		refused bool
	}{
		"basic":              {listed: []string{"client_secret_post", "client_secret_basic"}, want: "-"},
		"post":               {listed: []string{"client_secret_post", "private_key_jwt"}, want: "client_secret"},
		"nothing listed":     {want: "-"},
		"key wanted":         {listed: []string{"private_key_jwt", "tls_client_auth"}, refused: true},
		"secret wanted":      {listed: []string{"client_secret_post"}, pem: string(certificate.Key), refused: true},
		"certificate, ES256": {listed: []string{"private_key_jwt"}, pem: string(certificate.Cert) + string(certificate.Key), public: pair.key.Public(), want: "client_assertion"},
		"key, RS256":         {listed: []string{"private_key_jwt"}, pem: pkcs8(t, rsaKey), public: rsaKey.Public(), want: "client_assertion"},
		"key, PS256":         {listed: []string{"private_key_jwt"}, signing: []string{"PS256", "RS256"}, pem: pkcs8(t, rsaKey), public: rsaKey.Public(), want: "client_assertion"},
		"key, not listed":    {pem: string(certificate.Key), public: pair.key.Public(), want: "client_assertion"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(g *Generic, _ *Options, at *oidctest.Options) {
				at.Metadata = map[string]any{"token_endpoint_auth_methods_supported": tc.listed, "token_endpoint_auth_signing_alg_values_supported": tc.signing}
				at.Public = tc.public
				if tc.pem != "" {
					g.ClientSecret, g.Certificate, g.KeyID = settings.Secret{}, settings.NewSecret(tc.pem), "k1"
				}
			})
			_, err := w.signIn()
			if tc.refused {
				refused(t, err, signin.Internal, "")
				if n := w.issuer.Count(oidctest.Token); n != 0 {
					t.Errorf("tried %d times", n)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v; %+v", err, refusal(t, err))
			}
			if form := w.issuer.Form(); tc.want == "-" && form.Has("client_secret") || tc.want != "-" && !form.Has(tc.want) {
				t.Errorf("%v", form)
			}
		})
	}
}

func TestCredential(t *testing.T) {
	one, two := oidctest.NewCertificate(t, "a.test"), oidctest.NewCertificate(t, "b.test")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, err string }{
		"both":                {string(one.Cert) + string(one.Key), ""},
		"the other way round": {string(one.Key) + string(one.Cert), ""},
		"key alone":           {string(one.Key), ""},
		"certificate alone":   {string(one.Cert), "no private key"},
		"nothing":             {"secret", "no private key"},
		"of another key":      {string(one.Cert) + string(two.Key), "another key"},
		"a short key":         {pkcs8(t, weak), "cannot be used"},
		"another curve":       {pkcs8(t, large), "cannot be used"},
		"encrypted":           {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "encrypted"},
		"a torn certificate":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"},
		"a torn key":          {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"},
	} {
		_, err := readCredential(tc.text)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", name, err, tc.err)
		}
	}
}
