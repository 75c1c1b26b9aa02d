package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/database/postgrestest"
)

// A state goes into a database and back, and what runs on it then has nothing to do and sends nothing.
func TestMoveState(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	c := alone(t)
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s", postgrestest.Admin, server.Port, db.Name, server.CAFile)
	state := fmt.Sprintf("state: {url: %q, password: {file: password}, schema: other}\n", url)
	back, err := filepath.Abs("back.db")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"password": postgrestest.AdminPassword, "next.yaml": state, "wrong.yaml": "state: {password: x}\n",
		"database.yaml": strings.Replace(string(text), "state: data/state.db\n", "control: control.sock\n"+state, 1),
		"back.yaml":     strings.Replace(string(text), "state: data/state.db\n", "state: back.db\n", 1),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step := func(code int, out, stderr string, args ...string) {
		t.Helper()
		got := c.run(args...)
		said := c.stdout.String() + c.stderr.String()
		if got != code || !strings.Contains(c.stdout.String(), out) || !strings.Contains(c.stderr.String(), stderr) || strings.Contains(said, postgrestest.AdminPassword) {
			t.Errorf("%s: exit code %d, want %d, and %q, %q:\n%s", strings.Join(args, " "), got, code, out, stderr, said)
		}
	}
	events := func() int {
		t.Helper()
		data, err := os.ReadFile("changes.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(data), "\n")
	}
	step(0, "created", "", "sync")
	sent := events()
	if sent == 0 {
		t.Fatal("nothing was sent")
	}

	step(2, "", "FROM and TO are the same state", "state", "move", "data/state.db", "config.yaml")
	step(2, "", "FROM and TO are the same state", "state", "move", "next.yaml", "database.yaml")
	step(2, "", "there is no state to be moved", "state", "move", "none.db", "next.yaml")
	step(2, "", "the first argument is the state that there is", "state", "move", "next.yaml", "data/state.db")
	step(2, "", "wrong.yaml", "state", "move", "wrong.yaml", "data/state.db")
	step(2, "", "it holds a password", "state", "move", "data/state.db", "postgres://a:b@127.0.0.1/x")
	step(2, "", "it names no database", "state", "move", "data/state.db", "postgres://a@127.0.0.1")
	step(2, "", "it names no role", "state", "move", "data/state.db", "postgres://127.0.0.1/x")
	for _, url := range []string{"postgress://a@127.0.0.1/x", "mysql://a@127.0.0.1/x", "Postgres://a@127.0.0.1/x"} {
		step(2, "", "it is no URL of a PostgreSQL database", "state", "move", "data/state.db", url)
		step(2, "", "it is no URL of a PostgreSQL database", "state", "move", url, "new.db")
	}
	step(2, "", "needs the state that there is, and where it goes", "state", "move", "data/state.db")
	daemon, err := bolt.Open("data/state.db", bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	step(1, "", fmt.Sprintf("process %d ", os.Getpid()), "state", "move", "data/state.db", "next.yaml")
	if err := daemon.Close(); err != nil {
		t.Fatal(err)
	}

	step(0, " entries\n", "", "state", "move", "data/state.db", "next.yaml")
	for _, part := range []string{"Start dirsyncd with what next.yaml has at `state`.", "data/state.db has what it had, and says that it was moved", "rm "} {
		if !strings.Contains(c.stdout.String(), part) {
			t.Errorf("it does not say %q:\n%s", part, c.stdout.String())
		}
	}
	// Whoever starts on what was moved sends nothing again: it is refused, and says where to go on.
	for _, command := range []string{"run", "sync", "status", "plan", "approve abc", "state verify", "state move data/state.db more.db"} {
		step(2, "", "this state was moved to "+url+", schema other at ", strings.Fields(command)...)
		step(2, "", "name that one in `state`", strings.Fields(command)...)
	}
	step(0, "nothing to do", "", "--config", "database.yaml", "sync")
	step(0, "nothing", "", "--config", "database.yaml", "plan")
	step(0, "sound", "", "--config", "database.yaml", "state", "verify")

	// The password of a URL is that of the configuration, which has another schema, too.
	step(0, "", "", "--config", "database.yaml", "--json", "state", "move", url, "back.db")
	var report moveReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil || report.To != back || report.From != url+", schema other" || report.Entries == 0 || report.Tables["objects"] == 0 {
		t.Errorf("report %+v, %v", report, err)
	}
	step(0, "nothing to do", "", "--config", "back.yaml", "sync")
	step(0, "sound", "", "--config", "back.yaml", "state", "verify")
	step(2, "", "this state was moved to "+back, "--config", "database.yaml", "sync")
	step(0, "reopened", "", "state", "reopen", "data/state.db")
	step(2, "", "does not say that it was moved", "state", "reopen", "data/state.db")
	step(2, "", "there is no state yet", "state", "reopen", "none.db")
	step(0, "nothing to do", "", "sync") // the first one is whole, too
	step(2, "", "there is something already: the state of hq", "state", "move", "back.db", "data/state.db")
	if n := events(); n != sent {
		t.Errorf("%d events were sent after the moves", n-sent)
	}

	// A move that was cut: nothing begins on what it left, and the same command begins it anew.
	db.Exec(`UPDATE other.meta SET format = 'dirsyncd, being moved into: {"from":"somewhere","began":"2026-01-30T12:00:00Z"}'`)
	for _, command := range []string{"status", "sync", "run", "plan", "state verify"} {
		step(2, "", "another state is being moved here, and that has not come to its end: it began at 2026-01-30 12:00:00 UTC, from somewhere",
			append([]string{"--config", "database.yaml"}, strings.Fields(command)...)...)
		step(2, "", "run it again: it begins anew", append([]string{"--config", "database.yaml"}, strings.Fields(command)...)...)
	}
	step(2, "", "another state is being moved here", "state", "move", "next.yaml", "more.db")
	step(0, "moved and verified", "a move from somewhere had begun here and was cut: what it left was removed, and this one begins anew", "state", "move", "back.db", "next.yaml")
	step(0, "nothing to do", "", "--config", "database.yaml", "sync")
	if n := events(); n != sent {
		t.Errorf("%d events were sent after the moves", n-sent)
	}

	step(0, `DROP SCHEMA IF EXISTS "other", "other_fleet" CASCADE, unless`, "", "state", "move", "next.yaml", "last.db")
	step(0, `"state"`, "", "--json", "state", "reopen", "next.yaml")
	db.Exec(`DELETE FROM other.owner`)
	step(1, "", "the move did not come to its end: "+url+", schema other is as it was", "state", "move", "next.yaml", "damaged.db")
}

// What was moved and goes on elsewhere takes the place of what it was when it comes back, and only that.
func TestMoveBack(t *testing.T) {
	c := alone(t)
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "c"} {
		text := strings.Replace(string(text), "state: data/state.db\n", "state: "+name+".db\n", 1)
		if err := os.WriteFile(name+".yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step := func(code int, out, stderr string, args ...string) {
		t.Helper()
		if got := c.run(args...); got != code || !strings.Contains(c.stdout.String(), out) || !strings.Contains(c.stderr.String(), stderr) {
			t.Errorf("%s: exit code %d, want %d, and %q, %q:\n%s%s", strings.Join(args, " "), got, code, out, stderr, c.stdout.String(), c.stderr.String())
		}
	}
	step(0, "created", "", "sync")
	step(0, "moved and verified", "", "state", "move", "data/state.db", "b.db")
	step(0, "nothing to do", "", "--config", "b.yaml", "sync") // one run more, which the first one does not know
	step(0, "moved and verified", "", "state", "move", "b.db", "c.db")
	step(2, "", "there is something already: a state that was moved to ", "state", "move", "c.db", "data/state.db")
	step(2, "", "this state was moved to ", "sync") // nothing was changed
	step(0, "was older, and was removed", "", "state", "move", "c.db", "b.db")
	step(0, "was older, and was removed", "", "state", "move", "b.db", "data/state.db")
	step(0, "nothing to do", "", "sync")
	if c.run("runs", "--json"); strings.Count(c.stdout.String(), `"id"`) < 3 {
		t.Errorf("runs were lost on the way:\n%s", c.stdout.String())
	}
}

// Whoever watches sees in every stage how far it is. What is read by programs has none of it.
func TestMoveShowsProgress(t *testing.T) {
	c := alone(t)
	if c.run("sync"); len(c.stderr.String()) > 0 {
		t.Log(c.stderr.String())
	}
	now := c.now()
	c.now = func() time.Time { now = now.Add(time.Second); return now } // nothing is too soon
	c.err.Width, c.err.Terminal = 200, true
	if code := c.run("--json", "state", "move", "data/state.db", "b.db"); code != 0 {
		t.Fatal(code, c.stderr.String())
	}
	for _, part := range []string{"checking the state that there is: pages, ", "checking the state that there is: objects of hq, ", "checking the state that there is now: objects of hq, "} {
		if !strings.Contains(c.stderr.String(), part) {
			t.Errorf("nobody sees %q: %q", part, c.stderr.String())
		}
	}
	var report moveReport
	if err := json.Unmarshal(c.stdout.Bytes(), &report); err != nil || report.Entries == 0 || strings.Contains(c.stdout.String(), "checking") {
		t.Errorf("%v: %s", err, c.stdout.String())
	}
}
