package config

import (
	"strings"
	"testing"
)

// A limit on a field that no rule sets would hold nothing: that is told, wherever it stands, and of no other one.
func TestGuardOfUnknownFields(t *testing.T) {
	const file = `guard: {24h: {fields: {WHOLE: {count: 3}}}}
connections:
  hq-ad: {connector: memory, mapping: staff, targets: [desk]}
mappings:
  staff:
    guard:
      fields: {RUN: {count: 1}}
      7d: {fields: {OVER: {percent: 4}}}
      connection: {24h: {fields: {SHARED: {count: 2}}}}
    rules: [{name: everyone, user: {email: = email, name: = name}}]
targets:
  desk: {target: file, file: {path: j}}
`
	all := []string{"WHOLE", "RUN", "OVER", "SHARED"}
	for _, wrong := range append(all, "") {
		text := file
		for _, place := range all {
			field := "email"
			if place == wrong {
				field = "emial"
			}
			text = strings.Replace(text, place, field, 1)
		}
		cfg, err := Parse([]byte(text), "c", testParts(nil))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, w := range cfg.Warnings {
			if strings.HasPrefix(w.Message, "guard:") {
				said = append(said, w.Message+" "+w.Hint)
			}
		}
		want := 1
		if wrong == "" {
			want = 0
		}
		if len(said) != want || want == 1 && (!strings.Contains(said[0], `"emial"`) || !strings.Contains(said[0], "email")) {
			t.Errorf("%s: %q", wrong, said)
		}
	}
}
