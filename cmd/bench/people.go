package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// bench is the program under measurement.
type bench struct {
	dir    string
	source *joining
	store  *countingStore
	engine *engine.Engine
	conn   *engine.Connection
	worker *deliver.Worker
	file   targets.Target
	out    io.Writer
	// peaks of everything, in MiB
	own, total int
}

func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

// people measures one directory of many people.
func people(ctx context.Context, out io.Writer, o options) error {
	b, err := open(o)
	if err != nil {
		return err
	}
	b.out = out
	defer b.close()
	b.printf("\n%d people, %d groups, %d memberships, delivered to a file\n\n", o.people, o.groups, b.source.cfg.Memberships())
	b.printf("%-40s %9s %9s %10s %7s %8s %9s %9s %8s %9s %9s\n", "what", "time", "CPU", "per second", "writes", "events", "KiB each", "wrote MiB", "own MiB", "total MiB", "state MiB")
	for _, s := range steps(o) {
		m, err := b.measure(ctx, s)
		if err != nil {
			return err
		}
		b.row(s, m)
	}
	b.report()
	return nil
}

// step is a run that is measured.
type step struct {
	name    string
	objects int
	job     engine.Job
	before  func(*bench) // may be nil
}

// steps are what is measured one after the other: each begins with what those before it left.
func steps(o options) []step {
	return []step{
		{"first sync", o.people + o.groups, engine.Job{Full: true}, nil},
		{"unchanged full read", o.people + o.groups, engine.Job{Full: true}, nil},
		{"delta without changes", 0, engine.Job{}, nil},
		{fmt.Sprintf("delta of %d changes", o.changed), o.changed, engine.Job{}, func(b *bench) { b.source.SetGeneration(1) }},
		{"rule edit that touches everyone", o.people, engine.Job{Offline: true}, func(b *bench) { b.conn.Rules = rules("Everybody") }},
		{fmt.Sprintf("%d people join a group of a rule", o.joiners), o.joiners, engine.Job{}, func(b *bench) { b.source.join.Store(true) }},
	}
}

// open opens the program with its state in a file.
func open(o options) (*bench, error) {
	st, err := bolt.Open(filepath.Join(o.dir, "state.db"), bolt.Options{})
	if err != nil {
		return nil, err
	}
	return openOn(st, o)
}

// openOn opens the program with a state, which is its own from now on.
func openOn(st store.Store, o options) (*bench, error) {
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.GroupsPerPerson, cfg.Changed = o.people, o.groups, 3, o.changed
	target, err := openJournal(o.dir)
	if err != nil {
		_ = st.Close()
		return nil, err
	}
	b := &bench{
		dir: o.dir, source: &joining{Synthetic: memory.OpenSynthetic(cfg), cfg: cfg, joiners: o.joiners},
		store: &countingStore{Store: st}, file: target,
	}
	b.worker = deliver.New(st, "journal", target, deliver.Options{})
	b.engine = engine.New(b.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Queued: func(string) { b.worker.Wake() }})
	b.conn = &engine.Connection{Name: "hq", Connector: "memory", Source: b.source, Rules: rules("Head office"),
		Guard: plan.DefaultGuard(), Targets: []string{"journal"}}
	return b, nil
}

// openJournal opens a target that is a file.
func openJournal(dir string) (targets.Target, error) {
	block := file.Factory().NewConfig()
	if f, ok := block.(*file.Config); ok {
		f.Path = filepath.Join(dir, "journal.jsonl")
	}
	return file.Factory().Open(block, targets.Env{Target: "journal", Dir: dir, Log: slog.New(slog.DiscardHandler), Now: time.Now})
}

func (b *bench) close() {
	_ = b.file.Close()
	_ = b.store.Close()
}

// rules are what a usual mapping looks like: a few rules, groups looked at, ten fields.
func rules(site string) *mapping.Ruleset {
	field := func(name, value string) mapping.FieldSpec {
		return mapping.FieldSpec{Name: name, Value: mapping.ValueSpec{Value: value}, On: mapping.OnAlways, Blank: mapping.KeepBlank}
	}
	rs, problems := mapping.Compile(mapping.Spec{
		Name: "staff",
		Rules: []mapping.RuleSpec{
			{Name: "contractors stay out", When: mapping.TextSpec{Text: `employee_type == "Contractor"`}, Ignore: true},
			{Name: "service desk", When: mapping.TextSpec{Text: `"Service Desk" in groups`},
				Records: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("role", "Technician")}}},
			{Name: "members", When: mapping.TextSpec{Text: `"` + joiningName + `" in groups`},
				Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {
					field("customer", "Acme Members"), field("site", site), field("office", "Clubhouse"),
				}}},
			{Name: "everyone else", When: mapping.TextSpec{Text: "enabled"},
				Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {
					field("customer", "Acme"), field("site", `= office ?? "`+site+`"`), field("office", site),
				}}},
		},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{
			directory.UserRecord: {
				field("name", "= name"), field("email", "= email"), field("phone", "= phone ?? mobile"), field("title", "= title"),
				field("department", "= department"), field("manager", "= manager.name"), field("login", "= lower(login)"),
			},
			directory.AgentRecord: {field("name", "= name"), field("email", "= email")},
		},
	})
	if len(problems) > 0 {
		panic(fmt.Sprint(problems))
	}
	return rs
}

// measured is what a step took.
type measured struct {
	took, cpu  time.Duration
	allocated  uint64 // bytes
	wrote      int    // bytes
	own, total int    // the most memory, in MiB
	writes     int64  // transactions
	events     int
}

// rate is how many objects a second there were, and zero where none are counted.
func (m measured) rate(objects int) int { return int(float64(objects) / m.took.Seconds()) }

// measure runs once and delivers. The worker delivers beside the run, as in the daemon.
func (b *bench) measure(ctx context.Context, s step) (m measured, err error) {
	if s.before != nil {
		s.before(b)
	}
	runtime.GC()
	b.store.writes.Store(0)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watch := watchMemory()
	start, before, allocated, wrote := time.Now(), cpuTime(), allocations(), written()
	done := make(chan struct{})
	go func() { defer close(done); _ = b.worker.Run(ctx) }()
	res := b.engine.Run(ctx, b.conn, connectors.Tenant{}, s.job)
	if res.Err != nil {
		return m, res.Err
	}
	sum, err := b.worker.Drain(ctx)
	if err != nil {
		return m, err
	}
	if sum.Err != nil || sum.Waiting > 0 {
		return m, fmt.Errorf("%d actions were not delivered: %w", sum.Waiting, sum.Err)
	}
	m.took, m.cpu = time.Since(start), cpuTime()-before
	m.allocated, m.wrote = allocations()-allocated, written()-wrote
	stop()
	<-done
	m.own, m.total = watch.end()
	b.own, b.total = max(b.own, m.own), max(b.total, m.total)
	m.writes = b.store.writes.Load()
	for _, ops := range res.Run.Counts {
		for _, n := range ops {
			m.events += n
		}
	}
	return m, nil
}

// row prints what a step took.
func (b *bench) row(s step, m measured) {
	rate, each := "", ""
	if s.objects > 0 {
		rate = strconv.Itoa(m.rate(s.objects))
		each = strconv.FormatFloat(float64(m.allocated)/1024/float64(s.objects), 'f', 1, 64)
	}
	b.printf("%-40s %8.3fs %8.2fs %10s %7d %8d %9s %9d %8d %9d %9.0f\n", s.name, m.took.Seconds(), m.cpu.Seconds(), rate, m.writes, m.events, each, m.wrote>>20,
		m.own, m.total, sizeOf(b.dir, "state.db"))
}

// sizeOf is the size of a file in MiB.
func sizeOf(dir, name string) float64 {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	return float64(info.Size()) / (1 << 20)
}

// report prints what it took in memory and on disk.
func (b *bench) report() {
	b.printf("\nstate %.0f MiB, journal %.0f MiB, memory at most %d MiB of our own, %d MiB with mapped pages of the state file; load %s\n",
		sizeOf(b.dir, "state.db"), sizeOf(b.dir, "journal.jsonl"), b.own, b.total, load())
}

// countingStore counts transactions that write.
type countingStore struct {
	store.Store
	writes atomic.Int64
}

// Update implements store.Store.
func (c *countingStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	c.writes.Add(1)
	return c.Store.Update(ctx, p, fn)
}
