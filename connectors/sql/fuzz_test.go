package sql

import (
	"testing"
	"unicode/utf8"
)

// FuzzArrays reads any text as an array and as JSON.
func FuzzArrays(f *testing.F) {
	for _, text := range []string{"{}", "{a,b}", `{"a b","c\"d",NULL}`, "{{1},{2}}", "{", `{"a`, `["a",1,null]`, `[[1]]`, `{"k":1}`, `"x"`, "1e999", "[1,", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // servers see to it
		}
		for _, cell := range []any{arrayCell(text), jsonCell([]byte(text)), binaryCell([]byte(text)), bitCell([]byte(text)), setCell([]byte(text))} {
			_ = cell
		}
		statementProblem(text)
	})
}
