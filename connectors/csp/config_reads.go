package csp

import (
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/connectors/entra"

	"dirsyncd/sync/directory"
)

// saysOfCustomers is what the proofs of the stream of customers say is read (connectors.Proof).
func (c *Config) saysOfCustomers() []string {
	if c.CustomerDetails {
		return detailFields()
	}
	return nil
}

// detailFields are the fields of a customer that Partner Center is asked for one by one.
func detailFields() []string {
	return []string{
		directory.FieldEmail, directory.FieldLanguage, directory.FieldPhone, directory.FieldStreet, directory.FieldCity, directory.FieldState,
		directory.FieldPostalCode, directory.FieldCountry,
	}
}

var (
	_ connectors.Selective = (*Config)(nil)
	_ connectors.Domained  = (*Config)(nil)
)

// ReadsDomains implements connectors.Domained.
func (c *Config) ReadsDomains() (hint string, read bool) {
	return "set csp.customer_details: true", c.CustomerDetails
}

// Unread implements connectors.Selective.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if kind == directory.Customer {
		switch {
		case slices.Contains(detailFields(), name):
			return "set csp.customer_details: true", !c.CustomerDetails
		case slices.Contains([]string{attributeRelationship, attributeGDAPEnds, attributeGDAPRoles, attributeGDAPStatus, attributeSources}, name):
			return "", false
		}
	}
	if kind == directory.Licence && name == directory.FieldAutoRenew && !(c.Subscriptions && c.has(sourcePartnerCenter)) {
		return "set csp.subscriptions: true, and have partner_center among csp.sources", true
	}
	sel := entra.Selection{
		Groups: c.Groups, Licences: c.Licences, Devices: c.Devices, DeviceLastSeen: c.DeviceLastSeen, Manager: c.Manager, GroupOwners: c.GroupOwners, LeaveDate: c.LeaveDate,
		SignInActivity: c.SignInActivity, Photos: c.Photos, Attributes: c.Attributes,
	}
	return sel.Unread("csp", kind, name)
}
