package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

func sampleRetire(context.Context, string) (api.SyncResult, error) {
	return api.SyncResult{Runs: []api.Run{sampleRun("corp-ldap", api.Run{
		Outcome: api.Held, Mode: "offline", Held: sampleHash, HeldCounts: kindCounts("user", "deactivate", 716),
		HeldReasons: []string{"take away everything that came from the connection, for nothing is read of it any more"},
	})}}, nil
}

// What the state holds of a connection that is not configured is said wherever somebody looks.
func TestUnconfiguredConnectionsAreNamed(t *testing.T) {
	const text = "the state holds 716 active records of connection corp-ldap, which is not configured"
	fake := sample()
	fake.StatusFunc = func(context.Context) (api.Status, error) {
		st := sampleStatus()
		st.Unconfigured = []api.UnconfiguredConnection{{Name: "corp-ldap", Records: 716, Tenants: []api.TenantStatus{{
			State: "held", Records: map[string]int{"user": 716}, Held: &api.HeldPlan{Hash: "0f1e2d3c4b5a", Reasons: []string{"take away everything"}},
		}}}}
		return st, nil
	}
	for _, args := range []string{"status", "sync hq-ad", "plan hq-ad"} {
		c := newCommandLine(t, fake)
		c.run(strings.Fields(args)...)
		said := strings.Join(strings.Fields(c.stdout.String()+c.stderr.String()), " ")
		if !strings.Contains(said, text) || !strings.Contains(said, "dirsyncd state rename corp-ldap NAME") {
			t.Errorf("%s: %s", args, said)
		}
		if args == "status" && !strings.Contains(said, "dirsyncd approve 0f1e2d3c4b5a") {
			t.Errorf("the held plan is missing: %s", said)
		}
	}
}

// check looks at a state that is there, and says nothing of one that is not.
func TestCheckLooksForFormerConnections(t *testing.T) {
	t.Chdir(t.TempDir())
	config := `state: state.db
connections:
  hq: {connector: ldap, mapping: staff, targets: [journal], ldap: {servers: ["ldaps://dc.example"], base: "dc=example"}}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`
	if err := os.WriteFile("config.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() (int, string) {
		c := newCommandLine(t, nil)
		code := c.run("check")
		return code, strings.Join(strings.Fields(c.stdout.String()+c.stderr.String()), " ")
	}
	if code, said := check(); code != exitClean || strings.Contains(said, "active record") {
		t.Errorf("no state: %d %s", code, said)
	}
	st, err := bolt.Open(filepath.Join(".", "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hq", "corp-ldap"} {
		err := st.Update(t.Context(), store.Partition{Connection: name}, func(tx store.Writer) error {
			nums, err := tx.Intern([]string{directory.IDHandle("1")}, nil)
			if err != nil {
				return err
			}
			return tx.PutRecord(nums[0], &directory.Record{Kind: directory.UserRecord, Key: name + "/1", Active: true})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	code, said := check()
	if code != exitClean || !strings.Contains(said, "1 active record of connection corp-ldap, which is not configured") || strings.Contains(said, "connection hq,") {
		t.Errorf("%d %s", code, said)
	}
}
