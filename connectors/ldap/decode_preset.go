package ldap

import (
	"cmp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// The names of the presets.
const (
	presetOpenLDAP        = "openldap"
	presetActiveDirectory = "activedirectory"
)

func presetNames() []string { return []string{presetOpenLDAP, presetActiveDirectory} }

// preset is what a kind of server calls things.
type preset struct {
	name   string
	anchor string
	form   dn.Form
	// userFilter and groupFilter find people and groups. Disabled accounts are among the people: a filter on
	// a state would turn a change of state into a disappearance.
	userFilter, groupFilter string
	// person names the attributes that fill the common fields, the first with a value first.
	person map[string]Names
	// members are the attributes in which groups list their members.
	members []memberAttribute
	// groupManager is the attribute of a group that names who manages it; empty for none.
	groupManager string
	// schema is the server's, nil where it is not known.
	schema *schema
	// extendedDN: the server can say the objectGUID of the entry with every DN. What points to an entry by it
	// still does after a rename, of which the entry that points is told nothing.
	extendedDN bool
}

// memberAttribute is an attribute of a group and how its values name members.
type memberAttribute struct {
	name string
	// login: values are login names, as in memberUid of RFC 2307; otherwise they are DNs.
	login bool
}

// memberAttributes are those that the operator named, or else the preset's.
func (p *preset) memberAttributes(cfg *Config) []memberAttribute {
	if len(cfg.Groups.Members) == 0 {
		return p.members
	}
	list := make([]memberAttribute, len(cfg.Groups.Members))
	for i, name := range cfg.Groups.Members {
		list[i] = memberAttribute{name: name, login: p.schema.same(name, "memberUid")}
		switch p.schema.syntax(name) {
		case "", syntaxDN, syntaxNameAndUID:
		default:
			list[i].login = true
		}
	}
	return list
}

// groupManagerAttribute is the one that the operator named, or else the preset's.
func (p *preset) groupManagerAttribute(cfg *Config) string {
	return cmp.Or(cfg.Groups.Manager, p.groupManager)
}

// presetFor returns the preset that the operator chose, or the one that fits the server.
func presetFor(chosen string, root rootDSE) preset {
	if chosen == presetActiveDirectory || chosen == "" && root.activeDirectory() {
		p := activeDirectory()
		p.extendedDN = root.offers(controlExtendedDN)
		return p
	}
	p := openLDAP()
	if chosen == "" && strings.Contains(root.vendor, "389 Project") {
		// 389 Directory Server has entryUUID only with a plug-in, nsUniqueId always.
		p.anchor = "nsUniqueId"
	}
	return p
}

// openLDAP is the preset for servers with the schemas of RFC 4519, 4524, 2798, 2307 and 4530. Who manages a group is not among
// the fields: the servers' owner (RFC 4519 section 2.20) is seldom indexed, and whoever is renamed is looked for in it.
func openLDAP() preset {
	return preset{
		name:        presetOpenLDAP,
		anchor:      "entryUUID",
		form:        dn.Form{SquashSpaces: true, Compatible: norm.NFKC.String},
		userFilter:  "(|(objectClass=person)(objectClass=posixAccount))",
		groupFilter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=groupOfURLs))",
		person: map[string]Names{
			directory.FieldLogin:        {"uid"},
			directory.FieldName:         {"displayName", "cn"},
			directory.FieldGivenName:    {"givenName"},
			directory.FieldFamilyName:   {"sn"},
			directory.FieldEmail:        {"mail"},
			directory.FieldEmails:       {"mail", "mailAlternateAddress"},
			directory.FieldTitle:        {"title"},
			directory.FieldDepartment:   {"departmentNumber", "department", "ou"},
			directory.FieldCompany:      {"o", "company"},
			directory.FieldOffice:       {"physicalDeliveryOfficeName", "l"},
			directory.FieldPhone:        {"telephoneNumber"},
			directory.FieldMobile:       {"mobile"},
			directory.FieldStreet:       {"street"},
			directory.FieldCity:         {"l"},
			directory.FieldState:        {"st"},
			directory.FieldPostalCode:   {"postalCode"},
			directory.FieldCountry:      {"co", "c"},
			directory.FieldLanguage:     {"preferredLanguage"},
			directory.FieldEmployeeID:   {"employeeNumber"},
			directory.FieldEmployeeType: {"employeeType"},
			directory.FieldCreated:      {"createTimestamp"},
			directory.FieldDescription:  {"description"},
			managerField:                {"manager"},
		},
		members: []memberAttribute{{name: "member"}, {name: "uniqueMember"}, {name: "memberUid", login: true}, {name: "roleOccupant"}},
	}
}

// activeDirectory is the preset for Active Directory, AD LDS and Samba as a domain controller. Last log-ins are
// not among the fields: lastLogonTimestamp changes all the time and would make everybody differ.
func activeDirectory() preset {
	return preset{
		name:        presetActiveDirectory,
		anchor:      "objectGUID",
		userFilter:  "(&(objectCategory=person)(objectClass=user))",
		groupFilter: "(objectClass=group)",
		person: map[string]Names{
			directory.FieldLogin:        {"sAMAccountName"},
			directory.FieldName:         {"displayName", "cn"},
			directory.FieldGivenName:    {"givenName"},
			directory.FieldFamilyName:   {"sn"},
			directory.FieldEmail:        {"mail", "proxyAddresses"},
			directory.FieldEmails:       {"mail", "proxyAddresses"},
			directory.FieldTitle:        {"title"},
			directory.FieldDepartment:   {"department", "departmentNumber"},
			directory.FieldCompany:      {"company"},
			directory.FieldOffice:       {"physicalDeliveryOfficeName", "l"},
			directory.FieldPhone:        {"telephoneNumber"},
			directory.FieldMobile:       {"mobile"},
			directory.FieldStreet:       {"streetAddress"},
			directory.FieldCity:         {"l"},
			directory.FieldState:        {"st"},
			directory.FieldPostalCode:   {"postalCode"},
			directory.FieldCountry:      {"co", "c"},
			directory.FieldLanguage:     {"preferredLanguage"},
			directory.FieldEmployeeID:   {"employeeID", "employeeNumber"},
			directory.FieldEmployeeType: {"employeeType"},
			directory.FieldCreated:      {"whenCreated"},
			directory.FieldDescription:  {"description"},
			managerField:                {"manager"},
		},
		members:      []memberAttribute{{name: "member"}},
		groupManager: "managedBy",
	}
}
