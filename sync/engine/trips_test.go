package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	s := &stages{Store: st, trips: map[string]int{}}
	trips.Each(s.count)
	// What a run costs at all is the same for the small company and for the large one; the rest is for what there is more of.
	few, many := runsOf(t, s, "few", 2000), runsOf(t, s, "many", 6000)
	for i, run := range many {
		for stage, n := range run.trips {
			per500 := float64(n-few[i].trips[stage]) * 500 / float64(run.objects-few[i].objects)
			most := 2.0
			if more, ok := loose[run.what+", "+stage]; ok {
				most = more
			}
			t.Logf("%-22s %-7s %3d and %3d round trips: %.2f for 500 objects", run.what, stage, few[i].trips[stage], n, per500)
			if per500 > most {
				t.Errorf("%s: %s took %.2f round trips more for each 500 objects more, %.2f at most were expected", run.what, stage, per500, most)
			}
			if constant := float64(n) - per500*float64(run.objects)/500; constant > 40 {
				t.Errorf("%s: %s took %.0f round trips whatever there is", run.what, stage, constant)
			}
		}
	}
}

// loose are the stages that take more than two for 500 objects: of a delta both the people and those below them are looked at twice, and a full read in
// which every group has other members is compared, written, and swept. The smaller delta, of one chunk, is worked out once only, so that the larger one seems
// to grow by more than it does.
var loose = map[string]float64{"delta, settle": 3, "members, read": 2.5}

// measured is what a run took.
type measured struct {
	what    string
	objects int // that it was about
	trips   map[string]int
}

// runsOf runs a company of so many people.
func runsOf(t *testing.T, s *stages, name string, people int) (list []measured) {
	t.Helper()
	e := New(s, Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	source := &staffed{}
	source.Synthetic = syntheticCrowd(people, 0)
	c := &Connection{Name: name, Connector: "memory", Source: source, Rules: crowdRules(t, "= name"), Guard: plan.DefaultGuard(), Targets: []string{target}}
	run := func(what string, job Job, objects int) {
		t.Helper()
		m := measured{what: what, objects: objects}
		m.trips = s.of(func() {
			if res := e.Run(t.Context(), c, connectors.Tenant{}, job); res.Err != nil || res.Run.Outcome != Clean {
				t.Fatalf("%s: %+v", what, res)
			}
		})
		list = append(list, m)
	}
	all := people + people/20
	run("first sync", Job{Full: true}, all)
	run("unchanged full read", Job{Full: true}, all)
	run("nothing new", Job{}, all)
	source.SetGeneration(1)
	run("delta", Job{}, people/2)
	source.moved = 1
	run("members", Job{Full: true}, all)
	c.Rules = crowdRules(t, `= name + "."`)
	run("rule edit", Job{}, all)
	return list
}

// syntheticCrowd is a source of people and groups, half of whom change with each generation.
func syntheticCrowd(people, generation int) *memory.Synthetic {
	cfg := memory.SyntheticDefaults()
	cfg.People, cfg.Groups, cfg.GroupsPerPerson, cfg.Changed, cfg.PageSize, cfg.Generation = people, people/20, 3, people/2, 1000, generation
	return memory.OpenSynthetic(cfg)
}

// staffed is a crowd of which every tenth person is the manager of the next nine, and has another name besides.
type staffed struct {
	*memory.Synthetic
	moved int
}

// Read implements connectors.Connector.
func (s *staffed) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return s.Synthetic.Read(ctx, req, func(p *connectors.Page) error {
		for i := range p.Objects {
			o := &p.Objects[i]
			if o.Kind != directory.Person {
				continue
			}
			o.Handles = append(slices.Clip(o.Handles), "mail:"+o.ID)
			if boss := i / 10 * 10; boss != i {
				o.Links = append(slices.Clip(o.Links), directory.Link{Type: directory.Manager, To: "mail:" + p.Objects[boss].ID})
			}
		}
		for i := range p.Members {
			if m := &p.Members[i]; s.moved > 0 && len(m.Add) > 1 { // everywhere somebody left, and somebody came
				m.Add = append(slices.Clone(m.Add[1:]), fmt.Sprint("mail:", i))
			}
		}
		return emit(p)
	})
}

func crowdRules(t *testing.T, name string) *mapping.Ruleset {
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
}

// count notes one round trip. Signs of life, which go by the clock, and statements that are prepared, once for a connection, do not count.
func (s *stages) count(asked []string) {
	if len(asked) == 0 || slices.ContainsFunc(asked, func(sql string) bool { return strings.Contains(sql, ".worker ") }) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
