package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/schedule"
)

// childEnv holds a childConfig where the test binary is a worker.
const childEnv = "DIRSYNCD_FLEET_WORKER"

type childConfig struct {
	DSN         string
	Name        string
	Lanes       int
	Connections []string
	Spec        string   // of each connection
	Tenants     []string // of each connection; none: they are not listed
	Writes      int      // of one run
	// Fenced looks at the fence before each write. Deaf does not hear that its context has ended, and tries again whatever fails.
	Fenced, Deaf bool
	// PollOnly is that of postgres.Options.
	PollOnly bool
}

// process is a worker in a process of its own. It ends with its standard input, and so with the test's process, whatever becomes of that.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string // what it says
}

func startChild(t *testing.T, c childConfig) *process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, stdin: stdin, lines: make(chan string, 100)}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends it at once, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// child is the process of a worker.
func child() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &c); err != nil {
		log.Error("what to do", "err", err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	pool, err := pgxpool.New(ctx, fmt.Sprintf("%s application_name='dirsyncd %s %d' pool_max_conns=20", c.DSN, c.Name, os.Getpid()))
	if err != nil {
		log.Error("pool", "err", err)
		return 1
	}
	var f *postgres.Fleet
	for f == nil {
		if f, err = postgres.Open(ctx, postgres.Options{Pool: pool, Schema: schema, Log: log, PollOnly: c.PollOnly}); err != nil && ctx.Err() != nil {
			return 1
		}
	}
	plan := fleet.Plan{Generation: "g"}
	for _, name := range c.Connections {
		p := fleet.Planned{Unit: list(name), Spec: c.Spec, AtOnce: 100}
		if p.Incremental, err = schedule.Parse(c.Spec, ""); err != nil {
			log.Error("schedule", "err", err)
			return 1
		}
		plan.Units = append(plan.Units, p)
	}
	w := writer{childConfig: c, pool: pool}
	if err := f.Work(ctx, fleet.Worker{Name: c.Name, Program: "test", Lanes: c.Lanes}, plan, w.handle); err != nil {
		log.Error("work", "err", err)
		return 1
	}
	return 0
}

// writer counts in memory what it has written for a unit, and writes that.
type writer struct {
	childConfig
	pool *pgxpool.Pool
}

const (
	makeTables = `create table counter (unit text primary key, n int8 not null);
create table written (seq int8 generated always as identity, unit text, n int8, fence int8, worker text, at timestamptz default clock_timestamp());
create index on written (unit, seq);
create index on written (unit, fence); -- it is asked all the time who has written last, beside workers that are timed
create index on written (worker)`
	// wrong are the writes that do not follow the one before, and those by a holder that had been overtaken.
	wrong = `select count(*) filter (where n <> n_before + 1), count(*) filter (where fence < fence_before) from (
select n, fence, lag(n) over w as n_before, lag(fence) over w as fence_before from written window w as (partition by unit order by seq)) x where n_before is not null`
)

// pace is how long a writer pauses between two writes.
const pace = 25 * time.Millisecond

func (w *writer) handle(ctx context.Context, h fleet.Held) (fleet.Finish, error) {
	if h.Unit.Kind == fleet.List {
		return fleet.Finish{Tenants: w.Tenants}, nil
	}
	var n int64
	err := w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select n from counter where unit = $1", h.Unit.Tenant).Scan(&n)
	})
	for i := 0; err == nil && i < w.Writes; i++ {
		err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "update counter set n = $2 where unit = $1", h.Unit.Tenant, n+1); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "insert into written (unit, n, fence, worker) values ($1, $2, $3, $4)", h.Unit.Tenant, n+1, h.Fence, w.Name)
			return err
		})
		if w.Deaf && err != nil && !errors.Is(err, fleet.ErrLost) {
			time.Sleep(pace)
			err = nil
			continue
		}
		n++
		select {
		case <-time.After(pace):
		case <-w.ended(ctx):
			return fleet.Finish{}, ctx.Err()
		}
	}
	if errors.Is(err, fleet.ErrLost) {
		_, _ = os.Stdout.WriteString("lost\n")
	}
	return fleet.Finish{Proven: err == nil}, err
}

func (w *writer) ended(ctx context.Context) <-chan struct{} {
	if w.Deaf {
		return nil
	}
	return ctx.Done()
}

func (w *writer) transact(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	if w.Deaf {
		ctx = context.WithoutCancel(ctx)
	}
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if w.Fenced {
			if err := postgres.Share(ctx, tx); err != nil {
				return err
			}
		}
		return fn(ctx, tx)
	})
}

// counters makes the tables of writers.
func (p place) counters(tenants []string) {
	p.Exec(strings.Split(makeTables, ";")...)
	for _, name := range tenants {
		p.Exec("insert into counter values ('" + name + "', 0)")
	}
}

// wrong are how many writes were wrong, and how many were a former holder's.
func (p place) wrong(t *testing.T) (counted, overtaken int) {
	t.Helper()
	if err := p.DB.QueryRow(wrong).Scan(&counted, &overtaken); err != nil {
		t.Fatal(err)
	}
	return counted, overtaken
}
