package oidc

import (
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// TestSeen: nobody is asked; the day of a client secret is what the operator says.
func TestSeen(t *testing.T) {
	var end settings.Date
	w := newWorld(t, func(g *Generic, o *Options, _ *oidctest.Options) {
		end = settings.Date(o.Now().Add(20 * 24 * time.Hour))
		g.SecretEnds = end
	})
	s := w.Seen(t.Context())
	if len(s.Ends) != 1 || s.Ends[0].Use != signin.UseSecret || !s.Ends[0].At.Equal(end.Time()) || !s.At.IsZero() || s.Ahead != nil || w.issuer.Count(oidctest.Discovery) != 0 {
		t.Errorf("before: %+v", s)
	}
	w.in()
	began := w.server.Clock.Now()
	w.server.Clock.Add(time.Minute)
	if s := w.Seen(t.Context()); !s.At.Equal(began) || s.Ahead == nil || s.Ahead.Abs() > time.Second {
		t.Errorf("%+v", s)
	}
	again, err := New(generic(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	if s := again.Seen(t.Context()); !s.At.Equal(began) {
		t.Errorf("after a restart: %+v", s)
	}
	found, err := w.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Ends.Equal(end.Time()) && (f.OK || f.Hint == "") {
			t.Errorf("%+v", f)
		}
	}
}
