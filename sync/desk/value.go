package desk

import (
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"dirsyncd/store"
	"dirsyncd/sync/targets"
)

// Value is a key's value as it is compared: digests, so that neither the memory nor the state holds what people are called.
// The zero Value is none.
type Value struct {
	exact, fold store.Digest
}

// None reports whether there is no value.
func (v Value) None() bool { return v == Value{} }

// same reports whether two values are the same by the rule of a key.
func (v Value) same(o Value, key *targets.DeskKey) bool { return v.by(key) == o.by(key) }

func (v Value) by(key *targets.DeskKey) store.Digest {
	if key.Folded {
		return v.fold
	}
	return v.exact
}

// Reader makes Values of texts.
type Reader struct {
	blanks []string
}

// DefaultBlanks are texts that people write where there is nothing to write.
func DefaultBlanks() []string { return []string{"-", "--", "n/a", "none", "unknown", "null"} }

// NewReader makes a Reader for which some texts count as no value, besides DefaultBlanks.
func NewReader(blanks []string) Reader {
	all := DefaultBlanks()
	for _, b := range blanks {
		all = append(all, fold(trim(b)))
	}
	return Reader{blanks: all}
}

// Value returns a text's Value. Nothing is guessed: no dots or plus signs of mail addresses are taken for equal.
func (r Reader) Value(text string) Value {
	text = trim(text)
	folded := fold(text)
	if text == "" || slices.Contains(r.blanks, folded) {
		return Value{}
	}
	return Value{exact: store.DigestOf(text), fold: store.DigestOf(folded)}
}

// trim takes blanks off and puts a text into the form in which one that looks the same is the same (NFKC). Bytes that are no UTF-8 have
// no such form: with them, what stands before a letter would decide what becomes of it.
func trim(text string) string {
	return strings.TrimSpace(norm.NFKC.String(strings.ToValidUTF8(text, "\uFFFD")))
}

func fold(text string) string {
	if isPlain(text) {
		return strings.ToLower(text)
	}
	return norm.NFKC.String(cases.Fold().String(text))
}

func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
