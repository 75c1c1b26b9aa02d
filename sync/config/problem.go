package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/settings/strict"
)

// Problem is something wrong, or for a warning something odd, at a place of the configuration file.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1; both are zero when the whole file is meant.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Elsewhere: it is about a secret that this process cannot see, and another one may.
	Elsewhere bool `json:"-"`
}

// String renders "config.yaml:12:5: unknown key "scheduel" (did you mean "schedule"?)".
func (p Problem) String() string {
	place := p.File
	if p.Line > 0 {
		place += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	text := place + ": " + p.Message
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Error is a configuration that cannot be used, with everything that is wrong with it.
type Error struct {
	Problems []Problem // in the order of the file
}

// mostTold is how many problems the text of an Error has: one mistake may be made in thousands of connections.
const mostTold = 20

// Error renders one problem per line, and how many more there are.
func (e *Error) Error() string {
	told := e.Problems[:min(len(e.Problems), mostTold)]
	lines := make([]string, len(told), len(told)+1)
	for i, p := range told {
		lines[i] = p.String()
	}
	if more := len(e.Problems) - len(told); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems (`dirsyncd check --json` has them all)", more))
	}
	return strings.Join(lines, "\n")
}

func problemsOf(file string, found []strict.Problem) []Problem {
	list := make([]Problem, len(found))
	for i, p := range found {
		list[i] = Problem{file, p.Line, p.Column, p.Message, p.Hint, p.Elsewhere}
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return list
}
