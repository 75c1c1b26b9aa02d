package microsoftsim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the x5t header of RFC 7515 is SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authenticate checks a client's secret or assertion and returns zero or the code of the refusal.
func (s *Server) authenticate(a *App, form url.Values) int {
	if assertion := form.Get("client_assertion"); assertion != "" {
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return 900027
		}
		return s.checkAssertion(a, assertion)
	}
	until, ok := a.Secrets[form.Get("client_secret")]
	switch {
	case !ok:
		return 7000215
	case !until.IsZero() && s.o.Now().After(until):
		return 7000222
	default:
		return 0
	}
}

// checkAssertion checks a JWT that a client signed with its certificate, or that a trusted identity provider issued.
func (s *Server) checkAssertion(a *App, assertion string) int {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return 50027
	}
	var header struct {
		Alg  string `json:"alg"`
		X5T  string `json:"x5t"`
		X5T2 string `json:"x5t#S256"`
	}
	var body struct {
		Issuer  string  `json:"iss"`
		Subject string  `json:"sub"`
		Expires float64 `json:"exp"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &body) {
		return 50027
	}
	if int64(body.Expires) < time.Now().Unix() {
		return 700024
	}
	if slices.Contains(a.Federated, Federation{body.Issuer, body.Subject}) {
		return 0
	}
	if len(a.Federated) > 0 && len(a.Certificates) == 0 {
		return 700213
	}
	if body.Issuer != a.ID || body.Subject != a.ID {
		return 700021
	}
	for _, c := range a.Certificates {
		long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
		// The client library pads its thumbprints, and spells them with the plain alphabet in some versions.
		plain := func(thumb string) string { return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(thumb) }
		if plain(header.X5T2) != spell(long[:]) && plain(header.X5T) != spell(short[:]) {
			continue
		}
		key, ok := c.PublicKey.(*rsa.PublicKey)
		if !ok {
			return 50012
		}
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if header.Alg == "PS256" {
			err = rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil)
		} else {
			err = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
		}
		if err != nil {
			return 700027
		}
		return 0
	}
	return 700027
}

func decodePart(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && json.Unmarshal(raw, into) == nil
}
