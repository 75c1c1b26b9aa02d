package service

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/fleet"
)

// fixedFleet is one as it was at a time.
type fixedFleet struct {
	fleet.Fleet
	workers []fleet.WorkerState
	units   []fleet.UnitState
	asked   *int // how often the database was asked how it is
}

func (f fixedFleet) Upkeep(context.Context) (fleet.Upkeep, error) {
	*f.asked++
	return fleet.Upkeep{OldestSnapshot: time.Duration(*f.asked) * time.Minute, DeadRows: map[string]int64{"outbox": 7, "unit": int64(*f.asked)}}, nil
}

func (f fixedFleet) Workers(context.Context) ([]fleet.WorkerState, error) { return f.workers, nil }
func (f fixedFleet) Units(context.Context, fleet.Selector) ([]fleet.UnitState, error) {
	return f.units, nil
}

// Whoever is asked says the same of all workers, and what it holds itself. What is left alone for a while is not late.
func TestFleetMetrics(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f := fixedFleet{
		asked:   new(int),
		workers: []fleet.WorkerState{{Worker: fleet.Worker{Name: "a"}, Current: true}, {Worker: fleet.Worker{Name: "b"}, Current: true, Draining: true}, {Worker: fleet.Worker{Name: "c"}}},
		units: []fleet.UnitState{
			{Holder: "a"}, {Holder: "a", Want: fleet.Full, Wanted: now.Add(-time.Hour)}, {Holder: "b"}, {},
			{Want: fleet.Incremental, Wanted: now.Add(-time.Minute)}, {Want: fleet.Incremental, Wanted: now.Add(-6 * time.Minute)},
			{Want: fleet.Full, Wanted: now.Add(-time.Hour), NotBefore: now.Add(time.Second)},
			{Unit: fleet.Unit{Kind: fleet.List, Connection: "divided"}, Want: fleet.Full, Wanted: now.Add(-time.Hour)},
			{Unit: fleet.Unit{Kind: fleet.Run, Connection: "divided", Tenant: "1 of 2"}, Holder: "b"},
		},
	}
	const database, whole = "database_dead_rows outbox 7;database_dead_rows unit 1;database_oldest_snapshot_seconds 60;", "units held 4;units overdue 1;units wanted 2;units_oldest_wanted_seconds 360;"
	for name, want := range map[string]string{
		"a": database + whole + "worker_units 2;workers draining 1;workers outdated 1;workers working 1;",
		"c": database + whole + "worker_units 0;workers draining 1;workers outdated 1;workers working 1;",
	} {
		*f.asked = 0
		said := gathered(t, newFleetCollector(f, name, func() time.Time { return now }))
		if said != want {
			t.Errorf("%s: %s", name, said)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newFleetCollector(nil, "", nil))
	if families, err := registry.Gather(); len(families) != 0 || err != nil {
		t.Errorf("alone: %v, %v", families, err)
	}
}

// However many ask, the database says how it is every 15 seconds.
func TestDatabaseIsAskedNowAndThen(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f := fixedFleet{asked: new(int)}
	c := newFleetCollector(f, "a", func() time.Time { return now })
	for _, step := range []struct {
		later time.Duration
		want  string
	}{{0, "seconds 60;"}, {14 * time.Second, "seconds 60;"}, {time.Second, "seconds 120;"}, {time.Hour, "seconds 180;"}} {
		now = now.Add(step.later)
		if said := gathered(t, c); !strings.Contains(said, "database_oldest_snapshot_"+step.want) {
			t.Errorf("%s later: %s", step.later, said)
		}
	}
}

// gathered is what a collector says, in order.
func gathered(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, family := range families {
		for _, m := range family.GetMetric() {
			said.WriteString(strings.TrimPrefix(family.GetName(), "dirsyncd_"))
			for _, l := range m.GetLabel() {
				said.WriteString(" " + l.GetValue())
			}
			fmt.Fprintf(&said, " %v;", m.GetGauge().GetValue())
		}
	}
	return said.String()
}
