package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

func TestLogValues(t *testing.T) {
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"duration", 32699 * time.Millisecond, "32.699s"},
		{"kind", directory.Person, "person"},
		{"record kind", directory.AgentRecord, "agent"},
		{"operation", directory.Create, "create"},
		{"partition", store.Partition{Connection: "hq"}, "hq"},
		{"error", errors.New("refused"), "refused"},
		{"secret", settings.NewSecret("s3cret"), "***"},
		{"nil pointer with a String method", (*url.URL)(nil), "<nil>"},
		{"text", "as it is", "as it is"},
	}
	for _, test := range tests {
		for _, format := range []string{"json", "text"} {
			var out bytes.Buffer
			log, _ := newLogger(config.Log{Level: "info", Format: config.Format(format)}, term.New(&out))
			log.With("with", test.value).Info("line", "value", test.value, slog.Group("group", "inner", test.value))
			if format == "text" {
				if n := strings.Count(out.String(), test.want); n != 3 {
					t.Errorf("%s: %q is %d times in %s", test.name, test.want, n, out.String())
				}
				continue
			}
			var line struct {
				With, Value any
				Group       struct{ Inner any }
			}
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.With != test.want || line.Value != test.want || line.Group.Inner != test.want {
				t.Errorf("%s: %s, want %q", test.name, out.String(), test.want)
			}
		}
	}
}

// In text what people read is short: no counts that are zero, and words for lists. JSON has all of it, for those who count.
func TestLogOfARun(t *testing.T) {
	for format, want := range map[string]string{
		"text": `level=WARN msg="run ended" outcome=held read=99 deactivated=2 retries=0 why="deactivate 99 of 198; deactivate 99 in a day" would="deactivate 99 user, update 1 user"`,
		"json": `"outcome":"held","read":99,"created":0,"deactivated":2,"retries":0,"why":["deactivate 99 of 198","deactivate 99 in a day"],"would":{"user":{"deactivate":99,"update":1}}`,
	} {
		var out bytes.Buffer
		log, _ := newLogger(config.Log{Level: "info", Format: config.Format(format)}, term.New(&out))
		log.Warn("run ended", "outcome", "held", "read", 99, "created", 0, "deactivated", 2, "retries", 0, "why", []string{"deactivate 99 of 198", "deactivate 99 in a day"},
			"would", map[string]map[string]int{"user": {"deactivate": 99, "update": 1}})
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
