package tour

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
)

// fewEvents is up to how many events are shown one by one.
const fewEvents = 6

// showEvents shows what the journal has that was not shown yet.
func (t *tour) showEvents() error {
	f, err := os.Open(t.path("changes.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(t.read, 0); err != nil {
		return err
	}
	var lines []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		t.read += int64(len(sc.Bytes())) + 1
		lines = append(lines, sc.Text())
	}
	if len(lines) == 0 {
		t.Out.Line("     journal: no event")
		return nil
	}
	t.Out.Line("     journal: %s", term.Many(len(lines), "event"))
	for i, line := range lines {
		if i == fewEvents {
			t.Out.Line("       … and %s more", term.Number(len(lines)-fewEvents))
			break
		}
		t.Out.Line("       %s", inWords(line))
	}
	return nil
}

// inWords renders an event for reading.
func inWords(line string) string {
	var e struct {
		Data struct {
			Op, Kind string
			Record   map[string]any
			Changes  map[string]struct {
				From, To       any
				Added, Removed []string
			}
			Reason, Rule string
		}
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return line
	}
	text := fmt.Sprintf("%s %s %v", e.Data.Op, e.Data.Kind, e.Data.Record["name"])
	for field, c := range e.Data.Changes {
		if len(c.Added)+len(c.Removed) > 0 {
			text += fmt.Sprintf("  %s: +%d −%d", field, len(c.Added), len(c.Removed))
		} else {
			text += fmt.Sprintf("  %s: %v → %v", field, c.From, c.To)
		}
	}
	switch {
	case e.Data.Reason != "":
		text += "  (" + e.Data.Reason + ")"
	case e.Data.Op == "create":
		text += "  (rule: " + e.Data.Rule + ")"
	}
	return text
}

// agentKey is the key of the first agent that the journal tells of.
func (t *tour) agentKey() (string, error) {
	data, err := os.ReadFile(t.path("changes.jsonl"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Data struct{ Op, Kind, Key string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return "", err
		}
		if e.Data.Op == "create" && e.Data.Kind == "agent" {
			return e.Data.Key, nil
		}
	}
	return "", expect("the journal has an agent", false)
}
