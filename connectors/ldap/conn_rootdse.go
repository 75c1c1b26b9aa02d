package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Capabilities of Active Directory and of AD LDS (MS-ADTS 3.1.1.3.4.3), which Samba announces, too.
const (
	capabilityAD    = "1.2.840.113556.1.4.800"
	capabilityADLDS = "1.2.840.113556.1.4.1851"
)

// rootDSE is what a server says about itself (RFC 4512 section 5.1).
type rootDSE struct {
	vendor         string
	namingContexts []string
	capabilities   []string
	controls       []string

	// A domain controller's own name, the DN of its settings, and the number of its last change (MS-ADTS 3.1.1.3.2).
	hostName, settings, lastUSN string
	// The naming contexts of its domain and of the forest's configuration.
	domain, configuration string
	// schema is the entry that describes attributes.
	schema string
}

// identify reads the root DSE. A server that hides it is treated as one that promises nothing.
func (s *session) identify(op string) error {
	entries, err := s.search(op+": read root DSE", ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		0, 0, false, "(objectClass=*)", []string{
			"namingContexts", "supportedControl", "supportedCapabilities", "vendorName", "objectClass", "structuralObjectClass",
			"dnsHostName", "dsServiceName", "highestCommittedUSN", "defaultNamingContext", "configurationNamingContext", "subschemaSubentry",
		}, nil))
	if err != nil {
		if hidden(err) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		s.root = rootDSE{
			vendor:         vendorOf(e),
			namingContexts: e.GetEqualFoldAttributeValues("namingContexts"),
			capabilities:   e.GetEqualFoldAttributeValues("supportedCapabilities"),
			controls:       e.GetEqualFoldAttributeValues("supportedControl"),
			hostName:       strings.ToLower(e.GetEqualFoldAttributeValue("dnsHostName")),
			settings:       e.GetEqualFoldAttributeValue("dsServiceName"),
			lastUSN:        e.GetEqualFoldAttributeValue("highestCommittedUSN"),
			schema:         e.GetEqualFoldAttributeValue("subschemaSubentry"),
			domain:         e.GetEqualFoldAttributeValue("defaultNamingContext"),
			configuration:  e.GetEqualFoldAttributeValue("configurationNamingContext"),
		}
	}
	return nil
}

// vendorOf names the product for people. Only the preset is decided by what it really can.
func vendorOf(e *ldap.Entry) string {
	if name := e.GetEqualFoldAttributeValue("vendorName"); name != "" {
		return name
	}
	if slices.Contains(e.GetEqualFoldAttributeValues("supportedCapabilities"), capabilityAD) {
		return "Active Directory"
	}
	if strings.HasPrefix(e.GetEqualFoldAttributeValue("structuralObjectClass"), "OpenLDAP") {
		return "OpenLDAP"
	}
	return "unknown product"
}

// activeDirectory reports whether the server is Active Directory, AD LDS or Samba as a domain controller.
func (r rootDSE) activeDirectory() bool {
	return slices.Contains(r.capabilities, capabilityAD) || slices.Contains(r.capabilities, capabilityADLDS)
}

// paging reports whether the server promises paged results (RFC 2696).
func (r rootDSE) paging() bool { return slices.Contains(r.controls, ldap.ControlTypePaging) }

// offers reports whether the server supports a control.
func (r rootDSE) offers(control string) bool { return slices.Contains(r.controls, control) }
