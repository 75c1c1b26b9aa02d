package main

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	cli := newCommandLine(t, nil).cli
	for d, want := range map[time.Duration]string{
		0: "now", 12 * time.Second: "12s ago", 3 * time.Minute: "3m ago", 47 * time.Hour: "47h ago", 49 * time.Hour: "2d ago",
		100 * 24 * time.Hour: "2025-10-23", -5 * time.Minute: "in 5m",
	} {
		if got := cli.ago(at(d)); got != want {
			t.Errorf("ago(%v): got %q, want %q", d, got, want)
		}
	}
	if got := counts(kindCounts("user", "create", 1, "user", "delete", 1234, "agent", "reactivate", 2), happened); got != "1 user created, 1,234 deleted; 2 agents reactivated" {
		t.Errorf("counts: %s", got)
	}
}
