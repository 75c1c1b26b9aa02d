package expression

import (
	"regexp"
	"strconv"
	"time"

	"github.com/expr-lang/expr/ast"
)

// What a rule may ask of a date is asked of one moment, which is an input like any other (Input.At): there is no clock. Each
// question is whether a certain moment is reached, so that the answer changes once, at a moment that the evaluation knows:
// until then, the same object has the same result (Evaluation.Next).

// reachedName is the intrinsic that functions of time become: whether a time, moved by some seconds, is reached.
const reachedName = "__reached"

// momentFunctions are the functions of time, which are calls of that intrinsic.
func momentFunctions() []function {
	later := func(...any) (any, error) { return nil, errNoMoment }
	return []function{
		{
			Function: fn("past", "past(time)", "whether a time is over at the moment of the run",
				`past(date("2026-01-31"))`, "true", `past(date("9999-12-31"))`, "false"),
			typ: new(func(time.Time) bool), call: later,
		},
		{
			Function: fn("older_than", "older_than(time, length)",
				"whether a time is at least so long ago: a literal length such as \"90d\", \"12h\" or \"1w2d\", with days of 24 hours",
				`older_than(date("2026-01-31"), "90d")`, "true"),
			typ: new(func(time.Time, string) bool), call: later,
		},
		{
			Function: fn("due_within", "due_within(time, length)",
				"whether a time is over, or will be within this length",
				`due_within(date("2026-06-10"), "14d")`, "true"),
			typ: new(func(time.Time, string) bool), call: later,
		},
	}
}

var errNoMoment = refuse("a question about time cannot be asked here", "")

// maxLength keeps moments within what a time can hold.
const maxLength = 100 * 366 * 24 * time.Hour

var lengthPattern = regexp.MustCompile(`^(?:(\d{1,5})w)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?(?:(\d{1,8})m)?$`)

// parseLength reads a length of time: weeks, days of 24 hours, hours and minutes, in this order.
func parseLength(text string) (time.Duration, bool) {
	m := lengthPattern.FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, false
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute} {
		n, _ := strconv.Atoi("0" + m[i+1])
		if time.Duration(n) > maxLength/unit {
			return 0, false
		}
		total += time.Duration(n) * unit
	}
	return total, total > 0 && total <= maxLength
}

// moment turns the call of a function of time into the question whether a moment is reached.
func (w *rewriter) moment(n *ast.CallNode, name string) ast.Node {
	shift := time.Duration(0)
	if name != "past" {
		text, ok := n.Arguments[1].(*ast.StringNode)
		if !ok {
			w.report(n.Arguments[1], `write it as text: "90d"`, "the length of "+name+" must be a literal")
			return n
		}
		if shift, ok = parseLength(text.Value); !ok {
			w.report(text, `write weeks, days, hours and minutes as "90d", "12h" or "1w2d"`, "the text is not a length of time")
			return n
		}
		if name == "due_within" {
			shift = -shift
		}
	}
	w.timed = true
	seconds := &ast.IntegerNode{Value: int(shift / time.Second)}
	return intrinsic(reachedName, n, w.rewrite(n.Arguments[0], strict), like(seconds, n))
}

func isMoment(name string) bool {
	return name == "past" || name == "older_than" || name == "due_within"
}

// asksTime reports whether a node is a question about time, which no two moments answer alike.
func asksTime(node ast.Node) bool {
	n, ok := node.(*ast.CallNode)
	if !ok {
		return false
	}
	callee, ok := n.Callee.(*ast.IdentifierNode)
	return ok && (callee.Value == reachedName || isMoment(callee.Value))
}

// reached is the intrinsic. It notes when its answer will be another one.
func (e *Evaluation) reached(at, shift any) any {
	t, ok := at.(time.Time)
	if !ok {
		panic(notTold(""))
	}
	seconds, _ := shift.(int)
	t = t.Add(time.Duration(seconds) * time.Second)
	if !t.After(e.in.At) {
		return true
	}
	if e.next.IsZero() || t.Before(e.next) {
		e.next = t
	}
	return false
}

// Next returns the first moment at which something that was evaluated would come to something else; zero when there is none.
func (e *Evaluation) Next() time.Time { return e.next }
