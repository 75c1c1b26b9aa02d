package googlesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func stamp(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0) // Google's word for never
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// fieldsOf makes a resource of pairs, without those that are empty.
func fieldsOf(odd map[string]any, pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			if v == "" {
				continue
			}
		case []any:
			if len(v) == 0 {
				continue
			}
		case nil:
			continue
		}
		m[pairs[i].(string)] = pairs[i+1]
	}
	for name, v := range odd {
		if v == nil {
			delete(m, name)
			continue
		}
		m[name] = v
	}
	return m
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, t := range list {
		out[i] = t
	}
	return out
}

// one is a list of a single entry, or none when the entry says nothing beyond its type.
func one(entry map[string]any) []any {
	for name := range entry {
		if name != "type" && name != "primary" {
			return []any{entry}
		}
	}
	return nil
}

func (c *Customer) userResource(u *User, custom bool, schemas string) map[string]any {
	if !u.Deleted.IsZero() {
		return fieldsOf(u.Odd, "kind", "admin#directory#user", "id", u.ID, "primaryEmail", u.Email, "deletionTime", stamp(u.Deleted),
			"customerId", c.ID, "etag", `"d"`)
	}
	emails := []any{map[string]any{"address": u.Email, "primary": true}}
	for _, a := range u.Aliases {
		emails = append(emails, map[string]any{"address": a})
	}
	emails = append(emails, map[string]any{"address": u.Email + ".test-google-a.com"})
	var phones []any
	if u.Phone != "" {
		phones = append(phones, map[string]any{"type": "work", "value": u.Phone})
	}
	if u.Mobile != "" {
		phones = append(phones, map[string]any{"type": "mobile", "value": u.Mobile})
	}
	var schema any
	if custom && len(u.Custom) > 0 {
		all := map[string]any{}
		for name, values := range u.Custom {
			if schemas == "" || strings.Contains(","+schemas+",", ","+name+",") {
				all[name] = values
			}
		}
		schema = all
	}
	m := fieldsOf(nil, "kind", "admin#directory#user", "id", u.ID, "etag", fmt.Sprintf("%q", u.ID), "primaryEmail", u.Email,
		"name", fieldsOf(nil, "givenName", u.GivenName, "familyName", u.FamilyName, "fullName", strings.TrimSpace(u.GivenName+" "+u.FamilyName)),
		"isAdmin", u.Admin, "isDelegatedAdmin", false, "suspended", u.Suspended, "archived", u.Archived, "orgUnitPath", u.Path,
		"creationTime", stamp(u.Created), "lastLoginTime", stamp(u.LastLogin), "customerId", c.ID, "isMailboxSetup", true,
		"aliases", texts(u.Aliases), "nonEditableAliases", []any{u.Email + ".test-google-a.com"}, "emails", emails, "phones", phones,
		"organizations", one(fieldsOf(nil, "title", u.Title, "department", u.Department, "costCenter", u.CostCenter, "name", u.Company,
			"location", u.Office, "description", u.EmploymentType, "primary", true)),
		"relations", one(fieldsOf(nil, "type", "manager", "value", u.Manager)),
		"externalIds", one(fieldsOf(nil, "type", "organization", "value", u.EmployeeID)),
		"addresses", one(fieldsOf(nil, "type", "work", "streetAddress", u.Street, "locality", u.City, "country", u.Country)),
		"customSchemas", schema)
	if u.Suspended {
		m["suspensionReason"] = "ADMIN"
	}
	for name, v := range u.Odd {
		if v == nil {
			delete(m, name)
			continue
		}
		m[name] = v
	}
	return m
}

func groupResource(g *Group) map[string]any {
	users := 0
	for _, m := range g.Members {
		if m.Type == "USER" {
			users++
		}
	}
	return fieldsOf(g.Odd, "kind", "admin#directory#group", "id", g.ID, "etag", fmt.Sprintf("%q", g.ID), "email", g.Email, "name", g.Name,
		"description", g.Description, "directMembersCount", strconv.Itoa(users), "adminCreated", true,
		"nonEditableAliases", []any{g.Email + ".test-google-a.com"})
}

func memberResource(m *Member) map[string]any {
	role := m.Role
	if role == "" {
		role = "MEMBER"
	}
	return fieldsOf(nil, "kind", "admin#directory#member", "id", m.ID, "email", m.Email, "type", m.Type, "role", role, "etag", `"m"`)
}

func licenceResource(l *Licence) map[string]any {
	return fieldsOf(l.Odd, "kind", "licensing#licenseAssignment", "userId", l.Email, "productId", l.Product, "productName", l.ProductName,
		"skuId", l.SKU, "skuName", l.SKUName, "etags", `"l"`)
}

func chromeResource(d *Device) map[string]any {
	return fieldsOf(d.Odd, "kind", "admin#directory#chromeosdevice", "deviceId", d.ID, "serialNumber", d.Serial, "model", d.Model,
		"status", d.Status, "annotatedUser", d.User, "annotatedAssetId", d.Asset, "orgUnitPath", "/", "lastSync", stamp(d.LastSync))
}

func mobileResource(d *Device) map[string]any {
	var email any
	if d.User != "" {
		email = []any{d.User}
	}
	return fieldsOf(d.Odd, "kind", "admin#directory#mobiledevice", "resourceId", d.ID, "serialNumber", d.Serial, "model", d.Model,
		"status", d.Status, "email", email, "os", "Android 16", "lastSync", stamp(d.LastSync), "securityPatchLevel", "1788220800")
}
