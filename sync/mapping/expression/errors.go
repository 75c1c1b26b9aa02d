package expression

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr/file"

	"dirsyncd/sync/fault"
)

// refuse makes the error of an expression that has no result for an object. Its text never holds a value of the
// object: it goes into logs and stays with the parked entry.
func refuse(what, hint string) *fault.Error {
	return &fault.Error{Class: fault.Invalid, Err: errors.New(what), Hint: hint}
}

var (
	errNoNumber = refuse("int(): the value is not a whole number",
		`test it first: x matches "^[0-9]+$" ? int(x) : nil`)
	errNoDate  = refuse("date(): the text is not a date", "write dates as 2026-01-31 or 2026-01-31T08:15:00Z")
	errTooLong = refuse("the text grew beyond 64 KiB", "")
	errTooMany = refuse("the list grew beyond 10000 items", "")
	errTooMuch = refuse("the expression goes over a list within a list, or builds texts or lists for every item, too many times",
		"compute what is the same for every item once, with let: let parts = split(x, \",\"); any(…)")
	errNoField = errors.New("the result is no text, truth value, whole number, time or list of texts")
)

// notTold refuses to compute with a truth value, time or number that the source did not give.
func notTold(name string) *fault.Error {
	if name == "" {
		return refuse("a value that the expression computes with is blank", "give it a fallback: … ?? …")
	}
	if choice, ok := strings.CutPrefix(name, choiceWord+"."); ok {
		return refuse("no line of "+name+" holds, or its value is blank", "give the choice "+choice+" a last line without `when`, or write "+name+" ?? …")
	}
	if name == TenantDomains {
		return refuse("the mail domains of the tenant are not known",
			"they come with the next read that can tell them; Partner Center tells them of its own customers only: give another tenant "+
				"a mapping of its own, or say what to assume, such as `"+name+" ?? [tenant.domain]`")
	}
	hint := "say what to assume instead, such as `" + name + " ?? false`, " +
		"or give the connection's account the right to read it"
	if name != "enabled" && name != "manager.enabled" {
		hint = "give it a fallback, such as `" + name + ` ?? date("1970-01-01")` + "`, or test it first: `" + name +
			" != nil and …`"
	}
	return refuse("the source did not tell "+name, hint)
}

// classify turns an error of the virtual machine into one that the engine acts on. What the expression library
// says is passed on only where it cannot quote a value.
func classify(err error) error {
	var refused *fault.Error
	if errors.As(err, &refused) {
		return refused
	}
	what := "the expression cannot be computed for this object"
	var e *file.Error
	if errors.As(err, &e) {
		for _, safe := range []string{"memory budget exceeded", "runtime error: integer divide by zero",
			"index out of range"} {
			if strings.HasPrefix(e.Message, safe) {
				what = e.Message
			}
		}
	}
	return refuse(what, "`dirsyncd why` shows what the expression read")
}
