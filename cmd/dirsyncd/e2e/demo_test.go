package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemo: the demonstration runs to its end and leaves a folder in which every other command works.
func TestDemo(t *testing.T) {
	t.Parallel()
	in := install(t, "")
	dir := filepath.Join(in.dir, "demo")
	shown := in.expect(0, "demo", "--dir", dir)
	shown.says(t, "Nobody was removed", "dirsyncd approve")
	in.expect(2, "demo", "--dir", dir).says(t, "not empty")

	left := &installation{t: t, dir: dir, env: in.env}
	journal := left.journal()
	world := replay(t, journal).records()
	if len(world) < 20 {
		t.Errorf("the journal makes %d records", len(world))
	}
	// What it says to try works.
	tried := 0
	for line := range strings.Lines(shown.out) {
		if strings.Contains(line, "1 users") || strings.Contains(line, "1 events") {
			t.Errorf("a plural for one: %s", line)
		}
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), binary+" ")
		command, file, found := strings.Cut(rest, " --config ")
		if !ok || !found {
			continue
		}
		if file != left.path("config.yaml") {
			t.Errorf("the configuration is at %s, not %s", left.path("config.yaml"), file)
		}
		tried++
		args := strings.Fields(command)
		if r := left.expect(0, args...); r.out == "" {
			t.Errorf("%s says nothing", command)
		}
		if r := left.expect(0, append(args, "--json")...); !json.Valid([]byte(r.out)) {
			t.Errorf("%s --json: %s", command, r.out)
		}
	}
	if tried < 6 {
		t.Errorf("the demonstration names %d commands to try", tried)
	}
	if len(left.journal()) != len(journal) {
		t.Error("looking changed the journal")
	}
}
