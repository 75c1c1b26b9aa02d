package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// TestCloseWaits: what was decided before the daemon stops is done to its end, unless that takes very long; whoever comes later is told.
func TestCloseWaits(t *testing.T) {
	for _, test := range []struct {
		what    string
		takes   time.Duration
		answer  string
		closed  time.Duration // after it was called
		mustCut bool
	}{
		{"in time", 10 * time.Second, "The plan went ahead.", 9 * time.Second, false},
		{"longer than a page waits", patience + 500*time.Millisecond, "It takes longer than this page waits", patience - 500*time.Millisecond, false},
		{"for ever", time.Hour, "It takes longer than this page waits", patience, true},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ops := nothing()
				cut := make(chan error, 1)
				ops.ApproveFunc = func(ctx context.Context, _ string) (api.SyncResult, error) {
					select {
					case <-ctx.Done():
					case <-time.After(test.takes):
					}
					cut <- ctx.Err()
					return api.SyncResult{}, ctx.Err()
				}
				c := open(t, ops)
				b := signedIn(t, c, operatorToken)
				answered := make(chan string, 1)
				go func() {
					_, body := b.post("/console/held/abc/approve", url.Values{"sure": {"yes"}})
					answered <- body
				}()
				time.Sleep(time.Second)
				began := time.Now()
				c.Close()
				if took := time.Since(began); took != test.closed {
					t.Errorf("closed after %s, want %s", took, test.closed)
				}
				if body := <-answered; !strings.Contains(body, test.answer) && !test.mustCut {
					t.Errorf("want %q in\n%s", test.answer, body)
				}
				if err := <-cut; (err != nil) != test.mustCut {
					t.Errorf("cut: %v", err)
				}
				other := signedIn(t, c, operatorToken)
				for _, path := range []string{"/console/held/abc/approve", "/console/sync"} {
					if status, body := other.post(path, url.Values{"sure": {"yes"}, "connection": {"hq"}}); status != http.StatusServiceUnavailable || !strings.Contains(body, "Nothing was done") {
						t.Errorf("%s after the end: %d\n%s", path, status, body)
					}
				}
			})
		})
	}
}

// TestDefectOfADecision: it is told, and takes nothing else with it.
func TestDefectOfADecision(t *testing.T) {
	ops := nothing()
	ops.DiscardFunc = func(context.Context, string) error { panic("a defect") }
	if status, body := signedIn(t, open(t, ops), operatorToken).post("/console/held/abc/discard", nil); status != http.StatusInternalServerError || !strings.Contains(body, "discard: panic: a defect") || strings.Contains(body, "goroutine") {
		t.Errorf("%d\n%s", status, body)
	}
	ops.DiscardFunc = func(context.Context, string) error { return &fault.Error{Class: fault.Gone, Op: "find plan abc"} }
	if status, _ := signedIn(t, open(t, ops), operatorToken).post("/console/held/abc/discard", nil); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}
