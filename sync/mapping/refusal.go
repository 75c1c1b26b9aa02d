package mapping

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr/file"

	"dirsyncd/sync/fault"
)

// refusal is why an expression has no result for an object. Its text never holds a value of the object: it goes
// into logs and stays with the parked entry.
type refusal struct{ what, hint string }

func (r *refusal) Error() string { return r.what }

func refuse(what, hint string) *refusal { return &refusal{what: what, hint: hint} }

var (
	errNoNumber = refuse("int(): the value is not a whole number",
		`test it first: x matches "^[0-9]+$" ? int(x) : nil`)
	errNoDate  = refuse("date(): the text is not a date", "write dates as 2026-01-31 or 2026-01-31T08:15:00Z")
	errTooLong = refuse("the text grew beyond 64 KiB", "")
	errTooMany = refuse("the list grew beyond 10000 items", "")
)

// notTold is the refusal to compute with a truth value, time or number that the source did not give.
func notTold(name string) *refusal {
	if name == "" {
		return refuse("a value that the expression computes with is blank", "give it a fallback: … ?? …")
	}
	hint := "say what to assume instead, such as `" + name + " ?? false`, " +
		"or give the connection's account the right to read it"
	if name != "enabled" && name != "manager.enabled" {
		hint = "give it a fallback, such as `" + name + ` ?? date("1970-01-01")` + "`, or test it first: `" + name +
			" != nil and …`"
	}
	return refuse("the source did not tell "+name, hint)
}

// classify turns an error of the expression's evaluation into one that the engine acts on. What the expression
// library says is passed on only where it cannot quote a value.
func classify(err error, rule, where string) error {
	out := &fault.Error{Class: fault.Invalid, Op: `rule "` + rule + `"`, Where: where}
	var r *refusal
	if errors.As(err, &r) {
		out.Err, out.Hint = r, r.hint
		return out
	}
	out.Err = errors.New("the expression cannot be computed for this object")
	out.Hint = "`dirsyncd why` shows what the expression read"
	var e *file.Error
	if errors.As(err, &e) {
		for _, safe := range []string{"memory budget exceeded", "runtime error: integer divide by zero",
			"index out of range"} {
			if strings.HasPrefix(e.Message, safe) {
				out.Err = errors.New(e.Message)
			}
		}
	}
	return out
}
