package directory

import (
	"slices"
	"strings"
)

// AttributePrefix begins the name of a field that holds an attribute under the source's own name, as in
// "attributes.employeeNumber". All other field names are those of CommonFields.
const AttributePrefix = "attributes."

// Names of the common fields, as rules spell them. Presets fill them from what each source calls them.
const (
	FieldLogin        = "login"
	FieldName         = "name"
	FieldGivenName    = "given_name"
	FieldFamilyName   = "family_name"
	FieldEmail        = "email"
	FieldEmails       = "emails"
	FieldTitle        = "title"
	FieldDepartment   = "department"
	FieldCompany      = "company"
	FieldOffice       = "office"
	FieldPhone        = "phone"
	FieldMobile       = "mobile"
	FieldStreet       = "street"
	FieldCity         = "city"
	FieldState        = "state"
	FieldPostalCode   = "postal_code"
	FieldCountry      = "country"
	FieldLanguage     = "language"
	FieldEmployeeID   = "employee_id"
	FieldEmployeeType = "employee_type"
	FieldEnabled      = "enabled"
	FieldStatus       = "status"
	FieldUserType     = "user_type"
	FieldPath         = "path"
	FieldCreated      = "created"
	FieldLastLogin    = "last_login"
	FieldDescription  = "description"
	FieldGroupType    = "group_type"
	FieldSKU          = "sku"
	FieldQuantity     = "quantity"
	FieldUsed         = "used"
	FieldFree         = "free"
	FieldTerm         = "term"
	FieldExpires      = "expires"
	FieldSerialNumber = "serial_number"
	FieldManufacturer = "manufacturer"
	FieldModel        = "model"
	FieldOS           = "os"
	FieldOSVersion    = "os_version"
	FieldOwnership    = "ownership"
	FieldLastSeen     = "last_seen"
	FieldDomain       = "domain"
	FieldDomains      = "domains"
	FieldReference    = "reference"
	FieldAutoRenew    = "auto_renew"
	FieldManagedBy    = "managed_by"
	FieldSearch       = "search"
)

// What an object has that is stored because its person signed in, and not because its source listed it. The source's own word takes all of it
// away.
const (
	// FieldSignedInBy is the provider of identity.
	FieldSignedInBy = AttributePrefix + "signed_in_by"
	// FieldSignedInUntil is until when it means nothing that the source does not list the object; without it, that never means anything.
	FieldSignedInUntil = AttributePrefix + "signed_in_until"
	// FieldSignedInBeyond is true of somebody who came when the limit of the day was used up.
	FieldSignedInBeyond = AttributePrefix + "signed_in_beyond"
)

// OfSignIn reports whether a field is one of those.
func OfSignIn(field string) bool {
	return field == FieldSignedInBy || field == FieldSignedInUntil || field == FieldSignedInBeyond
}

// CommonField describes a field that every connector fills in the same way.
type CommonField struct {
	Name string
	Type ValueType
	Help string // one line for the operator
}

// commonFields is stored by position (see the codec): it is appended to, never reordered.
var commonFields = []CommonField{
	{FieldLogin, TextType, "log-in name"},
	{FieldName, TextType, "display name"},
	{FieldGivenName, TextType, "given name"},
	{FieldFamilyName, TextType, "family name"},
	{FieldEmail, TextType, "primary mail address"},
	{FieldEmails, ListType, "all mail addresses"},
	{FieldTitle, TextType, "job title"},
	{FieldDepartment, TextType, "department"},
	{FieldCompany, TextType, "company"},
	{FieldOffice, TextType, "office or location"},
	{FieldPhone, TextType, "business phone"},
	{FieldMobile, TextType, "mobile phone"},
	{FieldStreet, TextType, "street address"},
	{FieldCity, TextType, "city"},
	{FieldState, TextType, "state or province"},
	{FieldPostalCode, TextType, "postal code"},
	{FieldCountry, TextType, "country"},
	{FieldLanguage, TextType, "preferred language"},
	{FieldEmployeeID, TextType, "employee number"},
	{FieldEmployeeType, TextType, "kind of employment"},
	{FieldEnabled, BoolType, "the account may be used"},
	{FieldStatus, TextType, "status in the source's own word"},
	{FieldUserType, TextType, "member, guest or service"},
	{FieldPath, TextType, "where the object lives: DN of the parent, orgUnitPath"},
	{FieldCreated, TimeType, "when the source created the object"},
	{FieldLastLogin, TimeType, "last log-in that the source knows of"},
	{FieldDescription, TextType, "description"},
	{FieldGroupType, TextType, "security, distribution, posix, …"},
	{FieldSKU, TextType, "the product's code at its seller"},
	{FieldQuantity, NumberType, "how many are there"},
	{FieldUsed, NumberType, "how many are in use"},
	{FieldFree, NumberType, "how many are left"},
	{FieldTerm, TextType, "how it is paid for: the length of a term, its billing"},
	{FieldExpires, TimeType, "when it ends or is renewed"},
	{FieldSerialNumber, TextType, "the maker's serial number"},
	{FieldManufacturer, TextType, "maker"},
	{FieldModel, TextType, "model"},
	{FieldOS, TextType, "operating system"},
	{FieldOSVersion, TextType, "version of the operating system"},
	{FieldOwnership, TextType, "company, personal or unknown"},
	{FieldLastSeen, TimeType, "when the source last heard of it"},
	{FieldDomain, TextType, "main domain"},
	{FieldDomains, ListType, "all domains"},
	{FieldReference, TextType, "number or code in the books of whoever keeps the source"},
	{FieldAutoRenew, BoolType, "it is renewed by itself when its term ends"},
	{FieldManagedBy, TextType, "what manages the device, in the source's own word"},
	{FieldSearch, TextType, "name of the search that found the object"},
}

// FieldsOf lists the common fields that objects of a kind can have, in the order of the reference. The result is
// the caller's.
func FieldsOf(kind Kind) (list []CommonField) {
	names := map[Kind][]string{
		Group: {FieldName, FieldDescription, FieldEmail, FieldPath, FieldGroupType},
		Licence: {
			FieldName, FieldSKU, FieldDescription, FieldStatus, FieldQuantity, FieldUsed, FieldFree, FieldTerm, FieldAutoRenew, FieldExpires, FieldCreated,
		},
		Device: {
			FieldName, FieldSerialNumber, FieldManufacturer, FieldModel, FieldOS, FieldOSVersion, FieldOwnership, FieldManagedBy, FieldStatus,
			FieldEnabled, FieldEmail, FieldPhone, FieldPath, FieldDescription, FieldCreated, FieldLastSeen,
		},
		Customer: {
			FieldName, FieldReference, FieldDomain, FieldDomains, FieldStatus, FieldEmail, FieldPhone, FieldStreet, FieldCity, FieldState,
			FieldPostalCode, FieldCountry, FieldLanguage, FieldDescription, FieldCreated,
		},
		Site: {
			FieldName, FieldReference, FieldDomain, FieldDomains, FieldStatus, FieldEmail, FieldPhone, FieldStreet, FieldCity, FieldState,
			FieldPostalCode, FieldCountry, FieldLanguage, FieldDescription, FieldCreated,
		},
	}
	if kind == Person {
		last, _ := commonFieldCode(FieldGroupType)
		names[Person] = []string{FieldExpires, FieldSearch}
		list = slices.Clone(commonFields[:last])
	}
	for _, name := range names[kind] {
		f, _ := LookupCommonField(name)
		list = append(list, f)
	}
	return list
}

// fieldTable has the common fields by a few bytes of their names: every field that is written is looked up here. An entry is the field's
// position plus one, zero for none; one whose place is taken is in the next that is free.
var fieldTable = func() (table [256]uint8) {
	for i, f := range commonFields {
		at := fieldPlace(f.Name)
		for table[at] != 0 {
			at++
		}
		table[at] = uint8(i + 1)
	}
	return table
}()

func fieldPlace(name string) uint8 {
	if name == "" {
		return 0
	}
	return uint8(len(name))*31 + name[0]*7 + name[len(name)-1]
}

// commonFieldCode returns the position of a common field.
func commonFieldCode(name string) (int, bool) {
	for at := fieldPlace(name); fieldTable[at] != 0; at++ {
		if code := int(fieldTable[at]) - 1; commonFields[code].Name == name {
			return code, true
		}
	}
	return 0, false
}

// CommonFields lists the common fields. The result is the caller's.
func CommonFields() []CommonField { return slices.Clone(commonFields) }

// LookupCommonField returns the description of a common field.
func LookupCommonField(name string) (CommonField, bool) {
	i, ok := commonFieldCode(name)
	if !ok {
		return CommonField{}, false
	}
	return commonFields[i], true
}

func findField(fields []Field, name string) (int, bool) {
	return slices.BinarySearchFunc(fields, name, func(f Field, name string) int { return strings.Compare(f.Name, name) })
}

func getField(fields []Field, name string) (Value, bool) {
	i, ok := findField(fields, name)
	if !ok {
		return Value{}, false
	}
	return fields[i].Value, true
}

func setField(fields []Field, name string, v Value) []Field {
	i, ok := findField(fields, name)
	if ok {
		fields[i].Value = v
		return fields
	}
	return slices.Insert(fields, i, Field{Name: name, Value: v})
}
