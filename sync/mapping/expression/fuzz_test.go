package expression

import (
	"strings"
	"testing"

	"dirsyncd/sync/fault"
)

// FuzzExpression: whatever an operator writes either compiles or is a problem at a place within it, and what
// compiles ends with a value or a classified error for anybody.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`phone ?? mobile ?? "none"`, `"Service Desk" in groups`, `manager.email ?? email`, `manager.key ?? site.key`, `attributes["a-b"] + name`,
		`any(groups, any(emails, # contains "x"))`, `let a = lower(name); a + a`, `created < date("2026-01-01")`,
		`enabled ? emails : ["x"]`, `name[1:2]`, `emails[-1]`, `if enabled { 1 } else { 2 }`, `1 < len(groups) < 3`,
		`concat(filter(emails, # != ""), [name])`, `int(attributes.x) ?? 1 % 0`, `not (a and b)`, `a??b??nil==nil`,
		`map(split(name, ""), # | upper())`, `manager?.name`, `(((`, `"\u00e9`, `ou(path, -1)`, `{`, `#`, `.a`, `::lower(name)`,
		`find(map(emails, len(#)), # > 1) ?? 2`, `[nil, nil]`, `nil ?? nil`, `true ? nil : nil`, `let x = nil; x`,
		`past(created)`, `older_than(last_login ?? created, "90d")`, `due_within(date(attributes.x), "1w2d") ? 1 : 2`, `older_than(created, "9999999d")`,
		`any(emails, past(date(#)))`, `let t = created; older_than(t, "1h30m")`, `older_than(created, name)`, `past()`, `past(nil)`,
		`table.teams[name] ?? "x"`, `table.offices[office].city`, `lookup(table.teams, groups)`, `lookup(table.offices, emails, "city")[0]`,
		`search == "London" and expires != nil and past(expires)`, `table`, `table.teams`, `table.no[name]`, `table.offices[name]`, `choice.role + "x"`, `choice.vip`, `not (choice.vip ?? false)`, `under(path, name)`,
		`any(groups, table.teams[#] == choice.role)`, `table?.teams?.[name]`, `let table = name; table`, `table["ids"][group_ids].desk[1:]`,
		`domain(email) in tenant.domains`, `tenant.domains ?? [name]`, `tenant.domains[0] + name`, `let d = tenant.domains; name in d`, `tenant.domain.s`, `any(tenant.domains, # == name)`,
		`sort(uniq([name, name]))`, `none([], #)`, `lower(first([]))`, `count(groups)`, `any(groups)`, `len()`,
	} {
		f.Add(s, "x", false)
	}
	for _, s := range []string{
		`"staff" in claims.affiliation`, `claim.acr == "urn:x"`, `claims["http://schemas.example/role"]`, `any(claims.groups, # startsWith "a")`, `claims`, `claims.a-b == []`,
		`older_than(date(claim.at), "1d")`, `department == "x"`, `claim.x in claims.x`, `claims[claim.x]`,
	} {
		f.Add(s, "x", true)
	}
	l, claims := people(), NewClaimsLanguage()
	f.Fuzz(func(t *testing.T, text, value string, isCondition bool) {
		compile := l.Value
		if isCondition {
			compile = l.Condition
		}
		if strings.Contains(text, Claim) {
			compile = claims.Condition
			isCondition = true
		}
		x, diagnostics := compile(text)
		if x == nil {
			if len(diagnostics) == 0 {
				t.Fatal("neither an expression nor a diagnostic")
			}
			for _, f := range diagnostics {
				if f.At < 0 || f.At > len(text) || f.Message == "" {
					t.Fatalf("diagnostic at %d of %d: %q", f.At, len(text), f.Message)
				}
			}
			return
		}
		p := jane()
		p.Object.SetText("name", value)
		p.Claims = map[string][]string{"x": {value}, "groups": {value, text}}
		for _, p := range []Input{p, {}} {
			e := NewEvaluator([]*Expression{x}).Begin(p)
			var err error
			if isCondition {
				_, err = e.Truth(x)
			} else {
				_, err = e.Value(x)
			}
			if err != nil && fault.ClassOf(err) != fault.Invalid {
				t.Fatalf("unclassified: %v", err)
			}
		}
	})
}
