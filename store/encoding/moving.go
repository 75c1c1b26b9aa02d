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

// Moved is what a state says of itself after it was moved: nobody may go on with it, or what the other one has sent since would be sent again.
type Moved struct {
	To string    `json:"to"` // where it is now, for people
	At time.Time `json:"at"` // when it was moved
}

// ErrMoved is in the chain of the error of a state that was moved.
var ErrMoved = errors.New("this state was moved")

// movedMark begins the name of the format of such a state, as movingMark does.
const movedMark = "dirsyncd, moved: "

// Format is what stands in place of the name of the format.
func (m Moved) Format() string {
	text, _ := json.Marshal(m) // has nothing that JSON has not
	return movedMark + string(text)
}

// MovedOf reads what Format returned; ok is false for another format.
func MovedOf(format string) (m Moved, ok bool) {
	text, ok := strings.CutPrefix(format, movedMark)
	if !ok {
		return Moved{}, false
	}
	_ = json.Unmarshal([]byte(text), &m) // what cannot be read was moved all the same
	return m, true
}

func (m Moved) String() string { return m.To + " at " + m.At.UTC().Format(time.DateTime+" UTC") }

// Error says what the operator can do about such a state.
func (m Moved) Error(where string) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: where, Err: fmt.Errorf("%w to %s", ErrMoved, m),
		Hint: "what is there has gone on since, and this one knows nothing of that: name that one in `state`. If it is lost for good, `dirsyncd state reopen` lets this one go on from where it was"}
}

// NotItsPlace is the error for a state that was moved, and into which another one is to be moved than the one that it became.
func (m Moved) NotItsPlace(where string) error {
	return &fault.Error{Class: fault.Configuration, Op: "move state", Where: where, Err: fmt.Errorf("there is something already: a state that was moved to %s", m),
		Hint: "only what is at " + m.To + " takes its place, named as it is here. If this one is of no use any more, remove it, or name a place in which there is nothing yet. Nothing was changed"}
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
