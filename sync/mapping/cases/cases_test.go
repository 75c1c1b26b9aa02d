package cases

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/mapping"
)

type m = map[string]any

// desk compiles rules of a service desk.
func desk(t *testing.T) *mapping.Ruleset {
	return compile(t, `
rules:
  - {name: contractors stay out, when: department == "Contractors", ignore: true}
  - name: service desk
    when: '"Service Desk" in groups and enabled'
    agent: {role: Technician, team: 1st Line}
    user: {name: = upper(name), vip: true}
  - {name: everyone else, when: enabled, user: {site: '= office ?? "Head office"'}}
groups:
  - {name: sites, when: name startsWith "Site ", group: {title: '= trimPrefix(name, "Site ")'}}
fields:
  user: {name: = name, email: = email, phone: "= phone ?? mobile", manager: = manager.name}
  agent: {name: = name, licences: = licences}
  group: {email: = email, manager: = manager.name, lead: = manager.key}
`)
}

func compile(t *testing.T, text string) *mapping.Ruleset {
	t.Helper()
	var doc docRules
	if err := yaml.NewDecoder(strings.NewReader(text)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	rs, problems := mapping.Compile(doc.spec(t))
	if problems != nil {
		t.Fatalf("the rules do not compile: %+v", problems)
	}
	return rs
}

func TestCases(t *testing.T) {
	rs := desk(t)
	tech := m{"enabled": true, "name": "Jo", "groups": []any{"Service Desk"}, "manager": m{"name": "Boss"}}
	for _, c := range []struct {
		c    Case
		want string // of the first difference; "" for a pass
	}{
		{Case{Person: tech, Want: Want{Rule: "service desk", Agent: m{"role": "Technician"}, User: m{"vip": true, "phone": nil}}}, ""},
		{Case{Person: tech, Want: Want{Agent: m{}, User: m{}}}, ""},
		{Case{Person: tech, Want: Want{Rule: "everyone else"}}, `want rule "everyone else", got rule "service desk" with user and agent`},
		{Case{Person: tech, Want: Want{None: true}}, `want no rule to hold, got rule "service desk"`},
		{Case{Person: tech, Want: Want{Ignored: true}}, `want it ignored, got rule "service desk"`},
		{Case{Person: tech, Want: Want{Agent: m{"role": "Lead"}}}, `agent.role: want "Lead", got "Technician"`},
		{Case{Person: tech, Want: Want{Agent: m{"rol": "Lead"}}}, `agent.rol: no rule sets this field (did you mean "role"?)`},
		{Case{Person: tech, Want: Want{User: m{"vip": "true"}}}, `user.vip: want "true", got true`},
		{Case{Person: tech, Want: Want{User: m{"phone": "1"}}}, `user.phone: want "1", got nothing`},
		{Case{Person: tech, Want: Want{Agent: m{"role": "Technician", "team": "1st Line"}, Exact: true}},
			`agent.name: got "Jo", which is not expected`},
		{Case{Person: tech, Want: Want{Agent: m{"role": "Technician", "team": "1st Line", "name": "Jo"}, Exact: true}},
			`got a record user that is not expected`},
		{Case{Person: tech, Want: Want{Fails: "enabled"}}, `want a failure with "enabled", got rule "service desk"`},
		{Case{Person: m{"groups": "Service Desk"}, Want: Want{Fails: "did not tell enabled"}}, ""},
		{Case{Person: m{"groups": "Service Desk"}, Want: Want{Rule: "service desk"}}, `failed: rule "service desk": when: the source did not tell enabled`},
		{Case{Person: m{"department": "Contractors"}, Want: Want{Ignored: true, Rule: "contractors stay out"}}, ""},
		{Case{Person: m{"enabled": false}, Want: Want{None: true}}, ""},
		{Case{Person: m{"enabled": true}, Want: Want{Agent: m{}}}, `want a record agent, got rule "everyone else" with user`},
		{Case{Person: m{"enabled": true, "licences": []string{"b", "a"}, "groups": []string{"Service Desk"}},
			Want: Want{Agent: m{"licences": []any{"a", "b"}}}}, ""},
		{Case{Group: m{"name": "Site Oslo"}, Want: Want{Rule: "sites", Group: m{"title": "Oslo"}, Exact: true}}, ""},
		{Case{Group: m{"name": "Site Oslo", "manager": m{"name": "Boss", "key": "hq/7"}}, Want: Want{Group: m{"title": "Oslo", "manager": "Boss", "lead": "hq/7"}, Exact: true}}, ""},
		{Case{Group: m{"name": "Site Oslo", "manager": m{"name": "Boss"}}, Want: Want{Group: m{"manager": "Jo"}}}, `group.manager: want "Jo", got "Boss"`},
		{Case{Group: m{"name": "Oslo"}, Want: Want{None: true}}, ""},
	} {
		got := Run(rs, c.c)
		if got.Err != nil {
			t.Errorf("%+v: %v", c.c, got.Err)
			continue
		}
		first := ""
		if len(got.Differences) > 0 {
			first = got.Differences[0]
		}
		if !strings.HasPrefix(first, c.want) || c.want == "" && first != "" || got.Passed() != (c.want == "") {
			t.Errorf("%+v:\n got %q\nwant %q", c.c, first, c.want)
		}
	}
}

func TestUnusableCases(t *testing.T) {
	rs := desk(t)
	ok := Want{Rule: "everyone else"}
	for _, c := range []struct {
		c    Case
		want string
	}{
		{Case{Want: ok}, "no person and no other object"},
		{Case{Person: m{}, Group: m{}, Want: ok}, "a person and a group"},
		{Case{Person: m{"departmnt": "x"}, Want: ok}, `departmnt: unknown name (did you mean "department"?)`},
		{Case{Person: m{"manager": m{"emial": "x"}}, Want: ok}, `manager.emial: unknown name (did you mean "email"?)`},
		{Case{Person: m{"manager": "x"}, Want: ok}, "manager: must be a map"},
		{Case{Person: m{"manager.email": "x"}, Want: ok}, "manager.email: it is a part of manager (write manager: {email: …})"},
		{Case{Person: m{"tenant": m{"region": "x"}}, Want: ok}, "tenant.region: unknown name"},
		{Case{Person: m{"enabled": "yes"}, Want: ok}, "enabled: must be a truth value, this is a text"},
		{Case{Person: m{"employee_id": 42}, Want: ok}, "employee_id: must be a text, this is a number (put it in quotes)"},
		{Case{Person: m{"created": "yesterday"}, Want: ok}, "created: must be a date such as 2026-01-31"},
		{Case{Person: m{"groups": []any{1}}, Want: ok}, "groups: item 1 of the list is no text"},
		{Case{Person: m{"title": 1.5}, Want: ok}, "title: must be a text, a truth value"},
		{Case{Person: m{"attributes": m{"a": m{}}}, Want: ok}, "attributes.a: must be a text"},
		{Case{Group: m{"manager": "x"}, Want: Want{None: true}}, "manager: must be a map"},
		{Case{Group: m{"manager": m{"emial": "x"}}, Want: Want{None: true}}, `manager.emial: unknown name (did you mean "email"?)`},
		{Case{Group: m{"login": "x"}, Want: Want{None: true}}, "login: unknown name"},
		{Case{Person: m{}, Want: Want{}}, "it expects nothing"},
		{Case{Person: m{}, Want: Want{Rule: "everyone"}}, `there is no rule "everyone"`},
		{Case{Person: m{}, Want: Want{None: true, Ignored: true}}, "contradicts itself"},
		{Case{Person: m{}, Want: Want{Group: m{}}}, "these rules make no group, only user or agent"},
		{Case{Person: m{}, Want: Want{User: m{"a": 1.5}}}, "user.a: must be a text"},
	} {
		got := Run(rs, c.c)
		if got.Err == nil || !strings.Contains(got.Err.Error(), c.want) || got.Passed() {
			t.Errorf("%+v: got %v, want %q", c.c, got.Err, c.want)
		}
	}
}

// TestCaseNames: a case can give every name that a rule can read.
func TestCaseNames(t *testing.T) {
	given := m{
		"id": "7", "connection": "hq", "groups": []string{"A", "B"}, "direct_groups": []string{"A"}, "group_ids": []string{"g1"},
		"licences": "L", "licence_ids": "l1", "tenant": m{"id": "t", "name": "T", "domain": "t.test", "domains": []string{"t.test", "u.test"}},
		"attributes": m{"x": []any{"b", "a"}}, "attribute_values": m{"y": "z"}, "created": "2026-01-31",
		"enabled": true, "manager": m{"id": "m", "enabled": false, "last_login": "2026-01-31T08:00:00Z"},
	}
	rs := compile(t, `
rules:
  - name: r
    user:
      {id: = id, connection: = connection, groups: = groups, direct: = direct_groups, ids: = group_ids,
       licences: "= concat(licences, licence_ids)", tenant: = tenant.id + tenant.name + tenant.domain, domains: = tenant.domains,
       x: = attribute_values.x, y: = attributes.y, created: = created, manager: = manager.id,
       "off": = manager.enabled, seen: = manager.last_login}
`)
	got := Run(rs, Case{Name: "all", Person: given, Want: Want{Exact: true, User: m{
		"id": "7", "connection": "hq", "groups": []string{"A", "B"}, "direct": []string{"A"}, "ids": []string{"g1"},
		"licences": []string{"L", "l1"}, "tenant": "tTt.test", "domains": []string{"t.test", "u.test"}, "x": []string{"a", "b"}, "y": "z", "created": "2026-01-31",
		"manager": "m", "off": false, "seen": "2026-01-31T08:00:00Z",
	}}})
	if !got.Passed() {
		t.Errorf("got %v, %q", got.Err, got.Differences)
	}
}
