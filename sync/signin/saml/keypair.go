package saml

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
)

// keyPair is a key of ours with its certificate and what leads from there to an authority.
type keyPair struct {
	key   *rsa.PrivateKey
	chain []*x509.Certificate // ours first
}

// parseKeyPair reads a private key and its certificate from PEM. No error quotes it.
func parseKeyPair(text string) (*keyPair, error) {
	pair := &keyPair{}
	for _, block := range blocks([]byte(text)) {
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("holds a certificate that cannot be read")
			}
			pair.chain = append(pair.chain, cert)
		case "PRIVATE KEY", "RSA PRIVATE KEY":
			key, err := parseKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			pair.key = key
		}
	}
	switch {
	case pair.key == nil:
		return nil, errors.New("holds no private key")
	case len(pair.chain) == 0:
		return nil, errors.New("holds no certificate")
	case pair.key.N.BitLen() < 2048:
		return nil, fmt.Errorf("is an RSA key of %d bits; 2048 are the least", pair.key.N.BitLen())
	}
	if public, ok := pair.chain[0].PublicKey.(*rsa.PublicKey); !ok || !public.Equal(&pair.key.PublicKey) {
		return nil, errors.New("is not the key of the first certificate beside it")
	}
	return pair, nil
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("holds a private key that cannot be read")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("is no RSA key; XML encryption needs one")
	}
	return key, nil
}

// certificates reads a PEM file.
func certificates(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for _, block := range blocks(data) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no certificate in it", path)
	}
	return list, nil
}

// fingerprint is the SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` shows it, without colons.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
