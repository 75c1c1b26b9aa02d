package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/schedule"
)

// soakEnv is how long the tests below go on, such as 1h; a round each without it.
const soakEnv = "DIRSYNCD_WORKERS"

func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakEnv)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// longestHandOver is how long nobody may work on what a dead worker held. It is judged where the machine is ours alone.
const longestHandOver = 10 * time.Second

// TestZombie: a worker that was frozen, and does not know that it was buried meanwhile, writes nothing any more when it wakes. Without the
// fence it does, which is the proof that this test can fail.
func TestZombie(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	for _, fenced := range []bool{true, false} {
		t.Run(fmt.Sprintf("fenced %v", fenced), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, s)
			p.counters([]string{"t"})
			c := childConfig{DSN: p.dsn, Name: "frozen", Lanes: 2, Connections: []string{"c"}, Spec: "@every 1s", Tenants: []string{"t"}, Writes: 1 << 30, Fenced: fenced, Deaf: true}
			frozen := startChild(t, c)
			writes := func(worker string) int {
				return value[int](t, p, "select count(*) from written where worker = $1", worker)
			}
			until(t, "it writes", func() bool { return writes("frozen") > 3 })
			frozen.signal(syscall.SIGSTOP)
			c.Name = "successor"
			startChild(t, c)
			until(t, "another one writes", func() bool { return writes("successor") > 3 })
			before := writes("frozen")
			frozen.signal(syscall.SIGCONT)
			if !fenced {
				until(t, "it goes on", func() bool { return writes("frozen") > before+3 })
				if counted, overtaken := p.wrong(t); counted == 0 || overtaken == 0 {
					t.Errorf("without a fence %d writes were wrong and %d of a former holder", counted, overtaken)
				}
				return
			}
			for line := range frozen.lines {
				if line == "lost" {
					break
				}
			}
			if counted, overtaken := p.wrong(t); counted != 0 || overtaken != 0 || writes("frozen") != before {
				t.Errorf("%d writes were wrong and %d of a former holder; it wrote %d and %d after it had woken", counted, overtaken, before, writes("frozen")-before)
			}
		})
	}
}

// tortured is a worker of TestTorture, with a wire of its own to the database.
type tortured struct {
	config childConfig
	wire   *testserver.Wire
	*process
}

// TestTorture: three workers; one after the other is killed, frozen or cut off from the database, and comes back. Whatever it held goes to
// the others, nothing is written twice or out of turn, and in the end all units are worked on.
func TestTorture(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	p := newPlace(t, s)
	var tenants []string
	for i := range 12 {
		tenants = append(tenants, fmt.Sprintf("t%02d", i))
	}
	p.counters(tenants)
	workers := map[string]*tortured{}
	for i := range 3 {
		w := &tortured{wire: testserver.NewWire(t, testserver.Address(s.Port))}
		w.config = childConfig{Name: fmt.Sprintf("w%d", i), Lanes: 8, Connections: []string{"c"}, Spec: "@every 1s", Tenants: tenants, Writes: 40, Fenced: true,
			DSN: strings.Replace(p.dsn, fmt.Sprintf("port=%d", s.Port), fmt.Sprintf("port=%d", w.wire.Port), 1)}
		w.process = startChild(t, w.config)
		workers[w.config.Name] = w
	}
	for name := range workers {
		until(t, name+" writes", func() bool {
			return value[int](t, p, "select count(*) from written where worker = $1", name) > 0
		})
	}
	whole := soak(t)
	began, worst := time.Now(), time.Duration(0)
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 1))
	for round := 0; round < 3 || time.Since(began) < whole; round++ {
		if whole > 0 {
			time.Sleep(20 * time.Second)
		}
		w := workers[fmt.Sprintf("w%d", rnd.IntN(3))]
		took := w.torture(t, p, round%3)
		worst = max(worst, took)
		t.Logf("round %d: %s, hand-over after %s", round, []string{"killed", "frozen", "cut"}[round%3], took)
		if whole > 0 && took > longestHandOver {
			t.Errorf("hand-over took %s", took)
		}
	}
	if whole > 0 {
		away(t, p, workers)
	}
	last := value[int64](t, p, "select max(seq) from written")
	until(t, "all are worked on", func() bool {
		return value[int](t, p, "select count(distinct unit) from written where seq > $1", last) == len(tenants)
	})
	if counted, overtaken := p.wrong(t); counted != 0 || overtaken != 0 {
		t.Errorf("%d writes were wrong and %d of a former holder", counted, overtaken)
	}
	t.Logf("%d writes, the worst hand-over after %s", value[int](t, p, "select count(*) from written"), worst)
}

// away has no worker reach the database until all of them count as dead. They come back by themselves.
func away(t *testing.T, p place, workers map[string]*tortured) {
	t.Helper()
	for _, w := range workers {
		w.wire.Silence()
	}
	alive := func() int {
		return value[int](t, p, "select count(*) from "+schema+".worker where not dead and expires > clock_timestamp()")
	}
	until(t, "nobody is alive", func() bool { return alive() == 0 })
	for _, w := range workers {
		w.wire.Mend()
	}
	until(t, "all are back", func() bool { return alive() == len(workers) })
}

// torture does something to a worker, waits until others have what it held, and until it takes part again.
func (w *tortured) torture(t *testing.T, p place, how int) time.Duration {
	t.Helper()
	var id string
	until(t, "it holds something", func() bool { // it gives things back all the time
		if p.DB.QueryRow("select w.id::text from "+schema+".worker w join "+schema+".unit u on u.holder = w.id and u.kind = 2 where w.name = $1 limit 1", w.config.Name).Scan(&id) != nil {
			return false
		}
		p.Exec("drop table if exists held", "create table held as select u.id, u.tenant, u.fence, clock_timestamp() as at from "+schema+".unit u where u.holder = '"+id+"' and kind = 2")
		return value[int](t, p, "select count(*) from held") > 0
	})
	switch how {
	case 0:
		w.kill()
	case 1:
		w.signal(syscall.SIGSTOP)
	default:
		w.wire.Silence()
	}
	until(t, "others have it", func() bool {
		return value[int](t, p, "select count(*) from held h where not exists (select 1 from written x where x.unit = h.tenant and x.worker <> $1 and x.fence > h.fence)", w.config.Name) == 0
	})
	took := value[float64](t, p, `select coalesce(max(extract(epoch from (select min(x.at) from written x where x.unit = h.tenant and x.worker <> $1 and x.fence > h.fence) - h.at)), 0) from held h`, w.config.Name)
	switch how {
	case 0:
		w.process = startChild(t, w.config)
	case 1:
		w.signal(syscall.SIGCONT)
	default:
		w.wire.Mend()
	}
	until(t, "it takes part again", func() bool { // under its old id where others were so quick that nobody had to bury it
		return value[int](t, p, "select count(*) from "+schema+".worker w join "+schema+".unit u on u.holder = w.id where w.name = $1 and (w.id::text <> $2 or $3 and not w.dead and w.expires > clock_timestamp())", w.config.Name, id, how != 0) > 0
	})
	return time.Duration(took * float64(time.Second))
}

// TestTicks: however many workers look, and whoever of them is killed, each time of a schedule comes once. What nobody was there for is one
// run.
func TestTicks(t *testing.T) {
	t.Parallel()
	const units = 20
	s := postgrestest.Start(t)
	p := newPlace(t, s)
	p.open(t, "tables", logOf(t))
	p.Exec("create table fired (seq int8 generated always as identity, unit int8, due timestamptz, following timestamptz, at timestamptz default clock_timestamp())",
		"create function fired() returns trigger language plpgsql as $$ begin insert into fired (unit, due, following) values (old.id, old.due, new.due); return null; end $$",
		"create trigger fired after update of due on "+schema+".unit for each row execute function fired()")
	c := childConfig{DSN: p.dsn, Lanes: 4, Spec: "@every 1s"}
	for i := range units {
		c.Connections = append(c.Connections, fmt.Sprintf("c%02d", i))
	}
	var workers [3]*process
	for i := range workers {
		c.Name = fmt.Sprintf("w%d", i)
		workers[i] = startChild(t, c)
	}
	firedSince := func(seq int64) func() bool {
		return func() bool {
			return value[int](t, p, "select count(*) from (select unit from fired where seq > $1 group by unit having count(*) > 1) x", seq) == units
		}
	}
	until(t, "schedules come", firedSince(0))
	whole := soak(t)
	began := time.Now()
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 2))
	for round := 0; round < 1 || time.Since(began) < whole; round++ {
		i := rnd.IntN(len(workers))
		workers[i].kill()
		until(t, "schedules come", firedSince(value[int64](t, p, "select max(seq) from fired")))
		c.Name = fmt.Sprintf("w%d", i)
		workers[i] = startChild(t, c)
	}
	for _, w := range workers { // nobody is there for a while
		w.kill()
	}
	until(t, "the dead are so for others, too", func() bool {
		return value[int](t, p, "select count(*) from "+schema+".worker where expires > clock_timestamp()") == 0
	})
	last := value[int64](t, p, "select max(seq) from fired")
	startChild(t, c)
	until(t, "schedules come", firedSince(last))

	every, err := schedule.Parse("@every 1s", "")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := p.DB.Query("select unit, due, following, at from fired order by unit, seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var unit, before int64
	var due, following, at, expected time.Time
	fired, caughtUp := 0, 0
	for rows.Next() {
		if err := rows.Scan(&unit, &due, &following, &at); err != nil {
			t.Fatal(err)
		}
		fired++
		if unit == before && !due.Equal(expected) {
			t.Errorf("unit %d: after %s came %s", unit, expected, due)
		}
		if at.Before(due) {
			t.Errorf("unit %d: %s came at %s", unit, due, at)
		}
		if next := every.Next(due); !following.Equal(next) {
			caughtUp++
			if at.Before(next) {
				t.Errorf("unit %d: %s was left out at %s", unit, next, at)
			}
		}
		before, expected = unit, following
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if caughtUp < units {
		t.Errorf("%d times were caught up, of %d units that nobody looked after", caughtUp, units)
	}
	t.Logf("%d times came, %d of them late", fired, caughtUp)
}
