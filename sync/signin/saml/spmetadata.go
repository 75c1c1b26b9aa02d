package saml

import (
	"encoding/base64"
	"encoding/xml"

	"github.com/crewjam/saml"
)

// Metadata is what we are, as XML for the provider: nothing in it is secret, and nothing of the provider is needed for it. The
// certificate that comes next stands beside that of today.
func (p *Provider) Metadata() ([]byte, error) {
	entity := p.service(&saml.EntityDescriptor{}, p.opts.Now()).Metadata()
	if p.next != nil {
		role := &entity.SPSSODescriptors[0]
		role.KeyDescriptors = append(role.KeyDescriptors, saml.KeyDescriptor{Use: "signing", KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{
			X509Certificates: []saml.X509Certificate{{Data: base64.StdEncoding.EncodeToString(p.next.chain[0].Raw)}},
		}}})
	}
	data, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), data...), '\n'), nil
}
