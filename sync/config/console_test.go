package config

import (
	"strings"
	"testing"
)

const consoleHead = "web: {url: https://sync.example.com, listen: 127.0.0.1:9443, proxies: [127.0.0.1]}\n"

const consoleRest = `connections:
  hq-ad: {connector: ldap, mapping: staff, targets: [desk], ldap: {servers: [ldap://127.0.0.1], base: "dc=x"}}
mappings: {staff: {rules: [{name: everyone, user: true}]}}
targets: {desk: {target: file, file: {path: x}}}
`

func TestConsole(t *testing.T) {
	cfg, err := Parse([]byte(consoleHead+`console:
  users:
    ben: {role: reader, token: bbbbbbbbbbbbbbbbbbbbbbbbbb}
    ann: {role: operator, token: aaaaaaaaaaaaaaaaaaaaaaaaaa}
`+consoleRest), "c", testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	if u := cfg.Console.Users; len(u) != 2 || u[0].Name != "ann" || u[0].Role != "operator" || u[1].Role != "reader" || u[1].Token.Reveal() != strings.Repeat("b", 26) {
		t.Errorf("%+v", u)
	}
}

func TestConsoleProblems(t *testing.T) {
	const token = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	for want, text := range map[string]string{
		"there is no `web:`":                   "console: {users: {ann: {role: operator, token: " + token + "}}}\n",
		"too short to be safe, 5 of":           consoleHead + "console: {users: {ann: {role: operator, token: short}}}\n",
		"somebody else has the same":           consoleHead + "console: {users: {ann: {role: operator, token: " + token + "}, ben: {role: reader, token: " + token + "}}}\n",
		"nobody can type it":                   consoleHead + "console: {users: {ann: {role: operator, token: ' " + token + "'}}}\n",
		"role":                                 consoleHead + "console: {users: {ann: {role: admin, token: " + token + "}}}\n",
		"token":                                consoleHead + "console: {users: {ann: {role: operator}}}\n",
		"nobody may use it":                    consoleHead + "console: {}\n",
		"console.signin: there is no `signin`": consoleHead + "console: {signin: {providers: [staff], operators: {role: [Admin]}}}\n",
		"console.signin: nobody may use it":    consoleHead + "console: {signin: {providers: [staff]}}\n",
	} {
		_, err := Parse([]byte(text+consoleRest), "c", testParts(nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%v", want, err)
		}
	}
}

// TestSectionsThatAreMissing: told, and no more than that.
func TestSectionsThatAreMissing(t *testing.T) {
	_, err := Parse([]byte(consoleHead+"signin: {keys: k}\n"+consoleRest), "c", testParts(nil))
	if err == nil || !strings.Contains(err.Error(), "providers") || !strings.Contains(err.Error(), "apps") {
		t.Error(err)
	}
}
