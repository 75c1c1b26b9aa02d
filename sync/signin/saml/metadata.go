package saml

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"

	"dirsyncd/sync/fault"
)

// maxMetadata bounds metadata. Entra's are 100 KB; federations have addresses that give one member alone.
const maxMetadata = 4 << 20

// idp is what a provider published, as far as we may rely on it. Immutable.
type idp struct {
	entity *saml.EntityDescriptor
	keys   []*x509.Certificate // all that it may sign with, with or without `use`
	raw    []byte
	at     time.Time // when it was fetched
}

// readMetadata reads the entity of a name out of metadata, signed by one of signers where there are any.
func readMetadata(data []byte, entityID string, signers []*x509.Certificate, at time.Time) (i *idp, err error) {
	defer fault.Recover("read SAML metadata", &err)
	if len(data) > maxMetadata {
		return nil, fmt.Errorf("it is larger than %d MiB; ask for the metadata of this provider alone", maxMetadata>>20)
	}
	names, err := entityIDs(data)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, entityID) {
		return nil, fmt.Errorf("it speaks of %s, and entity_id is %q", some(names), entityID)
	}
	i = &idp{raw: data, at: at}
	if len(signers) > 0 {
		i.entity, err = samlsp.ParseSignedMetadataByEntityID(data, entityID, signers)
	} else {
		i.entity, err = samlsp.ParseMetadataByEntityID(data, entityID)
	}
	if err != nil {
		return nil, err
	}
	if len(i.entity.IDPSSODescriptors) == 0 {
		return nil, fmt.Errorf("%s is no provider of identity there (IDPSSODescriptor)", entityID)
	}
	if i.keys, err = signingKeys(i.entity); err != nil {
		return nil, err
	}
	if i.location(saml.HTTPRedirectBinding) == "" && i.location(saml.HTTPPostBinding) == "" {
		return nil, errors.New("it has no SingleSignOnService by HTTP-Redirect or HTTP-POST with an https address")
	}
	return i, nil
}

// location is where the provider takes requests by a binding; blank where it does not, or not safely.
func (i *idp) location(binding string) string {
	for _, role := range i.entity.IDPSSODescriptors {
		for _, service := range role.SingleSignOnServices {
			if service.Binding == binding && safe(service.Location) {
				return service.Location
			}
		}
	}
	return ""
}

// logout is where the provider takes requests to end sessions by a binding, and where answers to its own.
func (i *idp) logout(binding string) (requests, answers string) {
	for _, role := range i.entity.IDPSSODescriptors {
		for _, service := range role.SingleLogoutServices {
			if service.Binding != binding || !safe(service.Location) {
				continue
			}
			if safe(service.ResponseLocation) {
				return service.Location, service.ResponseLocation
			}
			return service.Location, service.Location
		}
	}
	return "", ""
}

// due is when to ask again: after cacheDuration or a day, before it runs out, not within the hour.
func (i *idp) due() time.Time {
	wait := 24 * time.Hour
	if d := i.entity.CacheDuration; d > 0 {
		wait = min(wait, d)
	}
	if end := i.ends(); !end.IsZero() {
		wait = min(wait, end.Add(-time.Hour).Sub(i.at))
	}
	return i.at.Add(max(wait, time.Hour))
}

// ends is validUntil, zero when there is none.
func (i *idp) ends() time.Time {
	end := i.entity.ValidUntil
	for _, role := range i.entity.IDPSSODescriptors {
		if v := role.ValidUntil; v != nil && !v.IsZero() && (end.IsZero() || v.Before(end)) {
			end = *v
		}
	}
	return end
}

func signingKeys(entity *saml.EntityDescriptor) ([]*x509.Certificate, error) {
	var keys []*x509.Certificate
	for _, role := range entity.IDPSSODescriptors {
		for _, descriptor := range role.KeyDescriptors {
			if descriptor.Use != "" && descriptor.Use != "signing" {
				continue
			}
			for _, c := range descriptor.KeyInfo.X509Data.X509Certificates {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Data), ""))
				if err != nil {
					return nil, errors.New("a signing certificate in it cannot be read")
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return nil, fmt.Errorf("a signing certificate in it cannot be read: %w", err)
				}
				if !slices.ContainsFunc(keys, cert.Equal) {
					keys = append(keys, cert)
				}
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it names no certificate to sign with")
	}
	return keys, nil
}

// entityIDs are those that a document speaks of. It refuses a document type definition.
func entityIDs(data []byte) ([]string, error) {
	var names []string
	err := walk(data, func(start xml.StartElement, _ int) {
		if start.Name == (xml.Name{Space: nsMetadata, Local: "EntityDescriptor"}) {
			for _, a := range start.Attr {
				if a.Name.Local == "entityID" {
					names = append(names, a.Value)
				}
			}
		}
	}, nil, nil)
	if err == nil && len(names) == 0 {
		err = errors.New("it is no SAML metadata")
	}
	return names, err
}

// some shows a list that may be long.
func some(names []string) string {
	const shown = 3
	if len(names) > shown {
		return fmt.Sprintf("%q and %d more", names[:shown], len(names)-shown)
	}
	return fmt.Sprintf("%q", names)
}
