// Command bench measures dirsyncd from a synthetic source through the real store, rules and delivery to a
// file, and prints a table. `make bench` runs it; docs/benchmarks.md keeps figures.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/memory"
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

func main() {
	people := flag.Int("people", 100_000, "people in the directory; each is in three groups")
	groups := flag.Int("groups", 0, "groups (default: one for every 20 people)")
	changed := flag.Int("changed", 100, "people that change in the delta")
	dir := flag.String("dir", "", "folder for state and journal (default: a new one in the temporary folder)")
	profile := flag.String("cpuprofile", "", "write a CPU profile of everything to this file")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	if *groups == 0 {
		*groups = max(*people/20, 1)
	}
	if err := run(context.Background(), os.Stdout, *people, *groups, *changed, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the program under measurement.
type bench struct {
	dir    string
	source *memory.Synthetic
	store  *countingStore
	engine *engine.Engine
	conn   *engine.Connection
	worker *deliver.Worker
	file   targets.Target
	out    io.Writer
	peak   int // MiB
}

func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

func run(ctx context.Context, out io.Writer, people, groups, changed int, dir string) error {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "dirsyncd-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	b, err := open(dir, people, groups, changed)
	if err != nil {
		return err
	}
	b.out = out
	defer b.close()
	b.printf("%d people, %d groups, %d memberships; %s, %d CPUs, %s\n\n", people, groups, 3*people,
		runtime.Version(), runtime.NumCPU(), time.Now().Format(time.DateOnly))
	b.printf("%-34s %9s %12s %8s %8s %10s\n", "what", "time", "per second", "writes", "events", "peak MiB")

	type step struct {
		name    string
		objects int
		job     engine.Job
		before  func()
	}
	for _, s := range []step{
		{"first sync, delivered", people + groups, engine.Job{Full: true}, nil},
		{"unchanged full read", people + groups, engine.Job{Full: true}, nil},
		{"delta without changes", 0, engine.Job{}, nil},
		{fmt.Sprintf("delta of %d changes, delivered", changed), changed, engine.Job{}, func() { b.source.SetGeneration(1) }},
		{"rule edit that touches everyone", people, engine.Job{Offline: true}, func() { b.conn.Rules = rules("Everybody") }},
	} {
		if s.before != nil {
			s.before()
		}
		if err := b.measure(ctx, s.name, s.objects, s.job); err != nil {
			return err
		}
	}
	b.report()
	return nil
}

func open(dir string, people, groups, changed int) (*bench, error) {
	st, err := bolt.Open(filepath.Join(dir, "state.db"), bolt.Options{})
	if err != nil {
		return nil, err
	}
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.GroupsPerPerson, cfg.Changed = people, groups, 3, changed
	block := file.Factory().NewConfig()
	if f, ok := block.(*file.Config); ok {
		f.Path = filepath.Join(dir, "journal.jsonl")
	}
	target, err := file.Factory().Open(block, targets.Env{Target: "journal", Dir: dir, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, source: memory.OpenSynthetic(cfg), store: &countingStore{Store: st}, file: target}
	b.worker = deliver.New(st, "journal", target, deliver.Options{})
	b.engine = engine.New(b.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Queued: func(string) { b.worker.Wake() }})
	b.conn = &engine.Connection{Name: "hq", Connector: "memory", Source: b.source, Rules: rules("Head office"),
		Guard: plan.DefaultGuard(), Targets: []string{"journal"}}
	return b, nil
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

// measure runs once, delivers, and prints a row. The worker delivers beside the run, as in the daemon.
func (b *bench) measure(ctx context.Context, name string, objects int, job engine.Job) error {
	runtime.GC()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets the peak, where the system can
	b.store.writes = 0
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	done := make(chan struct{})
	go func() { defer close(done); _ = b.worker.Run(ctx) }()
	res := b.engine.Run(ctx, b.conn, connectors.Tenant{}, job)
	if res.Err != nil {
		return res.Err
	}
	sum, err := b.worker.Drain(ctx)
	if err != nil {
		return err
	}
	if sum.Err != nil || sum.Waiting > 0 {
		return fmt.Errorf("%d actions were not delivered: %w", sum.Waiting, sum.Err)
	}
	took := time.Since(start)
	stop()
	<-done
	rate := ""
	if objects > 0 {
		rate = strconv.Itoa(int(float64(objects) / took.Seconds()))
	}
	events := 0
	for _, ops := range res.Run.Counts {
		for _, n := range ops {
			events += n
		}
	}
	b.peak = max(b.peak, memoryOf("/proc/self/status")["VmHWM"]>>10)
	b.printf("%-34s %8.3fs %12s %8d %8d %10d\n", name, took.Seconds(), rate, b.store.writes, events, memoryOf("/proc/self/status")["VmHWM"]>>10)
	return nil
}

// report prints what it took in memory and on disk.
func (b *bench) report() {
	size := func(name string) float64 {
		info, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil {
			return 0
		}
		return float64(info.Size()) / (1 << 20)
	}
	b.printf("\nstate %.0f MiB, journal %.0f MiB", size("state.db"), size("journal.jsonl"))
	if m := memoryOf("/proc/self/status"); m != nil {
		b.printf(", memory now: %d MiB of our own and %d MiB of the state file mapped; peak of both %d MiB",
			m["RssAnon"]>>10, m["RssFile"]>>10, b.peak)
	}
	b.printf("\n")
}

// memoryOf reads a process's memory in KiB, where the system tells.
func memoryOf(path string) map[string]int {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	m := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "kB" {
			n, _ := strconv.Atoi(fields[1])
			m[strings.TrimSuffix(fields[0], ":")] = n
		}
	}
	return m
}

// countingStore counts transactions that write.
type countingStore struct {
	store.Store
	writes int
}

func (c *countingStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	c.writes++
	return c.Store.Update(ctx, p, fn)
}
