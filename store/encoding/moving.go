package encoding

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// Moving is what a state says of itself while another one is moved into it: nobody may begin to work on it.
type Moving struct {
	From  string    `json:"from"`  // the other state, for people
	Began time.Time `json:"began"` // when the move did
}

// ErrMoving is in the chain of the error of a state into which another one is being moved.
var ErrMoving = errors.New("another state is being moved here, and that has not come to its end")

// movingMark begins the name of the format of such a state. Versions that do not know it take the state for somebody else's, and leave it alone.
const movingMark = "dirsyncd, being moved into: "

// Format is what stands in place of the name of the format.
func (m Moving) Format() string {
	text, _ := json.Marshal(m) // has nothing that JSON has not
	return movingMark + string(text)
}

// MovingOf reads what Format returned; ok is false for another format.
func MovingOf(format string) (m Moving, ok bool) {
	text, ok := strings.CutPrefix(format, movingMark)
	if !ok {
		return Moving{}, false
	}
	_ = json.Unmarshal([]byte(text), &m) // what cannot be read is a move all the same
	return m, true
}

// Error says what the operator can do about such a state.
func (m Moving) Error(where string) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: where,
		Err:  fmt.Errorf("%w: it began at %s, from %s", ErrMoving, m.Began.UTC().Format(time.DateTime+" UTC"), m.From),
		Hint: "if no `dirsyncd state move` is at it any more, run it again: it begins anew. The other state is whole: to go on with it, name it in `state`"}
}

// NotEmpty is the error for a state into which nothing is moved, since it has partitions, or items.
func NotEmpty(where string, parts []store.Partition) error {
	const shown = 3
	what := "what sign-in keeps"
	for i, p := range parts[:min(len(parts), shown)] {
		name := p.String()
		if target, ok := p.Target(); ok {
			name = "target " + target
		}
		if what += ", " + name; i == 0 {
			what = "the state of " + name
		}
	}
	if n := len(parts) - shown; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	return &fault.Error{Class: fault.Configuration, Op: "move state", Where: where, Err: fmt.Errorf("there is something already: %s", what),
		Hint: "the first argument is the state that there is, the second where it goes: a place in which there is nothing yet. Nothing was changed"}
}
