package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/config"
	"dirsyncd/sync/targets/file"
)

// The example at the root is for the connectors and targets as they are.
func TestExampleConfiguration(t *testing.T) {
	t.Setenv("LDAP_PASSWORD", "secret")
	cfg, err := config.Load("../../config.yaml", parts().Config())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Connections) == 0 || len(cfg.Targets) == 0 || len(cfg.Warnings) > 0 {
		t.Errorf("connections %d, targets %d, warnings %v", len(cfg.Connections), len(cfg.Targets), cfg.Warnings)
	}
}

// What the example writes lies where the systemd unit lets the service write, and where the journal is rotated: whoever
// follows the README has a journal.
func TestExampleFitsTheUnit(t *testing.T) {
	t.Setenv("LDAP_PASSWORD", "secret")
	cfg, err := config.Load("../../config.yaml", parts().Config())
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	unit := read("systemd/dirsyncd.service")
	folder := func(key, root string) string {
		_, rest, _ := strings.Cut(unit, "\n"+key+"=")
		name, _, _ := strings.Cut(rest, "\n")
		return filepath.Join(root, name)
	}
	if got, want := filepath.Dir(string(cfg.State)), folder("StateDirectory", "/var/lib"); got != want {
		t.Errorf("the state lies in %s, the service may write in %s", got, want)
	}
	logs := folder("LogsDirectory", "/var/log")
	for _, target := range cfg.Targets {
		block, ok := target.Block.(*file.Config)
		if !ok {
			continue
		}
		if got := filepath.Dir(string(block.Path)); got != logs {
			t.Errorf("target %s writes in %s, the service may write in %s", target.Name, got, logs)
		}
		if pattern := filepath.Join(logs, "*"+filepath.Ext(string(block.Path))); !strings.Contains(read("logrotate.d/dirsyncd"), pattern) {
			t.Errorf("nothing rotates %s", pattern)
		}
	}
}
