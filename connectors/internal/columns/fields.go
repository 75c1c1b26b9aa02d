package columns

import (
	"slices"
	"strings"
	"unicode"

	"dirsyncd/sync/directory"
)

// reference is a field that names other objects.
type reference struct {
	field string
	to    directory.Kind
	link  directory.LinkType
	many  bool
}

// fieldMembers names the members of a group, people; fieldMemberGroups groups within it. They are no links.
const (
	fieldMembers      = "members"
	fieldMemberGroups = "member_groups"
)

// referencesOf lists the references that rows of a kind can state.
func referencesOf(kind directory.Kind) []reference {
	switch kind {
	case directory.Person:
		return []reference{
			managedBy(),
			{"groups", directory.Group, directory.MemberOf, true},
			{"licences", directory.Licence, directory.Holds, true},
			ofCustomer(), atSite(),
		}
	case directory.Group:
		return []reference{
			{fieldMembers, directory.Person, 0, true},
			{fieldMemberGroups, directory.Group, 0, true},
			managedBy(), ofCustomer(),
		}
	case directory.Device:
		return []reference{{"owner", directory.Person, directory.Owner, false}, ofCustomer(), atSite()}
	case directory.Licence, directory.Site:
		return []reference{ofCustomer()}
	default:
		return nil
	}
}

func managedBy() reference {
	return reference{"manager", directory.Person, directory.Manager, false}
}

func ofCustomer() reference {
	return reference{"customer", directory.Customer, directory.OfCustomer, false}
}

func atSite() reference { return reference{"site", directory.Site, directory.AtSite, false} }

// fieldsOf are the common fields that a column can fill: rows are found by no search.
func fieldsOf(kind directory.Kind) []directory.CommonField {
	return slices.DeleteFunc(directory.FieldsOf(kind), func(f directory.CommonField) bool { return f.Name == directory.FieldSearch })
}

// Fields lists what Config.Columns can name for a kind: the common fields and the references, in the order of the reference.
func Fields(kind directory.Kind) []string {
	var names []string
	for _, f := range fieldsOf(kind) {
		names = append(names, f.Name)
	}
	for _, r := range referencesOf(kind) {
		names = append(names, r.field)
	}
	return names
}

// namedBy reports whether objects of a kind can be referred to by a field: one that holds texts.
func namedBy(kind directory.Kind, field string) bool {
	return slices.ContainsFunc(fieldsOf(kind), func(f directory.CommonField) bool {
		return f.Name == field && (f.Type == directory.TextType || f.Type == directory.ListType)
	})
}

// fold is a header without case, blanks, underscores, hyphens and dots: "E-Mail" and "first_name" as people write them.
func fold(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '_' || r == '-' || r == '.' || r == '\uFEFF' {
			return -1
		}
		return unicode.ToLower(r)
	}, header)
}

// wellKnown are headers that fill a field beside the field's own name, folded.
func wellKnown(header string) string {
	switch header {
	case "mail", "emailaddress", "mailaddress", "primaryemail":
		return directory.FieldEmail
	case "emailaddresses", "mailaddresses":
		return directory.FieldEmails
	case "displayname", "fullname":
		return directory.FieldName
	case "firstname", "forename":
		return directory.FieldGivenName
	case "lastname", "surname":
		return directory.FieldFamilyName
	case "username", "loginname", "userprincipalname", "samaccountname":
		return directory.FieldLogin
	case "jobtitle":
		return directory.FieldTitle
	case "phonenumber", "telephone", "telephonenumber", "officephone", "workphone":
		return directory.FieldPhone
	case "mobilephone", "mobilenumber", "cellphone":
		return directory.FieldMobile
	case "streetaddress":
		return directory.FieldStreet
	case "town":
		return directory.FieldCity
	case "province":
		return directory.FieldState
	case "zip", "zipcode", "postcode":
		return directory.FieldPostalCode
	case "employeenumber", "personnelnumber":
		return directory.FieldEmployeeID
	case "companyname", "organisation", "organization":
		return directory.FieldCompany
	case "serial":
		return directory.FieldSerialNumber
	case "operatingsystem":
		return directory.FieldOS
	case "number", "customernumber", "accountnumber", "sitenumber":
		return directory.FieldReference
	case "emaildomain", "maildomain":
		return directory.FieldDomain
	}
	return ""
}
