package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/database/postgrestest"
)

// TestComparison: each row says what both took, what the database took, and how they compare; a first sync that is too slow is said to be.
func TestComparison(t *testing.T) {
	for _, test := range []struct {
		took time.Duration
		want string
	}{{2 * time.Second, "first sync of 10500 objects a second: met (at least 5000)"}, {5 * time.Second, "first sync of 4200 objects a second: missed (at least 5000)"}} {
		var b strings.Builder
		c := comparison{out: &b}
		o := options{people: 20_000, groups: 1000, changed: 100, joiners: 4000}
		c.head(o, 60_000, "PostgreSQL 15.1")
		list := steps(o)
		for _, s := range list {
			c.row(s, result{
				file: measured{took: time.Second, cpu: 500 * time.Millisecond}, database: measured{took: test.took, cpu: time.Second, events: 7},
				server: 1500 * time.Millisecond, trips: 42,
			})
		}
		c.foot(32, "60")
		lines := strings.Split(b.String(), "\n")
		row := lines[4]
		for _, want := range []string{list[0].name, "1.000s", "0.50s", " 2.00 ", "1.50s", " 42 ", " 7"} {
			if !strings.Contains(row, want) {
				t.Errorf("%q is not in %q", want, row)
			}
		}
		if got := lines[len(lines)-3]; got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
		if len(lines) != 4+len(list)+4 {
			t.Errorf("%d lines:\n%s", len(lines), b.String())
		}
	}
}

// TestNoPostgreSQL: who has none is told what to install, before anything is begun.
func TestNoPostgreSQL(t *testing.T) {
	_, err := startServer(t.TempDir(), false)
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL is not installed: apt-get install --no-install-recommends "+postgrestest.Packages) {
		t.Error(err)
	}
}

// TestProgramsOfTheNewest finds the newest of several versions.
func TestProgramsOfTheNewest(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"14", "15"} {
		if err := os.MkdirAll(filepath.Join(dir, version, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "bin", "initdb"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := postgrestest.Programs(dir); err != nil || got != filepath.Join(dir, "15", "bin") {
		t.Error(got, err)
	}
}

// TestTrips: what asks for an answer counts, in whatever pieces it is sent.
func TestTrips(t *testing.T) {
	message := func(kind, body string) string {
		return kind + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
	}
	sent := message("", "\x00\x03\x00\x00user\x00bench\x00\x00") + message("Q", "begin\x00") + message("P", "a\x00select $1\x00SSSS") + message("B", "\x00a\x00QQQ") +
		message("E", "") + message("S", "") + message("Q", "rollback\x00") + message("X", "")
	for _, size := range []int{1, 3, 7, len(sent)} {
		var counted trips
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		c := &countedConn{Conn: here, trips: &counted}
		for rest := []byte(sent); len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if _, err := c.Write(rest[:min(size, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		_ = here.Close()
		if n := counted.count.Load(); n != 2 {
			t.Errorf("in pieces of %d: %d round trips, want 2", size, n)
		}
	}
}

// TestTicksOf: to a server belong its main process, what those used that have ended, and its children, whatever they are called.
func TestTicksOf(t *testing.T) {
	for stat, want := range map[string]int{
		"100 (postgres) S 1 100 100 0 -1 4194304 9 9 9 9 1 2 30 40 20 0":         73,
		"101 (postgres: a) b) S 100 101 101 0 -1 4194304 9 9 9 9 1 2 30 40 20 0": 3,
		"102 (sh) S 1 100 100 0 -1 4194304 9 9 9 9 1 2 30 40 20 0":               0,
		"103 (sh": 0,
		"":        0,
	} {
		if got := ticksOf(stat, 100); got != want {
			t.Errorf("%d of %q, want %d", got, stat, want)
		}
	}
}

// TestOnPostgreSQL: the whole part, with few people. Every step has a row, with round trips, and statements after it.
func TestOnPostgreSQL(t *testing.T) {
	postgrestest.Bin(t)
	var b strings.Builder
	o := options{people: 200, groups: 10, changed: 5, joiners: 40, statements: true, dir: t.TempDir()}
	if err := run(t.Context(), &b, o, []string{"postgres"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range steps(o) {
		_, row, _ := strings.Cut(b.String(), "\n"+s.name+" ")
		row, after, _ := strings.Cut(row, "\n")
		fields := strings.Fields(row)
		if len(fields) < 7 || fields[len(fields)-2] == "0" || !strings.Contains(strings.SplitN(after, "\n\n", 2)[0], "dirsyncd.partition") {
			t.Errorf("%s: %q\n%s", s.name, row, b.String())
		}
	}
}
