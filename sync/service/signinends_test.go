package service

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/portal"
)

// ending is a provider of which something runs out.
type ending struct {
	signin.Provider
	ends []signin.End
}

func (e *ending) Seen(context.Context) signin.Seen { return signin.Seen{Ends: e.ends} }

// TestTellEnds: what runs out is told of weeks ahead and once at each step, also by daemons that start anew in between.
func TestTellEnds(t *testing.T) {
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	items := st.Items()
	var log bytes.Buffer
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	end := now.Add(40 * 24 * time.Hour)
	p := &ending{ends: []signin.End{{Use: signin.UseOurKey, At: end, Hint: "make a new one"}, {Use: signin.UseSecret, At: end.Add(24 * time.Hour), Hint: "ask for one"}}}
	for range 50 {
		for range 3 { // a daemon that is started three times a day
			s := &Service{now: func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil))}
			if err := s.tellEnds(t.Context(), items, []portal.Named{{Provider: p, Name: "staff"}, {Provider: nil, Name: "silent"}}); err != nil {
				t.Fatal(err)
			}
			now = now.Add(8 * time.Hour)
		}
	}
	for line, want := range map[string]int{
		`msg="certificate ends soon" provider=staff use=our_key ends=2026-06-10 hint="make a new one"`: 4, `msg="certificate ran out"`: 1,
		`msg="client secret ends soon" provider=staff use=client_secret ends=2026-06-11`: 4, `msg="client secret ran out"`: 1, "level=WARN": 10,
	} {
		if n := strings.Count(log.String(), line); n != want {
			t.Errorf("%d times %s, want %d in\n%s", n, line, want, log.String())
		}
	}
	// A new one in its place, and what cannot be read of the former one.
	log.Reset()
	for i := range p.ends {
		p.ends[i].At = now.Add(100 * 24 * time.Hour)
	}
	item, _, err := items.Get(t.Context(), spaceEnds, []byte("staff/our_key"))
	if err != nil {
		t.Fatal(err)
	}
	item.Value = []byte("{")
	if err := items.Put(t.Context(), spaceEnds, item); err != nil {
		t.Fatal(err)
	}
	s := &Service{now: func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := s.tellEnds(t.Context(), items, []portal.Named{{Provider: p, Name: "staff"}}); err != nil || log.Len() > 0 {
		t.Errorf("error %v, log %s", err, log.String())
	}
}

// TestSessionsOfApps: an application that is gone has no sessions any more.
func TestSessionsOfApps(t *testing.T) {
	m := newSigninMetrics(time.Now)
	m.Sessions(map[string]int{"": 3, "desk": 2, "wiki": 1})
	m.Sessions(map[string]int{"": 1, "desk": 0})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.sessions)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 2 {
		t.Fatalf("%v, error %v", families, err)
	}
	for _, one := range families[0].GetMetric() {
		want := map[string]float64{"": 1, "desk": 0}[one.GetLabel()[0].GetValue()]
		if one.GetGauge().GetValue() != want {
			t.Errorf("%v, want %v", one, want)
		}
	}
}
