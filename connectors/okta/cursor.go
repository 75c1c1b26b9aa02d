package okta

import (
	"encoding/json"
	"errors"
	"time"

	"dirsyncd/sync/fault"
)

const (
	// overlap is how far an incremental read reaches back behind the last one: for changes that were under way,
	// and for Okta's lists with filter or search, which can be behind by minutes.
	overlap = 10 * time.Minute
	// settle is how long after a change of a group its members are read once more.
	settle = 2 * time.Minute
	// keepGone is how long removals are remembered, so that a list that is behind does not bring anybody back.
	keepGone = time.Hour
	// logReaches is how far the System Log is relied upon. It keeps events for 90 days (Okta, System Log).
	logReaches = 89 * 24 * time.Hour
)

// cursor is where an incremental read goes on. Times are by the org's clock, in milliseconds since 1970.
type cursor struct {
	Connector string `json:"okta"` // the stream
	Settings  string `json:"settings"`
	// Since is when the last read began.
	Since int64 `json:"since"`
	// Resume is where an interrupted full read goes on, which began at Since. Such a cursor is for nothing else.
	Resume *resumePoint `json:"resume,omitempty"`
	// Log is where the System Log goes on; nil when it is not read.
	Log *logPosition `json:"log,omitempty"`
	// Gone are ids of objects that were removed lately, and when.
	Gone map[string]int64 `json:"gone,omitempty"`
	// Read are groups and applications whose members were read lately.
	Read map[string]memberRead `json:"read,omitempty"`
}

// resumePoint is how far a full read of users came.
type resumePoint struct {
	// Phase counts the lists that it is made of.
	Phase int `json:"phase"`
	// Next is path and query of the next page; empty at the beginning of a list.
	Next string `json:"next,omitempty"`
}

// resumeWithin is how old an interrupted full read may be. Okta does not say how long its links last.
const resumeWithin = 12 * time.Hour

// logPosition is where a poll of the System Log goes on.
type logPosition struct {
	// Next is path and query of the org's own link; empty at the beginning.
	Next string `json:"next,omitempty"`
	// Since is up to when the log was read, for when Next is no longer taken.
	Since int64 `json:"since"`
}

// memberRead is when a group's members were read, and which state of them the group spoke of.
type memberRead struct {
	Changed int64 `json:"changed"`
	At      int64 `json:"at"` // or one of the two below
}

// In place of a time: the members could not be read, of a group or of an application, and are to be read next time.
const (
	groupNotRead = -1
	appNotRead   = -2
)

func (c *cursor) bytes() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return data
}

// parseCursor reads a cursor that must have been made for the stream under the same settings. now is the org's.
func parseCursor(op string, data []byte, stream, settings string, log bool, now time.Time) (*cursor, error) {
	c, err := readCursor(op, data, stream, settings, now)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Resume != nil:
		return expiredCursor(op, "the cursor was made for something else")
	case c.Log != nil && c.Log.Since <= 0 || log && c.Log == nil:
		return expiredCursor(op, "the cursor is damaged")
	case log && c.Log.Since < now.Add(-logReaches).UnixMilli():
		return expiredCursor(op, "the System Log no longer reaches back to the last read")
	}
	return c, nil
}

// parseResume reads the cursor of an interrupted full read.
func parseResume(op string, data []byte, stream, settings string, now time.Time) (*cursor, error) {
	c, err := readCursor(op, data, stream, settings, now)
	switch {
	case err != nil:
		return nil, err
	case c.Resume == nil || c.Resume.Phase < 0 || c.Resume.Phase >= phases:
		return expiredCursor(op, "the cursor was made for something else")
	case c.Since < now.Add(-resumeWithin).UnixMilli():
		return expiredCursor(op, "the read was interrupted too long ago")
	}
	return c, nil
}

func expiredCursor(op, why string) (*cursor, error) {
	return nil, &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New(why)}
}

func readCursor(op string, data []byte, stream, settings string, now time.Time) (*cursor, error) {
	var c cursor
	switch err := json.Unmarshal(data, &c); {
	case err != nil || c.Connector == "":
		return expiredCursor(op, "not a cursor of this source")
	case c.Connector != stream:
		return expiredCursor(op, "the cursor was made for something else")
	case c.Settings != settings:
		return expiredCursor(op, "the org, its visible part, or what is read of it has changed since")
	case c.Since <= 0:
		return expiredCursor(op, "the cursor is damaged")
	case c.Since > now.Add(24*time.Hour).UnixMilli():
		return expiredCursor(op, "the cursor is from the future: the org's clock was set back")
	}
	return &c, nil
}
