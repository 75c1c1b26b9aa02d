package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

const helpdesk = "helpdesk"

var hq = store.Partition{Connection: "hq"}

// world is a directory, a state, a worker and a desk. It lives in a bubble (testing/synctest); the store is opened outside.
type world struct {
	t     *testing.T
	store store.Store
	sim   *desktest.Sim
	opts  Options
	// people are what the directory says, by subject.
	people map[string]entry
	once   []string // fields that are written once
	// imports is how the connection marks what it brings.
	imports directory.Import
	// place, if there is one, stands before the simulator.
	place func(targets.Desk) targets.Desk
	runs  int
	// repairs count what was queued again.
	repairs int

	// What runs now.
	desk   *Desk
	worker *deliver.Worker
	stop   func()
	// killAt is the step (a transaction or a request) at which the process dies; zero for never.
	killAt, step int
	mu           sync.Mutex
	dead         bool
}

// entry is a record as the directory has it.
type entry struct {
	kind    directory.RecordKind
	key     string
	fields  map[string]string
	members []string
	gone    bool
}

func openStore(t testing.TB, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func newWorld(t *testing.T, st store.Store, seed uint64) *world {
	w := &world{t: t, store: st, sim: desktest.NewSim(seed), people: map[string]entry{}}
	w.opts = Options{Match: matches(), Place: "https://desk.example", Matching: "1", Guard: Guard{}, Batch: 20}
	return w
}

// matches are the keys of the simulator's kinds.
func matches() map[directory.RecordKind][]Match {
	field := func(name string) func(*directory.Action) string {
		return func(a *directory.Action) string { return text(a, name) }
	}
	person := []Match{{Key: "anchor", Value: func(a *directory.Action) string { return a.Origin.ID }}, {Key: "login", Value: field("login")}, {Key: "email", Value: field("email")}}
	named := []Match{{Key: "name", Value: field("name")}}
	return map[directory.RecordKind][]Match{
		directory.CustomerRecord: named, directory.SiteRecord: named, directory.UserRecord: person, directory.AgentRecord: person, directory.GroupRecord: named,
	}
}

func subjectOf(e entry) string { return directory.Subject(e.kind, e.key) }

// put says what the directory has.
func (w *world) put(kind directory.RecordKind, id string, fields ...string) {
	e := entry{kind: kind, key: "hq/" + id, fields: map[string]string{}}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if name == "members" {
			for _, m := range strings.Split(value, ",") {
				e.members = append(e.members, "hq/"+m)
			}
			continue
		}
		e.fields[name] = value
	}
	w.people[subjectOf(e)] = e
}

func (w *world) leave(kind directory.RecordKind, id string) {
	s := directory.Subject(kind, "hq/"+id)
	e := w.people[s]
	e.gone = true
	w.people[s] = e
}

// sync queues what differs between the directory and the stored records, as a run does.
func (w *world) sync() {
	w.runs++
	subjects := slices.Sorted(maps.Keys(w.people))
	slices.SortStableFunc(subjects, func(a, b string) int { return w.people[a].kind.Rank() - w.people[b].kind.Rank() })
	for len(subjects) > 0 {
		n := min(len(subjects), 2000)
		err := w.store.Update(context.Background(), hq, func(tx store.Writer) error {
			for _, s := range subjects[:n] {
				if err := w.settle(tx, w.people[s]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errDead) {
			w.t.Fatal(err)
		}
		subjects = subjects[n:]
	}
}

func (w *world) settle(tx store.Writer, e entry) error {
	nums, err := tx.Intern(append([]string{e.key}, e.members...), nil)
	if err != nil {
		return err
	}
	rec, known, err := tx.Record(e.kind, nums[0])
	if err != nil {
		return err
	}
	a := directory.Action{Kind: e.kind, Record: e.key, Origin: directory.Origin{Connection: "hq", Connector: "ldap", ID: strings.TrimPrefix(e.key, "hq/"), Import: w.imports},
		Rule: "all", Run: fmt.Sprintf("r%d", w.runs), Time: time.Now().UTC().Truncate(time.Second)}
	next := directory.Record{Kind: e.kind, Key: e.key, Active: !e.gone, Rule: "all", Revision: rec.Revision + 1}
	for _, name := range slices.Sorted(maps.Keys(e.fields)) {
		v := directory.Text(e.fields[name])
		a.Fields = append(a.Fields, directory.Field{Name: name, Value: v})
		next.Fields = append(next.Fields, directory.RecordField{Field: directory.Field{Name: name, Value: v}})
		if old, had := rec.Get(name); known && (!had || !old.Equal(v)) {
			a.Changes = append(a.Changes, directory.FieldChange{Name: name, From: old, To: v})
		}
	}
	members := make([]uint32, len(e.members))
	names := map[uint32]string{}
	for i, n := range nums[1:] {
		members[i], names[uint32(n)] = uint32(n), e.members[i]
	}
	slices.Sort(members)
	next.Members = members
	var set directory.SetChange
	for _, n := range members {
		if !slices.Contains(rec.Members, n) {
			set.Added = append(set.Added, names[n])
		}
	}
	for _, n := range rec.Members {
		if !slices.Contains(members, n) {
			set.Removed = append(set.Removed, w.nameOf(tx, n))
		}
	}
	slices.Sort(set.Added)
	slices.Sort(set.Removed)
	if set.Name = "members"; len(set.Added)+len(set.Removed) > 0 {
		a.Sets = []directory.SetChange{set}
	}
	switch {
	case !known && e.gone, known && !rec.Active && e.gone:
		return nil
	case !known:
		a.Op = directory.Create
	case e.gone:
		a.Op = directory.Deactivate
	case !rec.Active:
		a.Op = directory.Reactivate
	case len(a.Changes)+len(a.Sets) > 0:
		a.Op = directory.Update
	default:
		return nil
	}
	for _, f := range a.Fields {
		if slices.Contains(w.once, f.Name) {
			a.Once = append(a.Once, f.Name)
		}
	}
	a.SealKey(next.Revision)
	if err := tx.PutRecord(nums[0], &next); err != nil {
		return err
	}
	return tx.Enqueue(helpdesk, &a, time.Now())
}

// nameOf finds the key of a number among the directory's people.
func (w *world) nameOf(tx store.Reader, n uint32) string {
	for _, s := range slices.Sorted(maps.Keys(w.people)) {
		nums, err := tx.Lookup([]string{w.people[s].key}, nil)
		if err == nil && uint32(nums[0]) == n {
			return w.people[s].key
		}
	}
	return ""
}

var errDead = &fault.Error{Class: fault.Internal, Op: "dead", Err: errors.New("the process is dead")}

// dies counts a step and reports whether the process is dead from now on.
func (w *world) dies() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step++
	if w.step == w.killAt {
		w.dead = true
	}
	return w.dead
}

func (w *world) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// mortalStore is the store as a process sees it: a dead one reads and writes nothing, and does not hear of what it wrote last.
type mortalStore struct {
	store.Store
	w *world
}

func (m mortalStore) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if m.w.isDead() {
		return errDead
	}
	return m.Store.View(ctx, p, fn)
}

func (m mortalStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if m.w.dies() {
		return errDead
	}
	err := m.Store.Update(ctx, p, fn)
	if m.w.dies() {
		return errDead
	}
	return err
}

func (m mortalStore) UpdateEach(ctx context.Context, parts []store.Partition, fn func(store.Partition, store.Writer) error) error {
	for _, p := range parts {
		if err := m.Update(ctx, p, func(tx store.Writer) error { return fn(p, tx) }); err != nil {
			return err
		}
	}
	return nil
}

// mortalDesk is the desk as a process sees it.
type mortalDesk struct {
	targets.Desk
	w *world
}

func (m mortalDesk) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	if m.w.dies() {
		return nil, errDead
	}
	r, err := m.Desk.Apply(ctx, jobs)
	if m.w.dies() {
		return nil, errDead
	}
	return r, err
}

func (m mortalDesk) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	if m.w.dies() {
		return nil, errDead
	}
	return m.Desk.Find(ctx, kind, key, value)
}

func (m mortalDesk) Fetch(ctx context.Context, kind directory.RecordKind, id string) (targets.Entity, error) {
	if m.w.dies() {
		return targets.Entity{}, errDead
	}
	return m.Desk.Fetch(ctx, kind, id)
}

func (m mortalDesk) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	if m.w.dies() {
		return targets.Proof{}, errDead
	}
	return m.Desk.Survey(ctx, kind, yield)
}

// start runs a process.
func (w *world) start() {
	w.mu.Lock()
	w.dead, w.step = false, 0
	w.mu.Unlock()
	st := mortalStore{w.store, w}
	w.sim.Now = time.Now
	var place targets.Desk = mortalDesk{w.sim, w}
	if w.place != nil {
		place = w.place(place)
	}
	w.desk = New(st, helpdesk, place, w.opts)
	w.worker = deliver.New(st, helpdesk, w.desk, deliver.Options{Grace: time.Second, Shared: w.opts.Shared})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.worker.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
		w.worker.Close()
		_ = w.desk.Close()
	}
}

// rest lets the process do what it can, for some hours of its time.
func (w *world) rest(d time.Duration) {
	w.worker.Wake()
	time.Sleep(d)
	synctest.Wait()
}

// approve approves what is held at the desk. It reports whether anything was.
func (w *world) approve() bool {
	w.t.Helper()
	first, held, err := w.desk.Held(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	var hash string
	switch {
	case first != nil:
		hash = first.Hash
	case held != nil:
		hash = held.Hash
	default:
		return false
	}
	ok, err := w.desk.Approve(context.Background(), hash)
	if (err != nil || !ok) && !w.isDead() {
		w.t.Fatal("approve", ok, err)
	}
	return true
}

func (w *world) waits() map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	err := w.store.View(context.Background(), hq, func(tx store.Reader) (err error) {
		counts, err = tx.WaitCounts(helpdesk)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

func (w *world) queued() (n, parked int) {
	w.t.Helper()
	err := w.store.View(context.Background(), hq, func(tx store.Reader) (err error) {
		if n, _, err = tx.OutboxDepth(helpdesk); err != nil {
			return err
		}
		parked, err = tx.ParkedCount()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n, parked
}

func (w *world) parked() (list []string) {
	err := w.store.View(context.Background(), hq, func(tx store.Reader) error {
		return tx.Parked(func(p store.Parked) bool {
			list = append(list, p.Subject+": "+p.Reason)
			return true
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) reviews() []store.Review {
	w.t.Helper()
	list, err := w.desk.Reviews(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) links() map[string]store.Link {
	w.t.Helper()
	links := map[string]store.Link{}
	err := w.store.View(context.Background(), store.TargetPartition(helpdesk), func(tx store.Reader) error {
		return tx.Links("", func(l store.Link) bool {
			links[l.Subject] = l
			return true
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return links
}

func snapshot(t *testing.T, st *bolt.Store, path string) {
	t.Helper()
	r, err := st.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, r); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func statePath(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") }
