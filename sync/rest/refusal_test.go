package rest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		" a\n\tb\u00a0 c ":               "a b c",
		"a\x1b[31mred\x07":               "a[31mred",
		"broken \xff":                    "broken \uFFFD",
		strings.Repeat("x", longestText): strings.Repeat("x", longestText),
		strings.Repeat("ä", longestText): strings.Repeat("ä", longestText/2) + "…",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	for want, r := range map[string]Refusal{
		"answered 409 Conflict":                       {Status: 409},
		"answered 400 Bad Request: no":                {Status: 400, Text: "no"},
		"answered 409 Conflict, uniqueness: it is so": {Status: 409, Type: "uniqueness", Text: "it is so"},
	} {
		if got := r.Error(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestDocument(t *testing.T) {
	for text, want := range map[string]any{"": nil, " \n": nil, "[12345678901234567890]": []any{json.Number("12345678901234567890")}, `"x"`: "x"} {
		if got, err := Document([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if v, err := Document([]byte("<html>")); err == nil {
		t.Error(v)
	}
}
