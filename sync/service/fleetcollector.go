package service

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/sync/fleet"
)

// overdueAfter is how long a unit may be wanted before it counts as overdue: whoever has waited for so long comes first.
const overdueAfter = 5 * time.Minute

// fleetCollector reads, when /metrics is asked, how the workers of a state and their units are. It is the same whichever worker is asked, but
// for what that one holds.
type fleetCollector struct {
	fleet fleet.Fleet // nil: there are no workers
	name  string      // of this one
	now   func() time.Time

	workers, units, oldest, held, snapshot, dead *prometheus.Desc

	mu     sync.Mutex
	looked time.Time // when the database was asked how it is
	upkeep fleet.Upkeep
}

// upkeepFor is how long what the database said of itself is good for, however many ask.
const upkeepFor = 15 * time.Second

func newFleetCollector(f fleet.Fleet, name string, now func() time.Time) *fleetCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("dirsyncd_"+name, help, labels, nil)
	}
	return &fleetCollector{
		fleet: f, name: name, now: now,
		workers: desc("workers", "Workers that share the state, by what they do.", "state"),
		units:   desc("units", "Units of work, by how they are.", "state"),
		oldest:  desc("units_oldest_wanted_seconds", "How long the unit has been wanted that has waited longest."),
		held:    desc("worker_units", "Units that this worker works on."),

		snapshot: desc("database_oldest_snapshot_seconds",
			"How long the oldest transaction has been open for which the database of the state keeps rows that are done with, as far as the role may see."),
		dead: desc("database_dead_rows", "Rows that are done with and not cleared away, as the database of the state estimates it.", "table"),
	}
}

// Describe implements prometheus.Collector.
func (c *fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.workers, c.units, c.oldest, c.held, c.snapshot, c.dead} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *fleetCollector) Collect(ch chan<- prometheus.Metric) {
	if c.fleet == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	workers, err := c.fleet.Workers(ctx)
	var units []fleet.UnitState
	if err == nil {
		units, err = c.fleet.Units(ctx, fleet.Selector{})
	}
	var upkeep fleet.Upkeep
	if err == nil {
		upkeep, err = c.keeps(ctx)
	}
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.workers, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	states := map[string]int{}
	for _, w := range workers {
		states[workerState(w)]++
	}
	for _, state := range []string{working, draining, outdated} {
		gauge(c.workers, float64(states[state]), state)
	}
	var wanted, overdue, held, mine int
	var longest time.Duration
	running := map[string]bool{} // connections whose shares are under way: they do not wait for a worker
	for i := range units {
		if u := &units[i]; u.Unit.Kind == fleet.Run && (u.Want != 0 || u.Holder != "") {
			running[u.Unit.Connection] = true
		}
	}
	for i := range units {
		switch u := &units[i]; {
		case u.Holder != "":
			if held++; u.Holder == c.name {
				mine++
			}
		case u.Unit.Kind == fleet.List && running[u.Unit.Connection]:
		case u.Want != 0 && !u.NotBefore.After(c.now()):
			wanted++
			waits := c.now().Sub(u.Wanted)
			if longest = max(longest, waits); waits > overdueAfter {
				overdue++
			}
		}
	}
	gauge(c.units, float64(wanted), "wanted")
	gauge(c.units, float64(overdue), "overdue")
	gauge(c.units, float64(held), "held")
	gauge(c.oldest, longest.Seconds())
	gauge(c.held, float64(mine))
	gauge(c.snapshot, upkeep.OldestSnapshot.Seconds())
	for table, n := range upkeep.DeadRows {
		gauge(c.dead, float64(n), table)
	}
}

// keeps asks the database how it is, now and then.
func (c *fleetCollector) keeps(ctx context.Context) (fleet.Upkeep, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= upkeepFor {
		upkeep, err := c.fleet.Upkeep(ctx)
		if err != nil {
			return upkeep, err
		}
		c.looked, c.upkeep = now, upkeep
	}
	return c.upkeep, nil
}
