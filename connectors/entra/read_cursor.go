package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dirsyncd/sync/fault"
)

// cursorLife is for how long a link is worth asking with. The directory keeps what it needs for a delta for
// seven days ("Duration of change tracking tokens"); a link at the edge of that would break in mid-round.
const cursorLife = 156 * time.Hour

// cursor is what a stream keeps between reads. It holds no secret: a link names a position, and is of use only
// together with a token.
type cursor struct {
	// Settings tells under which settings the link was made: another tenant, Graph, stream or selection makes
	// another one.
	Settings string `json:"settings"`
	// At is when the service gave the link.
	At time.Time `json:"at"`
	// Link is where to go on, as the service wrote it.
	Link string `json:"link,omitempty"`
	// First marks a place within a first round, from which an interrupted full read goes on.
	First bool `json:"first,omitempty"`
	// Gone are objects that a first round listed and then named as removed. A full read cannot say so; the
	// next delta does.
	Gone []string `json:"gone,omitempty"`
	// Again are groups whose members must be listed anew before a first round is over.
	Again []string `json:"again,omitempty"`
	// Owned are groups that keep owners of before until a first round is over, and then are asked for by themselves.
	Owned []string `json:"owned,omitempty"`
	// Listed is how many objects a first round has listed up to here.
	Listed int `json:"listed,omitempty"`
	// Untracked marks the end of a full read of a tenant that turned out to track no changes: the next read
	// is a full one, too.
	Untracked bool `json:"untracked,omitempty"`
}

func (c *cursor) bytes() []byte {
	data, _ := json.Marshal(c) // a struct of texts, lists and a time
	return data
}

// parseCursor reads a cursor back and judges it without asking anybody. What it cannot take is an expired cursor:
// a full read follows, and finds what is missing.
func parseCursor(op, settings string, first bool, data []byte, now time.Time) (cursor, error) {
	expired := func(format string, args ...any) (cursor, error) {
		return cursor{}, &fault.Error{Class: fault.CursorExpired, Op: op, Err: fmt.Errorf(format, args...)}
	}
	var c cursor
	switch err := json.Unmarshal(data, &c); {
	case len(data) == 0:
		return expired("there is no cursor")
	case err != nil:
		return expired("the stored cursor is not one of this connector")
	case c.Settings != settings:
		return expired("the stored cursor was made under other settings")
	case c.First != first:
		return expired("the stored cursor belongs to another kind of read")
	case c.Untracked:
		return expired("the tenant does not track changes")
	case c.Link == "":
		return expired("the stored cursor names no place")
	case now.Sub(c.At) > cursorLife || c.At.Sub(now) > 24*time.Hour:
		return expired("the stored cursor is from %s, and the service keeps changes for seven days", c.At.Format(time.DateOnly))
	}
	return c, nil
}

// asExpired makes an expired cursor of a refusal of the stored link itself: which code the service has for a
// link that it does not understand is nowhere written down.
func asExpired(op string, err error) error {
	var g *graphError
	if !errors.As(err, &g) || !g.refusesLink() {
		return err
	}
	return &fault.Error{Class: fault.CursorExpired, Op: op, Err: fmt.Errorf("the service no longer takes the stored link: %w", g)}
}
