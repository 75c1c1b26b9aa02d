package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/config/strict"
)

// Problem is something wrong, or for a warning something odd, at a place of the configuration file.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1; both are zero when the whole file is meant.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
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

// Error renders one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Issue is what the configuration of a connector or target finds wrong with itself (see Validator).
type Issue struct {
	Path    string // the key within the block: "bind.user", "servers[1]"; empty for the block
	Message string // without the key: "must not be empty together with a password"
	Hint    string // what to write instead; may be empty
}

// Validator may be implemented by the configuration type of a connector or target. Validate is called after
// decoding and does no network I/O; its issues are shown with the line and column of their paths.
type Validator interface{ Validate() []Issue }

// Adviser may be implemented besides. What Advise returns is allowed but dangerous or probably not meant: it becomes a
// warning. It is called for a block without issues and does no network I/O.
type Adviser interface{ Advise() []Issue }

func problemsOf(file string, found []strict.Problem) []Problem {
	list := make([]Problem, len(found))
	for i, p := range found {
		list[i] = Problem{file, p.Line, p.Column, p.Message, p.Hint}
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return list
}
