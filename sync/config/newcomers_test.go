package config

import (
	"strings"
	"testing"

	"dirsyncd/sync/signin/key"
)

// TestNewcomers: a provider with people of its own has a connection of its name, which nobody wrote: it is scheduled, its people are found as those of
// directories are, and it is not printed.
func TestNewcomers(t *testing.T) {
	c, err := Parse([]byte(`
web: {url: "https://auth.example.test", listen: "127.0.0.1:9443", proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    customers:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      unknown: create
      create: {per_day: 5, customer: by_domain, mapping: own, targets: [journal]}
      generic: {issuer: "https://idp.example.test"}
    staff: {provider: generic, directories: [hq], unknown: create, create: {per_day: 50}, generic: {issuer: "https://idp.example.test"}}
  apps:
    desk: {url: "https://desk.example.test", providers: [customers]}
connections:
  hq: {connector: memory, mapping: m, targets: [journal]}
mappings:
  m: {rules: [{name: everyone, user: {name: = name}}]}
  own: {rules: [{name: no others, when: attributes.signed_in_by == nil, ignore: true}, {name: everyone, user: {name: = name, customer: = company}}]}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`), "c", testParts(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	own, ok := c.Connection("customers")
	if !ok || own.Connector != SignIn || own.Mapping != "own" || own.Targets[0] != "journal" || own.Incremental == nil || len(c.Connections) != 2 {
		t.Fatalf("connections: %+v", c.Connections)
	}
	if fields := c.MatchOf("customers"); len(fields) == 0 || fields[0].Kind != key.Mail {
		t.Errorf("people are found by %v", fields)
	}
	if fields := c.MatchOf("staff"); len(fields) > 0 {
		t.Errorf("there are no people of staff: %v", fields)
	}
	if n := c.Signin.Providers[1].Newcomers; n == nil || n.PerDay != 50 || n.Mapping != "" {
		t.Errorf("staff: %+v", n)
	}
	printed, err := c.Print()
	if err != nil || strings.Contains(string(printed), "connector: "+SignIn) {
		t.Errorf("printed:\n%s, error %v", printed, err)
	}
}
