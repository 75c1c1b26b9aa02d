package expression

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
)

// Diagnostic is something wrong with an expression at a place in it, counted in letters from its start.
type Diagnostic struct {
	At            int
	Message, Hint string
	// Table is the name of a table that there is not, where that is what is wrong.
	Table string
	// Choice is the name of a choice that there is not, or that cannot be used, where that is what is wrong.
	Choice string
}

// syntaxDiagnostic turns what the parser says into the operator's words.
func syntaxDiagnostic(err error, text string) Diagnostic {
	f := Diagnostic{Message: firstLine(err)}
	var e *file.Error
	if !errors.As(err, &e) {
		return f
	}
	f.At, f.Message = e.From, e.Message
	at := min(e.From, utf8.RuneCountInString(text))
	rest := string([]rune(text)[at:])
	word, _, _ := strings.Cut(rest, " ")
	switch {
	case strings.TrimSpace(text) == "":
		f.Message, f.Hint = "the expression is empty", ""
	case strings.Contains(e.Message, "token EOF"), strings.Contains(e.Message, "unexpected end"):
		f.Message = "the expression ends too early"
		if strings.Count(text, "(") > strings.Count(text, ")") {
			f.Hint = `close the bracket; if there is a " #" in it, YAML took the rest for a comment: ` +
				"put the whole in single quotes"
		}
	case strings.Contains(e.Message, "cannot be mixed"):
		f.Message, f.Hint = "?? and another operator stand side by side", "put brackets around a ?? b"
	case strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "=="):
		f.Hint = "= does not compare, == does"
	case slices.Contains([]string{"and", "or", "not", "in"}, strings.ToLower(word)) && word != strings.ToLower(word):
		f.Hint = "write " + strings.ToLower(word) + " in small letters"
	case strings.Contains(e.Message, "unexpected token Identifier("):
		f.Message = fmt.Sprintf("unexpected word %q", identifier(rest))
		f.Hint = DidYouMean(identifier(rest), wordOperators(), "put a comparison, and, or between two names; a text stands in quotes")
	case strings.HasPrefix(rest, "&") || strings.HasPrefix(rest, "|"):
		f.Hint = "write and, or"
	}
	return f
}

// wordOperators are the operators that are words.
func wordOperators() []string {
	return []string{"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith"}
}

// identifier is the word that a text begins with.
func identifier(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return text
	}
	return text[:end]
}

// goWords finds types of Go in what the checker says.
var goWords = regexp.MustCompile(`\b(types?|and|got|use|\(type) ` +
	`(\[\]string|\[\]interface \{\}|string|bool|int|float64|time\.Time|time\.Duration|unknown)\b`)

// calledFunction finds the function in the checker's words for arguments that do not fit.
var calledFunction = regexp.MustCompile(`to call (\w+)$`)

// twoSides finds the checker's words for operands of different types.
var twoSides = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)$`)

// typeDiagnostic turns what the checker says into the operator's words.
func typeDiagnostic(err error) Diagnostic {
	f := Diagnostic{Message: firstLine(err)}
	var e *file.Error
	if errors.As(err, &e) {
		f.At, f.Message = e.From, e.Message
	}
	words := map[string]kind{
		"[]string": listKind, "[]interface {}": listKind, "string": textKind, "bool": truthKind, "int": numberKind,
		"float64": fractionKind, "time.Time": timeKind, "time.Duration": spanKind, "unknown": unknownKind,
	}
	text := f.Message
	for {
		next := goWords.ReplaceAllStringFunc(text, func(m string) string {
			before, word, _ := strings.Cut(m, " ")
			return before + " " + string(words[word])
		})
		if next == text {
			break
		}
		text = next
	}
	text = strings.TrimSpace(text)
	f.Message = twoSides.ReplaceAllString(text, "the two sides of $1 do not fit: $2 and $3")
	switch {
	case strings.HasPrefix(text, "invalid operation: - "):
		f.Hint = `if the dash belongs to a name, write attributes["name-with-dash"]`
	case strings.Contains(text, "types text and list") || strings.Contains(text, "types list of texts and text"):
		f.Hint = `ask for an item: "…" in …`
	case strings.Contains(text, "types text and whole number") || strings.Contains(text, "types whole number and text"):
		f.Hint = "turn the number into a text: string(…)"
	case strings.Contains(text, "text and truth value") || strings.Contains(text, "truth value and text"):
		f.Hint = "a truth value is true or false, without quotes"
	case strings.Contains(text, "time and text") || strings.Contains(text, "text and time"):
		f.Hint = `write a time as date("2026-01-31")`
	}
	return f
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
