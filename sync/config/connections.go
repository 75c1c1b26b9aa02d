package config

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/schedule"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// connectionKeys are the keys of a connection besides the connector's own block.
type connectionKeys struct {
	Connector    string                       `yaml:"connector" strict:"required"`
	Schedule     string                       `yaml:"schedule"`
	Full         string                       `yaml:"full"`
	Timezone     string                       `yaml:"timezone"`
	Jitter       settings.Duration            `yaml:"jitter"`
	Mapping      string                       `yaml:"mapping"`
	Targets      []string                     `yaml:"targets" strict:"required"`
	Import       *importKeys                  `yaml:"import"`
	Tenants      tenantsBlock                 `yaml:"tenants"`
	Every        map[string]settings.Duration `yaml:"every"`
	RemoveInFull []objectKind                 `yaml:"remove_in_full"`
	Workers      []string                     `yaml:"workers"`
}

// importKeys are the keys of a connection's block `import`.
type importKeys struct {
	Mode importMode `yaml:"mode"`
}

type importMode directory.Import

func (m *importMode) DecodeStrict(v strict.Value) {
	choose(v, m, importMode(directory.ImportSync), importMode(directory.ImportCreateOnly), importMode(directory.ImportUpdateOnly))
}

// mode is what an import does; empty without the block.
func (k *importKeys) mode() directory.Import {
	if k == nil {
		return ""
	}
	return directory.Import(cmp.Or(k.Mode, importMode(directory.ImportSync)))
}

func (l *loader) readConnections(parts []strict.Value) {
	entries := l.section(parts, "connection", checkName)
	if v := parts[0]; v.Kind() == strict.Block && len(entries) == 0 {
		v.Problem("", "connections: there is none")
	}
	for _, e := range entries {
		doc := e.Value.Document()
		before := doc.Mark()
		l.cfg.Connections = append(l.cfg.Connections, l.readConnection(e.Key, e.Value.In(quoted("connection", e.Key))))
		l.broken[e.Key] = doc.Mark() > before
	}
	l.checkContributors(entries)
	l.checkRecordFields(entries)
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
		Jitter: keys.Jitter, Mapping: keys.Mapping, Targets: keys.Targets, Import: keys.Import.mode(), Block: own,
		Tenants: l.readTenants(keys.Tenants.Value), Workers: keys.Workers,
	}
	for _, k := range keys.RemoveInFull {
		c.RemoveInFull = append(c.RemoveInFull, directory.Kind(k))
	}
	c.Every = readEvery(v.Get("every"), keys.Every)
	checkTimes(&c, keys.Timezone, v)
	if at := v.Get("remove_in_full"); len(c.RemoveInFull) > 0 && c.Complete == nil {
		at.Warn("give the connection a schedule `full`", "%s: nothing of these kinds is taken away before somebody runs `dirsyncd sync --full`", at.Label())
	}
	l.refer(v.Get("mapping"), "mapping", l.mappings)
	if v.Kind() == strict.Block && keys.Mapping == "" && v.Get("mapping").Kind() == strict.None && (v.Get("targets").Kind() != strict.List || len(keys.Targets) > 0) {
		v.MissingKey("mapping", "")
	}
	l.checkTargets(v.Get("targets"))
	l.checkWorkers(v, keys.Workers, own)
	l.checkPublic(v.Get(keys.Connector), own)
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
	if l.partial {
		return
	}
	hint := spelling.Suggest(v.Literal(), slices.Sorted(maps.Keys(all)))
	v.Problem(hint, "%s: there is no %s %q", v.Label(), what, short(v.Literal()))
}
