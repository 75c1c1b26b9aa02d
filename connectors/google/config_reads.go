package google

import (
	"slices"
	"strings"

	"dirsyncd/connectors"

	"dirsyncd/sync/directory"
)

// says is what the proofs of a stream say is read (connectors.Proof).
func (c *Config) says(stream string) []string {
	var list []string
	switch stream {
	case streamUsers:
		for _, name := range c.Attributes {
			list = append(list, directory.AttributePrefix+name)
		}
		if c.Users.LastLogin {
			list = append(list, directory.FieldLastLogin)
		}
		if len(c.Licences.Products) > 0 {
			list = append(list, "licences: "+strings.Join(sortedCopy(c.Licences.Products), ", "))
		}
	case streamDevices:
		if c.Devices.LastSeen {
			list = append(list, directory.FieldLastSeen)
		}
	}
	return list
}

// soldAttributes are those that are read, unasked, of what a reseller sold and of its customers.
func soldAttributes() []string {
	return []string{
		attributeCustomerID, attributeCustomerDomain, attributePlan, attributeRenewal, attributeBilling, attributePurchaseOrder,
		attributeSuspension, attributeCustomerType, attributeDomainIsVerified,
	}
}

var _ connectors.Selective = (*Config)(nil)

// Unread implements connectors.Selective.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadPlace(kind, name); unread {
		return hint, true
	}
	if hint, unread := connectors.UnreadTenant(name); unread && len(c.Customers) == 0 && !c.Reseller {
		return hint, true
	}
	licences := len(c.Licences.Products) > 0
	switch {
	case kind == directory.Group && !c.Groups.Read, name == "groups":
		return "set google.groups.read: true", !c.Groups.Read
	case kind == directory.Licence && !licences && !c.Reseller, name == "licences":
		return "name products in google.licences.products", !licences
	case kind == directory.Device && !c.Devices.ChromeOS && !c.Devices.Mobile:
		return "set google.devices.chromeos: true, or mobile", true
	case kind == directory.Customer && !c.Reseller:
		return "set google.reseller: true, or give this connection a mapping of its own", true
	case kind == directory.Group && name == "manager":
		return "who manages a group is not read: remove it", true
	case kind == directory.Person && (name == directory.FieldExpires || name == directory.FieldSearch), name == directory.FieldManagedBy, name == directory.FieldAutoRenew:
		return "Google does not say: remove it", true
	case name == directory.FieldLastLogin:
		return "set google.users.last_login: true", !c.Users.LastLogin
	case name == directory.FieldLastSeen:
		return "set google.devices.last_seen: true", !c.Devices.LastSeen
	}
	switch {
	case kind == directory.Person || !strings.HasPrefix(name, directory.AttributePrefix):
		return connectors.UnreadAttribute("google.attributes", c.Attributes, name)
	case c.Reseller && slices.Contains(soldAttributes(), name):
		return "", false
	default:
		return "remove it: no such attribute is read of a " + kind.String(), true
	}
}
