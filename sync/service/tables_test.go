package service

import (
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/api"
)

// A row that was edited in the file of a table reaches whom it concerns at the reload, without a read.
func TestReloadReadsTables(t *testing.T) {
	w := newWorld(t)
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(twoConnections, "user: {name: = name}", "user: {name: = name, role: '= table.roles[name]'}", 1)
	write("config.yaml", "tables: {roles: {file: roles.csv}}\n"+strings.Replace(text, "%s", "everyone", 1))
	write("roles.csv", "name;role\nADA;Technician\n")
	w.load(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	reads := w.source.Reads()
	role := func() string {
		t.Helper()
		reasons, err := s.Why(ctx, "user", "hq/ada")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range reasons[0].Record.Fields {
			if f.Field == "role" {
				return f.Value.(string)
			}
		}
		return ""
	}
	if got := role(); got != "Technician" {
		t.Errorf("role %q", got)
	}
	sum := s.current().cfg.Sum
	write("roles.csv", "name;role\nADA;Team lead\n")
	if err := s.reload(ctx, "config.yaml", nobodyElse); err != nil {
		t.Fatal(err)
	}
	s.background.Wait()
	if got := role(); got != "Team lead" || w.source.Reads() != reads || s.current().cfg.Sum == sum {
		t.Errorf("role %q; %d reads, before %d", got, w.source.Reads(), reads)
	}
	// A mistake in the file leaves the old configuration in force.
	write("roles.csv", "name;role\nADA;x\nada;y\n")
	if err := s.reload(ctx, "config.yaml", nobodyElse); err == nil || !strings.Contains(err.Error(), "roles.csv:3:1: table roles") {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// What was read can be asked for without asking the source.
func TestStored(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := s.Stored(ctx, []api.StoredQuestion{
		{Connection: "hq", Kind: "person", Names: []string{"id", "name", "office"}},
		{Connection: "hq", Kind: "group", Names: []string{"name"}},
		{Connection: "hq", Kind: api.StoredKindTenant, Names: []string{"id"}},
	})
	if err != nil || len(got) != 3 || got[0].Seen != 1 || strings.Join(got[0].Rows[0], "|") != "ada|Ada|" || got[1].Seen+got[2].Seen != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.Stored(ctx, []api.StoredQuestion{{Connection: "hq", Kind: "room"}}); err == nil {
		t.Error("there is a kind room")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
