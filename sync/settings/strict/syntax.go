package strict

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Hints for the slips that operators make most.
const (
	hintIndent  = "indent with spaces"
	hintColon   = `check the indentation; a text that holds ": " needs quotes around the whole of it`
	hintBracket = "close the bracket; a text that holds [ ] { } or a comma needs quotes inside brackets"
	hintQuoted  = `a value that begins with a quote must end with it: '"Service Desk" in groups'`
	hintKey     = "check the indentation"
)

// syntaxError turns an error of the YAML library into a problem. The library's words are kept where there are
// no better ones: its messages never quote values.
func (d *Document) syntaxError(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		d.report(0, 0, "", "yaml: %v", err)
		return
	}
	at := load.Mark
	message, hint := strings.TrimPrefix(load.Message, "yaml: "), ""
	switch {
	case strings.Contains(message, "cannot start any token"):
		message, hint = d.badStart(at.Line, at.Column)
	case strings.Contains(message, "tab character"):
		message, hint = "a tab cannot indent", hintIndent
	case strings.Contains(load.ContextMsg, "scanning an alias"), strings.HasPrefix(message, "unknown anchor"):
		if line, column, ok := d.starValue(at.Line); ok {
			at.Line, at.Column = line, column
			message, hint = quoteMessage('*')
		}
	case strings.Contains(message, "mapping values are not allowed"):
		message, hint = `a ": " cannot stand here`, hintColon
	case strings.Contains(message, "did not find expected ',' or"):
		message, hint = "a bracket that was opened is not closed before this", hintBracket
	case strings.Contains(message, "unexpected end of stream") && strings.Contains(load.ContextMsg, "quoted"):
		at = load.ContextMark
		message = "the quote that opens here is never closed"
	case strings.Contains(message, "did not find expected key"):
		message, hint = "expected a key and a colon", d.keyHint(at.Line)
	}
	d.report(max(at.Line, 0), max(at.Column, 0), hint, "%s", message)
}

// badStart explains a character that no value can begin with.
func (d *Document) badStart(line, column int) (message, hint string) {
	text := []rune(d.line(line))
	if column < 1 || column > len(text) {
		return "unexpected character", ""
	}
	if text[column-1] == '\t' {
		return "a tab cannot indent", hintIndent
	}
	return quoteMessage(text[column-1])
}

func quoteMessage(r rune) (message, hint string) {
	example := map[rune]string{'@': `"@every 5m"`, '*': `"*/15 * * * *"`}[r]
	if example != "" {
		example = ": " + example
	}
	return `a value that begins with "` + string(r) + `" needs quotes`, "put the whole value in quotes" + example
}

// starPattern finds a plain value that begins with a star, as in `schedule: */15 * * * *`.
var starPattern = regexp.MustCompile(`(?:[:\[,-]\s+|\[)\*`)

func (d *Document) starValue(line int) (int, int, bool) {
	text := d.line(line)
	loc := starPattern.FindStringIndex(text)
	if loc == nil || !strings.ContainsAny(text[loc[1]-1:], "/ ") {
		return 0, 0, false
	}
	return line, len([]rune(text[:loc[1]])), true
}

// quotedStart finds a line whose value begins with a quoted text and goes on after it.
var quotedStart = regexp.MustCompile(`^\s*(?:-\s+)?[^:"']+:\s+("[^"]*"|'[^']*')\s*[^\s#]`)

func (d *Document) keyHint(line int) string {
	if quotedStart.MatchString(d.line(line)) {
		return hintQuoted
	}
	return hintKey
}

func (d *Document) line(number int) string {
	if number < 1 || number > len(d.lines) {
		return ""
	}
	return strings.TrimSuffix(d.lines[number-1], "\r")
}
