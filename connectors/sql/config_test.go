package sql

import (
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func TestBadConfigurations(t *testing.T) {
	const server = "driver: postgres\nhost: h\ndatabase: d\nuser: u\n"
	const kinds = "kinds: {person: {query: SELECT 1 AS id}}\n"
	tests := []struct{ text, path, message, hint string }{
		{"driver: postgre\n", "driver", `unknown driver "postgre"`, `did you mean "postgres"?`},
		{"driver: postgres\ndatabase: d\nuser: u\n" + kinds, "host", "must not be empty for postgres", "name of the database server"},
		{"driver: mysql\nhost: h\nuser: u\n" + kinds, "database", "must not be empty for mysql", ""},
		{"driver: mysql\nhost: h\ndatabase: d\n" + kinds, "user", "must not be empty for mysql", ""},
		{"driver: sqlite\n" + kinds, "file", "must not be empty for sqlite", ""},
		{"driver: sqlite\nfile: x\nhost: h\n" + kinds, "host", "means nothing for sqlite", ""},
		{server + "file: x\n" + kinds, "file", "means nothing for postgres", "driver: sqlite"},
		{server + "port: 70000\n" + kinds, "port", "must be from 1 to 65535", ""},
		{"driver: postgres\nhost: db.test:5432\ndatabase: d\nuser: u\n" + kinds, "host", "holds a port", "write host: db.test and port: 5432"},
		{"driver: postgres\nhost: \"postgres://h\"\ndatabase: d\nuser: u\n" + kinds, "host", `"postgres://h" is no host`, ""},
		{"driver: sqlserver\nhost: /run/s\ndatabase: d\nuser: u\n" + kinds, "host", "SQL Server is not reached by a socket", ""},
		{server + "tls: no-verify\n" + kinds, "tls", `unknown word "no-verify"`, ""},
		{server + "tls: none\nca_file: x\n" + kinds, "tls", "is none, so ca_file and server_name mean nothing", ""},
		{server + "timeout: 0s\n" + kinds, "timeout", "must be longer than nothing", ""},
		{server, "kinds", "must not be empty", "SELECT"},
		{server + "kinds: {persons: {query: SELECT 1}, person: {query: SELECT 1}}", "kinds.persons", `unknown kind "persons"`, `did you mean "person"?`},
		{server + "kinds: {person: {query: DELETE FROM staff}}", "kinds.person.query", "is not a query", "nothing is ever written"},
		{server + "kinds: {person: {query: SELECT 1;}}", "kinds.person.query", "ends with a semicolon", ""},
		{server + "kinds: {person: {query: SELECT 1, count: \"\\n\"}}", "kinds.person.count", "must not be empty", ""},
		{server + "kinds: {person: {query: SELECT 1, absent: remove}}", "kinds.person.absent", `unknown word "remove"`, "keep"},
		{server + "kinds: {person: {query: SELECT 1, changed: {column: x, as: hours}}}", "kinds.person.changed.as", `unknown word "hours"`, ""},
		{server + "kinds: {person: {query: SELECT 1, columns: {emial: x}}}", "kinds.person.columns.emial", "is no field of a person", `did you mean "email"?`},
		{server + "kinds: {member: {query: SELECT 1}, person: {query: SELECT 1}}", "kinds.member", "is given without group", ""},
		{server + "kinds: {group: {query: SELECT 1, columns: {members: x}}, member: {query: SELECT 1}}", "kinds.member", "is given beside kinds.group.columns.members", ""},
		{server + "kinds: {group: {query: SELECT 1, changed: {column: x}}, member: {query: SELECT 1}}", "kinds.group.changed", "does not go together with kinds.member", ""},
		{server + "kinds: {group: {query: SELECT 1}, member: {query: SELECT 1, key: x}}", "kinds.member.key", "means nothing for members", ""},
		{server + "kinds: {group: {query: SELECT 1}, member: {query: SELECT 1, columns: {person: x}}}", "kinds.member.columns.person", "is nothing that members have", ""},
		{"driver: sqlserver\nhost: h\ndatabase: d\nuser: u\nkinds: {person: {query: WITH x AS (SELECT 1) SELECT * FROM x, changed: {column: y}}}", "kinds.person.changed", "SQL Server takes neither WITH", "view"},
	}
	for _, test := range tests {
		issues := settingsOf(t, test.text).Validate()
		if len(issues) != 1 || issues[0].Path != test.path || !strings.Contains(issues[0].Message, test.message) || !strings.Contains(issues[0].Hint, test.hint) {
			t.Errorf("%s\n%+v", test.text, issues)
		}
	}
}

func TestAdvice(t *testing.T) {
	for text, path := range map[string]string{
		"tls: none\nkinds: {person: {query: SELECT 1}}":                                   "tls",
		"kinds: {person: {query: SELECT * FROM t LIMIT 100, absent: gone}}":               "kinds.person.query",
		"kinds: {person: {query: SELECT TOP 100 * FROM t, absent: gone}}":                 "kinds.person.query",
		"kinds: {person: {query: SELECT credit_limit FROM t LIMIT 100, absent: keep}}":    "",
		"kinds: {person: {query: SELECT credit_limit AS \"limit\" FROM t, absent: gone}}": "",
		"host: localhost\ntls: none\nkinds: {person: {query: SELECT 1}}":                  "",
		"kinds: {person: {query: \"-- all\\n/* of them */ (SELECT 1)\", absent: gone}}":   "",
	} {
		if !strings.Contains(text, "host:") {
			text = "host: db.test\n" + text
		}
		cfg := settingsOf(t, "driver: postgres\ndatabase: d\nuser: u\n"+text)
		if issues := cfg.Validate(); len(issues) > 0 {
			t.Error(text, issues)
		}
		advice := cfg.Advise()
		if len(advice) > 1 || (len(advice) == 1) != (path != "") || path != "" && advice[0].Path != path {
			t.Errorf("%s\n%+v", text, advice)
		}
	}
}

func TestUnread(t *testing.T) {
	cfg := settingsOf(t, `driver: sqlite
file: x
kinds: {person: {query: SELECT 1, columns: {title: [], company: "fixed:Acme"}, attributes: [costCentre]}, site: {query: SELECT 1, attributes: all}}`)
	for _, test := range []struct {
		kind   directory.Kind
		name   string
		unread bool
	}{
		{directory.Person, "", false}, {directory.Person, "email", false}, {directory.Person, "title", true}, {directory.Person, "company", false},
		{directory.Person, "groups", true}, {directory.Person, "licences", true}, {directory.Person, "attributes.costCentre", false},
		{directory.Person, "attributes.costcentre", true}, {directory.Site, "attributes.x", false}, {directory.Group, "", true},
	} {
		if hint, unread := cfg.Unread(test.kind, test.name); unread != test.unread || unread && hint == "" {
			t.Errorf("%s %s: %t %s", test.kind, test.name, unread, hint)
		}
	}
}
