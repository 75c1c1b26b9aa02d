package sql

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// cursor is where a read of changes goes on.
type cursor struct {
	Version int    `json:"v"`
	Query   string `json:"query"` // fingerprint
	Column  string `json:"column"`
	Type    string `json:"type"`
	// Changed is the greatest time of change that was read, but not beyond the time of the database when it was; for a
	// column of numbers, too.
	Changed time.Time `json:"changed"`
	// Clock is the time of the database then.
	Clock time.Time `json:"clock"`
}

const cursorVersion = 1

func (r *reading) encode(cur cursor) []byte {
	cur.Version, cur.Query = cursorVersion, r.fingerprint()
	data, err := json.Marshal(cur)
	if err != nil {
		panic(err) // texts and times only
	}
	return data
}

// decode reads a cursor that must have been made by the same query of the same database.
func (r *reading) decode(data []byte) (cursor, error) {
	var cur cursor
	err := json.Unmarshal(data, &cur)
	switch {
	case err != nil || cur.Version != cursorVersion:
		return cur, r.expired("the cursor is none of this connector's")
	case cur.Query != r.fingerprint():
		return cur, r.expired("the cursor was made by another query")
	}
	return cur, nil
}

func (r *reading) expired(why string) error {
	return &fault.Error{Class: fault.CursorExpired, Op: r.op, Where: r.cfg.Address(), Err: errors.New(why)}
}

// fingerprint changes with everything that changes what is read, or what it looks like. Secrets are left out.
func (r *reading) fingerprint() string {
	return digest(struct {
		Driver, Address, Database, Stream string
		Query                             *Kind
		Names                             []string
		Options                           columns.Options
	}{r.cfg.Driver, r.cfg.Address(), r.cfg.Database, r.source.stream, r.source.query, r.cfg.names(r.source.kind), r.options(r.source)})
}

func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and truth values only
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// scope says in words what a full read lists.
func (r *reading) scope() string {
	text := r.source.stream + " by query " + digest(strings.Fields(r.source.query.Query))
	text += " of "
	if r.cfg.Driver != database.SQLite {
		text += "database " + r.cfg.Database + " at "
	}
	text += r.cfg.Address()
	if r.cfg.User != "" {
		text += ", read by " + r.cfg.User
	}
	return text
}
