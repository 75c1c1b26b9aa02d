// Package term is what commands write with: texts, tables and a line of progress for people, and the words for numbers and
// times. It knows nothing of what is shown but the colours of the words that say how something is.
package term

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// Widths of the output: of a terminal that does not tell, the least that tables are made for, and that of a file or
// pipe, where nothing is broken or shortened: others than people read it.
const (
	DefaultWidth = 80
	leastWidth   = 40
	Unlimited    = 1 << 20
)

// Printer writes for people or as JSON. The first error of writing sticks; Err tells. Its fields are set before it is used.
//
// Whatever it is given to show may come from a directory that others write to: control characters are made
// visible, so that a display name cannot speak to the operator's terminal.
type Printer struct {
	W        io.Writer
	Terminal bool // somebody watches
	Colour   bool
	Width    int // in columns; Unlimited where nothing is broken
	err      error
}

// New makes a printer that is as wide and as colourful as what it writes to, and as COLUMNS, NO_COLOR and TERM want it.
func New(w io.Writer) *Printer {
	p := &Printer{W: w, Width: Unlimited}
	if width, ok := isTerminal(w); ok {
		p.Terminal, p.Width = true, max(width, leastWidth)
		p.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if width, ok := widthWanted(os.Getenv("COLUMNS")); ok {
		p.Width = width
	}
	return p
}

// widthWanted reads COLUMNS. Who sets it wants that width (POSIX, environment variables), also in a file; what is no
// width of an output is left aside.
func widthWanted(columns string) (width int, ok bool) {
	width, err := strconv.Atoi(columns)
	if err != nil || width < 1 || width > Unlimited {
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
		width = DefaultWidth
	}
	return width, true
}

// Style is the parameter of an SGR sequence (ECMA-48).
type Style string

// The styles. A colour is never the only sign: what it says stands there as a word.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Painted is text that is ready for the terminal.
type Painted string

// Paint makes a text safe to show, in a style where the output has colours.
func (p *Printer) Paint(s Style, text string) Painted {
	text = Clean(text)
	if s == Plain || !p.Colour || text == "" {
		return Painted(text)
	}
	return Painted("\x1b[" + string(s) + "m" + text + "\x1b[0m")
}

// Raw writes a text as it is.
func (p *Printer) Raw(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.W, text)
	}
}

// Err is the first error of writing.
func (p *Printer) Err() error { return p.err }

// Fail makes an error that kept something from being written stick.
func (p *Printer) Fail(err error) { p.err = errors.Join(p.err, err) }

// Line writes a line. Texts among args are cleaned, painted ones are taken as they are.
func (p *Printer) Line(format string, args ...any) {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = Clean(text)
		}
	}
	p.Raw(fmt.Sprintf(format, args...) + "\n")
}

// Para writes a text that is broken at the width of the output. Lines after the first are indented as deep as the
// text begins, or a little when the lead is long.
func (p *Printer) Para(lead, text string) { p.ParaStyled(Plain, lead, text) }

// deepest is how far a long lead indents what follows it.
const deepest = 10

// ParaStyled is Para with the text in a style; the lead stays plain.
func (p *Printer) ParaStyled(s Style, lead, text string) {
	lead, text = Clean(lead), Clean(text)
	indent := Length(lead)
	if indent > deepest {
		indent = 4
	}
	// The lead takes part in breaking as one word of its length.
	place := strings.Repeat("x", Length(lead)-indent)
	for i, l := range wrap(place+text, max(p.Width-indent, 20)) {
		if i == 0 {
			p.Raw(lead + string(p.Paint(s, strings.TrimPrefix(l, place))) + "\n")
			continue
		}
		p.Raw(strings.Repeat(" ", indent) + string(p.Paint(s, l)) + "\n")
	}
}

// Remark writes a text and what to do about it, on one line each.
func (p *Printer) Remark(text, hint string) {
	p.Line("%s", text)
	if hint != "" {
		p.Line("  → %s", hint)
	}
}

// Hint writes what the operator can do; nothing when there is nothing to do.
func (p *Printer) Hint(text string) {
	if text != "" {
		p.Para("  → ", text)
	}
}

// JSON writes a value as JSON, indented for those who look at it.
func (p *Printer) JSON(v any) error {
	enc := json.NewEncoder(p.W)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// Mark writes a text behind a painted word.
func (p *Printer) Mark(s Style, word, text string) {
	lines := wrap(Clean(text), max(p.Width-Length(word), 20))
	for i, l := range lines {
		if i > 0 {
			word, s = strings.Repeat(" ", Length(word)), Plain
		}
		p.Raw(string(p.Paint(s, word)) + l + "\n")
	}
}
