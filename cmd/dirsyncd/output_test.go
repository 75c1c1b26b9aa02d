package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
)

func checkWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if n := length(line); n > defaultWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		t.Run(strings.Join(append([]string{"dirsyncd"}, path...), " "), func(t *testing.T) {
			c := newCommandLine(t, nil)
			if code := c.run(append(path, "--help")...); code != exitClean {
				t.Errorf("exit code %d", code)
			}
			checkWidth(t, c.stdout.String())
			if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
				t.Error("Short, Long or Example is missing")
			}
			if !cmd.HasAvailableSubCommands() && !strings.Contains(cmd.Long, "Exit codes:") {
				t.Error("the help does not say the exit codes")
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub, append(slices.Clone(path), sub.Name()))
		}
	}
	visit(newRoot(newCommandLine(t, nil).shell), nil)
}

func TestTable(t *testing.T) {
	table := &table{columns: []column{{head: "KEY", shrink: true}, {head: "N", right: true}, {head: "HASH"}, {head: "TEXT"}}}
	table.add("a/very/long/key/that/does/not/fit", "1", "0123456789abcdef", "words that are broken into lines")
	table.add("short", cell{"1,234", red}, "–", "")
	table.remark(plain, "a remark that goes over the whole width of the table")
	var out bytes.Buffer
	p := newPrinter(&out)
	p.width = 50
	p.table(table)
	want := `KEY               N  HASH              TEXT
a/very/           1  0123456789abcdef  words that
  long/key/                            are broken
  that/does/                           into lines
  not/fit
short         1,234  –
    a remark that goes over the whole width of the
    table
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestColour(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out)
	p.colour = true
	table := &table{columns: []column{{head: "STATE"}, {head: "X"}}}
	table.add(cell{"ok", green}, "1")
	p.table(table)
	if want := "\x1b[2mSTATE\x1b[0m  \x1b[2mX\x1b[0m\n\x1b[32mok\x1b[0m     1\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// What is no terminal has no colour and no width, unless somebody asks for one.
func TestNoTerminal(t *testing.T) {
	for columns, want := range map[string]int{
		"": unlimited, "0": unlimited, "-80": unlimited, "wide": unlimited, "99999999": unlimited, "100": 100, "10": leastWidth,
	} {
		t.Setenv("COLUMNS", columns)
		if p := newPrinter(&bytes.Buffer{}); p.colour || p.terminal || p.width != want {
			t.Errorf("COLUMNS=%q: %+v", columns, p)
		}
	}
}

// Rows that differ look different at every width, and in a pipe each is one line with everything in it.
func TestRowsNeverLookAlike(t *testing.T) {
	names := []string{"customers/Northwind Northern Logistics", "customers/Northwind Southern Logistics", "customers/Contoso International Logistics"}
	for _, width := range []int{40, 60, 80, 100, unlimited} {
		var out bytes.Buffer
		p := newPrinter(&out)
		p.width = width
		table := &table{columns: []column{shrink("CONNECTION"), left("STATE"), left("AGREED"), left("NEXT"), left("HOLDS")}}
		for _, name := range names {
			table.add(name, "ok", "3m ago", "in 12m", "1,204 people, 88 groups → 1,100 users, 12 agents, 88 groups, 3 licences")
		}
		p.table(table)
		text := out.String()
		if width == unlimited && strings.Count(text, "\n") != len(names)+1 {
			t.Errorf("in a pipe rows are broken:\n%s", text)
		}
		if strings.Contains(text, "…") {
			t.Errorf("at %d columns something is shortened:\n%s", width, text)
		}
		if width >= 100 && strings.Count(text, "customers/Northwind Northern Logistics") != 1 {
			t.Errorf("at %d columns a name is broken:\n%s", width, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if length(line) > max(width, 52) {
				t.Errorf("at %d columns a line has %d: %s", width, length(line), line)
			}
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë O'Brien — 東京":         "Zoë O'Brien — 東京",
		"red\x1b[31m":              "red\uFFFD[31m",
		"title\x1b]0;x\a":          "title\uFFFD]0;x\uFFFD",
		"over\rwrite":              "over write",
		"tab\there":                "tab here",
		"left\u202eright\u2066":    "left\uFFFDright\uFFFD",
		"not utf8 \xff":            "not utf8 \uFFFD",
		"c1 \u009b31m":             "c1 \uFFFD31m",
		"line\nend":                "line\nend",
		"paragraph\u2028separator": "paragraph\uFFFDseparator",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzTextStaysInItsPlace(f *testing.F) {
	f.Add("a name", 20)
	f.Add("\x1b[2J\x1b[H", 1)
	f.Add("aaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbb\n\n c", 7)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = min(max(width, 1), 200)
		for _, line := range wrap(clean(text), width) {
			if length(line) > width {
				t.Errorf("%q is wider than %d", line, width)
			}
			if strings.ContainsFunc(line, unsafeRune) {
				t.Errorf("%q has control characters", line)
			}
		}
		if got := cutShort(clean(text), width); length(got) > width {
			t.Errorf("cut to %q, wider than %d", got, width)
		}
	})
}

func TestPara(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out)
	p.width = 30
	p.para("  → ", "a hint that is longer than the line is")
	p.para("a/long/lead: ", "and what it is about, which goes on")
	p.para("", "one\ntwo")
	want := "  → a hint that is longer than\n    the line is\na/long/lead: and what it is\n    about, which goes on\none\ntwo\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12300: "12,300", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(n); got != want {
			t.Errorf("number(%d): got %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0ms", 350 * time.Millisecond: "350ms", 2345 * time.Millisecond: "2.3s", 12 * time.Second: "12s", 62 * time.Second: "1m02s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 76 * time.Hour: "3d04h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v): got %q, want %q", d, got, want)
		}
	}
	sh := newCommandLine(t, nil).shell
	for d, want := range map[time.Duration]string{
		0: "now", 12 * time.Second: "12s ago", 3 * time.Minute: "3m ago", 47 * time.Hour: "47h ago", 49 * time.Hour: "2d ago",
		100 * 24 * time.Hour: "2025-10-23", -5 * time.Minute: "in 5m",
	} {
		if got := sh.ago(at(d)); got != want {
			t.Errorf("ago(%v): got %q, want %q", d, got, want)
		}
	}
	for _, tc := range []struct {
		v    any
		want string
	}{
		{nil, "–"}, {"", `""`}, {" x", `" x"`}, {"x", "x"}, {true, "true"}, {json.Number("12345678901234567"), "12345678901234567"},
		{[]any{"a", nil}, "[a, –]"}, {map[string]any{"b": "1", "a": false}, "{a: false, b: 1}"}, {testNow, "2026-01-31T12:00:00Z"},
	} {
		if got := value(tc.v); got != tc.want {
			t.Errorf("value(%v): got %q, want %q", tc.v, got, tc.want)
		}
	}
	if got := counts(kindCounts("user", "create", 1, "user", "delete", 1234, "agent", "reactivate", 2), happened); got != "1 user created, 1,234 deleted; 2 agents reactivated" {
		t.Errorf("counts: %s", got)
	}
}

func TestProgressLine(t *testing.T) {
	c := newCommandLine(t, nil)
	now := testNow
	c.now = func() time.Time { return now }
	c.err.width, c.err.terminal = 30, true
	line := c.progressLine()
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1500, Total: 12300})
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1600}) // too soon
	now = now.Add(redraw)
	line.step(api.Progress{Connection: "hq-ad", Stage: "settle", Done: 1})
	line.clear()
	line.clear()
	want := "\r\x1b[Khq-ad: reading users, 1,500…\r\x1b[Khq-ad: applying rules, 1\r\x1b[K"
	if got := c.stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressIsSilentInPipes(t *testing.T) {
	c := newCommandLine(t, reloaded())
	if c.run("sync"); c.stderr.Len() > 0 {
		t.Errorf("stderr: %q", c.stderr.String())
	}
}
