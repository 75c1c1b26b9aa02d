package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// roundTrips: how often a run waits for the database follows the number of pages and chunks, not that of people. A stage has a number of
// round trips that does not depend on how much there is, and two for 500 objects at most.
func roundTrips(t *testing.T, db *postgrestest.Database, trips *postgrestest.Trips) {
	st, err := postgres.Open(t.Context(), postgres.Options{URL: trips.URL, Schema: "trips", LeaseFor: longLease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	stages := &stages{Store: st, trips: map[string]int{}}
	trips.Each(stages.count)
	e := New(stages, Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	const people, groups = 8000, 200
	source, c := crowdedCompany(t, people, groups)
	run := func(what string, job Job, tenant string, most map[string]int) {
		t.Helper()
		fmt.Fprintln(os.Stderr, "PHASE", what)
		got := stages.of(func() {
			if res := e.Run(t.Context(), c, connectors.Tenant{ID: tenant}, job); res.Err != nil || res.Run.Outcome != Clean {
				t.Fatalf("%s: %+v", what, res)
			}
		})
		t.Logf("%-20s %v", what, got)
		for stage, n := range got {
			if n > most[stage] {
				t.Errorf("%s: %s took %d round trips, %d at most were expected", what, stage, n, most[stage])
			}
		}
	}
	const (
		units    = (people + groups) / 500
		constant = 30
		tripsFor = 2 * units
	)
	run("first sync", Job{Full: true}, "", map[string]int{"read": tripsFor + constant, "settle": tripsFor + constant, "run": constant})
	run("unchanged full read", Job{Full: true}, "", nil)
	run("nothing new", Job{}, "", nil)
	source.SetGeneration(1)
	run("2000 changes", Job{}, "", nil)
	c.Rules = companyRules(t, `= name + "."`)
	run("rule edit", Job{}, "", nil)
}

// crowdedCompany is a source, and a connection that makes users of its people.
func crowdedCompany(t *testing.T, people, groups int) (*memory.Synthetic, *Connection) {
	t.Helper()
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.GroupsPerPerson, cfg.Changed, cfg.PageSize = people, groups, 3, 2000, 1000
	source := memory.OpenSynthetic(cfg)
	return source, &Connection{Name: "hq", Connector: "memory", Source: source, Rules: companyRules(t, "= name"), Guard: plan.DefaultGuard(), Targets: []string{target}}
}

func companyRules(t *testing.T, name string) *mapping.Ruleset {
	t.Helper()
	rules, problems := mapping.Compile(mapping.Spec{
		Name: "m", Rules: []mapping.RuleSpec{user("everyone", `enabled and not ("none" in groups)`)},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", name), field("manager", "= manager.name")}},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// stages is a store that counts round trips by the stage of the run whose transaction was begun last. Stages do not overlap.
type stages struct {
	store.Store

	mu    sync.Mutex
	stage string
	trips map[string]int
	asked map[string][][]string
}

// count notes one round trip. Signs of life, which go by the clock, and statements that are prepared, once for a connection, do not count.
func (s *stages) count(asked []string) {
	if len(asked) == 0 || slices.ContainsFunc(asked, func(sql string) bool { return strings.Contains(sql, ".worker ") }) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if os.Getenv("TRIPLOG") != "" {
		fmt.Fprintln(os.Stderr, "TRIP", s.stage)
		for _, a := range asked {
			fmt.Fprintln(os.Stderr, "   ", strings.Join(strings.Fields(a), " "))
		}
	}
	s.trips[s.stage]++
}

// of returns how many round trips fn takes, by stage.
func (s *stages) of(fn func()) map[string]int {
	s.mu.Lock()
	clear(s.trips)
	s.stage = "run"
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.trips)
}

// enter notes the stage of whoever begins a transaction: the package in sync that is farthest from the store.
func (s *stages) enter() {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	stage := "run"
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		for _, name := range []string{"read", "settle", "deliver"} {
			if strings.HasPrefix(f.Function, "dirsyncd/sync/"+name+".") {
				stage = name
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = stage
}

// View implements store.Store.
func (s *stages) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	s.enter()
	return s.Store.View(ctx, p, fn)
}

// Update implements store.Store.
func (s *stages) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	s.enter()
	return s.Store.Update(ctx, p, fn)
}
