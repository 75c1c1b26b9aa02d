package term

import (
	"bytes"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := &Table{Columns: []Column{{head: "KEY", shrink: true}, {head: "N", right: true}, {head: "HASH"}, {head: "TEXT"}}}
	table.Add("a/very/long/key/that/does/not/fit", "1", "0123456789abcdef", "words that are broken into lines")
	table.Add("short", Cell{"1,234", Red}, "–", "")
	table.Remark(Plain, "a remark that goes over the whole width of the table")
	var out bytes.Buffer
	p := New(&out)
	p.Width = 50
	p.Table(table)
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
	p := New(&out)
	p.Colour = true
	table := &Table{Columns: []Column{{head: "STATE"}, {head: "X"}}}
	table.Add(Cell{"ok", Green}, "1")
	p.Table(table)
	if want := "\x1b[2mSTATE\x1b[0m  \x1b[2mX\x1b[0m\n\x1b[32mok\x1b[0m     1\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// What is no terminal has no colour and no width, unless somebody asks for one.
func TestNoTerminal(t *testing.T) {
	for columns, want := range map[string]int{
		"": Unlimited, "0": Unlimited, "-80": Unlimited, "wide": Unlimited, "99999999": Unlimited, "100": 100, "10": leastWidth,
	} {
		t.Setenv("COLUMNS", columns)
		if p := New(&bytes.Buffer{}); p.Colour || p.Terminal || p.Width != want {
			t.Errorf("COLUMNS=%q: %+v", columns, p)
		}
	}
}

// Rows that differ look different at every width, and in a pipe each is one line with everything in it.
func TestRowsNeverLookAlike(t *testing.T) {
	names := []string{"customers/Northwind Northern Logistics", "customers/Northwind Southern Logistics", "customers/Contoso International Logistics"}
	for _, width := range []int{40, 60, 80, 100, Unlimited} {
		var out bytes.Buffer
		p := New(&out)
		p.Width = width
		table := &Table{Columns: []Column{Shrink("CONNECTION"), Left("STATE"), Left("AGREED"), Left("NEXT"), Left("HOLDS")}}
		for _, name := range names {
			table.Add(name, "ok", "3m ago", "in 12m", "1,204 people, 88 groups → 1,100 users, 12 agents, 88 groups, 3 licences")
		}
		p.Table(table)
		text := out.String()
		if width == Unlimited && strings.Count(text, "\n") != len(names)+1 {
			t.Errorf("in a pipe rows are broken:\n%s", text)
		}
		if strings.Contains(text, "…") {
			t.Errorf("at %d columns something is shortened:\n%s", width, text)
		}
		if width >= 100 && strings.Count(text, "customers/Northwind Northern Logistics") != 1 {
			t.Errorf("at %d columns a name is broken:\n%s", width, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if Length(line) > max(width, 52) {
				t.Errorf("at %d columns a line has %d: %s", width, Length(line), line)
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
		if got := Clean(in); got != want {
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
		for _, line := range wrap(Clean(text), width) {
			if Length(line) > width {
				t.Errorf("%q is wider than %d", line, width)
			}
			if strings.ContainsFunc(line, unsafeRune) {
				t.Errorf("%q has control characters", line)
			}
		}
		if got := CutShort(Clean(text), width); Length(got) > width {
			t.Errorf("cut to %q, wider than %d", got, width)
		}
	})
}

// An address that somebody must open is never broken: half of it, or one with a blank in it, opens nothing.
func TestAddressesStayWhole(t *testing.T) {
	const consent = "https://login.microsoftonline.example/11111111-2222-4333-8444-555555555555/adminconsent?client_id=66666666-7777-4888-9999-000000000000"
	var out bytes.Buffer
	p := New(&out)
	p.Width = DefaultWidth
	p.Para("        → ", "an administrator must consent once: "+consent+" and then sync")
	p.Mark(Red, "  FAIL  ", consent)
	table := &Table{Columns: []Column{Left("A"), Left("B")}}
	table.Add("a", consent)
	p.Table(table)
	if got := strings.Count(out.String(), consent); got != 3 {
		t.Errorf("%d of 3 addresses are whole:\n%s", got, out.String())
	}
}

func TestPara(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	p.Width = 30
	p.Para("  → ", "a hint that is longer than the line is")
	p.Para("a/long/lead: ", "and what it is about, which goes on")
	p.Para("", "one\ntwo")
	want := "  → a hint that is longer than\n    the line is\na/long/lead: and what it is\n    about, which goes on\none\ntwo\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
