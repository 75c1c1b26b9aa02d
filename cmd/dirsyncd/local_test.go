package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/connectors/sim/ldapsim"
	"dirsyncd/store/bolt"
)

// alone is a command line with the real parts, a directory, and no daemon.
func alone(t *testing.T) *commandLine {
	t.Helper()
	server, err := ldapsim.Start(ldapsim.Options{Population: ldapsim.Company(20)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	c := &commandLine{}
	c.cli = newCLI(&c.stdout, &c.stderr)
	t.Chdir(t.TempDir())
	text := fmt.Sprintf(`state: data/state.db
connections:
  hq: {connector: ldap, mapping: staff, targets: [journal], 
    ldap: {servers: [%q], bind: {user: %q, password: %q}, base: %q}}
mappings: {staff: {rules: [{name: all, user: true}]}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`, server.URL(), server.User(), server.Password(), server.Base())
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// A question about a state that is not there is answered, and leaves nothing that would pass for a state.
func TestNoState(t *testing.T) {
	c := alone(t)
	for _, test := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"status", 0, "new", noState},
		{"runs", 0, "no run is kept", noState},
		{"parked list", 0, "nothing is parked", noState},
		{"match list", 0, "nothing waits for a human", noState},
		{"match undo a user/x", 2, "", noState},
		{"adopt", 0, "no target has things of its own", noState},
		{"audit a", 2, "", noState},
		{"plan --target a", 2, "", noState},
		{"plan --offline", 0, "", noState},
		{"plan", 0, "create", noState},
		{"why user ann", 1, "", noState},
		{"show ann", 1, "", noState},
		{"show amara.ashdown hq --read", 0, "Service Desk > Service Desk London", noState},
		{"approve abc", 2, "", noState},
		{"discard abc", 2, "", noState},
		{"resend journal", 0, "", noState},
		{"parked replay --all", 0, "", noState},
		{"state backup copy.db", 2, "", "there is no state yet"},
		{"state rename hq hq2", 2, "", noState},
		{"state retire hq2", 2, "", noState},
		{"state verify", 2, "", "there is no state yet"},
		{"tables export groups", 0, "name,id,description,role", noState},
		{"preview customers.csv", 2, "", "customers.csv: no such file"},
	} {
		if code := c.run(strings.Fields(test.args)...); code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.args, code, test.code)
		}
		if !strings.Contains(c.stdout.String(), test.out) || !strings.Contains(c.stderr.String(), test.err) {
			t.Errorf("%s: %s%s", test.args, c.stdout.String(), c.stderr.String())
		}
		if left, _ := filepath.Glob("*"); len(left) != 1 {
			t.Fatalf("%s left %q", test.args, left)
		}
	}
}

// What begins a state says so, once.
func TestSyncBeginsAState(t *testing.T) {
	c := alone(t)
	for _, flag := range []string{"--json", "--verbose"} {
		_ = os.RemoveAll("data")
		for try, want := range []int{1, 0} {
			_ = c.run("sync", flag)
			if got := strings.Count(c.stderr.String(), newState); got != want {
				t.Errorf("sync %d with %s says it %d times: %s", try, flag, got, c.stderr.String())
			}
		}
	}
}

// Looking at a state and copying it changes nothing, also while somebody else looks, and on a disk that takes no writes.
func TestReadingLeavesTheState(t *testing.T) {
	c := alone(t)
	if code := c.run("sync"); code != exitClean {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	const state = "data/state.db"
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(state, 0o440); err != nil {
		t.Fatal(err)
	}
	reader, err := bolt.Open(state, bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	for _, args := range []string{"status", "runs", "parked list", "state verify", "state backup copy.db", "plan"} {
		if code := c.run(strings.Fields(args)...); code != exitClean {
			t.Errorf("%s: exit code %d: %s", args, code, c.stderr.String())
		}
	}
	after, err := os.ReadFile(state)
	info, e := os.Stat(state)
	if err != nil || e != nil || !bytes.Equal(before, after) || info.Mode().Perm() != 0o440 {
		t.Errorf("the state was changed: %v, %v, mode %v", err, e, info.Mode())
	}
}
