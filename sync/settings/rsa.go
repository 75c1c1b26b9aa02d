package settings

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// smallestRSA is the size in bits of a key that still counts as safe.
const smallestRSA = 2048

// RSAKey reads a secret that is an RSA key in PEM, PKCS#1 or PKCS#8, without a passphrase. The error is what follows the name of the setting, and quotes
// nothing of it.
func RSAKey(s Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(s.Reveal()))
	if block == nil {
		return nil, errors.New("is no key in PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		key, _ = parsed.(*rsa.PrivateKey)
	}
	switch {
	case key == nil:
		return nil, errors.New("is no RSA key, or has a passphrase")
	case key.N.BitLen() < smallestRSA:
		return nil, errors.New("is smaller than 2048 bits")
	}
	return key, nil
}
