package entra

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// attributeName is a property of users, or a part of one: department, extension_…_costCentre,
// onPremisesExtensionAttributes.extensionAttribute1, employeeOrgData.division.
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?$`)

// CheckAttribute says what is wrong with the name of an attribute, and what to write; "" when nothing is. That
// the tenant knows the property, only the tenant can tell.
func CheckAttribute(name string) (message, hint string) {
	top, part, nested := strings.Cut(name, ".")
	switch {
	case !attributeName.MatchString(name):
		return fmt.Sprintf("%q is not the name of a property", name),
			"write it as Graph spells it: employeeHireDate, extension_…_name, onPremisesExtensionAttributes.extensionAttribute1"
	case strings.HasPrefix(top, "extensionAttribute"):
		return top + " is a part of another property", "write onPremisesExtensionAttributes." + top
	case top == "onPremisesExtensionAttributes" && nested && !extensionAttribute(part):
		return fmt.Sprintf("there is no %s in onPremisesExtensionAttributes", part), "extensionAttribute1 to extensionAttribute15"
	case strings.HasPrefix(name, "extension_") && !directoryExtension.MatchString(name):
		return name + " is not the name of a directory extension",
			"extension_, the 32 hexadecimal digits of the application's id without dashes, _, and the name"
	case slices.Contains(neverRead(), strings.ToLower(top)):
		return top + " holds secrets, which are never read", "remove it"
	case strings.EqualFold(top, "signInActivity"):
		return "signInActivity changes at every sign-in and is no part of change tracking", "set sign_in_activity: true, and read it as last_login"
	case strings.EqualFold(top, "photo"):
		return "photo is a relationship and not a property", "set photos: true, and read it as attributes.photo"
	case slices.Contains(elsewhere(), strings.ToLower(top)):
		return top + " is kept outside the directory and cannot be read for many users at once", "remove it"
	case slices.Contains(relationships(), strings.ToLower(top)):
		return top + " is a relationship and not a property", "remove it; managers and groups are read anyway"
	}
	return "", ""
}

var directoryExtension = regexp.MustCompile(`^extension_[0-9a-fA-F]{32}_[A-Za-z0-9_]+$`)

func extensionAttribute(name string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "extensionAttribute"))
	return err == nil && strings.HasPrefix(name, "extensionAttribute") && n >= 1 && n <= 15 && name == "extensionAttribute"+strconv.Itoa(n)
}

// neverRead are properties with passwords.
func neverRead() []string { return []string{"passwordprofile"} }

// elsewhere are properties for which a list answers 501.
func elsewhere() []string {
	return []string{
		"aboutme", "birthday", "hiredate", "interests", "mailboxsettings", "mysite", "pastprojects", "preferredname",
		"responsibilities", "schools", "skills", "deviceenrollmentlimit",
	}
}

func relationships() []string {
	return []string{"manager", "directreports", "memberof", "transitivememberof", "owneddevices", "registereddevices", "manageddevices"}
}

// attributeDecoder reads an extra attribute.
func attributeDecoder(l *schema, name string) fieldDecoder {
	top, part, _ := strings.Cut(name, ".")
	slot := l.slot(top)
	get := func(e *entry) (directory.Value, error) {
		v := e.values[slot]
		if part != "" {
			v = v.Member(part)
		}
		return anyValue(v), nil
	}
	if name == "licenseAssignmentStates" {
		get = func(e *entry) (directory.Value, error) { return assignmentStates(e.values[slot]) }
	}
	return fieldDecoder{field: directory.AttributePrefix + name, get: get}
}

// anyValue is the value of a property of any type. What has no place among the types is kept as its JSON.
func anyValue(v jsonscan.Value) directory.Value {
	if v.Null() {
		return directory.Null()
	}
	switch v[0] {
	case '"':
		s, _ := v.Text()
		return textOrNull(s)
	case 't', 'f':
		return directory.Bool(v[0] == 't')
	case '[':
		var items []string
		for w := jsonscan.Enter(v); w.More(); {
			item := w.Value()
			if s, ok := item.Text(); ok {
				items = append(items, s)
			} else if !item.Null() {
				items = append(items, compact(item))
			}
		}
		if len(items) == 0 {
			return directory.Null()
		}
		return directory.List(items...)
	case '{':
		return directory.Text(compact(v))
	default:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return directory.Number(n)
		}
		return directory.Text(string(v))
	}
}

func textOrNull(s string) directory.Value {
	if s == "" {
		return directory.Null()
	}
	return directory.Text(s)
}

// assignmentStates says how each licence is held: "<sku> direct" or "<sku> group <group's id>", followed by the
// state where it is another one than Active, and the reason of an error.
func assignmentStates(v jsonscan.Value) (directory.Value, error) {
	if v.Null() {
		return directory.Null(), nil
	}
	if !v.IsList() {
		return directory.Value{}, mismatch("licenseAssignmentStates", "a list", v)
	}
	var items []string
	for w := jsonscan.Enter(v); w.More(); {
		one := w.Value()
		sku, ok := one.Member("skuId").Text()
		if !ok {
			return directory.Value{}, mismatch("skuId", "a text", one.Member("skuId"))
		}
		text := strings.ToLower(sku) + " direct"
		if group, ok := one.Member("assignedByGroup").Text(); ok && group != "" {
			text = strings.ToLower(sku) + " group " + canonicalID(group)
		}
		if state, ok := one.Member("state").Text(); ok && state != "" && state != "Active" {
			text += " " + state
			if reason, ok := one.Member("error").Text(); ok && reason != "" && reason != "None" {
				text += " " + reason
			}
		}
		items = append(items, text)
	}
	if len(items) == 0 {
		return directory.Null(), nil
	}
	return directory.List(items...), nil
}
