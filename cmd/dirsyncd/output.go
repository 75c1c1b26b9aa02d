package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Widths of the output: of a terminal that does not tell, the least that tables are made for, and that of a file or
// pipe, where nothing is broken or shortened: others than people read it.
const (
	defaultWidth = 80
	leastWidth   = 40
	unlimited    = 1 << 20
)

// printer writes for people or as JSON. The first error of writing sticks in err.
//
// Whatever it is given to show may come from a directory that others write to: control characters are made
// visible, so that a display name cannot speak to the operator's terminal.
type printer struct {
	w        io.Writer
	terminal bool
	colour   bool
	width    int
	err      error
}

func newPrinter(w io.Writer) *printer {
	p := &printer{w: w, width: unlimited}
	if width, ok := isTerminal(w); ok {
		p.terminal, p.width = true, max(width, leastWidth)
		p.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if width, ok := widthWanted(os.Getenv("COLUMNS")); ok {
		p.width = width
	}
	return p
}

// widthWanted reads COLUMNS. Who sets it wants that width (POSIX, environment variables), also in a file; what is no
// width of an output is left aside.
func widthWanted(columns string) (width int, ok bool) {
	width, err := strconv.Atoi(columns)
	if err != nil || width < 1 || width > unlimited {
		return 0, false
	}
	return max(width, leastWidth), true
}

func isTerminal(w io.Writer) (width int, ok bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = defaultWidth
	}
	return width, true
}

// style is the parameter of an SGR sequence (ECMA-48).
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// painted is text that is ready for the terminal.
type painted string

func (p *printer) paint(s style, text string) painted {
	text = clean(text)
	if s == plain || !p.colour || text == "" {
		return painted(text)
	}
	return painted("\x1b[" + string(s) + "m" + text + "\x1b[0m")
}

func (p *printer) write(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text)
	}
}

// line writes a line. Texts among args are cleaned, painted ones are taken as they are.
func (p *printer) line(format string, args ...any) {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = clean(text)
		}
	}
	p.write(fmt.Sprintf(format, args...) + "\n")
}

// para writes a text that is broken at the width of the output. Lines after the first are indented as deep as the
// text begins, or a little when the lead is long.
func (p *printer) para(lead, text string) { p.paraStyled(plain, lead, text) }

// deepest is how far a long lead indents what follows it.
const deepest = 10

func (p *printer) paraStyled(s style, lead, text string) {
	lead, text = clean(lead), clean(text)
	indent := length(lead)
	if indent > deepest {
		indent = 4
	}
	// The lead takes part in breaking as one word of its length.
	place := strings.Repeat("x", length(lead)-indent)
	for i, l := range wrap(place+text, max(p.width-indent, 20)) {
		if i == 0 {
			p.write(lead + string(p.paint(s, strings.TrimPrefix(l, place))) + "\n")
			continue
		}
		p.write(strings.Repeat(" ", indent) + string(p.paint(s, l)) + "\n")
	}
}

// remark writes a text and what to do about it, on one line each.
func (p *printer) remark(text, hint string) {
	p.line("%s", text)
	if hint != "" {
		p.line("  → %s", hint)
	}
}

// hint writes what the operator can do; nothing when there is nothing to do.
func (p *printer) hint(text string) {
	if text != "" {
		p.para("  → ", text)
	}
}

// json writes a value as JSON, indented for those who look at it.
func (p *printer) json(v any) error {
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// clean makes control and formatting characters visible. Line ends stay; wrap deals with them.
func clean(text string) string {
	if strings.IndexFunc(text, unsafeRune) < 0 && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r':
			return ' '
		case unsafeRune(r):
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

func unsafeRune(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}

// length is the number of columns that a text takes, as far as one per letter is true.
func length(text string) int { return utf8.RuneCountInString(text) }

// wrap breaks a text into lines at blanks, and words that are too long after a slash or anywhere. There is at least one line.
func wrap(text string, width int) []string {
	var lines []string
	for part := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		lines = append(lines, wrapLine(part, width)...)
	}
	return lines
}

func wrapLine(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "":
			line = word
		case length(line)+1+length(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
		for length(line) > width {
			runes := []rune(line)
			at := width
			if slash := strings.LastIndexByte(string(runes[:width]), '/'); slash > 0 {
				at = length(string(runes[:width])[:slash]) + 1
			}
			lines, line = append(lines, string(runes[:at])), string(runes[at:])
		}
	}
	return append(lines, line)
}

// cutShort shortens a text at its end.
func cutShort(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 1 {
		return text
	}
	return strings.TrimRight(string(runes[:width-1]), " ,;") + "…"
}

// mark writes a text behind a painted word.
func (p *printer) mark(s style, word, text string) {
	lines := wrap(clean(text), max(p.width-length(word), 20))
	for i, l := range lines {
		if i > 0 {
			word, s = strings.Repeat(" ", length(word)), plain
		}
		p.write(string(p.paint(s, word)) + l + "\n")
	}
}
