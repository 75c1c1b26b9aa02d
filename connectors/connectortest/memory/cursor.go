package memory

import (
	"encoding/json"
	"errors"

	"dirsyncd/sync/fault"
)

// cursor is where a read goes on. Its fields name the source and the stream, so that a cursor from elsewhere is
// noticed.
type cursor struct {
	Source string `json:"source"`
	Epoch  int    `json:"epoch"`
	Tenant string `json:"tenant"`
	Stream string `json:"stream"`
	// Seq is the last change that the read has seen.
	Seq uint64 `json:"seq"`
	// After is the id up to which an interrupted full read came; Full marks such a cursor.
	After string `json:"after,omitempty"`
	Full  bool   `json:"full,omitempty"`
}

func (c cursor) bytes() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return data
}

// parseCursor reads a cursor that must have been made for the same place and mode as want.
func parseCursor(data []byte, want cursor) (cursor, error) {
	var c cursor
	expired := func(what string) (cursor, error) {
		return cursor{}, &fault.Error{Class: fault.CursorExpired, Op: "read " + want.Stream, Err: errors.New(what)}
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return expired("not a cursor of this source")
	}
	if c.Source != want.Source || c.Tenant != want.Tenant || c.Stream != want.Stream || c.Full != want.Full {
		return expired("the cursor was made for something else")
	}
	if c.Epoch != want.Epoch || c.Seq > want.Seq {
		return expired("the cursor has expired")
	}
	return c, nil
}
