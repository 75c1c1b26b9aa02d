package term

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes control and formatting characters visible. Line ends stay; wrap deals with them.
func Clean(text string) string {
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

// Length is the number of columns that a text takes, as far as one per letter is true.
func Length(text string) int { return utf8.RuneCountInString(text) }

// wrap breaks a text into lines at blanks, and words that are too long after a slash or anywhere. An address of the web stays
// whole, however long: it is there to be opened, and terminals that break it give it back in one piece. There is at least one line.
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
		case Length(line)+1+Length(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
		for Length(line) > width && !strings.Contains(word, "://") {
			runes := []rune(line)
			at := width
			if slash := strings.LastIndexByte(string(runes[:width]), '/'); slash > 0 {
				at = Length(string(runes[:width])[:slash]) + 1
			}
			lines, line = append(lines, string(runes[:at])), string(runes[at:])
		}
	}
	return append(lines, line)
}

// CutShort shortens a text at its end.
func CutShort(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 1 {
		return text
	}
	return strings.TrimRight(string(runes[:width-1]), " ,;") + "…"
}
