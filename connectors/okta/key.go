package okta

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"
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
	header := map[string]string{"alg": "RS256", "typ": "JWT"}
	if keyID != "" {
		header["kid"] = keyID
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
