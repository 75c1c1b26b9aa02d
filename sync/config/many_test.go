package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Many connections that have one schedule do not begin at the same second, unless that is written.
func TestManyConnectionsAreSpreadOut(t *testing.T) {
	parse := func(n int, schedule string) *Config {
		t.Helper()
		var b strings.Builder
		b.WriteString("parallel: 12\nmappings: {all: {rules: [{name: r, user: true}]}}\ntargets: {journal: {target: file, file: {path: j}}}\nconnections:\n")
		for i := range n {
			jitter := ""
			if i == 0 {
				jitter = "jitter: 0s, "
			}
			fmt.Fprintf(&b, "  c%03d: {connector: ldap, schedule: %q, %smapping: all, targets: [journal], ldap: {servers: [\"ldap://127.0.0.1\"], base: \"dc=example,dc=test\"}}\n", i, schedule, jitter)
		}
		cfg, err := Parse([]byte(b.String()), "/etc/dirsyncd/config.yaml", testParts(nil))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	for _, c := range []struct {
		n        int
		schedule string
		want     time.Duration
	}{
		{19, "@hourly", 0}, {20, "@hourly", 20 * time.Second}, {60, "@hourly", time.Minute}, {600, "@hourly", 6 * time.Minute},
		{60, "@every 1m", 6 * time.Second}, {60, "@every 5s", 0},
	} {
		cfg := parse(c.n, c.schedule)
		if got := cfg.Connections[1].Jitter.Std(); got != c.want {
			t.Errorf("%d connections %s: a jitter of %s, want %s", c.n, c.schedule, got, c.want)
		}
		if got := cfg.Connections[0].Jitter.Std(); got != 0 {
			t.Errorf("%d connections %s: %s in place of the written 0s", c.n, c.schedule, got)
		}
		if cfg.RunsAtOnce() != 12 {
			t.Errorf("%d at a time", cfg.RunsAtOnce())
		}
	}
	if n := (&Config{}).RunsAtOnce(); n < 8 {
		t.Errorf("%d at a time by default", n)
	}
}

// What very many mistakes cost grows with their number: it is told how many there are, and not all of them.
func TestManyMistakes(t *testing.T) {
	const n = 5000
	var b strings.Builder
	b.WriteString("mappings: {all: {rules: [{name: r, user: true}]}}\ntargets: {journal: {target: file, file: {path: j}}}\nconnections:\n")
	for i := range n {
		fmt.Fprintf(&b, "  c%d: {connector: ldap, mapping: al, targets: [a, b, c], ldap: {servers: [h], bas: d}}\n", i)
	}
	_, err := Parse([]byte(b.String()), "/etc/dirsyncd/config.yaml", testParts(nil))
	var bad *Error
	if !errors.As(err, &bad) || len(bad.Problems) < 5*n || strings.Count(err.Error(), "\n") != mostTold {
		t.Errorf("%.2000v", err)
	}
}
