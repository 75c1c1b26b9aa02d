package entra

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// truth is what the model must hold, made from the simulator's own state by other means than the wire.
func (w *world) truth() []string {
	var lines []string
	here := map[string]bool{}
	t := w.tenant
	users, groups := t.UserIDs(), t.GroupIDs()
	for _, id := range slices.Concat(users, groups) {
		here[id] = true
	}
	for _, id := range users {
		p, _ := t.Get(id)
		line := "person " + id + fieldsOfUser(p, w.photoOf(id))
		var links []string
		if m := t.Manager(id); here[m] {
			links = append(links, fmt.Sprintf("->%d:id:%s", directory.Manager, m))
		}
		list, _ := p["assignedLicenses"].([]any)
		for _, one := range list {
			links = append(links, fmt.Sprintf("->%d:sku:%s", directory.Holds, one.(map[string]any)["skuId"]))
		}
		slices.Sort(links)
		lines = append(lines, line+strings.Join(slices.Compact(links), ""))
	}
	for _, id := range groups {
		p, _ := t.Get(id)
		line := "group " + id + fieldsOfGroup(p)
		if w.owners {
			for _, o := range t.Owners(id) {
				line += fmt.Sprintf("->%d:id:%s", directory.Manager, o)
			}
		}
		lines = append(lines, line)
		for _, m := range t.Members(id) {
			if here[m] {
				lines = append(lines, "member "+id+" id:"+m)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func fieldsOfUser(p microsoftsim.Props, photo string) string {
	out := map[string]string{}
	if photo != "" {
		out[photoField] = photo
	}
	for field, name := range map[string]string{
		"login": "userPrincipalName", "name": "displayName", "given_name": "givenName", "family_name": "surname", "title": "jobTitle",
		"department": "department", "company": "companyName", "office": "officeLocation", "mobile": "mobilePhone", "street": "streetAddress",
		"city": "city", "state": "state", "postal_code": "postalCode", "country": "country", "language": "preferredLanguage",
		"employee_id": "employeeId", "employee_type": "employeeType", "email": "mail",
		"attributes." + microsoftsim.ExtensionName: microsoftsim.ExtensionName,
	} {
		if s, ok := p[name].(string); ok && s != "" {
			out[field] = s
		}
	}
	if s, ok := p["userType"].(string); ok {
		out["user_type"] = strings.ToLower(s)
	}
	if b, ok := p["accountEnabled"].(bool); ok {
		out["enabled"] = fmt.Sprint(b)
	}
	if s, ok := p["createdDateTime"].(string); ok {
		out["created"] = s
	}
	if list, _ := p["businessPhones"].([]any); len(list) > 0 {
		out["phone"] = list[0].(string)
	}
	var mails []string
	add := func(s string) {
		if !slices.ContainsFunc(mails, func(t string) bool { return strings.EqualFold(s, t) }) {
			mails = append(mails, s)
		}
	}
	if s, ok := p["mail"].(string); ok {
		add(s)
	}
	proxies, _ := p["proxyAddresses"].([]any)
	for _, one := range proxies {
		if kind, address, _ := strings.Cut(one.(string), ":"); strings.EqualFold(kind, "smtp") {
			add(address)
		}
	}
	others, _ := p["otherMails"].([]any)
	for _, one := range others {
		add(one.(string))
	}
	if len(mails) > 0 {
		slices.Sort(mails)
		out["emails"] = strings.Join(mails, ", ")
	}
	return joined(out)
}

func fieldsOfGroup(p microsoftsim.Props) string {
	out := map[string]string{}
	for field, name := range map[string]string{"name": "displayName", "email": "mail", "description": "description"} {
		if s, ok := p[name].(string); ok && s != "" {
			out[field] = s
		}
	}
	mail, _ := p["mailEnabled"].(bool)
	security, _ := p["securityEnabled"].(bool)
	types, _ := p["groupTypes"].([]any)
	switch {
	case slices.Contains(types, any("Unified")):
		out["group_type"] = "microsoft365"
	case mail && security:
		out["group_type"] = "mail_security"
	case security:
		out["group_type"] = "security"
	case mail:
		out["group_type"] = "distribution"
	}
	return joined(out)
}

func joined(fields map[string]string) string {
	var parts []string
	for name, value := range fields {
		parts = append(parts, fmt.Sprintf(" %s=%q", name, value))
	}
	slices.Sort(parts)
	return strings.Join(parts, "")
}
