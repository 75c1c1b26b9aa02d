package entra

import (
	"strings"

	"dirsyncd/connectors"

	"dirsyncd/sync/directory"
)

var _ connectors.OfTenant = (*Config)(nil)

// TenantID implements connectors.OfTenant.
func (c *Config) TenantID() string { return c.Tenant }

// Unread says how to have read what rules for objects of a kind look at under a name, when it is not read. block is the
// name of the block in which the operator says so.
func (s *Selection) Unread(block string, kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadPlace(kind, name); unread {
		return hint, true
	}
	set := func(is bool, key string) (string, bool) { return "set " + block + "." + key + ": true", !is }
	switch {
	case kind == directory.Group && !s.Groups, name == "groups":
		return set(s.Groups, "groups")
	case kind == directory.Licence && !s.Licences, name == "licences":
		return set(s.Licences, "licences")
	case kind == directory.Device && !s.Devices:
		return set(false, "devices")
	case kind == directory.Group && name == "manager":
		return set(s.GroupOwners, "group_owners")
	case name == "manager":
		return set(s.Manager, "manager")
	case kind == directory.Person && name == directory.FieldExpires:
		return set(s.LeaveDate, "leave_date")
	case kind == directory.Person && name == directory.FieldSearch:
		return "an account of Entra ID has none: remove it", true
	case kind == directory.Licence && name == directory.FieldAutoRenew && block == "entra":
		return "only a partner is told: remove it, or read the tenant by csp", true
	case name == directory.FieldLastLogin:
		return set(s.SignInActivity, "sign_in_activity")
	case name == directory.FieldLastSeen:
		return set(s.DeviceLastSeen, "device_last_seen")
	case name == photoField && kind == directory.Person:
		return set(s.Photos, "photos")
	}
	if kind != directory.Person && strings.HasPrefix(name, directory.AttributePrefix) {
		return "remove it: no attributes are read of a " + kind.String(), true
	}
	return connectors.UnreadAttribute(block+".attributes", s.Attributes, name)
}

var _ connectors.Selective = (*Config)(nil)

// Unread implements connectors.Selective.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if kind == directory.Customer {
		return "one tenant has no customers: give this connection a mapping of its own", true
	}
	if hint, unread := connectors.UnreadTenant(name); unread {
		return hint, true
	}
	sel := c.selection(nil)
	return sel.Unread("entra", kind, name)
}
