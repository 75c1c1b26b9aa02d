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
	tried, there := 0, false
	for line := range strings.Lines(shown.out) {
		if strings.Contains(line, "1 users") || strings.Contains(line, "1 events") {
			t.Errorf("a plural for one: %s", line)
		}
		line = strings.TrimSpace(line)
		there = there || line == "cd "+dir
		if strings.HasPrefix(line, "The servers have ended") {
			break // what follows asks them
		}
		command, ok := strings.CutPrefix(line, binary+" ")
		if !ok || !there {
			continue
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
	if tried < 7 {
		t.Errorf("the demonstration names %d commands to try", tried)
	}
	if len(left.journal()) != len(journal) {
		t.Error("looking changed the journal")
	}
}

// TestDemoAsJSON: with --json the demonstration is one value, with the runs of every step.
func TestDemoAsJSON(t *testing.T) {
	t.Parallel()
	in := install(t, "")
	dir := filepath.Join(in.dir, "demo")
	var report struct {
		Folder string
		Steps  []struct {
			Title string
			Runs  []struct{ Outcome string }
		}
	}
	if out := in.expect(0, "demo", "--json", "--dir", dir).out; json.Unmarshal([]byte(out), &report) != nil {
		t.Fatalf("no JSON: %s", out)
	}
	if report.Folder != dir || len(report.Steps) < 9 || report.Steps[0].Runs[0].Outcome != "clean" || report.Steps[5].Runs[0].Outcome != "failed" {
		t.Errorf("%+v", report)
	}
}
