// Package jsonscan goes through a JSON text without decoding it: what it returns are parts of the text, and it allocates
// nothing. It is for pages of many entries, of which encoding/json would look at every byte three times and make a map
// each, and whose typed models cannot tell null from absent.
package jsonscan

import (
	"encoding/json"
	"errors"
	"strings"
)

// ErrBroken says that a text is not JSON.
var ErrBroken = errors.New("it is broken JSON")

// Value is one JSON value as it stands in the text; empty when there was none.
type Value string

// Null reports whether the value is null or absent.
func (v Value) Null() bool { return v == "" || v[0] == 'n' }

// Kind says what the value is, in words for errors.
func (v Value) Kind() string {
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

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v != "" && v[0] == '{' }

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v != "" && v[0] == '[' }

// Text returns a string value without its quotes and escapes, and false for every other value.
func (v Value) Text() (string, bool) {
	if len(v) < 2 || v[0] != '"' {
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

// Member returns the value under a name of an object, empty when there is none or the value is no object.
func (v Value) Member(name string) Value {
	if !v.IsObject() {
		return ""
	}
	for s := Enter(v); s.More(); {
		n := s.Name()
		if value := s.Value(); n == name {
			return value
		}
	}
	return ""
}

// Scanner stands within one object or list:
//
//	for s := Enter(v); s.More(); {
//		name, value := s.Name(), s.Value()
//	}
//
// Any text may be scanned. What is not JSON ends the loop and shows in Err, except inside of the values that Value
// returns: only their brackets are counted. Of a text that encoding/json has found valid Err need not be asked.
type Scanner struct {
	text   string
	at     int
	end    byte // the bracket that ends it
	next   bool // a comma precedes what follows
	over   bool
	broken bool
}

// Enter goes into an object or a list.
func Enter(v Value) Scanner {
	s := Scanner{text: string(v)}
	s.open()
	return s
}

// Object goes into a text that must be one object, with nothing but white space around it.
func Object(text string) Scanner {
	s := Scanner{text: text}
	s.space()
	s.open()
	if s.end != '}' {
		s.fail()
	}
	return s
}

// open steps over the bracket that begins an object or a list.
func (s *Scanner) open() {
	if s.at >= len(s.text) {
		s.fail()
		return
	}
	switch s.text[s.at] {
	case '{':
		s.end = '}'
	case '[':
		s.end = ']'
	default:
		s.fail()
		return
	}
	s.at++
}

// fail goes to the end of the text, where nothing is read any more.
func (s *Scanner) fail() { s.at, s.broken = len(s.text), true }

// More reports whether another member or element follows, and goes to where it begins.
func (s *Scanner) More() bool {
	s.space()
	if s.at >= len(s.text) {
		s.broken = true
		return false
	}
	switch c := s.text[s.at]; {
	case c == s.end:
		s.at++
		s.over = true
		return false
	case !s.next:
		s.next = true
	case c == ',':
		s.at++
		s.space()
	default:
		s.fail()
		return false
	}
	return true
}

// Name reads a member's name, which is followed by its value.
func (s *Scanner) Name() string {
	name, ok := s.plainName()
	if !ok {
		v := s.Value()
		if name, ok = v.Text(); !ok || strings.ContainsFunc(string(v), func(r rune) bool { return r < ' ' }) {
			s.fail()
			return ""
		}
	}
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != ':' {
		s.fail()
		return ""
	}
	s.at++
	s.space()
	return name
}

// plainName reads a name without escapes, as nearly all are, and false when it is another one: names are too short for
// the search that suits texts.
func (s *Scanner) plainName() (string, bool) {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return "", false
	}
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			name := s.text[s.at+1 : i]
			s.at = i + 1
			return name, true
		case c == '\\' || c < ' ':
			return "", false
		}
	}
	return "", false
}

// Value reads the value that begins here.
func (s *Scanner) Value() Value {
	if s.at >= len(s.text) {
		s.broken = true
		return ""
	}
	begin := s.at
	switch s.text[s.at] {
	case '"':
		s.skipText()
	case '{', '[':
		s.skipNested()
	default:
		for s.at < len(s.text) && strings.IndexByte(",:]} \t\n\r", s.text[s.at]) < 0 {
			s.at++
		}
		if s.at == begin {
			s.fail()
			return ""
		}
	}
	return Value(s.text[begin:s.at])
}

// AtList reports whether a list begins here.
func (s *Scanner) AtList() bool { return s.at < len(s.text) && s.text[s.at] == '[' }

// Elements goes through the list that begins here, in place of Value, which would look at all of it once more. The loop
// must not be left early.
func (s *Scanner) Elements(yield func(Value) bool) {
	outer := s.end
	s.next = false
	s.open()
	for s.More() {
		if !yield(s.Value()) {
			s.fail()
		}
	}
	s.end, s.next, s.over = outer, true, false
}

// At is the place in the text behind what was read last.
func (s *Scanner) At() int { return s.at }

// Err returns ErrBroken unless the object or list was gone through to its end, was found to be JSON, and nothing
// follows it.
func (s *Scanner) Err() error {
	s.space()
	if s.broken || !s.over || s.at != len(s.text) {
		return ErrBroken
	}
	return nil
}

func (s *Scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *Scanner) skipText() {
	begin := s.at + 1
	s.at = begin
	for {
		i := strings.IndexByte(s.text[s.at:], '"')
		if i < 0 {
			s.fail()
			return
		}
		s.at += i
		slashes := 0
		for p := s.at - 1; p >= begin && s.text[p] == '\\'; p-- {
			slashes++
		}
		s.at++
		if slashes%2 == 0 {
			return
		}
	}
}

// skipNested counts brackets rather than calling itself: the depth is the service's choice.
func (s *Scanner) skipNested() {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			s.skipText()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
	s.broken = true
}
