package saml

import (
	"errors"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/signin"
)

var errRanOut = errors.New("its metadata ran out (validUntil), and there are no fresh ones")

func unreachable(err error) *signin.Refusal {
	return &signin.Refusal{Reason: signin.ProviderUnreachable, Text: err.Error(), Hint: "is the address right, and may this machine go there? `signin test` asks again"}
}

// unsigned is what crewjam says, without a class, of an assertion without a signature that it wants to have one.
const unsigned = "signature element not present"

// explain makes a refusal of an error of the library.
func (p *Provider) explain(t *trail, err error, m *message, i *idp, now time.Time) *signin.Refusal {
	var invalid *saml.InvalidResponseError
	if errors.As(err, &invalid) {
		err = invalid.PrivateErr // its own text says nothing
	}
	known := make([]string, len(i.keys))
	for n, k := range i.keys {
		known[n] = fingerprint(k.Raw)
	}
	is := func(class error) bool { return errors.Is(err, class) }
	switch {
	case is(saml.ErrUntrustedCertificate):
		return t.refuse(signin.UntrustedCertificate, "signature", strings.Join(m.shownCertificates(), " "),
			"if the provider has a new key: its metadata must name it; compare fingerprints with its administrator",
			"it is signed with the certificate %s, and the metadata name %s", strings.Join(m.shownCertificates(), " "), some(known))
	case is(saml.ErrCertificateNotValidNow):
		return t.refuse(signin.CertificateDates, "certificate dates", dates(i, now), "renew it at the provider; certificate_dates: ignore takes it as a mere key",
			"the provider signs with a certificate outside its dates: %s", dates(i, now))
	case is(saml.ErrUnsupported) && strings.Contains(err.Error(), "SHA-1"):
		return t.refuse(signin.SHA1, "signature", "SHA-1", "let the provider sign with SHA-256; allow_sha1 takes it as it is", "it is signed with SHA-1")
	case is(saml.ErrInvalidSignature) && strings.Contains(err.Error(), "CBC"):
		return t.refuse(signin.NotSigned, "encryption", "CBC", "let the provider sign the response, or encrypt with AES-GCM; allow_cbc takes it as it is",
			"the assertion is encrypted in CBC mode, and the response around it is not signed")
	case err.Error() == unsigned:
		return t.refuse(signin.NotSigned, "signature", "none", "let the provider sign assertions or responses", "neither the response nor its assertion is signed")
	case is(saml.ErrInvalidSignature):
		return t.refuse(signin.Signature, "signature", "does not hold", "something on the way changed it, or it was made up", "%v", err)
	case is(saml.ErrDecryptionFailed):
		return t.refuse(signin.Malformed, "encryption", "cannot be decrypted", "does the provider have our metadata of today? A former key belongs into former_keys",
			"the assertion is not encrypted to a key of ours")
	case is(saml.ErrIssuerMismatch):
		return t.refuse(signin.Issuer, "issuer", "another one", "entity_id must be exactly what the provider calls itself", "%v", err)
	case is(saml.ErrDestinationMismatch):
		return t.refuse(signin.Destination, "destination", "another one", "register "+p.acs.String()+" at the provider, exactly", "%v", err)
	case is(saml.ErrAudienceMismatch):
		return t.refuse(signin.Audience, "audience", "another one", "register "+p.ours+" as our entity id at the provider, or set own_entity_id", "%v", err)
	case is(saml.ErrRequestIDMismatch):
		return t.refuse(signin.NotBegunHere, "request", "another one", "", "the assertion answers another request than the response around it")
	case is(saml.ErrExpired) || is(saml.ErrNotYetValid):
		return p.clock(t, m, now, err.Error())
	case is(saml.ErrAssertionReplayed):
		return t.refuse(signin.UsedAlready, "used once", "seen before", "", "this message was used before")
	case is(saml.ErrAuthnContextMismatch):
		return t.refuse(signin.ClaimRefused, "authentication", "not as asked", "let the provider ask for what authn_context says, or change that", "%v", err)
	}
	return t.refuse(signin.Malformed, "message", "not as SAML wants it", "", "%v", err)
}

// dates are those of the provider's certificates that do not hold now.
func dates(i *idp, now time.Time) string {
	var list []string
	for _, k := range i.keys {
		if expired(k, now) {
			list = append(list, fingerprint(k.Raw)[:16]+" "+k.NotBefore.UTC().Format(time.DateOnly)+" to "+k.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	return strings.Join(list, ", ")
}
