package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// world is a folder with a configuration of two connections over one directory in memory, and a state.
type world struct {
	source *memory.Source
	parts  Parts
	cfg    *config.Config
	store  *watchedStore
}

const twoConnections = `state: state.db
connections:
  hq: {connector: memory, mapping: staff, targets: [journal]}
  lab: {connector: memory, mapping: staff, targets: [journal]}
mappings: {staff: {rules: [{name: %s, user: {name: = name}}]}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Chdir(t.TempDir())
	w := &world{source: memory.NewSource()}
	w.join("ada", "Ada")
	w.parts = Parts{Connectors: connectors.Registry{memory.FactoryOf(w.source, memory.Options{})}, Targets: targets.Registry{file.Factory()}}
	w.write(t, "everyone")
	w.load(t)
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w.store = &watchedStore{Store: st}
	return w
}

// load reads the configuration that is written.
func (w *world) load(t *testing.T) {
	t.Helper()
	var err error
	if w.cfg, err = config.Load("config.yaml", w.parts.Config()); err != nil {
		t.Fatal(err)
	}
}

// write writes the configuration with the name of its rule.
func (w *world) write(t *testing.T, rule string) {
	t.Helper()
	if err := os.WriteFile("config.yaml", fmt.Appendf(nil, twoConnections, rule), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) join(id, name string) {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, name)
	w.source.Put("", o)
}

func (w *world) options() Options {
	return Options{Parts: w.parts, Store: w.store, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"}
}

func (w *world) open(t *testing.T) *Service {
	t.Helper()
	s, err := New(w.cfg, w.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// watchedStore notes what is asked of a store.
type watchedStore struct {
	*bolt.Store
	copied []store.Partition
	closed int
}

func (s *watchedStore) Scratch(ctx context.Context, parts ...store.Partition) (store.Store, error) {
	s.copied = parts
	return s.Store.Scratch(ctx, parts...)
}

func (s *watchedStore) Close() error {
	s.closed++
	return s.Store.Close()
}

func events(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("changes.jsonl")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// A command's service syncs, delivers and answers.
func TestService(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	var steps []api.Progress
	result, err := s.Sync(ctx, api.SyncRequest{}, func(p api.Progress) { steps = append(steps, p) })
	if err != nil || len(result.Runs) != 2 || result.Runs[0].Outcome != api.Clean || result.Delivered[0].Delivered != 2 || events(t) != 2 {
		t.Fatalf("sync: %+v, %v", result, err)
	}
	if len(steps) == 0 || steps[0].Stage != "read" {
		t.Errorf("progress: %+v", steps)
	}
	st, err := s.Status(ctx)
	if err != nil || st.Daemon || st.Version != "1.2.3" || len(st.Connections) != 2 || st.Connections[0].Tenants[0].Records["user"] != 1 {
		t.Errorf("status: %+v, %v", st, err)
	}
	reasons, err := s.Why(ctx, "user", "hq/ada")
	if err != nil || len(reasons) != 1 || reasons[0].Record.Rule != "everyone" || reasons[0].Object["name"] != "Ada" {
		t.Errorf("why: %+v, %v", reasons, err)
	}
	runs, err := s.Runs(ctx, api.RunsRequest{Connection: "lab"})
	if err != nil || len(runs) != 1 || runs[0].Connection != "lab" || runs[0].Trigger != "operator" {
		t.Errorf("runs: %+v, %v", runs, err)
	}
	if _, err := s.Sync(ctx, api.SyncRequest{Connections: []string{"hp"}}, nil); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("an unknown connection: %v", err)
	}
	var copied bytes.Buffer
	if err := s.Backup(ctx, &copied); err != nil || copied.Len() == 0 {
		t.Errorf("backup: %d bytes, %v", copied.Len(), err)
	}
	if err := s.Close(); err != nil || w.store.closed != 1 {
		t.Errorf("closed %d times: %v", w.store.closed, err)
	}
}

// A plan tells all and does nothing, on a copy of the connections that it is about.
func TestPlanCopiesWhatItNeeds(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	w.join("bob", "Bob")
	for _, test := range []struct {
		ask  []string
		want []store.Partition
	}{
		{[]string{"hq"}, []store.Partition{{Connection: "hq"}}},
		{nil, []store.Partition{{Connection: "hq"}, {Connection: "lab"}}},
	} {
		var actions []string
		plan, err := s.Plan(ctx, api.PlanRequest{Connections: test.ask}, func(a api.PlannedAction) { actions = append(actions, a.Op+" "+a.Name) })
		if err != nil || len(plan.Runs) != len(test.want) || len(actions) != len(test.want) || actions[0] != "create Bob" {
			t.Errorf("%v: %q, %+v, %v", test.ask, actions, plan, err)
		}
		if !slices.Equal(w.store.copied, test.want) {
			t.Errorf("%v: copied %v", test.ask, w.store.copied)
		}
	}
	if events(t) != 2 {
		t.Errorf("%d events: a plan was delivered", events(t))
	}
}

// A reload takes over what did not change, applies edited rules to what is stored, and refuses what is wrong as a whole.
func TestReload(t *testing.T) {
	w := newWorld(t)
	s, ctx := w.open(t), t.Context()
	if _, err := s.Sync(ctx, api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	before, reads := s.current(), w.source.Reads()
	w.write(t, "all of them")
	if err := s.reload(ctx, "config.yaml", nobodyElse); err != nil {
		t.Fatal(err)
	}
	s.background.Wait()
	after := s.current()
	if after == before || after.connections["hq"].Source != before.connections["hq"].Source || after.targets["journal"] != before.targets["journal"] {
		t.Error("the source or the target was opened anew")
	}
	reasons, err := s.Why(ctx, "user", "hq/ada")
	if err != nil || reasons[0].Rules[0].Rule != "all of them" || w.source.Reads() != reads {
		t.Errorf("why: %+v, %v; %d reads, before %d", reasons, err, w.source.Reads(), reads)
	}
	if err := os.WriteFile("config.yaml", []byte("connections: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(ctx, "config.yaml", nobodyElse); err == nil || s.current() != after {
		t.Errorf("a wrong configuration was taken: %v", err)
	}
	if st, err := s.Status(ctx); err != nil || !strings.Contains(st.Problem, "connections") {
		t.Errorf("problem %q, %v", st.Problem, err)
	}
}

// What cannot be opened leaves nothing open.
func TestNewFails(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("no such key")
	w.parts.Connectors[0].Open = func(any, connectors.Env) (connectors.Connector, error) { return nil, broken }
	if _, err := New(w.cfg, w.options()); !errors.Is(err, broken) || fault.ClassOf(err) != fault.Configuration || w.store.closed != 1 {
		t.Errorf("%v; the state was closed %d times", err, w.store.closed)
	}
}

// What the API offers to explain can be explained, and its words for outcomes are those of the engine.
func TestWordsOfTheAPI(t *testing.T) {
	for _, kind := range api.ExplainedKinds() {
		if _, ok := directory.ParseRecordKind(kind); !ok {
			t.Errorf("there is no record kind %q", kind)
		}
	}
	same := map[string]string{
		api.Clean: engine.Clean, api.Parked: engine.Parked, api.Held: engine.Held, api.Failed: engine.Failed, api.Waiting: engine.Waiting,
	}
	for word, of := range same {
		if word != of {
			t.Errorf("%q is %q in the engine", word, of)
		}
	}
}
