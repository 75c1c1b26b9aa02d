package e2e

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestDemo: the demonstration runs to its end and leaves a folder in which every other command works.
func TestDemo(t *testing.T) {
	t.Parallel()
	in := install(t, "")
	dir := filepath.Join(in.dir, "demo")
	in.expect(0, "demo", "--dir", dir).says(t, "Nobody was removed", "dirsyncd approve", "status --config")
	in.expect(2, "demo", "--dir", dir).says(t, "not empty")

	left := &installation{t: t, dir: dir, env: in.env}
	journal := left.journal()
	world := replay(t, journal).records()
	if len(world) < 20 {
		t.Errorf("the journal makes %d records", len(world))
	}
	for _, command := range [][]string{
		{"status"}, {"runs"}, {"check"}, {"parked", "list"}, {"plan", "--offline"}, {"why", "user", "grace.moss@example.test"}, {"version"},
	} {
		r := left.expect(0, command...)
		if r.out == "" {
			t.Errorf("%v says nothing", command)
		}
		if r := left.expect(0, append(command, "--json")...); !json.Valid([]byte(r.out)) {
			t.Errorf("%v --json: %s", command, r.out)
		}
	}
	if len(left.journal()) != len(journal) {
		t.Error("looking changed the journal")
	}
}
