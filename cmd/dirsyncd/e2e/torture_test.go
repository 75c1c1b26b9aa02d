package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/directory"
)

// soakEnv is how long workers are tortured, such as 1h. Without it, it is once in each way.
const soakEnv = "DIRSYNCD_WORKERS"

const (
	// longestHandOver is how long nobody may work on what a dead worker held. It is judged where the machine is ours alone.
	longestHandOver = 10 * time.Second
	// roundEvery is how often a worker meets with something in a soak.
	roundEvery = 30 * time.Second
	// changeEvery is how often something changes at the sources.
	changeEvery = 100 * time.Millisecond
)

// hand is one of several workers, with a way of its own to the database.
type hand struct {
	name string
	wire *testserver.Wire
	in   *installation
	d    *daemon
}

// torture is several workers on one state, among sources and a desk that have troubles of their own.
type torture struct {
	t       *testing.T
	db      *postgrestest.Database
	sources *troubled
	desk    *witness
	hands   []*hand
	rnd     *rand.Rand
	folder  string // of secrets
	worst   time.Duration
	overs   int          // hand-overs that were measured
	outbox  atomic.Int64 // the most bytes that waited
	// overtaking has what is being delivered change once more, and that be found, before the worker that delivers it is tortured.
	overtaking bool
}

const tortureConfig = `state: %s
control: control.sock
listen: ""
connections:
%smappings:
  all:
    rules: [{name: everyone, when: "enabled ?? false", user: {customer: '= tenant.name ?? connection'}}]
    groups: [{name: groups, group: true}]
    licences: [{name: licences, licence: {used: = used}}]
    devices: [{name: devices, asset: {owner: {value: = owner.name, blank: clear}}}]
    customers: [{name: customers, customer: {domain: = domain}}]
    fields:
      user: {name: = name, email: = email, title: = title, licences: = licences, manager: {value: = manager.name, blank: clear}}
      group: {name: = name}
      licence: {name: = name}
      asset: {name: = name}
      customer: {name: = name}
    guard: &any
      deactivate: &all {count: 1000000}
      delete: *all
      memberships: {percent: 100, list: 100}
      24h: &ever {deactivate: *all, delete: *all, memberships: {percent: 100, list: 100}}
      7d: {deactivate: *all, delete: *all, memberships: {percent: 100, list: 100}, usual: 0}
      connection: {deactivate: *all, delete: *all, 24h: {deactivate: *all, delete: *all}, 7d: {deactivate: *all, delete: *all, usual: 0}}
targets:
%s`

// newTorture starts workers on an empty state. sabotage are statements that make the database do what the program must not.
func newTorture(t *testing.T, workers, customers int, schedule string, sabotage ...string) *torture {
	t.Helper()
	seed := connectortest.Seed(t)
	pg := postgrestest.Start(t, "autovacuum = on", "autovacuum_naptime = 5s")
	w := &torture{t: t, db: pg.Database(t), sources: openTroubled(t, seed, customers), desk: openWitness(t, seed), rnd: rand.New(rand.NewPCG(seed, 1)), folder: t.TempDir()}
	for name, data := range map[string][]byte{"ca.pem": w.sources.cloud.CA(), "app-secret": []byte(appSecret), "okta-token": []byte(oktaToken)} {
		fatal(t, os.WriteFile(w.folder+"/"+name, data, 0o600))
	}
	for i := range workers {
		h := &hand{name: fmt.Sprintf("worker-%d", i), wire: testserver.NewWire(t, testserver.Address(pg.Port))}
		state := fmt.Sprintf("{url: \"postgres://%s@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s\", password: {env: STATE_PASSWORD}, worker: %s}",
			postgrestest.Admin, h.wire.Port, w.db.Name, pg.CAFile, h.name)
		h.in = w.install(state, schedule, w.desk, h.name)
		h.in.env = append(h.in.env, "STATE_PASSWORD="+postgrestest.AdminPassword)
		w.hands = append(w.hands, h)
		h.d = h.in.startReady()
		if i == 0 { // the tables are there
			w.watch()
			w.weigh()
			w.db.Exec(sabotage...)
		}
	}
	return w
}

func (w *torture) install(state, schedule string, desk *witness, name string) *installation {
	w.t.Helper()
	in := install(w.t, fmt.Sprintf(tortureConfig, state, w.sources.blocks(schedule, w.folder), desk.block()))
	in.env = append(in.env, "WORKER_NAME="+name)
	return in
}

// watch has the database keep who takes and gives back what.
func (w *torture) watch() {
	w.t.Helper()
	w.db.Exec("create table taken (seq int8 generated always as identity primary key, what text, fence int8, before uuid, after uuid, at timestamptz default clock_timestamp())",
		"create table held (what text, holder uuid, fence int8, at timestamptz, seq int8)",
		`create function taken() returns trigger language plpgsql as $$ begin
  insert into public.taken (what, fence, before, after) values (tg_table_name || ' ' || coalesce(to_jsonb(new)->>'name', to_jsonb(new)->>'id'), new.fence, old.holder, new.holder);
  return null; end $$`,
		"create trigger taken after update of holder on dirsyncd_fleet.unit for each row when (old.holder is distinct from new.holder) execute function taken()",
		"create trigger taken after update of holder on dirsyncd.lease for each row when (old.holder is distinct from new.holder) execute function taken()")
}

// ask asks the database for one value.
func (w *torture) ask(into any, query string, args ...any) {
	w.t.Helper()
	if err := w.db.DB.QueryRowContext(w.t.Context(), query, args...).Scan(into); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// holding are the units of a worker, and the targets that it delivers to. Whose process it is stands in the name of the store's worker.
const holding = `select 'unit ' || u.id as what, u.holder, u.fence from dirsyncd_fleet.unit u join dirsyncd_fleet.worker w on w.id = u.holder where w.name = $1
union all select 'lease ' || l.name, l.holder, l.fence from dirsyncd.lease l join dirsyncd.worker w on w.id = l.holder where w.name like '%/' || $2::text and l.name like 'deliver %'`

// The ways in which a worker is tortured.
const (
	killed = iota
	frozen
	cutOff
	ways
)

// round tortures one worker in one way and waits until others have what it held, and until it takes part again. amid is a delivery whose
// answer it does not learn; otherwise it is one that runs something.
func (w *torture) round(way int, amid bool) {
	w.t.Helper()
	what := []string{"killed", "frozen", "cut off"}[way]
	var victim *hand
	var held *hold
	if amid {
		held = w.desk.holdNext()
		eventually(w.t, "an event comes", func() bool { return isClosed(held.taken) })
		victim = w.hands[slices.IndexFunc(w.hands, func(h *hand) bool { return h.name == held.by })]
		w.sources.touch(&held.event)
		if w.overtaking {
			w.found(&held.event)
		}
	} else {
		victim = one(w.rnd, w.hands)
		eventually(w.t, victim.name+" holds something", func() (holds bool) {
			w.ask(&holds, "select exists (select from ("+holding+") x where what like 'unit %')", victim.name, fmt.Sprint(victim.d.cmd.Process.Pid))
			return holds
		})
	}
	began := time.Now()
	if way == cutOff {
		victim.wire.Silence()
	} else {
		victim.d.signal(syscall.SIGSTOP)
	}
	w.db.Exec("delete from held")
	_, err := w.db.DB.ExecContext(w.t.Context(), "insert into held select x.*, clock_timestamp(), (select coalesce(max(seq), 0) from taken) from ("+holding+") x",
		victim.name, fmt.Sprint(victim.d.cmd.Process.Pid))
	fatal(w.t, err)
	if way == killed {
		_ = victim.d.cmd.Process.Kill()
		<-victim.d.ended
	}
	if amid {
		w.desk.letGo()
	}
	eventually(w.t, "others have what "+victim.name+" held", func() (all bool) {
		w.ask(&all, `select not exists (select from held h where not exists (select from taken t where t.what = h.what and t.seq > h.seq
			and (t.after is distinct from h.holder and t.after is not null or t.after is null and t.before = h.holder and t.fence = h.fence)))`)
		return all && (!amid || isClosed(held.again) || len(w.desk.complaints()) > 0)
	})
	var seconds float64
	w.ask(&seconds, `select coalesce(max(extract(epoch from (select min(t.at) from taken t where t.what = h.what and t.seq > h.seq and t.after is distinct from h.holder and t.after is not null) - h.at)), 0)::float8 from held h`)
	had := time.Duration(seconds * float64(time.Second))
	took := had
	again := ""
	if amid {
		if isClosed(held.again) {
			took = max(took, held.others.Sub(began))
			// The same event waits in the line of all, and the desk's faults go on.
			again = fmt.Sprintf("; the same was sent again after %v", held.other.Sub(began).Round(time.Millisecond))
		}
		what += fmt.Sprintf(" while %s %s was answered", held.event.Data.Op, held.event.Data.Kind)
	}
	if w.worst = max(w.worst, took); took > 0 {
		w.overs++
	}
	w.t.Logf("%s was %s: others had it after %v, and went on after %v%s", victim.name, what, had.Round(time.Millisecond), took.Round(time.Millisecond), again)
	w.revive(victim, way)
}

// found waits until whatever works on the source of an event was begun and done from now on.
func (w *torture) found(e *event) {
	w.t.Helper()
	var now int64
	w.ask(&now, "select coalesce(max(seq), 0) from taken")
	eventually(w.t, "a change is found", func() (all bool) {
		w.ask(&all, `select not exists (select from dirsyncd_fleet.unit u where u.connection = $1 and u.tenant in ('', $2)
			and not exists (select from taken b join taken e on e.what = b.what and e.fence = b.fence and e.after is null
				where b.what = 'unit ' || u.id and b.seq > $3 and b.before is null and e.seq > b.seq))`, e.Data.Origin.Connection, e.Data.Origin.Tenant, now)
		return all
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// revive has a worker take part again.
func (w *torture) revive(victim *hand, way int) {
	w.t.Helper()
	var before string
	w.ask(&before, "select coalesce(string_agg(id::text, ' '), '') from dirsyncd_fleet.worker where name = $1", victim.name)
	switch way {
	case killed:
		victim.d = victim.in.startReady()
	case frozen:
		victim.d.signal(syscall.SIGCONT)
	default:
		victim.wire.Mend()
	}
	eventually(w.t, victim.name+" takes part again", func() (again bool) {
		w.ask(&again, "select exists (select from dirsyncd_fleet.worker where name = $1 and not dead and expires > clock_timestamp() and position(id::text in $2) = 0)", victim.name, before)
		return again
	})
}

// during does something while something changes at the sources all the time.
func (w *torture) during(do func()) {
	w.t.Helper()
	over := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		tick := time.NewTicker(changeEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.sources.change()
			case <-over:
				return
			}
		}
	})
	defer changes.Wait()
	defer close(over)
	do()
}

// hurt makes things go wrong at the sources and at the desk.
func (w *torture) hurt(refuses bool) {
	w.t.Logf("sources: %s; desk: %s", w.sources.hurt(), w.desk.hurt(refuses))
}

func (w *torture) rest() {
	w.sources.rest()
	w.desk.rest()
}

// settle waits until the workers have found everything by themselves, and until all of it is delivered.
func (w *torture) settle() {
	w.t.Helper()
	w.rest()
	for range 2 { // what a run that ends after now has read may be older, but the next one begins after it
		since := time.Now()
		w.patiently("all tenants agree with their sources, and all is delivered", func() string {
			return strings.Join(append(w.unproven(since), w.undelivered()...), ", ")
		})
	}
}

// undelivered says what is parked or waits. What is parked is tried again: whatever it was refused for is over.
func (w *torture) undelivered() (list []string) {
	w.t.Helper()
	in := w.hands[0].in
	for _, target := range in.status().Targets {
		if target.Parked > 0 {
			in.run("parked", "replay", "--all")
		}
		if target.Parked+target.Waiting > 0 {
			list = append(list, fmt.Sprintf("%+v", target))
		}
	}
	return list
}

// patiently asks now and then what is missing, until that is nothing.
func (w *torture) patiently(what string, missing func() string) {
	w.t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) { // each question is a process
		if last = missing(); last == "" {
			return
		}
	}
	w.t.Fatalf("waited %v in vain until %s: %s", patience, what, last)
}

// unproven says which tenants no worker has found to agree with their source since a time. Each knows of its own runs that found nothing.
func (w *torture) unproven(since time.Time) (list []string) {
	w.t.Helper()
	proven := map[string]time.Time{}
	for _, h := range w.hands {
		st := ask[struct {
			Connections []struct {
				Name    string
				Tenants []struct {
					Tenant, State string
					Proven        time.Time
				}
			}
		}](h.in, 0, "status")
		for _, c := range st.Connections {
			for _, t := range c.Tenants {
				of := c.Name + "/" + t.Tenant
				if t.Proven.After(proven[of]) {
					proven[of] = t.Proven
				}
				if t.State != "ok" {
					list = append(list, of+" is "+t.State)
				}
			}
		}
	}
	for of, at := range proven {
		if !at.After(since) {
			list = append(list, of)
		}
	}
	if want := len(w.sources.tenants) + 1; len(proven) < want {
		list = append(list, fmt.Sprintf("%d of %d tenants are known", len(proven), want))
	}
	slices.Sort(list)
	return list
}

// compare stops the workers and lists what is wrong: with what the desk was told on the way, and in what differs from what a single worker
// makes of the sources that nobody disturbs.
func (w *torture) compare() (wrong []string) {
	w.t.Helper()
	for _, h := range w.hands {
		h.d.stop()
	}
	w.hands[0].in.expect(0, "state", "verify").says(w.t, "")

	desk := openWitness(w.t, 0)
	single := w.install("state.db", "@every 1h", desk, "single")
	w.patiently("a single worker has synced", func() string {
		if r := single.run("sync"); r.code != 0 {
			return r.out + r.err
		}
		return ""
	})
	want, err := bolt.Open(single.path("state.db"), bolt.Options{ReadOnly: true})
	fatal(w.t, err)
	defer func() { _ = want.Close() }()
	got, err := postgres.Open(context.WithoutCancel(w.t.Context()), postgres.Options{URL: w.hands[0].url(w.db), Password: postgrestest.AdminPassword, ReadOnly: true})
	fatal(w.t, err)
	defer func() { _ = got.Close() }()
	wrong = append(wrong, w.desk.complaints()...)
	wrong = append(wrong, apart("record", recordsIn(w.t, got), someOf(w.t, recordsIn(w.t, want)))...)
	return append(wrong, apart("at the desk", w.desk.world.records(), someOf(w.t, desk.world.records()))...)
}

// someOf fails a test that has nothing to compare with: each kind that the sources have, and members.
func someOf(t *testing.T, want wanted) wanted {
	t.Helper()
	members := 0
	kinds := map[string]bool{}
	for key, fields := range want {
		name, _, _ := strings.Cut(key[strings.LastIndex(key, " ")+1:], "/")
		if kinds[name] = true; fields["members"] != "" {
			members++
		}
	}
	if len(kinds) < 4 || members == 0 {
		t.Errorf("%d records of the kinds %v, %d with members: that compares too little", len(want), slices.Sorted(maps.Keys(kinds)), members)
	}
	return want
}

func (h *hand) url(db *postgrestest.Database) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=require", postgrestest.Admin, h.wire.Port, db.Name)
}

// recordsIn are the active records of all tenants, with their fields. Whatever has nothing to do with them must be done.
func recordsIn(t *testing.T, st store.Store) wanted {
	t.Helper()
	list := wanted{}
	parts, err := st.Partitions(t.Context())
	fatal(t, err)
	for _, p := range parts {
		fatal(t, st.View(t.Context(), p, func(tx store.Reader) error {
			keys, err := recordKeys(tx)
			if err != nil {
				return err
			}
			for _, kind := range directory.RecordKinds() {
				err := tx.Records(kind, 0, func(_ store.Num, r directory.Record) bool {
					if !r.Active {
						return true
					}
					fields := map[string]string{"rule": r.Rule, "members": membersOf(r.Members, keys)}
					for _, f := range r.Fields {
						if v := f.Value.Any(); v != nil { // that it was cleared is as if it had never been there
							fields["field "+f.Name] = fmt.Sprint(v)
						}
					}
					list[p.String()+" "+kind.String()+"/"+r.Key] = fields
					return true
				})
				if err != nil {
					return err
				}
			}
			for _, kind := range directory.Kinds() {
				err := tx.Dirty(kind, 0, func(store.Num, store.DirtyReason) bool {
					t.Errorf("%s: a %s is still dirty", p, kind)
					return false
				})
				if err != nil {
					return err
				}
			}
			depth, _, err := tx.OutboxDepth("desk")
			if depth > 0 {
				t.Errorf("%s: %d actions still wait", p, depth)
			}
			return err
		}))
	}
	return list
}

// recordKeys are the keys of the records of people by their numbers, which are others in every state.
func recordKeys(tx store.Reader) (map[uint32]string, error) {
	keys := map[uint32]string{}
	for _, kind := range []directory.RecordKind{directory.UserRecord, directory.AgentRecord} {
		err := tx.Records(kind, 0, func(n store.Num, r directory.Record) bool { keys[uint32(n)] = r.Key; return true })
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// membersOf names the members of a record, in order. One without a record is shown by its absence from keys.
func membersOf(nums []uint32, keys map[uint32]string) string {
	var list []string
	for _, n := range nums {
		list = append(list, cmp.Or(keys[n], "nobody"))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// apart lists how two sets of records differ, field by field.
func apart(where string, got, want wanted) (lines []string) {
	for key, fields := range want {
		if got[key] == nil {
			lines = append(lines, fmt.Sprintf("%s %s is missing", where, key))
			continue
		}
		for name, v := range fields {
			if now, ok := got[key][name]; !ok || now != v {
				lines = append(lines, fmt.Sprintf("%s %s: %s is %q, want %q", where, key, name, now, v))
			}
		}
		for name, v := range got[key] {
			if _, ok := fields[name]; !ok {
				lines = append(lines, fmt.Sprintf("%s %s: %s is %q, want nothing", where, key, name, v))
			}
		}
	}
	for key := range got {
		if want[key] == nil {
			lines = append(lines, fmt.Sprintf("%s %s must not be there", where, key))
		}
	}
	return lines
}

// TestWorkersTortured: three daemons on one state, customers and other directories that change all the time, troubles at the sources and
// at the desk; and one worker after the other is killed, frozen or cut off from the database, amid a run or amid a delivery. Then all rest. The
// desk was told nothing twice and nothing out of turn, and it and the state have what a single worker makes of the same sources.
func TestWorkersTortured(t *testing.T) {
	t.Parallel()
	whole, customers, schedule := time.Duration(0), 24, "@every 2s"
	if text := os.Getenv(soakEnv); text != "" {
		var err error
		whole, err = time.ParseDuration(text)
		fatal(t, err)
		customers, schedule = 200, "@every 5s"
	}
	w := newTorture(t, 3, customers, schedule)
	began, rounds := time.Now(), 0
	w.during(func() {
		if whole == 0 {
			for i, way := range w.rnd.Perm(ways) {
				w.hurt(false)
				w.round(way, i != w.rnd.IntN(ways))
				w.rest()
				rounds++
			}
			return
		}
		for time.Since(began) < whole {
			for _, kind := range w.rnd.Perm(2 * ways) {
				if time.Since(began) > whole {
					break
				}
				next := time.Now().Add(roundEvery)
				w.hurt(true)
				w.round(kind/2, kind%2 == 0)
				w.rest()
				rounds++
				time.Sleep(time.Until(next))
			}
		}
	})
	w.settle()
	if whole > 0 {
		w.judge()
	}
	complain(t, "against a single worker", w.compare())
	var shares, sharers int
	w.ask(&shares, "select count(*) "+takenShares)
	w.ask(&sharers, "select count(distinct t.after) "+takenShares)
	if t.Logf("shares of the customers were taken %d times, by %d workers, counted anew when they came back", shares, sharers); sharers < 2 {
		t.Error("nobody shared the customers")
	}
	if w.overs == 0 || w.sources.changes == 0 || len(w.desk.taken) == 0 {
		t.Errorf("of %d rounds %d had a hand-over; %d changes, %d events: nothing was tortured", rounds, w.overs, w.sources.changes, len(w.desk.taken))
	}
	t.Logf("%d rounds, %d changes, %d events, %d of them came more than once, the worst hand-over took %v", rounds, w.sources.changes, len(w.desk.taken), w.desk.again, w.worst.Round(time.Millisecond))
}

// takenShares are the shares of the partner's customers that somebody has taken.
const takenShares = "from taken t join dirsyncd_fleet.unit u on t.what = 'unit ' || u.id where u.kind = 2 and t.after is not null"

// weigh notes how much waits in the outboxes, from the first sync on until the test ends.
func (w *torture) weigh() {
	var weighing sync.WaitGroup
	over := make(chan struct{})
	w.t.Cleanup(func() { close(over); weighing.Wait() })
	weighing.Go(func() {
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			var now int64
			if w.db.DB.QueryRowContext(context.WithoutCancel(w.t.Context()), "select coalesce(sum(pg_column_size(o.*)), 0) from dirsyncd.outbox o").Scan(&now) == nil {
				w.outbox.Store(max(w.outbox.Load(), now))
			}
		}
	})
}

// judge is what only a soak can say: how long hand-over takes, and whether tables grow.
func (w *torture) judge() {
	w.t.Helper()
	if w.worst > longestHandOver {
		w.t.Errorf("hand-over took %v", w.worst)
	}
	const page = 8192
	size := func(table string) (n int64) {
		w.ask(&n, "select pg_relation_size('"+table+"')")
		return n
	}
	outbox, units, waited := size("dirsyncd.outbox"), size("dirsyncd_fleet.unit"), w.outbox.Load()
	w.db.Exec("vacuum full dirsyncd_fleet.unit")
	live := size("dirsyncd_fleet.unit")
	w.t.Logf("outbox: %d bytes, of which %d waited at most; units: %d bytes, packed %d", outbox, waited, units, live)
	if outbox > 2*waited+8*page {
		w.t.Errorf("the outbox has %d bytes, of which %d waited at most", outbox, waited)
	}
	if units > 2*live+8*page {
		w.t.Errorf("the table of units has %d bytes, packed it has %d", units, live)
	}
}

// TestWorkersTorturedControl: where the database forgets that an action may have been sent, a worker that takes over makes another one of it and of what
// came after it, and a desk has a record twice. That is noticed.
func TestWorkersTorturedControl(t *testing.T) {
	t.Parallel()
	w := newTorture(t, 3, 2, "@every 1s",
		"create function forget() returns trigger language plpgsql as $$ begin new.claimed := 0; return new; end $$",
		"create trigger forget before insert or update on dirsyncd.queue for each row execute function forget()")
	w.overtaking = true
	w.during(func() {
		for round := 0; round < 20 && len(w.desk.complaints()) == 0; round++ { // what is parked, or has left the window, is no such action
			w.round(killed, true)
		}
	})
	t.Log(w.desk.complaints())
	if len(w.desk.complaints()) == 0 {
		t.Error("nothing was noticed")
	}
}

// TestAllowed: after a refusal a desk may be told once more what it knows, and nothing that does not follow from what it took.
func TestAllowed(t *testing.T) {
	t.Parallel()
	const used = `"changes":{"used":{"from":%d,"to":%d}},"record":{"used":%d}`
	set := func(added, removed string) string {
		return fmt.Sprintf(`"changes":{"holders":{"added":[%s],"removed":[%s]}},"record":{"used":6}`, added, removed)
	}
	for _, c := range []struct {
		name, op, data string
		unknown, idle  bool // the record, to the desk
		always         bool // also without a refusal
		never          bool // not even after one
	}{
		{name: "the same value", op: "update", data: fmt.Sprintf(used, 6, 6, 6), always: true},
		{name: "a value that came and went", op: "update", data: `"record":{"used":6,"owner":null}`, always: true},
		{name: "a value that it refused", op: "update", data: fmt.Sprintf(used, 5, 6, 6), never: true},
		{name: "who is there", op: "update", data: set(`"a"`, "")},
		{name: "who is not there", op: "update", data: set("", `"b"`)},
		{name: "reactivated again", op: "reactivate", data: `"record":{"used":6}`},
		{name: "deactivated again", op: "deactivate", data: `"record":{"used":6}`, idle: true},
		{name: "deactivated before it came", op: "deactivate", data: `"changes":{"used":{"from":null,"to":6}},"record":{"used":6}`, unknown: true},
		{name: "came without somebody", op: "create", data: set("", `"b"`), unknown: true},
		{name: "came twice", op: "create", data: `"record":{"used":6}`, never: true},
		{name: "changed before it came", op: "update", data: fmt.Sprintf(used, 5, 6, 6), unknown: true, never: true},
		{name: "changed while it was away", op: "update", data: fmt.Sprintf(used, 6, 6, 6), idle: true, never: true},
	} {
		for _, refused := range []bool{false, true} {
			desk := witness{world: world{}}
			if !c.unknown {
				desk.world["licence/x"] = &record{active: !c.idle, fields: map[string]any{"used": 6.0}, members: map[string]bool{"a": true}}
			}
			e := parseEvent(t, fmt.Appendf(nil, `{"subject":"licence/x","data":{"op":%q,"kind":"licence","key":"x",%s}}`, c.op, c.data))
			if refused {
				desk.world.allow(&e)
			}
			desk.world.apply(&desk, &e)
			if complains := len(desk.wrong) > 0; complains != (c.never || !refused && !c.always) {
				t.Errorf("%s, refused something before: %v: %q", c.name, refused, desk.wrong)
			}
		}
	}
}

// TestApart: each way in which two sets of records can differ is noticed, and nothing else.
func TestApart(t *testing.T) {
	t.Parallel()
	records := func() wanted { return wanted{"a": {"name": "A", "title": "B"}, "b": {"name": "C"}} }
	if lines := apart("", records(), records()); len(lines) > 0 {
		t.Error(lines)
	}
	for what, spoil := range map[string]func(wanted){
		"a record is lost":      func(w wanted) { delete(w, "a") },
		"a record too many":     func(w wanted) { w["c"] = map[string]string{} },
		"a change is lost":      func(w wanted) { w["a"]["title"] = "before" },
		"a field is lost":       func(w wanted) { delete(w["a"], "title") },
		"a field was not taken": func(w wanted) { w["b"]["title"] = "" },
	} {
		got := records()
		spoil(got)
		if lines := apart("", got, records()); len(lines) != 1 {
			t.Errorf("%s: %q", what, lines)
		}
	}
}
