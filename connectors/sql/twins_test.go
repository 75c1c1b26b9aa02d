package sql

import (
	"testing"

	"dirsyncd/connectors"
)

// TestTwins: of several rows with a key nobody can tell which is meant, whichever comes first, and however far apart.
func TestTwins(t *testing.T) {
	_, file := fileOf(t, "CREATE TABLE t (a INT, b TEXT, name TEXT)",
		"INSERT INTO t VALUES (1, 'x', 'one'), (1, 'y', 'two'), (2, 'x', 'three'), (1, 'x', 'four')")
	c := connect(t, settingsOf(t, "{driver: sqlite, file: "+file+`, kinds: {person: {query: "SELECT * FROM t ORDER BY rowid", key: [A, b], absent: gone}}}`))
	c.pageSize = 2
	lines, last := read(t, c, "users", connectors.Full, nil)
	const bad = "read users: another row has the same key (correct key, or the query: a join lists a row once for each of its matches)"
	same(t, lines, "person:1/y name=two", "bad person:1/x: "+bad, "person:2/x name=three", "bad person:1/x: "+bad)
	if last.Proof.Doubt == "" {
		t.Error("the proof does not doubt")
	}
	found(t, c, "query of person", "keys stand in several rows (1)")
}
