// Command bench measures dirsyncd and prints tables: a synthetic source through the real store, rules and delivery
// to a file, with the state in a file or in PostgreSQL; the daemon itself with many connections; many tenants of a simulated cloud through their real connector; and how many requests the cloud
// connectors need. `make bench` runs it; docs/benchmarks.md keeps figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// options are the command's flags.
type options struct {
	people, groups, changed, joiners int
	tenants, broken, rounds          int
	delay                            time.Duration
	dir, daemon                      string
	rest                             time.Duration
	statements                       bool
}

func main() {
	var o options
	flag.IntVar(&o.people, "people", 100_000, "people in the directory; each is in three groups")
	flag.IntVar(&o.groups, "groups", 0, "groups (default: one for every 20 people)")
	flag.IntVar(&o.changed, "changed", 100, "people that change in the delta")
	flag.IntVar(&o.joiners, "joiners", 0, "people that join one group that a rule names (default: a fifth of the people)")
	flag.IntVar(&o.tenants, "tenants", 1000, "tenants of a partner, of 200 people each")
	flag.IntVar(&o.broken, "broken", 25, "tenants that hang or withdraw their consent")
	flag.DurationVar(&o.delay, "delay", 100*time.Millisecond, "how long the tenants' cloud takes for every answer, besides the work")
	flag.IntVar(&o.rounds, "rounds", 1, "how often every cycle of the tenants, and everything with -against, is measured; the table has the median")
	flag.StringVar(&o.dir, "dir", "", "folder for state and journal (default: a new one in the temporary folder)")
	parts := flag.String("parts", "people", "what to measure, separated by commas: people, postgres, merged, connections, tenants, requests")
	flag.StringVar(&o.daemon, "daemon", "bin/dirsyncd", "connections: the built program")
	flag.DurationVar(&o.rest, "rest", 2*time.Minute, "connections: how long the daemon rests before its wake-ups are counted for a minute")
	flag.BoolVar(&o.statements, "statements", false, "postgres: say after each step which statements took the server longest, which slows it down a little")
	against := flag.String("against", "", "another build of this command: measure people with both in turn, -rounds times")
	profile := flag.String("cpuprofile", "", "write a CPU profile of everything to this file")
	memory := flag.String("memprofile", "", "write a profile of all that was allocated to this file")
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(65) // as the program
	}
	if o.groups == 0 {
		o.groups = max(o.people/20, 1)
	}
	if o.joiners == 0 {
		o.joiners = o.people / 5
	}
	err := profiled(*profile, *memory, func() error {
		if *against != "" {
			return compare(context.Background(), os.Stdout, o, *against)
		}
		return run(context.Background(), os.Stdout, o, strings.Split(*parts, ","))
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// profiled does something and writes its profiles to files, where they are named: of the CPU, and of all that was allocated.
func profiled(path, memory string, do func() error) error {
	if memory != "" {
		do = allocationsOf(do, memory)
	}
	if path == "" {
		return do()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return do()
}

func allocationsOf(do func() error, path string) func() error {
	return func() error {
		if err := do(); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
	}
}

// run measures the parts in their order.
func run(ctx context.Context, out io.Writer, o options, parts []string) error {
	known := map[string]func(context.Context, io.Writer, options) error{"people": people, "postgres": onPostgreSQL, "merged": merged, "connections": connections, "tenants": tenants, "requests": requests}
	for _, name := range parts {
		if known[name] == nil {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	_, _ = fmt.Fprintf(out, "%s, %d CPUs, %s, load %s\n", runtime.Version(), runtime.NumCPU(), time.Now().Format(time.DateOnly), load())
	for _, name := range []string{"people", "postgres", "merged", "connections", "tenants", "requests"} {
		if !slices.Contains(parts, name) {
			continue
		}
		if err := inFolder(o, func(o options) error { return known[name](ctx, out, o) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// inFolder does something in the folder that the operator named, or in a new one that is removed afterwards.
func inFolder(o options, do func(options) error) error {
	if o.dir == "" {
		var err error
		if o.dir, err = os.MkdirTemp("", "dirsyncd-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.dir) }()
	}
	return do(o)
}

// load is how busy the machine is, in the system's own words: others who work on it make every figure worse.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(data)); err == nil && len(fields) >= 3 {
		return strings.Join(fields[:3], " ")
	}
	return "unknown"
}
