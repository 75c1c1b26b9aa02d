package main

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/sync/config"
)

// The blocks of connections, as small as they may be, with room for what a case adds.
var blocks = map[string]string{
	"ldap":    `{servers: ["ldaps://dc1.example"], base: "dc=example"%s}`,
	"entra":   `{tenant: contoso.example, client_id: 11111111-2222-4333-8444-555555555555, client_secret: hush%s}`,
	"csp":     `{tenant: 11111111-2222-4333-8444-555555555556, client_id: 11111111-2222-4333-8444-555555555555, client_secret: hush%s}`,
	"google":  `{oauth: {client_id: a, client_secret: b, refresh_token: c}%s}`,
	"okta":    `{url: "https://example.okta.com", token: hush%s}`,
	"delinea": `{url: "https://example.delinea.app", product: platform, client_id: a, client_secret: hush%s}`,
}

// checkOf is what `check` says of one mapping and its connections, each given as connector and further settings.
func checkOf(t *testing.T, mapping string, connections ...string) (problems, warnings string) {
	t.Helper()
	text := "connections:\n"
	for i, c := range connections {
		kind, more, _ := strings.Cut(c, " ")
		if more != "" {
			more = ", " + more
		}
		text += fmt.Sprintf("  c%d: {connector: %s, mapping: m, targets: [t], %[2]s: %s}\n", i, kind, fmt.Sprintf(blocks[kind], more))
	}
	text += "targets: {t: {target: file, file: {path: t.jsonl}}}\nmappings:\n  m:\n" + mapping
	cfg, err := config.Parse([]byte(text), "config.yaml", parts().Config())
	if err != nil {
		return err.Error(), ""
	}
	for _, w := range cfg.Warnings {
		warnings += w.String() + "\n"
	}
	return "", warnings
}

// Rules on what a connection does not read are refused, with the place and what to write.
func TestRulesOnWhatIsNotRead(t *testing.T) {
	rule := func(when string) string {
		return fmt.Sprintf("    rules: [{name: r, when: '%s', user: {customer: Acme}}]\n", when)
	}
	const devices = "    rules: [{name: r, user: {customer: Acme}}]\n    devices: [{name: d, asset: {name: = name%s}}]\n"
	for _, c := range []struct {
		mapping string
		reads   []string
		want    string // in the problems; empty: there are none
		warning string
	}{
		{rule(`"x" in groups`), []string{"ldap"}, "", ""},
		{rule(`"x" in licences`), []string{"ldap"}, `looks at licences, which connection "c0" does not read`, ""},
		{rule(`attributes.desk == "x"`), []string{"ldap"}, "add desk to ldap.attributes", ""},
		{rule(`attributes.desk == "x"`), []string{"ldap attributes: [desk]"}, "", ""},
		{rule(`"x" in attribute_values.desk`), []string{"ldap attributes: [Desk]"}, "write it as the configuration does: attributes.Desk", ""},
		{rule(`manager.name == "x"`), []string{"ldap fields: {manager: []}"}, "name its attribute in ldap.fields.manager", ""},
		{rule(`last_login == nil`), []string{"ldap"}, "looks at last_login", ""},
		{rule(`last_login == nil`), []string{"ldap fields: {last_login: lastLogonTimestamp}"}, "", ""},

		{rule(`tenant.domain == "x"`), []string{"okta"}, "", `config.yaml:6:30: rule "r": when looks at tenant.domain, which is blank for everybody of connection "c0": it has no tenants`},
		{rule(`tenant.id == "x"`), []string{"csp", "entra"}, "", `which is blank for everybody of connection "c1"`},
		{rule(`tenant.id == "x"`), []string{"csp", "ldap domains: auto"}, "", ""},
		{rule(`tenant.name == "x"`), []string{"google"}, "", `connection == "NAME"`},

		{rule(`domain(email) in tenant.domains`), []string{"csp customer_details: true"}, "", ""},
		{rule(`domain(email) in tenant.domains`), []string{"csp"}, "set csp.customer_details: true", ""},
		{rule(`domain(email) in tenant.domains`), []string{"csp customer_details: true", "okta"}, `looks at tenant.domains, which connection "c1" does not read`, ""},
		{rule(`connection == "c0" and domain(email) in tenant.domains`), []string{"csp customer_details: true", "ldap domains: auto"}, "", ""},
		{rule("enabled") + "    fields: {user: {d: = tenant.domains}}\n", []string{"csp customer_details: true", "google"}, `which connection "c1" does not read`, ""},

		{rule(`"x" in direct_groups`), []string{"entra groups: false"}, "set entra.groups: true", ""},
		{rule(`"x" in group_ids`), []string{"entra groups: false"}, "config.yaml:6:37", ""},
		{rule(`"x" in licence_ids`), []string{"entra licences: false"}, "set entra.licences: true", ""},
		{rule(`manager.email == "x"`), []string{"entra manager: false"}, "set entra.manager: true", ""},
		{rule(`manager.last_login == nil`), []string{"entra"}, "set entra.sign_in_activity: true", ""},
		{rule(`attributes.photo != nil`), []string{"entra"}, "set entra.photos: true", ""},
		{rule(`attributes.photo != nil`), []string{"entra photos: true"}, "", ""},
		{rule(`attributes["employeeOrgData.division"] == "x"`), []string{"entra attributes: [employeeOrgData.division]"}, "", ""},
		{fmt.Sprintf(devices, ""), []string{"entra"}, "", "set entra.devices: true"},
		{fmt.Sprintf(devices, ", owner: = owner.name"), []string{"entra devices: true"}, "", ""},
		{fmt.Sprintf(devices, ", seen: = last_seen"), []string{"entra devices: true"}, "set entra.device_last_seen: true", ""},

		{rule(`manager.email == "x"`), []string{"csp manager: false"}, "set csp.manager: true", ""},
		{"    customers: [{name: c, customer: {city: = city, id: = attributes.relationship}}]\n", []string{"csp"}, "set csp.customer_details: true", ""},
		{"    customers: [{name: c, customer: {city: = city}}]\n", []string{"csp customer_details: true"}, "", ""},
		{rule(`"x" in groups`), []string{"google groups: {read: false}"}, "set google.groups.read: true", ""},
		{rule(`"x" in licences`), []string{"google"}, "name products in google.licences.products", ""},
		{rule(`"x" in licences`), []string{"google licences: {products: [Google-Apps]}"}, "", ""},
		{rule(`attributes["organizations.costCenter"] == "x"`), []string{"google"}, "add organizations.costCenter to google.attributes", ""},
		{rule(`attributes.desk == "x"`), []string{"okta"}, "add desk to okta.attributes", ""},
		{rule(`"x" in licences`), []string{"okta"}, "apps: true", ""},
		{rule(`last_login == nil`), []string{"okta last_login: true"}, "", ""},
		{rule(`phone == "x"`), []string{"delinea"}, "name its column in delinea.fields.phone", ""},
		{rule(`"x" in groups`), []string{"delinea roles: false"}, "set delinea.roles: true", ""},
		{rule(`attributes.SourceDsType == "CDS" and "x" in groups`), []string{"delinea attributes: [SourceDsType]"}, "", ""},
		{rule(`customer.name == "x"`), []string{"csp"}, `looks at customer, which connection "c0" does not read`, ""},
		{rule(`site.name == "x"`), []string{"google"}, `looks at site, which connection "c0" does not read`, ""},
		{rule("enabled") + "    fields: {user: {c: = customer.name}}\n", []string{"ldap"}, "use company or office (tenant.name", ""},
		{"    customers: [{name: c, customer: {}}]\n    sites: [{name: s, site: {}}]\n", []string{"csp"}, "", "rules for objects of the kind site make nothing of connection"},

		// Two connections share a mapping and read differently.
		{rule(`"x" in licences`), []string{"ldap", "entra"}, `which connection "c0" does not read`, ""},
		{rule(`connection == "c1" and "x" in licences`), []string{"ldap", "entra"}, "", ""},
		{rule(`connection == "c1" or "x" in licences`), []string{"ldap", "entra"}, `which connection "c0" does not read`, ""},
		{rule(`connection in ["c1", "c2"] and manager.name == "x"`), []string{"okta fields: {manager: []}", "entra", "entra manager: false"}, `which connection "c2" does not read`, ""},
		{rule(`"x" in groups`), []string{"google groups: {read: false}", "entra groups: false"}, `which connection "c0", connection "c1" does not read`, ""},
		{rule("enabled") + "    fields: {user: {licences: = licences}}\n", []string{"ldap", "entra"}, "", `stays blank for connection "c0", which does not read licences`},
		{rule("enabled") + "    fields: {user: {licences: = licences}}\n", []string{"ldap"}, `looks at licences, which connection "c0" does not read`, ""},
		{fmt.Sprintf(devices, ", owner: = owner.name"), []string{"ldap", "entra devices: true"}, "", `make nothing of connection "c0"`},
	} {
		problems, warnings := checkOf(t, c.mapping, c.reads...)
		if (problems == "") != (c.want == "") || !strings.Contains(problems, c.want) || (warnings == "") != (c.warning == "") || !strings.Contains(warnings, c.warning) {
			t.Errorf("%v, %s\n got %s%s\nwant %s%s", c.reads, c.mapping, problems, warnings, c.want, c.warning)
		}
	}
}

// A mapping that cannot fill what a target needs to make something is pointed out, with the place of the rule.
func TestWhatTargetsNeed(t *testing.T) {
	for _, c := range []struct{ rule, target, want string }{
		{"{name: r, user: {name: = name, email: = email}}", "rest: {preset: redmine, url: https://r.example, auth: {token: x}, names: {mark: 1, group_mark: 2}}",
			`config.yaml:7:13: rule "r" fills no given_name, no family_name: target "t" needs that to make a new user`},
		{"{name: r, user: {email: = email, given_name: = given_name, family_name: = family_name}}", "rest: {preset: redmine, url: https://r.example, auth: {token: x}, names: {mark: 1, group_mark: 2}}", ""},
		{"{name: r, user: {name: = name}}", "rest: {preset: request-tracker, url: https://r.example/REST/2.0, auth: {token: x}, names: {mark: Key, group_mark: Key}}", `fills no login or email`},
		{"{name: r, user: {email: = email}}", "rest: {preset: request-tracker, url: https://r.example/REST/2.0, auth: {token: x}}", `what is made of user records gets no mark`},
		{"{name: r, user: {name: = name}}", "scim: {url: https://s.example/scim/v2, token: x}", `fills no login or email`},
		{"{name: r, ignore: true}", "scim: {url: https://s.example/scim/v2, token: x}", ""},
	} {
		name, _, _ := strings.Cut(c.target, ":")
		text := "connections:\n  c0: {connector: okta, mapping: m, targets: [t], okta: " + fmt.Sprintf(blocks["okta"], "") + "}\ntargets:\n  t: {target: " + name + ", " + c.target + "}\nmappings:\n  m:\n    rules: [" + c.rule + "]\n"
		cfg, err := config.Parse([]byte(text), "config.yaml", parts().Config())
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		warnings := ""
		for _, w := range cfg.Warnings {
			warnings += w.String() + "\n"
		}
		if !strings.Contains(warnings, c.want) || c.want == "" && warnings != "" {
			t.Errorf("%s: warns of %q, want %q", c.target, warnings, c.want)
		}
	}
}
