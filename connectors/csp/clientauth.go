package csp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/fault"
)

// clientAuth authenticates the application at the token service (RFC 6749, section 2.3): by its secret, or by an assertion.
type clientAuth struct {
	app App
	now func() time.Time
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate fills in the client's part of a form. Files are read anew, so that a renewed certificate needs no restart.
func (a *clientAuth) authenticate(form url.Values, endpoint string) error {
	form.Set("client_id", a.app.ClientID)
	switch {
	case a.app.FederatedTokenFile != "":
		data, err := os.ReadFile(string(a.app.FederatedTokenFile))
		if err != nil {
			return &fault.Error{
				Class: fault.Configuration, Op: "read federated_token_file", Where: string(a.app.FederatedTokenFile), Err: withoutPath(err),
				Hint: "whoever issues the token must keep the file there and fresh",
			}
		}
		form.Set("client_assertion", strings.TrimSpace(string(data)))
	case a.app.Certificate != "":
		assertion, err := a.sign(endpoint)
		if err != nil {
			return err
		}
		form.Set("client_assertion", assertion)
	default:
		form.Set("client_secret", a.app.ClientSecret.Reveal())
		return nil
	}
	form.Set("client_assertion_type", assertionType)
	return nil
}

// sign makes a statement of the application ("Microsoft identity platform application authentication certificate
// credentials").
func (a *clientAuth) sign(endpoint string) (string, error) {
	bad := func(cause, hint string) error {
		return &fault.Error{Class: fault.Configuration, Op: "read certificate", Where: string(a.app.Certificate), Err: errors.New(cause), Hint: hint}
	}
	data, err := os.ReadFile(string(a.app.Certificate))
	if err != nil {
		return "", bad(withoutPath(err).Error(), "create the file, or correct the path")
	}
	certificates, key, err := azidentity.ParseCertificates(data, []byte(a.app.CertificatePassword.Reveal()))
	if err != nil || len(certificates) == 0 {
		return "", bad("no certificate with a private key can be read from it", "put both into one PEM file, or give a PKCS #12 file with certificate_password; OpenSSL 3 makes one that can be read with `openssl pkcs12 -export -legacy`")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return "", bad("the private key is not an RSA key", "Entra ID takes RSA certificates of applications")
	}
	return signAssertion(a.app.ClientID, endpoint, certificates[0], private, a.now())
}

func signAssertion(client, endpoint string, certificate *x509.Certificate, key *rsa.PrivateKey, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims{
		"aud": endpoint, "iss": client, "sub": client, "jti": rand.Text(),
		"nbf": now.Add(-time.Minute).Unix(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	sum := sha256.Sum256(certificate.Raw)
	t.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
	signed, err := t.SignedString(key)
	if err != nil {
		return "", &fault.Error{Class: fault.Internal, Op: opSignIn, Err: err}
	}
	return signed, nil
}
