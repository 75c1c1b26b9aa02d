package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/database/postgrestest"
)

// A state in a database: who only looks makes nothing there, the first sync does, and everything is found again.
func TestStateInDatabase(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	c := alone(t)
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	state := fmt.Sprintf("control: control.sock\nstate: {url: \"postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s\", password: {file: password}}",
		postgrestest.Admin, server.Port, db.Name, server.CAFile)
	for name, text := range map[string]string{"config.yaml": strings.Replace(string(text), "state: data/state.db", state, 1), "password": postgrestest.AdminPassword} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args     string
		code     int
		out, err string
		schemas  int
	}{
		{"status", 0, "new", noState, 0},
		{"plan", 0, "create", noState, 0},
		{"approve abc", 2, "", noState, 0},
		{"state verify", 2, "", "there is no state yet", 0},
		{"check", 0, "is good", "", 0},
		{"sync", 0, "created", newDatabase, 1},
		{"sync", 0, "nothing to do", "", 1},
		{"plan", 0, "nothing", "", 1},
		{"status", 0, db.Name, "", 1},
		{"runs", 0, "created", "", 1},
		{"check", 0, "is good", "", 1},
		{"state verify", 0, "sound", "", 1},
		{"state backup copy.db", 2, "", "pg_dump", 1},
	} {
		if code := c.run(strings.Fields(test.args)...); code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.args, code, test.code)
		}
		said := c.stdout.String() + c.stderr.String()
		if !strings.Contains(c.stdout.String(), test.out) || !strings.Contains(c.stderr.String(), test.err) || strings.Contains(said, postgrestest.AdminPassword) {
			t.Errorf("%s: %s", test.args, said)
		}
		if test.err == "" && c.stderr.Len() > 0 {
			t.Errorf("%s complains: %s", test.args, c.stderr.String())
		}
		var schemas int
		if err := db.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dirsyncd%'").Scan(&schemas); err != nil || schemas != test.schemas {
			t.Errorf("%s leaves %d schemas, %v", test.args, schemas, err)
		}
	}
	if left, _ := filepath.Glob("data*"); len(left) != 0 {
		t.Errorf("a file of a state was made: %q", left)
	}
}

// A daemon that cannot join the workers says why, and ends.
func TestDaemonCannotJoinWorkers(t *testing.T) {
	server := postgrestest.Start(t)
	for name, test := range map[string]struct{ schema, want string }{
		"longer than workers take": {"a_name_of_thirty_five_letters_as_it", "is no name of a schema"},
		"no rights":                {"dirsyncd", "CREATE SCHEMA dirsyncd_fleet AUTHORIZATION"},
	} {
		t.Run(name, func(t *testing.T) {
			db := server.Database(t)
			db.Exec("GRANT CREATE ON DATABASE " + db.Name + " TO " + db.Reader)
			c := alone(t)
			text, err := os.ReadFile("config.yaml")
			if err != nil {
				t.Fatal(err)
			}
			state := fmt.Sprintf("control: control.sock\nstate: {url: \"postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s\", password: {file: password}, schema: %s}",
				db.Reader, server.Port, db.Name, server.CAFile, test.schema)
			for name, text := range map[string]string{"config.yaml": strings.Replace(string(text), "state: data/state.db", state, 1), "password": postgrestest.ReaderPassword} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.run("sync") // begins the state
			db.Exec("REVOKE CREATE ON DATABASE " + db.Name + " FROM " + db.Reader)
			if code := c.run("run"); code != exitUsage || !strings.Contains(c.stderr.String(), test.want) {
				t.Errorf("exit code %d: %s", code, c.stderr.String())
			}
		})
	}
}
