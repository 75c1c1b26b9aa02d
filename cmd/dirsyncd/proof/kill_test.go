package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/targets"
)

// fewPoints is how many points there are at least when DIRSYNCD_POINTS does not say otherwise, and half of it under the race detector.
const fewPoints = 500

// TestKilledAnywhere stops the program at every commit, before and after it, at every request, and at every
// delivery, before and after it, and starts it again: in a first sync and in as many syncs of a few changes each as it
// takes for DIRSYNCD_POINTS points. What it comes to is what it comes to undisturbed: the same records, the same
// picture at the target, nothing told under a second key, and a next run that finds nothing.
func TestKilledAnywhere(t *testing.T) {
	want := fewPoints
	if underRace {
		want /= 2
	}
	if text := os.Getenv("DIRSYNCD_POINTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("DIRSYNCD_POINTS: %v", err)
		}
		want = n
	}
	each := (want + len(worlds()) - 1) / len(worlds())
	var mu sync.Mutex
	total := 0
	t.Run("worlds", func(t *testing.T) {
		for name, begin := range worlds() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := begin(t)
				s := &sweep{t: t, world: w, place: newDesk(), rules: everything(t)}
				s.run()
				rnd := rand.New(rand.NewPCG(11+connectortest.Seed(t), 12))
				for s.points < each && !t.Failed() {
					for made := 0; made < 4; {
						if w.change(t, rnd) {
							made++
						}
					}
					s.stage++
					s.run()
				}
				t.Logf("%d points in %d syncs", s.points, s.stage+1)
				mu.Lock()
				defer mu.Unlock()
				total += s.points
			})
		}
	})
	t.Logf("killed at %d points", total)
}

// sweep is one stage of a story, cut everywhere.
type sweep struct {
	t     *testing.T
	world *world
	stage int
	// state and place are how things stand at its beginning; no state means that there is none yet.
	state  []byte
	place  *desk
	rules  *mapping.Ruleset
	points int
	// later is how much later than now the engine's clock is.
	later time.Duration
}

// run runs the stage undisturbed, then once for every point, and leaves things as they stand at its end.
func (s *sweep) run() {
	s.t.Helper()
	whole := s.begin()
	defer whole.end()
	undisturbed := &cutter{at: -1}
	whole.work(undisturbed)
	want := whole.records()
	state, place := whole.snapshot(), whole.place.clone()
	idle := whole.idle("undisturbed")
	for at := range undisturbed.seen {
		cut := &cutter{at: at}
		where := func() string {
			return fmt.Sprintf("stage %d, cut at %d of %d: %s", s.stage, at, undisturbed.seen, cut.what)
		}
		again := s.begin()
		again.work(cut)
		if cut.dead {
			s.points++ // of tenants that run side by side, one may have saved another a request
		}
		again.work(&cutter{at: -1})
		if diff := differences(again.records(), want); diff != "" {
			s.t.Errorf("%s: other records:\n%s", where(), diff)
		}
		if !maps.EqualFunc(again.place.told, place.told, maps.Equal) {
			s.t.Errorf("%s: the target has another picture", where())
		}
		if len(again.place.keys) != len(place.keys) {
			s.t.Errorf("%s: %d actions reached the target, undisturbed %d", where(), len(again.place.keys), len(place.keys))
		}
		if mode := again.idle(where()); mode != idle {
			s.t.Errorf("%s: the next run is %s, undisturbed %s", where(), mode, idle)
		}
		again.end()
		if s.t.Failed() {
			break
		}
	}
	s.state, s.place = state, place
}

// life is one installation: a state file and a target.
type life struct {
	*rig
	world *world
	place *desk
	file  string
	bolt  *bolt.Store
	later time.Duration
}

func (s *sweep) begin() *life {
	s.t.Helper()
	dir, err := os.MkdirTemp(s.t.TempDir(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	l := &life{world: s.world, later: s.later, place: s.place.clone(), file: filepath.Join(dir, "state.db")}
	if s.state != nil {
		if err := os.WriteFile(l.file, s.state, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if l.bolt, err = bolt.Open(l.file, bolt.Options{NoSync: true}); err != nil {
		s.t.Fatal(err)
	}
	l.rig = &rig{t: s.t, store: l.bolt, conn: &engine.Connection{
		Name: "proof", Rules: s.rules, Guard: plan.Guard{}, Targets: []string{"journal"},
	}}
	return l
}

// end forgets the installation at once: there are thousands.
func (l *life) end() {
	_ = l.bolt.Close()
	_ = os.RemoveAll(filepath.Dir(l.file))
}

func (l *life) snapshot() []byte {
	l.t.Helper()
	f, err := l.bolt.Snapshot(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(f)
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

// work is one life of the process: a sync of everything, and what can be delivered.
func (l *life) work(cut *cutter) []engine.Result {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	cut.cancel = cancel
	st := &cutStore{Store: l.bolt, cutter: cut}
	l.engine = engine.New(st, engine.Options{
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(l.later) }, Sleep: instantly,
		Program: func() string { return "proof" },
	})
	l.conn.Source = l.world.open(l.t, connectors.Env{
		Connection: "proof", Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: instantly,
		Observe: func(request string, _ time.Duration, _ error) { cut.point("after " + request) },
	})
	results := l.engine.RunConnection(ctx, l.conn, engine.Job{})
	worker := deliver.New(st, "journal", &cutDesk{desk: l.place, cutter: cut}, deliver.Options{})
	if !cut.isDead() {
		if _, err := worker.Drain(ctx); err != nil && !cut.isDead() {
			l.t.Fatalf("stage of %s: deliver: %v", l.world.name, err)
		}
	}
	_ = l.conn.Source.Close()
	if !cut.isDead() {
		for _, res := range results {
			if res.Err != nil {
				l.t.Fatalf("%s: %s: %v", l.world.name, res.Partition, res.Err)
			}
		}
	}
	return results
}

// idle runs once more, demands that there is nothing to do, and returns how it read.
func (l *life) idle(where string) (modes string) {
	l.t.Helper()
	keys := len(l.place.keys)
	for _, res := range l.work(&cutter{at: -1}) {
		if res.Run.Outcome != engine.Clean || res.Run.Changed+res.Run.Removed > 0 || len(res.Run.Counts) > 0 {
			l.t.Errorf("%s: the next run of %s is %s, changes %d, removes %d, makes %v %v", where, res.Partition, res.Run.Outcome,
				res.Run.Changed, res.Run.Removed, res.Run.Counts, res.Run.Notes)
		}
		modes += res.Run.Mode + " "
	}
	if n := len(l.place.keys); n != keys {
		l.t.Errorf("%s: the next run tells the target %d things more", where, n-keys)
	}
	return modes
}

func instantly(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// cutter ends the process, as far as it can be seen from outside, at one point. -1 is never.
type cutter struct {
	at     int
	cancel context.CancelFunc

	mu   sync.Mutex
	seen int
	dead bool
	what string // where it was cut
}

// point passes one point; false when the process is dead.
func (c *cutter) point(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false
	}
	if c.seen == c.at {
		c.dead, c.what = true, what
		c.cancel()
		return false
	}
	c.seen++
	return true
}

func (c *cutter) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

var errCut = errors.New("the process was cut here")

// cutStore is a store that the process uses until it is cut: then nothing is stored any more.
type cutStore struct {
	store.Store
	*cutter
}

func (s *cutStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if !s.point("before a commit") {
		return errCut
	}
	err := s.Store.Update(ctx, p, fn)
	if err == nil && !s.point("after a commit") {
		return errCut
	}
	return err
}

func (s *cutStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if s.isDead() {
		return errCut
	}
	return s.Store.View(ctx, p, fn)
}

// cutDesk is a target whose answers the process does not live to see.
type cutDesk struct {
	*desk
	*cutter
}

func (d *cutDesk) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	if !d.point("before a delivery") {
		return nil, errCut
	}
	outcomes, err := d.desk.Deliver(ctx, work)
	if !d.point("after a delivery") {
		return nil, errCut
	}
	return outcomes, err
}

func (d *desk) clone() *desk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &desk{told: maps.Clone(d.told), keys: maps.Clone(d.keys), refuse: d.refuse}
}
