package portal

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/signin"
)

// counts is what was counted.
type counts struct {
	mu       sync.Mutex
	list     map[string]int
	sessions map[string]int
}

func (c *counts) add(format string, values ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list[fmt.Sprintf(format, values...)]++
}

func (c *counts) Attempt(provider, outcome string, reason signin.Reason) {
	c.add("attempt %s %s %s", provider, outcome, reason)
}
func (c *counts) Took(provider, step string, _ time.Duration)  { c.add("step %s %s", provider, step) }
func (c *counts) Verified(app, answer string, _ time.Duration) { c.add("verify %s %s", app, answer) }
func (c *counts) Sessions(byApp map[string]int)                { c.sessions = byApp }

// TestMetrics: what happens is counted once, by names of the configuration alone.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	c := &counts{list: map[string]int{}}
	w.portal.Metrics = c
	b := w.browser()
	b.signIn("https://desk.test/")
	b.verify("https://desk.test/")
	b.verify("https://elsewhere.test/")
	for _, reason := range []signin.Reason{signin.Clock, signin.ProviderUnreachable} {
		w.idp.refuses = &signin.Refusal{Reason: reason}
		other := w.browser()
		_, at, _ := other.visit("https://desk.test/")
		other.back("staff", at)
	}
	want := map[string]int{
		"attempt staff in ": 1, "attempt staff refused clock": 1, "attempt staff failed provider_unreachable": 1,
		"step staff begin": 3, "step staff finish": 3, "step staff who": 1, "step staff session": 1,
		"verify desk in": 2, "verify desk sign_in": 3, "verify  forbidden": 1,
	}
	for _, name := range slices.Sorted(maps.Keys(c.list)) {
		if c.list[name] != want[name] {
			t.Errorf("%s: %d, want %d", name, c.list[name], want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}

	if err := w.portal.countSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"": 1, "desk": 1, "wiki": 0, "admin": 0, "shop": 0, "chat": 0, "fresh": 0, "helpdesk": 0}; !maps.Equal(c.sessions, want) {
		t.Errorf("sessions %v, want %v", c.sessions, want)
	}
	w.now = w.now.Add(12 * time.Hour)
	if err := w.portal.countSessions(t.Context()); err != nil || c.sessions["desk"] != 0 {
		t.Errorf("sessions that ran out: %v, error %v", c.sessions, err)
	}
}
