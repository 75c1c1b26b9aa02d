package entra

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Kinds of tenant.
const (
	Workforce = "workforce" // people of an organisation: changes are tracked
	B2C       = "b2c"       // Azure AD B2C: no change tracking
	External  = "external"  // Entra External ID: no change tracking
)

// TenantTypes lists them.
func TenantTypes() []string { return []string{Workforce, B2C, External} }

// Selection says what a Reader reads.
type Selection struct {
	// Tenant is the tenant as the operator knows it, a GUID or a domain. It is part of cursors and scopes.
	Tenant string
	// Identity says who reads, such as the application's client id. It is part of scopes.
	Identity string
	// TenantType is one of TenantTypes; empty is Workforce. Where it is wrong, reads are right all the same,
	// but always full ones.
	TenantType string
	// Groups reads groups and their members.
	Groups bool
	// Licences reads what the tenant has bought, and who holds it.
	Licences bool
	// Devices reads Intune's devices. A tenant without Intune is an error, unless DevicesIfAny is set.
	Devices bool
	// DevicesIfAny lets a tenant without Intune have an empty list of devices, whose scope says so.
	DevicesIfAny bool
	// DeviceLastSeen reads when a device was last in touch, which changes at every contact.
	DeviceLastSeen bool
	// Manager reads who manages whom.
	Manager bool
	// GroupOwners reads who owns groups, with Groups.
	GroupOwners bool
	// LeaveDate reads when people leave, or left (employeeLeaveDateTime).
	LeaveDate bool
	// SignInActivity reads when people last signed in. It is no part of change tracking, so people are
	// listed in full every time.
	SignInActivity bool
	// Photos asks for the photo of everybody who is read. It is no part of change tracking either, but people
	// are not listed for its sake: who has not changed keeps what the last full read found.
	Photos bool
	// Attributes are properties of users that are read besides the usual ones; see CheckAttribute.
	Attributes []string
	// Names are the product names of licences; nil: the built-in ones.
	Names *LicenceNames
}

// tracks reports whether the tenant can say what changed.
func (s *Selection) tracks() bool { return s.TenantType == "" || s.TenantType == Workforce }

// The names of the streams.
const (
	streamUsers    = "users"
	streamGroups   = "groups"
	streamLicences = "licences"
	streamDevices  = "devices"
)

// userProperties lists what is selected of users, in ascending order.
func (s *Selection) userProperties() []string {
	list := []string{
		"accountEnabled", "businessPhones", "city", "companyName", "country", "createdDateTime", "department", "displayName",
		"employeeId", "employeeType", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "otherMails",
		"postalCode", "preferredLanguage", "proxyAddresses", "state", "streetAddress", "surname", "userPrincipalName", "userType",
	}
	if s.Licences {
		list = append(list, "assignedLicenses")
	}
	if !s.tracks() {
		list = append(list, "identities")
	}
	if s.LeaveDate {
		list = append(list, leaveDate)
	}
	if s.SignInActivity {
		list = append(list, "signInActivity")
	}
	for _, name := range s.Attributes {
		top, _, _ := strings.Cut(name, ".")
		list = append(list, top)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// groupChanges lists what is selected of groups and of who comes and goes.
func (s *Selection) groupChanges() []string {
	list := append(groupProperties(), "members")
	if s.GroupOwners {
		list = append(list, "owners")
	}
	return list
}

// groupProperties lists what is selected of groups.
func groupProperties() []string {
	return []string{"createdDateTime", "description", "displayName", "groupTypes", "id", "mail", "mailEnabled", "securityEnabled"}
}

// settings is a short text that changes whenever a cursor made under one selection would be wrong under another.
func (s *Selection) settings(graph, stream string) string {
	parts := []string{"1", graph, strings.ToLower(s.Tenant), stream}
	switch stream {
	case streamUsers:
		parts = append(parts, s.userProperties()...)
		parts = append(parts, s.Attributes...)
		if s.Manager {
			parts = append(parts, "manager")
		}
		if s.Photos {
			parts = append(parts, "photo")
		}
	case streamGroups:
		parts = append(parts, groupProperties()...)
		if s.GroupOwners {
			parts = append(parts, "owners")
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:12])
}
