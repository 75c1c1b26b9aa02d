package google

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

const (
	// skew is how far this machine's clock may be from Google's. Beyond it no token is given either.
	skew = 5 * time.Minute
	// history is how long Google keeps its audit log, less a day for safety.
	history = 179 * 24 * time.Hour
	// mostSeen is how many events a cursor remembers. Beyond it nothing is remembered, and what happened is read
	// once more.
	mostSeen = 20_000
)

// cursor says from where on the audit log is news.
type cursor struct {
	Version int    `json:"v"`
	Stream  string `json:"stream"`
	// Settings is a fingerprint of what the stream was read under.
	Settings string `json:"settings"`
	// Since is the time, in milliseconds, up to which the log was read; it is read again from some time before.
	Since int64 `json:"since"`
	// Full is when the last full read began: what happened before, it has seen.
	Full int64 `json:"full"`
	// Seen are marks of events after Since less the overlap that were acted upon, eight bytes each.
	Seen string `json:"seen,omitempty"`
}

func (c cursor) bytes() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return data
}

// settings is a fingerprint of everything that decides what the stream's objects look like and which there are.
func (r *reading) settings() string {
	cfg := &r.connector.cfg
	text := r.scope()
	if r.stream.Name == streamUsers {
		text += fmt.Sprintf("\n%q\n%t\n%q\n%t", sortedCopy(cfg.Attributes), cfg.Users.LastLogin, sortedCopy(cfg.Licences.Products),
			cfg.Groups.Read && cfg.Groups.Organisation)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// firstCursor is that of a full read. Events from before it began are read again, as they may still be on their
// way into the log.
func (r *reading) firstCursor() []byte {
	at := r.began.UnixMilli()
	return cursor{Version: 1, Stream: r.stream.Name, Settings: r.settings(), Since: at, Full: at}.bytes()
}

// parseCursor reads a cursor that must have been made for this stream under these settings.
func (r *reading) parseCursor(data []byte) (cursor, error) {
	var c cursor
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(&c); {
	case err != nil || c.Version != 1 || c.Since <= 0 || c.Full <= 0:
		return c, r.expired("not a cursor of this source")
	case c.Stream != r.stream.Name || c.Settings != r.settings():
		return c, r.expired("the cursor was made under other settings")
	case r.began.Sub(time.UnixMilli(c.Since)) > history-r.connector.cfg.Overlap.Std():
		return c, r.expired("the cursor is older than Google's audit log")
	case time.UnixMilli(c.Since).After(r.began.Add(time.Hour)):
		return c, r.expired("the cursor is of the future: this machine's clock was set back")
	}
	if _, err := unpackMarks(c.Seen); err != nil {
		return c, r.expired("not a cursor of this source")
	}
	return c, nil
}

func (r *reading) expired(why string) error {
	return &fault.Error{Class: fault.CursorExpired, Op: r.op, Err: errors.New(why)}
}

// packMarks writes marks in ascending order, so that equal sets are equal texts.
func packMarks(marks map[uint64]bool) string {
	if len(marks) > mostSeen {
		return ""
	}
	list := make([]uint64, 0, len(marks))
	for m := range marks {
		list = append(list, m)
	}
	slices.Sort(list)
	buf := make([]byte, 0, 8*len(list))
	for _, m := range list {
		buf = binary.BigEndian.AppendUint64(buf, m)
	}
	return base64.RawURLEncoding.EncodeToString(buf)
}

func unpackMarks(text string) (map[uint64]bool, error) {
	buf, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(buf)%8 != 0 || len(buf) > 8*mostSeen {
		return nil, errors.New("not a list of marks")
	}
	marks := make(map[uint64]bool, len(buf)/8)
	for ; len(buf) > 0; buf = buf[8:] {
		marks[binary.BigEndian.Uint64(buf)] = true
	}
	return marks, nil
}
