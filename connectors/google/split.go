package google

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errBroken = errors.New("it is broken JSON")

// splitDocument finds the parts of a page without decoding them: the list under one of the keys as the bytes of its
// entries, and the texts beside it. Decoding everything at once would look at each byte three times. What is inside
// an entry is not looked at; decoding it finds what is wrong there.
func splitDocument(body []byte, list func(key string) *[]json.RawMessage, text func(key string) *string) error {
	s := splitter{data: body}
	if !s.take('{') {
		return errBroken
	}
	if s.take('}') {
		return s.end()
	}
	for {
		name, ok := s.value()
		var key string
		if !ok || len(name) == 0 || name[0] != '"' || json.Unmarshal(name, &key) != nil || !s.take(':') {
			return errBroken
		}
		if err := s.member(key, list, text); err != nil {
			return err
		}
		if s.take('}') {
			return s.end()
		}
		if !s.take(',') {
			return errBroken
		}
	}
}

type splitter struct {
	data []byte
	at   int
}

func (s *splitter) end() error {
	if s.blank(); s.at != len(s.data) {
		return errBroken
	}
	return nil
}

// member reads what stands under a key.
func (s *splitter) member(key string, list func(string) *[]json.RawMessage, text func(string) *string) error {
	into := list(key)
	if into != nil && *into != nil {
		// Either of the two would hide what the other lists.
		return errors.New(key + " stands there twice")
	}
	if into != nil && s.take('[') {
		*into = []json.RawMessage{}
		if s.take(']') {
			return nil
		}
		for {
			entry, ok := s.value()
			if !ok {
				return errBroken
			}
			*into = append(*into, entry)
			if s.take(']') {
				return nil
			}
			if !s.take(',') {
				return errBroken
			}
		}
	}
	value, ok := s.value()
	switch {
	case !ok:
		return errBroken
	case into != nil && string(value) == "null":
		*into = nil
	case into != nil:
		return errors.New(key + " is no list")
	}
	if t := text(key); t != nil {
		return json.Unmarshal(value, t)
	}
	if !json.Valid(value) {
		return errBroken
	}
	return nil
}

func (s *splitter) blank() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take steps over a sign if it is the next one.
func (s *splitter) take(sign byte) bool {
	if s.blank(); s.at < len(s.data) && s.data[s.at] == sign {
		s.at++
		return true
	}
	return false
}

// value steps over a value and returns its bytes.
func (s *splitter) value() ([]byte, bool) {
	s.blank()
	from, depth := s.at, 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			if !s.quoted() {
				return nil, false
			}
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			if depth == 0 {
				return s.data[from:s.at], s.at > from
			}
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.data[from:s.at], s.at > from
			}
			s.at++
			continue
		default:
			s.at++
			continue
		}
		if depth == 0 {
			return s.data[from:s.at], true
		}
	}
	return s.data[from:], s.at > from && depth == 0
}

// quoted steps over a text.
func (s *splitter) quoted() bool {
	for i := s.at + 1; i < len(s.data); {
		end := bytes.IndexByte(s.data[i:], '"')
		if end < 0 {
			return false
		}
		i += end
		slashes := 0
		for j := i - 1; j > s.at && s.data[j] == '\\'; j-- {
			slashes++
		}
		i++
		if slashes%2 == 0 {
			s.at = i
			return true
		}
	}
	return false
}
