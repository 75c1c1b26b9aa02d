package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/config"
)

// TestEmptyBlocks: of a connector or target whose block is empty, each key that is missing is told once, and each with
// what to write.
func TestEmptyBlocks(t *testing.T) {
	const file = `
connections:
  a: {connector: %[1]s, mapping: m, targets: [t], %[1]s: {}}
mappings:
  m: {rules: [{name: all, user: true}]}
targets:
  t: {target: %[2]s, %[2]s: {}}
`
	for _, c := range connectorRegistry() {
		for _, target := range targetRegistry() {
			_, err := config.Parse(fmt.Appendf(nil, file, c.Name, target.Name), "c", parts().Config())
			var bad *config.Error
			if !errors.As(err, &bad) {
				continue // nothing is needed
			}
			for _, p := range bad.Problems {
				if strings.HasPrefix(p.Message, "missing key") || p.Hint == "" {
					t.Errorf("%s, %s: %s: Validate tells it, with a hint; the tag strict:\"required\" tells it again", c.Name, target.Name, p)
				}
			}
		}
	}
}

// TestConnectorsHaveArrows: no connector is without the rule that keeps it from importing others.
func TestConnectorsHaveArrows(t *testing.T) {
	rules, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connectorRegistry() {
		if !strings.Contains(string(rules), `files: ["**/connectors/`+c.Name+`/**"]`) {
			t.Errorf(".golangci.yml has no rule for connectors/%s", c.Name)
		}
	}
}
