package config

import (
	"strings"
	"testing"

	"dirsyncd/sync/settings"
)

// Advise warns when People is 13, at its key where it stands there.
func (b *memoryBlock) Advise() []settings.Issue {
	if b.People != 13 {
		return nil
	}
	return []settings.Issue{{Path: "people", Message: "is an unlucky number", Hint: "write 12"}, {Message: "may be too small"}}
}

func TestAdviceBecomesWarnings(t *testing.T) {
	const text = `connections:
  toy: {connector: memory, mapping: m, targets: [t], memory: {people: %}}
mappings: {m: {rules: [{name: all, user: true}]}}
targets: {t: {target: file, file: {path: x}}}
`
	for people, want := range map[string]string{
		"12": "",
		"13": `c.yaml:2:62: memory: may be too small|c.yaml:2:71: memory.people: is an unlucky number (write 12)`,
	} {
		cfg, err := Parse([]byte(strings.Replace(text, "%", people, 1)), "c.yaml", testParts(nil))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range cfg.Warnings {
			got = append(got, w.String())
		}
		if all := strings.Join(got, "|"); all != want {
			t.Errorf("%s: %s, want %s", people, all, want)
		}
	}
}
