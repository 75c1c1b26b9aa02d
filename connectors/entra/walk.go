package entra

import (
	"encoding/json"
	"strings"
)

// walker goes through a JSON text that encoding/json has found valid. It allocates nothing: what it returns are
// parts of the text. Everything that it may assume follows from validity, so it has no errors of its own.
//
// The typed models of the vendor's SDK cannot tell null from absent, which a delta needs, and cost about four times
// as much.
type walker struct {
	text string
	at   int
}

// raw is one JSON value as it stands in the text; empty when there was none.
type raw string

// null reports whether the value is null or absent.
func (v raw) null() bool { return v == "" || v[0] == 'n' }

// kind says what the value is, in words for errors.
func (v raw) kind() string {
	if v == "" {
		return "absent"
	}
	switch v[0] {
	case '"':
		return "a text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// text returns a string value without its quotes and escapes, and false for every other value.
func (v raw) text() (string, bool) {
	if v == "" || v[0] != '"' {
		return "", false
	}
	inner := string(v[1 : len(v)-1])
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if json.Unmarshal([]byte(v), &s) != nil {
		return "", false
	}
	return s, true
}

func (w *walker) space() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return
		}
	}
}

// enter goes into an object or a list.
func enter(v raw) walker { return walker{text: string(v), at: 1} }

// more reports whether another member or element follows, and goes to where it begins.
func (w *walker) more() bool {
	w.space()
	if w.at < len(w.text) && w.text[w.at] == ',' {
		w.at++
		w.space()
	}
	return w.at < len(w.text) && w.text[w.at] != '}' && w.text[w.at] != ']'
}

// name reads a member's name, which is followed by its value.
func (w *walker) name() string {
	name, _ := w.value().text()
	w.space()
	w.at++ // the colon
	w.space()
	return name
}

// value reads the value that begins here.
func (w *walker) value() raw {
	begin := w.at
	switch w.text[w.at] {
	case '"':
		w.skipText()
	case '{', '[':
		w.skipNested()
	default:
		for w.at < len(w.text) && strings.IndexByte(",]} \t\n\r", w.text[w.at]) < 0 {
			w.at++
		}
	}
	return raw(w.text[begin:w.at])
}

func (w *walker) skipText() {
	begin := w.at + 1
	w.at = begin
	for {
		w.at += strings.IndexByte(w.text[w.at:], '"')
		slashes := 0
		for p := w.at - 1; p >= begin && w.text[p] == '\\'; p-- {
			slashes++
		}
		w.at++
		if slashes%2 == 0 {
			return
		}
	}
}

// skipNested counts brackets rather than calling itself: the depth is the service's choice.
func (w *walker) skipNested() {
	depth := 0
	for {
		switch w.text[w.at] {
		case '"':
			w.skipText()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		w.at++
		if depth == 0 {
			return
		}
	}
}
