package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Refusal is what a service answers when it does not do what was asked, in its own words. Text may hold personal data: it stands in
// fault.Error.Err only.
type Refusal struct {
	Status int
	Type   string // what the service calls the error, where it has a word for it
	Text   string
}

// Error implements error.
func (r *Refusal) Error() string {
	text := fmt.Sprintf("answered %d %s", r.Status, http.StatusText(r.Status))
	if r.Type != "" {
		text += ", " + r.Type
	}
	if r.Text != "" {
		text += ": " + r.Text
	}
	return text
}

// longestText is how many bytes of a service's text are kept.
const longestText = 200

// Printable makes the beginning of a service's text fit for a terminal.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "…"
	}
	return text
}

// Document reads a JSON document; nil for an empty one. Numbers stay as they are written (json.Number): ids are longer than a float64 is
// exact.
func Document(data []byte) (any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}
