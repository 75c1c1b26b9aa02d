package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices"
	"dirsyncd/sync/notices/recipient"
	"dirsyncd/sync/targets"
)

// troubled is a source that misbehaves, and shelf a target that does.
type troubled struct {
	*memory.Connector
	mu   sync.Mutex
	read func(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error // nil: as it should
}

func (s *troubled) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if read != nil {
		return read(ctx, req, emit)
	}
	return s.Connector.Read(ctx, req, emit)
}

func (s *troubled) fail(with error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = nil
	if with != nil {
		s.read = func(context.Context, connectors.Request, func(*connectors.Page) error) error { return with }
	}
}

type shelf struct{ err error }

func (s *shelf) Describe() targets.Description { return targets.Description{Batch: 100} }
func (s *shelf) Check(context.Context) error   { return nil }
func (s *shelf) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	return make([]targets.Outcome, len(work)), s.err
}
func (s *shelf) Reopen() error { return nil }
func (s *shelf) Close() error  { return nil }

const stallable = `state: state.db
notices:
  to: {ops: {webhook: {url: https://127.0.0.1:1}}}
connections:
  hq: {connector: memory, schedule: "0 */4 * * *", full: "30 3 * * *", mapping: staff, targets: [shelf]}
mappings: {staff: {rules: [{name: everyone, when: '%s', user: {name: = name}}]}}
targets: {shelf: {target: shelf, shelf: {}}}
`

// fails is a rule that fails for people of one name.
const fails = `name != "fails" or enabled`

// sentinel is a daemon on a clock of its own: its schedule, its target's worker and its notices go on as the clock does.
type sentinel struct {
	*testing.T
	*Service
	source   *memory.Source
	trouble  *troubled
	shelf    *shelf
	announce *announcer
	seconds  atomic.Int64 // of the clock, which a run that hangs looks at, too
	told     []recipient.Notice
	stopped  bool // nobody keeps the schedule
	stuck    bool // nobody delivers
	hung     sync.WaitGroup
	hangs    bool // runs do not come back
}

func (s *sentinel) Send(_ context.Context, m *recipient.Message) error {
	s.told = append(s.told, m.Notices...)
	return nil
}

func newSentinel(t *testing.T, when string) *sentinel {
	t.Helper()
	t.Chdir(t.TempDir())
	type nothing struct{}
	s := &sentinel{T: t, source: memory.NewSource(), shelf: &shelf{}}
	s.seconds.Store(time.Date(2026, 3, 2, 0, 1, 0, 0, time.UTC).Unix())
	s.trouble = &troubled{Connector: memory.Open(s.source, memory.Options{})}
	parts := Parts{
		Connectors: connectors.Registry{connectors.New("memory", "", func() *nothing { return &nothing{} },
			func(*nothing, connectors.Env) (connectors.Connector, error) { return s.trouble, nil })},
		Targets: targets.Registry{{Name: "shelf", NewConfig: func() any { return &nothing{} }, Open: func(any, targets.Env) (targets.Target, error) { return s.shelf, nil }}},
	}
	if err := os.WriteFile("config.yaml", fmt.Appendf(nil, stallable, when), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load("config.yaml", parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Connections[0].Timezone = time.UTC
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	now := s.clock
	h := &host{runs: t.Context(), started: s.clock(), next: func(string) (at time.Time) { return }, nextAudit: func(string) (at time.Time) { return }, trigger: func(string) {}}
	s.Service, err = newService(cfg, Options{Parts: parts, Store: st, Log: slog.New(slog.DiscardHandler), Now: now}, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.hung.Wait(); _ = s.Close() })
	s.engine = engine.New(st, engine.Options{Log: s.log, Now: now, Sleep: func(context.Context, time.Duration) error { return nil }})
	s.announce = newAnnouncer(s.Service)
	s.announce.cfg = cfg
	items, err := s.items()
	if err != nil {
		t.Fatal(err)
	}
	s.announce.teller = notices.New(notices.Options{Recipients: []notices.Recipient{{Name: "ops", Sender: s}}, Items: items, Now: now, Host: "host", Log: s.log,
		Pace: notices.Pace{Gather: cfg.Notices.Gather.Std(), Repeat: cfg.Notices.Repeat.Std(), AtMost: cfg.Notices.AtMost}})
	return s
}

func (s *sentinel) people(n int) {
	for i := range n {
		s.join(fmt.Sprintf("%03d", i), "P")
	}
}

func (s *sentinel) join(id, name string) {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, name)
	s.source.Put("", o)
}

func (s *sentinel) leave(ids ...string) {
	for _, id := range ids {
		s.source.Remove("", directory.Ref{Kind: directory.Person, ID: id})
	}
}

func (s *sentinel) clock() time.Time { return time.Unix(s.seconds.Load(), 0).UTC() }

// pass lets time go by, in steps of ten minutes.
func (s *sentinel) pass(d time.Duration) {
	s.Helper()
	const step = 10 * time.Minute
	c := &s.current().cfg.Connections[0]
	for range int(d / step) {
		was := s.clock()
		s.seconds.Add(int64(step.Seconds()))
		full := !c.Complete.Next(was).After(s.clock())
		if (full || !c.Incremental.Next(was).After(s.clock())) && !s.stopped {
			s.scheduled(engine.Job{Full: full, Patient: true, Trigger: "schedule"})
		}
		if !s.stuck {
			if _, err := s.current().targets["shelf"].worker.Drain(s.Context()); err != nil {
				s.Fatal(err)
			}
		}
		if err := s.announce.step(s.Context()); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *sentinel) scheduled(job engine.Job) {
	if !s.hangs {
		if _, err := s.run(s.Context(), "hq", job); err != nil {
			s.Fatal(err)
		}
		return
	}
	s.stopped = true // the one that hangs is the only one: there is one run of a connection at a time
	s.hung.Go(func() { _, _ = s.run(s.Context(), "hq", job) })
}

func (s *sentinel) kinds() (kinds []string) {
	for _, n := range s.told {
		if !slices.Contains(kinds, n.Kind) {
			kinds = append(kinds, n.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// A sync that no longer does what it is there for, and says so nowhere, is told within two periods of its schedule from the first run on that it
// strikes.
func TestSilentStallsAreTold(t *testing.T) {
	const period = 4 * time.Hour
	for _, c := range []struct {
		name   string
		strike func(s *sentinel)
		within time.Duration
		want   string // one of the kinds that are told
	}{
		{"credentials are refused", func(s *sentinel) { s.trouble.fail(&fault.Error{Class: fault.Auth, Op: "bind"}) }, 2 * period, recipient.Failing},
		{"a permission is revoked", func(s *sentinel) { s.trouble.fail(&fault.Error{Class: fault.Forbidden, Op: "list users"}) }, 2 * period, recipient.Failing},
		{"the source is down", func(s *sentinel) { s.trouble.fail(&fault.Error{Class: fault.Transient, Op: "connect"}) }, 2 * period, recipient.Failing},
		{"a run hangs", func(s *sentinel) {
			s.hangs = true
			s.trouble.mu.Lock()
			defer s.trouble.mu.Unlock()
			s.trouble.read = func(ctx context.Context, _ connectors.Request, _ func(*connectors.Page) error) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, 2 * period, recipient.Unproven},
		{"nobody keeps the schedule", func(s *sentinel) { s.stopped = true }, 2 * period, recipient.Unproven},
		{"the list is suddenly empty", func(s *sentinel) {
			for _, ref := range s.source.Refs("", directory.Person) {
				s.source.Remove("", ref)
			}
			s.source.ExpireCursors()
		}, 2 * period, recipient.Held},
		{"lists prove nothing any more", func(s *sentinel) {
			s.source.ExpireCursors()
			s.trouble.mu.Lock()
			defer s.trouble.mu.Unlock()
			s.trouble.read = func(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
				req.Mode = connectors.Full
				return s.trouble.Connector.Read(ctx, req, func(p *connectors.Page) error {
					if p.Proof != nil {
						proof := *p.Proof
						proof.Count = 999
						page := *p
						page.Proof = &proof
						p = &page
					}
					return emit(p)
				})
			}
		}, 2 * period, recipient.Unproven},
		{"the rules fail for everybody", func(s *sentinel) {
			for i := range 30 {
				o := directory.Object{Kind: directory.Person, ID: fmt.Sprintf("%03d", i)}
				o.SetText(directory.FieldName, "fails")
				s.source.Put("", o)
			}
		}, 2 * period, recipient.Parked},
		{"a plan is held, and nobody looks", func(s *sentinel) {
			for i := range 20 {
				s.leave(fmt.Sprintf("%03d", i))
			}
		}, 2 * period, recipient.Held},
		{"the target is down", func(s *sentinel) {
			s.shelf.err = &fault.Error{Class: fault.Auth, Op: "deliver"}
			s.join("new", "P")
		}, 2 * period, recipient.Failing},
		{"nothing is delivered, without an error", func(s *sentinel) {
			s.stuck = true
			s.join("new", "P")
		}, 3 * period, recipient.Late}, // two from when the run has queued it
		{"changes are told, and full reads never end", func(s *sentinel) {
			s.trouble.mu.Lock()
			defer s.trouble.mu.Unlock()
			s.trouble.read = func(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
				if req.Mode == connectors.Full {
					return s.trouble.Connector.Read(ctx, connectors.Request{Mode: connectors.Delta, Stream: req.Stream, Tenant: req.Tenant, Cursor: req.Cursor}, emit)
				}
				return s.trouble.Connector.Read(ctx, req, emit)
			}
		}, 2 * 24 * time.Hour, recipient.Unproven},
		{"the last reload was refused", func(s *sentinel) { s.problem = "no" }, 2 * period, recipient.Failing},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSentinel(t, fails)
			s.people(40)
			s.pass(2 * 24 * time.Hour)
			if len(s.told) > 0 {
				t.Fatalf("told while all was well: %+v", s.told)
			}
			c.strike(s)
			s.pass(c.within)
			if !slices.Contains(s.kinds(), c.want) {
				t.Errorf("told of %v: %+v; want %s", s.kinds(), s.told, c.want)
			}
		})
	}
}

// A connection that never had anybody is told, though no run of it ever failed: months later somebody would find nobody.
func TestNothingFromTheBeginning(t *testing.T) {
	s := newSentinel(t, fails)
	s.pass(8 * time.Hour)
	if !slices.Contains(s.kinds(), recipient.Empty) {
		t.Errorf("told of %v", s.kinds())
	}
}

// In thirty days in which people come, change and go, and a run fails now and then, nobody is told anything.
func TestHealthyMonthTellsNobody(t *testing.T) {
	s := newSentinel(t, fails)
	rnd := rand.New(rand.NewPCG(1, 30))
	s.people(60)
	next := 60
	for day := range 30 {
		if day%4 == 3 {
			s.leave(fmt.Sprintf("%03d", rnd.IntN(next)))
		}
		if day%3 == 1 {
			s.join(fmt.Sprintf("%03d", next), "P")
			next++
		}
		s.join(fmt.Sprintf("%03d", rnd.IntN(next)), fmt.Sprint("P", day))
		// Every fifth day one run fails: the full read, or the one after it.
		blip := 24 * time.Hour
		switch day % 10 {
		case 2:
			blip = 3*time.Hour + 20*time.Minute
		case 7:
			blip = 3*time.Hour + 50*time.Minute
		}
		s.pass(blip)
		if blip < 24*time.Hour {
			s.trouble.fail(&fault.Error{Class: fault.Transient, Op: "connect", Err: errors.New("a blip")})
			s.pass(20 * time.Minute)
			s.trouble.fail(nil)
			s.pass(24*time.Hour - blip - 20*time.Minute)
		}
		if len(s.told) > 0 {
			t.Fatalf("day %d: %+v", day, s.told)
		}
	}
}

// What status says, as conditions.
func TestConditions(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	cfg := &config.Config{Notices: &config.Notices{}, Connections: []config.Connection{{Name: "hq"}}}
	cfg.Notices.Late = 1 << 62
	status := &api.Status{Connections: []api.ConnectionStatus{
		{Name: "hq", Questions: 2, Tenants: []api.TenantStatus{{Tenant: "t1", Name: "Acme", Proven: now, Objects: map[string]int{"person": 1},
			Held: &api.HeldPlan{Hash: "abc", Reasons: []string{"deactivate 5 of 9"}}, Seats: []api.Seats{{Kind: "agent", Limit: 3, Taken: 3, Waiting: 1}}}}},
		{Name: "gone"},
	}, Targets: []api.TargetStatus{{Name: "desk", State: "failing", Since: now.Add(-time.Minute), Waits: map[string]int{"review": 4}, Held: []string{"def"}, Parked: 1}}}
	var got []string
	for _, c := range conditionsOf(cfg, status, now) {
		got = append(got, c.Kind+" "+c.Where+" "+c.About)
	}
	want := []string{"held connection hq, tenant Acme abc", "seats connection hq, tenant Acme agent ", "review connection hq ", "held target desk def", "review target desk "}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
