package main

import (
	"testing"

	"dirsyncd/sync/config"
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
