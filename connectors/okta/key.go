package okta

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// parseKey reads an RSA private key in PEM, PKCS#1 or PKCS#8. Line breaks may be spelled \n, as environment
// variables carry them. It returns what is wrong, in words that do not quote the key.
func parseKey(text string) (*rsa.PrivateKey, string) {
	block, _ := pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n")))
	if block == nil {
		return nil, "is not PEM (-----BEGIN PRIVATE KEY-----)"
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, "is encrypted with a passphrase"
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, "is damaged"
		}
		return key, ""
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, "is damaged"
		}
		if rsaKey, ok := key.(*rsa.PrivateKey); ok {
			return rsaKey, ""
		}
		return nil, "is not an RSA key"
	case "ENCRYPTED PRIVATE KEY":
		return nil, "is encrypted with a passphrase"
	case "PUBLIC KEY", "CERTIFICATE":
		return nil, "is the public half"
	default:
		return nil, "is not an RSA private key"
	}
}

// assertion signs the statement with which a service app proves to the org who it is (RFC 7523; Okta, private
// key JWT). It has no jti: a request that is repeated after a failure carries the same one, which Okta would
// take for a replay.
func assertion(key *rsa.PrivateKey, keyID, clientID, audience string, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": clientID, "sub": clientID, "aud": audience, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	})
	if keyID != "" {
		t.Header["kid"] = keyID
	}
	return t.SignedString(key)
}
