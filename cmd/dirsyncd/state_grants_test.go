package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/config"
	"dirsyncd/sync/database/postgrestest"
	workers "dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/service"
)

// TestGrants executes what is printed: with it the daemon's role begins a state and goes on without the right to make schemas, and the other one
// reads all of it, also what is made later, and changes nothing.
func TestGrants(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	c := alone(t)
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	configure := func(role string) {
		t.Helper()
		state := fmt.Sprintf("state: {url: \"postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s\", password: {file: password}, schema: it_sync}", role, server.Port, db.Name, server.CAFile)
		for name, text := range map[string]string{"config.yaml": strings.Replace(string(text), "state: data/state.db", state, 1), "password": "pass"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := c.run("state", "grants"); code != exitUsage || !strings.Contains(c.stderr.String(), "is a file") {
		t.Errorf("of a file: %d, %s", code, c.stderr.String())
	}
	owner, reader := db.Name+`-Owner`, db.Name+`_looks`
	configure(owner)
	if code := c.run("state", "grants", "--json", "--reader", reader); code != 0 {
		t.Fatalf("%d, %s", code, c.stderr.String())
	}
	var list []grants
	if err := json.Unmarshal(c.stdout.Bytes(), &list); err != nil || len(list) != 4 {
		t.Fatal(err, list)
	}
	if code := c.run("state", "grants", "--reader", reader); code != 0 {
		t.Fatalf("%d, %s", code, c.stderr.String())
	}
	printed := c.stdout.String()
	for _, g := range list {
		if !strings.Contains(printed, strings.Join(g.SQL, "\n")) {
			t.Errorf("not printed as in JSON: %s", printed)
		}
	}
	t.Cleanup(func() {
		db.Exec(`DROP OWNED BY "`+reader+`"`, `DROP OWNED BY "`+owner+`" CASCADE`, `DROP ROLE "`+reader+`"`, `DROP ROLE "`+owner+`"`)
	})
	// daemon opens what a daemon opens.
	daemon := func() {
		t.Helper()
		cfg, err := config.Load("config.yaml", parts().Config())
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		st, err := openState(t.Context(), cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		l := service.Launch{Options: service.Options{Log: log}, Config: cfg}
		leave, err := joinWorkers(t.Context(), &l, st)
		if err != nil {
			t.Fatal(err)
		}
		if _, is := l.Fleet.(*workers.Fleet); !is {
			t.Errorf("no worker: %T", l.Fleet)
		}
		leave()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	db.Exec(`REVOKE ALL ON DATABASE "` + db.Name + `" FROM PUBLIC`)
	db.Exec(list[0].SQL...)
	db.Exec(`ALTER ROLE "` + owner + `" PASSWORD 'pass'`)
	daemon()
	db.Exec(list[1].SQL...)
	db.Exec(`ALTER ROLE "` + reader + `" PASSWORD 'pass'`)
	db.Exec(list[2].SQL...)
	db.Exec(list[3].SQL...)
	daemon()
	if code := c.run("sync"); code != 0 {
		t.Errorf("sync without the right to make schemas: %d, %s", code, c.stderr.String())
	}
	// cannotPlan demands that a plan names the right that a role does not have.
	cannotPlan := func(role string) {
		t.Helper()
		code, said := c.run("plan"), strings.Join(strings.Fields(c.stderr.String()), " ")
		if code != exitUsage || !strings.Contains(said, "the role may make no schema") || !strings.Contains(said, `GRANT CREATE ON DATABASE "`+db.Name+`" TO "`+role+`"`) {
			t.Errorf("plan without the right to make schemas: %d, %s", code, said)
		}
	}
	cannotPlan(owner)
	configure(reader)
	for _, args := range []string{"status", "runs", "state verify"} {
		if code := c.run(strings.Fields(args)...); code != 0 {
			t.Errorf("%s as who only reads: %d, %s", args, code, c.stderr.String())
		}
	}
	if code := c.run("sync"); code == 0 {
		t.Error("sync as who only reads works")
	}
	cannotPlan(reader)
	db.Exec(`GRANT CREATE ON DATABASE "` + db.Name + `" TO "` + reader + `"`)
	if code := c.run("plan"); code != exitClean {
		t.Errorf("plan as who reads, and may make schemas: %d, %s", code, c.stderr.String())
	}
	db.Exec(`REVOKE CREATE ON DATABASE "` + db.Name + `" FROM "` + reader + `"`)
	as := func(role string) *sql.DB {
		t.Helper()
		conn, err := sql.Open("pgx", fmt.Sprintf("postgres://%s:pass@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s", role, server.Port, db.Name, server.CAFile))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	if _, err := as(owner).ExecContext(t.Context(), "CREATE TABLE it_sync.later (n int); CREATE TABLE it_sync_fleet.later (n int)"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []struct {
		sql string
		may bool
	}{
		{"SELECT * FROM it_sync.record", true}, {"SELECT * FROM it_sync_fleet.unit", true}, {"SELECT * FROM it_sync.later", true}, {"SELECT * FROM it_sync_fleet.later", true},
		{"DELETE FROM it_sync.record", false}, {"UPDATE it_sync_fleet.worker SET draining = true", false}, {"CREATE TABLE it_sync.x (n int)", false}, {"CREATE SCHEMA x", false},
	} {
		if _, err := as(reader).ExecContext(t.Context(), statement.sql); (err == nil) != statement.may {
			t.Errorf("%s: %v", statement.sql, err)
		}
	}
	if _, err := as(owner).ExecContext(t.Context(), "DROP TABLE it_sync.later, it_sync_fleet.later"); err != nil {
		t.Fatal(err)
	}
	configure(owner)
	dumpAndRestore(t, c, server, db, owner, reader)
}

// dumpAndRestore copies the state as who only reads, restores it into another database, and has it go on there: nothing is new.
func dumpAndRestore(t *testing.T, c *commandLine, server *postgrestest.Server, db *postgrestest.Database, owner, reader string) {
	t.Helper()
	bin := postgrestest.Bin(t)
	tool := func(name, role string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), append([]string{"--host=127.0.0.1", fmt.Sprintf("--port=%d", server.Port), "--username=" + role}, args...)...)
		cmd.Env = append(os.Environ(), "PGPASSWORD=pass", "PGSSLMODE=verify-full", "PGSSLROOTCERT="+server.CAFile)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	tool("pg_dump", reader, "--schema=it_sync", "--format=custom", "--file=state.dump", db.Name)
	other := server.Database(t)
	other.Exec(`GRANT CREATE, CONNECT ON DATABASE "` + other.Name + `" TO "` + owner + `"`)
	t.Cleanup(func() { other.Exec(`DROP OWNED BY "` + owner + `" CASCADE`) })
	tool("pg_restore", owner, "--no-owner", "--no-privileges", "--exit-on-error", "--dbname="+other.Name, "state.dump")
	text, err := os.ReadFile("config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("config.yaml", []byte(strings.Replace(string(text), "/"+db.Name+"?", "/"+other.Name+"?", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"state verify": "sound", "sync": "nothing to do"} {
		if code := c.run(strings.Fields(args)...); code != 0 || !strings.Contains(c.stdout.String(), want) {
			t.Errorf("%s of the copy: %d, %s%s", args, code, c.stdout.String(), c.stderr.String())
		}
	}
	cfg, err := config.Load("config.yaml", parts().Config())
	if err != nil {
		t.Fatal(err)
	}
	opts := databaseOptions(cfg.Database, slog.New(slog.DiscardHandler))
	opts.ReadOnly = true
	st, err := postgres.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	list, err := st.Partitions(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	active := 0
	for _, p := range list {
		if err := st.View(t.Context(), p, func(tx store.Reader) error {
			runs := 0
			err := tx.Runs(func(store.Run) bool { runs++; return true })
			active += runs
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	if active == 0 {
		t.Error("no run was copied")
	}
}
