package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/schedule"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// connectionKeys are the keys of a connection besides the connector's own block.
type connectionKeys struct {
	Connector string            `yaml:"connector" strict:"required"`
	Schedule  string            `yaml:"schedule"`
	Full      string            `yaml:"full"`
	Timezone  string            `yaml:"timezone"`
	Jitter    settings.Duration `yaml:"jitter"`
	Mapping   string            `yaml:"mapping" strict:"required"`
	Targets   []string          `yaml:"targets" strict:"required"`
}

func (l *loader) readConnections(v strict.Value) {
	entries := section(v, "connection")
	if v.Kind() == strict.Block && len(entries) == 0 {
		v.Problem("", "connections: there is none")
	}
	for _, e := range entries {
		before := l.doc.Mark()
		l.cfg.Connections = append(l.cfg.Connections, l.readConnection(e.Key, e.Value.In(quoted("connection", e.Key))))
		l.broken[e.Key] = l.doc.Mark() > before
	}
	spreadOut(l.cfg.Connections, entries)
	slices.SortFunc(l.cfg.Connections, func(a, b Connection) int { return strings.Compare(a.Name, b.Name) })
}

const (
	// crowd is from how many connections with one schedule on they do not all begin at the same second unless that is
	// written, and spreadEach how much of the time each of them gets, at most a spreadShare of that between two runs.
	crowd       = 20
	spreadEach  = time.Second
	spreadShare = 10
)

// spreadOut gives those of many connections that have one schedule and no jitter of their own some.
func spreadOut(list []Connection, entries []strict.Entry) {
	same := map[[2]string]int{}
	for i := range list {
		same[[2]string{list[i].Schedule, list[i].Full}]++
	}
	spread := map[[2]string]settings.Duration{}
	for i := range list {
		c := &list[i]
		key := [2]string{c.Schedule, c.Full}
		n := same[key]
		if n < crowd || key == [2]string{} || entries[i].Value.Get("jitter").Kind() != strict.None {
			continue
		}
		if _, known := spread[key]; !known {
			jitter := time.Duration(n) * spreadEach
			for _, s := range []cron.Schedule{c.Incremental, c.Complete} {
				if gap := shortestGap(s); gap > 0 {
					jitter = min(jitter, gap/spreadShare)
				}
			}
			spread[key] = settings.Duration(jitter.Truncate(time.Second))
		}
		c.Jitter = spread[key]
	}
}

func (l *loader) readConnection(name string, v strict.Value) Connection {
	var keys connectionKeys
	b := blocks{what: "connector", names: l.parts.ConnectorNames, lookup: l.parts.Connector}
	own := b.read(v, &keys, func() string { return keys.Connector })
	c := Connection{
		Name: name, Connector: keys.Connector, Schedule: keys.Schedule, Full: keys.Full,
		Jitter: keys.Jitter, Mapping: keys.Mapping, Targets: keys.Targets, Block: own,
	}
	checkTimes(&c, keys.Timezone, v)
	l.refer(v.Get("mapping"), "mapping", l.mappings)
	l.checkTargets(v.Get("targets"))
	return c
}

func checkTimes(c *Connection, zone string, v strict.Value) {
	location, err := schedule.Location(zone)
	if err != nil {
		reportSpec(v.Get("timezone"), err)
		location, zone = time.UTC, ""
	}
	c.Timezone = location
	c.Incremental = readSchedule(v.Get("schedule"), c.Schedule, zone)
	c.Complete = readSchedule(v.Get("full"), c.Full, zone)
	checkJitter(c, v.Get("jitter"))
}

func readSchedule(v strict.Value, spec, zone string) cron.Schedule {
	if v.Kind() != strict.Text {
		return nil
	}
	times, err := schedule.Parse(spec, zone)
	if err != nil {
		reportSpec(v, err)
		return nil
	}
	return times
}

func reportSpec(v strict.Value, err error) {
	var spec *schedule.SpecError
	if v.Kind() == strict.Text && errors.As(err, &spec) {
		v.Problem(spec.Hint, "%s: %s", v.Label(), spec.Message)
	}
}

// maxJitter is more than any load needs to be spread over.
const maxJitter = 24 * time.Hour

// checkJitter refuses a jitter that would make runs skip the next one.
func checkJitter(c *Connection, v strict.Value) {
	if v.Kind() == strict.None || c.Jitter == 0 {
		return
	}
	limit, between := maxJitter, "a day"
	for _, s := range []cron.Schedule{c.Incremental, c.Complete} {
		if gap := shortestGap(s); gap > 0 && gap < limit {
			limit, between = gap, "the "+settings.Duration(gap).String()+" between two runs"
		}
	}
	if c.Jitter.Std() >= limit {
		v.Problem("write less", "%s: %s is not less than %s", v.Label(), c.Jitter, between)
	}
}

// shortestGap looks at the coming runs of a schedule from a fixed day on, so that the same file is always
// valid or never.
func shortestGap(s cron.Schedule) time.Duration {
	if s == nil {
		return 0
	}
	const runs = 100
	shortest := time.Duration(0)
	last := s.Next(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
	for range runs {
		next := s.Next(last)
		if next.IsZero() {
			break
		}
		if gap := next.Sub(last); shortest == 0 || gap < shortest {
			shortest = gap
		}
		last = next
	}
	return shortest
}

func (l *loader) checkTargets(v strict.Value) {
	if v.Kind() != strict.List {
		return
	}
	items, _ := v.Items()
	if len(items) == 0 {
		v.Problem("name at least one", "%s: there is none", v.Label())
	}
	seen := make(map[string]bool)
	for _, item := range items {
		if item.Kind() == strict.Text && seen[item.Literal()] {
			item.Problem("", "%s: target %q is named twice", item.Label(), short(item.Literal()))
		}
		seen[item.Literal()] = true
		l.refer(item, "target", l.targets)
	}
}

// refer marks what a value names as used, and reports a name that there is not.
func (l *loader) refer(v strict.Value, what string, all map[string]*named) {
	if v.Kind() != strict.Text {
		return
	}
	if n := all[v.Literal()]; n != nil {
		n.used = true
		return
	}
	hint := spelling.Suggest(v.Literal(), slices.Sorted(maps.Keys(all)))
	v.Problem(hint, "%s: there is no %s %q", v.Label(), what, short(v.Literal()))
}
