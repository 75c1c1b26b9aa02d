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

// inUse are the addresses of the records of a kind of the company that the journal says are in use, by name.
func (t *tour) inUse(kind string) (map[string]string, error) {
	data, err := os.ReadFile(t.path("changes.jsonl"))
	if err != nil {
		return nil, err
	}
	byKey := map[string][2]string{}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Data struct {
				Op, Kind, Key string
				Record        struct{ Name, Email string }
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			continue // a field of another form is of no one of the company
		}
		switch d := &e.Data; {
		case d.Kind != kind || !strings.HasPrefix(d.Key, "company/"):
		case d.Op == "deactivate" || d.Op == "delete":
			delete(byKey, d.Key)
		case d.Record.Email != "":
			byKey[d.Key] = [2]string{d.Record.Name, d.Record.Email}
		}
	}
	all := map[string]string{}
	for _, r := range byKey {
		all[r[0]] = r[1]
	}
	return all, nil
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
