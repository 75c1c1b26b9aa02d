package engine

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Runs by schedule that find nothing are one line a day; whatever else happens has its own.
func TestQuietRuns(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	now := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	r.engine.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.engine.opts.Now = func() time.Time { return now }
	scheduled := func() { r.engine.RunConnection(t.Context(), r.conn, Job{Patient: true, Trigger: "schedule"}) }
	lines := func(what string) int { return strings.Count(log.String(), "msg="+what) }

	r.add("1", "Ada")
	scheduled()
	if lines(`"run ended"`) != 1 || lines(`"run started"`) != 0 {
		t.Errorf("a run that found something:\n%s", log.String())
	}
	for range 4 * 24 { // a day of quarters of an hour
		now = now.Add(15 * time.Minute)
		scheduled()
	}
	if lines(`"run ended"`) != 1 || lines(`"nothing changed"`) != 0 {
		t.Errorf("within a day of nothing:\n%s", log.String())
	}
	now = now.Add(15 * time.Minute)
	scheduled()
	if lines(`"nothing changed"`) != 1 || !strings.Contains(log.String(), "runs=97 since=2026-01-31T08:15:00Z") {
		t.Errorf("after a day of nothing:\n%s", log.String())
	}
	r.engine.RunConnection(t.Context(), r.conn, Job{Trigger: Operator})
	if lines(`"run ended"`) != 2 || lines(`"run started"`) != 1 {
		t.Errorf("whoever asks is told:\n%s", log.String())
	}
}

// A plan that waits has its line when it begins to wait, and one a day: not one for each run that finds nothing new.
func TestQuietRunsOfAHeldPlan(t *testing.T) {
	d := newDays(t)
	var log bytes.Buffer
	for i := range 40 {
		d.add(fmt.Sprintf("%03d", i), "P")
	}
	d.pass(0)
	for i := range 30 {
		delete(d.people, fmt.Sprintf("%03d", i))
	}
	d.engine = New(d.store, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return d.now }})
	lines := func(what string) int { return strings.Count(log.String(), "msg="+what) }
	for range 2*24*4 + 2 {
		d.now = d.now.Add(15 * time.Minute)
		d.engine.RunConnection(t.Context(), d.conn, Job{Patient: true, Trigger: "schedule"})
	}
	if lines(`"run ended"`) != 1 || lines(`"nothing changed, and a plan waits still"`) != 1 || strings.Count(log.String(), "level=WARN") != 2 {
		t.Errorf("two days of a plan that waits:\n%s", log.String())
	}
	d.engine.RunConnection(t.Context(), d.conn, Job{Trigger: Operator})
	if lines(`"run ended"`) != 2 {
		t.Errorf("whoever asks is told:\n%s", log.String())
	}
	delete(d.people, "035")
	d.now = d.now.Add(15 * time.Minute)
	d.engine.RunConnection(t.Context(), d.conn, Job{Patient: true, Trigger: "schedule"})
	if lines(`"run ended"`) != 3 {
		t.Errorf("more that waits is told:\n%s", log.String())
	}
}
