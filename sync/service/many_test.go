package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// tallied counts what is asked of a store, partitions listed one by one.
type tallied struct {
	*bolt.Store
	views, updates, listed atomic.Int64
}

func (s *tallied) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	s.views.Add(1)
	return s.Store.View(ctx, p, fn)
}

func (s *tallied) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	s.updates.Add(1)
	return s.Store.Update(ctx, p, fn)
}

func (s *tallied) UpdateEach(ctx context.Context, parts []store.Partition, fn func(store.Partition, store.Writer) error) error {
	s.updates.Add(1)
	return s.Store.UpdateEach(ctx, parts, fn)
}

func (s *tallied) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	list, err := s.Store.Partitions(ctx, connections...)
	s.listed.Add(int64(len(list)))
	return list, err
}

// during counts what a function asks, for each of n connections.
func (s *tallied) during(t *testing.T, what string, n int, views, updates, listed int64, fn func()) {
	t.Helper()
	v, u, l := s.views.Load(), s.updates.Load(), s.listed.Load()
	fn()
	v, u, l = s.views.Load()-v, s.updates.Load()-u, s.listed.Load()-l
	t.Logf("%s: %d looks, %d transactions, %d partitions listed", what, v, u, l)
	if v > views*int64(n) || u > updates || l > listed*int64(n) {
		t.Errorf("%s of %d connections: %d looks into partitions, %d transactions that write, %d partitions listed; at most %d, %d, %d", what, n, v, u, l, views*int64(n), updates, listed*int64(n))
	}
}

// What is asked for all connections costs each of them a look or two, not one for each other.
func TestManyConnectionsCostWhatTheyAre(t *testing.T) {
	const n = 150
	t.Chdir(t.TempDir())
	var b strings.Builder
	b.WriteString("state: state.db\nmappings: {all: {rules: [{name: r, user: {name: = name}}]}}\ntargets: {journal: {target: file, file: {path: changes.jsonl}}}\nconnections:\n")
	for i := range n {
		fmt.Fprintf(&b, "  c%04d: {connector: memory, mapping: all, targets: [journal]}\n", i)
	}
	if err := os.WriteFile("config.yaml", []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{source: memory.NewSource()}
	w.join("ada", "Ada")
	w.parts = Parts{Connectors: connectors.Registry{memory.FactoryOf(w.source, memory.Options{})}, Targets: targets.Registry{file.Factory()}}
	w.load(t)
	open, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	st := &tallied{Store: open}
	opts := w.options()
	opts.Store = st
	s, err := New(w.cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	run := func(trigger string) {
		t.Helper()
		if _, err := s.runAndDeliver(t.Context(), nil, 0, func(chosen) ([]engine.Result, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		for _, name := range s.current().names() {
			if _, err := s.run(t.Context(), name, engine.Job{Trigger: trigger}); err != nil {
				t.Fatal(err)
			}
		}
	}
	run("test")
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := events(t); got != n {
		t.Fatalf("%d events of %d connections", got, n)
	}

	st.during(t, "status", n, 2, 0, 2, func() {
		got, err := s.Status(t.Context())
		if err != nil || len(got.Connections) != n || got.Connections[n-1].Tenants[0].Records["user"] != 1 {
			t.Errorf("status: %v, %d connections", err, len(got.Connections))
		}
	})
	d := &daemon{service: s}
	st.during(t, "looking for newcomers", n, 1, 0, 1, func() {
		for _, name := range s.current().names() {
			if d.newcomer(t.Context(), name) {
				t.Errorf("%s counts as new", name)
			}
		}
	})
	st.during(t, "an idle cycle", n, 20, 0, 2, func() { run("test") })
	st.during(t, "a clean stop", n, 0, n/100, 0, func() {
		if err := s.engine.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	st.during(t, "asking whether it is healthy", 1, 0, 0, 1, func() {
		if err := s.healthy(t.Context()); err != nil {
			t.Error(err)
		}
	})
	s.metrics.registry.MustRegister(newStateCollector(s.Status, s.now))
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			lines += 1 + len(m.GetHistogram().GetBucket())
		}
	}
	if each := lines / n; each > 14 {
		t.Errorf("%d lines of metrics for each connection", each)
	}
	t.Logf("%d lines of metrics", lines)
}

// Schedules, signals and commands: no more than so many connections are read at a time, and who asks for one does not wait
// behind the schedule.
func TestConnectionsTakeTurns(t *testing.T) {
	w := newWorld(t)
	w.cfg.Parallel = 1
	s := w.open(t)
	_, release, err := s.turns.scheduled.Acquire(t.Context(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.run(ctx, "hq", engine.Job{Trigger: "schedule"})
		ended <- err
	}()
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil || events(t) != 2 {
		t.Errorf("a command beside a schedule that is busy: %v, %d events", err, events(t))
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a run without a place ended with %v", err)
	}
	none, end := context.WithCancel(t.Context())
	end()
	if _, _, err := s.runPart(t.Context(), "hq", engine.Job{Trigger: "schedule"}, part{takes: none}); !errors.Is(err, fleet.ErrNotBegun) {
		t.Errorf("a run that waits in a worker that takes no more ended with %v", err)
	}
	release()
	if _, _, err := s.runPart(t.Context(), "hq", engine.Job{Trigger: "schedule"}, part{takes: none}); !errors.Is(err, fleet.ErrNotBegun) {
		t.Errorf("a run of a worker that takes no more ended with %v", err)
	}
	if _, err := s.run(t.Context(), "hq", engine.Job{Trigger: "schedule"}); err != nil {
		t.Error(err)
	}
}
