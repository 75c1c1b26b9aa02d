package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The fields to start from are accepted by the compiler, for every kind of record.
func TestDeskFields(t *testing.T) {
	c := alone(t)
	text := strings.ReplaceAll("\n"+strings.TrimSuffix(deskFields, "\n"), "\n", "\n    ")
	before, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(before), "mappings: {staff: {rules: [{name: all, user: true}]}}", `mappings:
  staff:
    rules: [{name: a, user: true, agent: true}]
    groups: [{name: a, group: true}]
    licences: [{name: a, licence: true}]
    devices: [{name: a, asset: true}]
    customers: [{name: a, customer: true}]
    sites: [{name: a, site: true}]`+text, 1)
	if err := os.WriteFile("config.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := "cases: [{name: x, person: {given_name: Ada, family_name: Lovelace, emails: [A@B.test]}, want: {user: {name: Ada Lovelace, email: a@b.test}}}]"
	if err := os.WriteFile("cases.yaml", []byte(cases), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := c.run("rules", "test", "cases.yaml"); code != exitClean {
		t.Errorf("%d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
}

// Tables are filled in from what was read, and what nothing has is pointed out without asking the source.
func TestTables(t *testing.T) {
	c := alone(t)
	if code := c.run("sync"); code != exitClean {
		t.Fatalf("%d: %s", code, c.stderr.String())
	}
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The server is gone for all that follows.
	head, rest, _ := strings.Cut(string(text), "ldap://")
	_, rest, _ = strings.Cut(rest, `"`)
	edited := strings.Replace(head+`ldap://127.0.0.1:1"`+rest, "mappings: {staff: {rules: [{name: all, user: true}]}}", `
tables:
  roles: {file: roles.csv, key: group}
  sites: {people: HQ, Lodnon: HQ}
mappings:
  staff:
    rules:
      - {name: desk, when: '"Service Dsk" in groups or under(path, "ou=Nowhere,dc=example,dc=test")', ignore: true}
      - {name: all, user: {role: '= table.roles[groups]', site: '= table.sites[ou(path)]'}}`, 1)
	files := map[string]string{"config.yaml": edited, "roles.csv": "group;role\nservice desk;Technician\nStrangers;None\n"}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code := c.run("check", "--json"); code != exitClean {
		t.Fatalf("check: %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
	var report checkReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, w := range report.Warnings {
		all.WriteString(w.String() + "\n")
	}
	for _, want := range []string{
		`config.yaml:12:30: rule "desk": when: no group was read whose name is "Service Dsk" (did you mean "Service Desk"?)`,
		`config.yaml:12:69: rule "desk": when: no person was read under "ou=Nowhere,dc=example,dc=test"`,
		`roles.csv:3:1: table roles: no group was read whose name is "Strangers"`,
		`config.yaml:8:23: table sites: no person was read in a unit "Lodnon"`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no warning %s in\n%s", want, all.String())
		}
	}
	if code := c.run("tables", "export", "groups"); code != exitClean {
		t.Fatalf("export: %d: %s", code, c.stderr.String())
	}
	out := c.stdout.String()
	for _, want := range []string{"group,id,description,role\n", "\nService Desk,", ",Technician\n", "\nStrangers,,,None\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code := c.run("tables", "export", "units", "--json"); code != exitClean || !json.Valid(c.stdout.Bytes()) || !strings.Contains(c.stdout.String(), `"key": "people"`) {
		t.Errorf("export: %d: %s%s", code, c.stdout.String(), c.stderr.String())
	}
	if code := c.run("tables", "export", "rooms"); code != exitUsage {
		t.Errorf("export of what is not there: %d", code)
	}
}
