package strict

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is something wrong at a place of the document. Line and Column count from 1, columns in
// characters; both are zero when the place is not known.
type Problem struct {
	Line, Column int
	Message      string // what is wrong, in lower case, without the place
	Hint         string // what to write instead; may be empty
	// Elsewhere: it need not be a problem to another process, which may have another environment, or more rights.
	Elsewhere bool
}

// String renders "line:column: message (hint)".
func (p Problem) String() string {
	text := p.Message
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	if p.Line == 0 {
		return text
	}
	return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, text)
}

func (p Problem) compare(q Problem) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column),
		cmp.Compare(p.Message, q.Message), cmp.Compare(p.Hint, q.Hint))
}

// sorted orders problems by place. What is said twice of the same place is said once: an anchored value is
// decoded wherever an alias repeats it.
func sorted(problems []Problem) []Problem {
	list := slices.Clone(problems)
	slices.SortFunc(list, Problem.compare)
	return slices.Compact(list)
}
