package main

import (
	"testing"
	"time"

	"dirsyncd/sync/api"
)

func TestProgressLine(t *testing.T) {
	c := newCommandLine(t, nil)
	now := testNow
	c.now = func() time.Time { return now }
	c.err.Width, c.err.Terminal = 30, true
	line := c.progressLine()
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1500, Total: 12300})
	line.step(api.Progress{Connection: "hq-ad", Stage: "read", Stream: "users", Done: 1600}) // too soon
	now = now.Add(time.Second)
	line.step(api.Progress{Connection: "hq-ad", Stage: "settle", Done: 1})
	line.Clear()
	line.Clear()
	want := "\r\x1b[Khq-ad: reading users, 1,500…\r\x1b[Khq-ad: applying rules, 1\r\x1b[K"
	if got := c.stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressIsSilentInPipes(t *testing.T) {
	c := newCommandLine(t, reloaded())
	if c.run("sync"); c.stderr.Len() > 0 {
		t.Errorf("stderr: %q", c.stderr.String())
	}
}
