package sql

import (
	"bytes"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestPrinted: what is printed of a configuration is that configuration, but for its secrets.
func TestPrinted(t *testing.T) {
	cfg := settingsOf(t, `driver: postgres
host: h
database: d
user: u
password: hush
kinds:
  person:
    query: SELECT 1
    changed: {column: x}
    columns: {email: [a, b], manager: {column: boss, by: email}, company: "fixed:Acme", title: []}
    attributes: all
  group: {query: SELECT 2, attributes: [x]}
  member: {query: SELECT 3}
`)
	text, err := yaml.Dump(inForce(cfg))
	if err != nil || strings.Contains(string(text), "hush") {
		t.Fatalf("%v\n%s", err, text)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); !strings.HasSuffix(line, `: ""`) && !strings.HasSuffix(line, ": ''") && !strings.HasSuffix(line, ": null") { // not given
			lines = append(lines, line)
		}
	}
	again, err := yaml.Dump(inForce(settingsOf(t, strings.Join(lines, "\n"))))
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("%v\n%s\n%s", err, text, again)
	}
	for _, want := range []string{"port: 5432", "overlap: 5m", "absent: keep"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func inForce(c *Config) any {
	block, _ := c.InForce()
	return block
}
