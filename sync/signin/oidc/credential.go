package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const pemHint = "give a PEM with the private key (PKCS #8, RSA of 2048 bits or more, or P-256) and its certificate"

// credential is what private_key_jwt signs with (RFC 7523); key is nil where there is a secret instead.
type credential struct {
	key         crypto.Signer
	certificate *x509.Certificate // nil when only a key was given
	id          string            // kid; blank: none is sent
}

// readCredential reads a PEM with a private key and, where there is one, its certificate.
func readCredential(text string) (credential, error) {
	var c credential
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return credential{}, errors.New("the certificate cannot be read")
			}
			if c.certificate == nil {
				c.certificate = certificate
			}
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			key, err := privateKey(block)
			if err != nil {
				return credential{}, err
			}
			c.key = key
		case "ENCRYPTED PRIVATE KEY":
			return credential{}, errors.New("the private key is encrypted")
		}
	}
	if c.key == nil {
		return credential{}, errors.New("there is no private key")
	}
	if c.certificate != nil {
		public, ok := c.certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(c.key.Public()) {
			return credential{}, errors.New("the certificate is that of another key")
		}
	}
	return c, nil
}

func privateKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read")
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() >= 2048 {
			return k, nil
		}
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, errors.New("the private key is of a kind that cannot be used")
}

// assertion says who the client is, for five minutes (OpenID Connect Core section 9).
func (c credential) assertion(client string, d *discovery, now time.Time) (string, error) {
	var method jwt.SigningMethod = jwt.SigningMethodRS256
	switch {
	case c.ec():
		method = jwt.SigningMethodES256
	case slices.Contains(d.MethodSigning, "PS256"):
		method = jwt.SigningMethodPS256
	}
	t := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": client, "sub": client, "aud": d.Token, "jti": random(), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	if c.id != "" {
		t.Header["kid"] = c.id
	}
	if c.certificate != nil {
		sum := sha256.Sum256(c.certificate.Raw)
		t.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:]) // by this Entra finds the certificate
	}
	return t.SignedString(c.key)
}

func (c credential) ec() bool { _, ec := c.key.(*ecdsa.PrivateKey); return ec }
