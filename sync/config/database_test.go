package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateInDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("s3cret-mark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rest, err := os.ReadFile("testdata/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		state string
		want  string // of the database's URL, or of the problem
		bad   bool
	}{
		"url":               {state: "postgres://dirsyncd@db.example.org/dirsyncd", want: "postgres://dirsyncd@db.example.org/dirsyncd"},
		"block":             {state: "{url: postgresql://dirsyncd@db/dirsyncd?sslmode=verify-full, password: {file: password}, schema: sync, connections: 20}", want: "postgresql://dirsyncd@db/dirsyncd?sslmode=verify-full"},
		"password in url":   {state: "postgres://dirsyncd:s3cret-mark@db/dirsyncd", want: "the URL holds a password", bad: true},
		"password in query": {state: "postgres://dirsyncd@db/dirsyncd?password=s3cret-mark", want: "the URL holds a password", bad: true},
		"no url":            {state: "{schema: sync}", want: "url", bad: true},
		"no role":           {state: "postgres://db/dirsyncd", want: "names no role", bad: true},
		"no database":       {state: "postgres://dirsyncd@db", want: "names no database", bad: true},
		"another url":       {state: "{url: mysql://dirsyncd@db/x}", want: "no URL of a PostgreSQL database", bad: true},
		"another url alone": {state: "mysql://dirsyncd@db/x", want: "no URL of a PostgreSQL database", bad: true},
		"a slip":            {state: "postgress://dirsyncd:s3cret-mark@db/x", want: "no URL of a PostgreSQL database", bad: true},
		"connections":       {state: "{url: postgres://dirsyncd@db/x, connections: -1}", want: "less than 1", bad: true},
		"unknown key":       {state: "{url: postgres://dirsyncd@db/x, pasword: x}", want: "pasword", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "config.yaml")
			text := "state: " + test.state + "\n" + string(rest)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := Load(file, testParts(nil))
			said := ""
			if err != nil {
				said = err.Error()
			}
			if strings.Contains(said, "s3cret-mark") {
				t.Errorf("it tells the password: %s", said)
			}
			if test.bad {
				if !strings.Contains(said, test.want) {
					t.Errorf("said %q, wanted %q", said, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Database == nil || cfg.Database.URL != test.want || cfg.StateName() != test.want || cfg.Control != "/var/lib/dirsyncd/control.sock" {
				t.Errorf("read %+v, control %s", cfg.Database, cfg.Control)
			}
			if state, err := StateFile(file); state != "" || err != nil {
				t.Errorf("state file %q, %v", state, err)
			}
		})
	}
}
