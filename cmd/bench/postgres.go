package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
)

const (
	// firstSyncGoal is how many objects a second a first sync with the state in PostgreSQL is to take in at least.
	firstSyncGoal = 5000
	// benchLease is longer than a busy machine keeps this process waiting: a lease that is lost ends a run.
	benchLease = time.Minute
)

// onPostgreSQL measures the people with the state in a PostgreSQL that it starts, and beside it with the state in a file: each step of both in turn.
func onPostgreSQL(ctx context.Context, out io.Writer, o options) (err error) {
	server, err := startServer(postgrestest.Versions, o.statements)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	var trips trips
	st, err := postgres.Open(ctx, postgres.Options{URL: server.url(), LeaseFor: benchLease, Dial: trips.dial})
	if err != nil {
		return err
	}
	there, err := openOn(st, in(o, "postgres"))
	if err != nil {
		return err
	}
	defer there.close()
	here, err := open(in(o, "bolt"))
	if err != nil {
		return err
	}
	defer here.close()

	t := comparison{out: out}
	t.head(o, here.source.cfg.Memberships(), server.version)
	for _, s := range steps(o) {
		var r result
		if r.file, err = here.measure(ctx, s); err != nil {
			return fmt.Errorf("state in a file: %s: %w", s.name, err)
		}
		asked, used := trips.count.Load(), server.cpuTime()
		if r.database, err = there.measure(ctx, s); err != nil {
			return fmt.Errorf("state in PostgreSQL: %s: %w", s.name, err)
		}
		r.trips, r.server = trips.count.Load()-asked, server.cpuTime()-used
		t.row(s, r)
		if o.statements {
			if err := server.printStatements(ctx, out); err != nil {
				return err
			}
		}
	}
	size, err := server.psql(ctx, "select pg_database_size(current_database())/1048576")
	if err != nil {
		return err
	}
	t.foot(sizeOf(here.dir, "state.db"), size)
	return nil
}

// in are the options with a folder in that of everything.
func in(o options, name string) options {
	o.dir = filepath.Join(o.dir, name)
	_ = os.MkdirAll(o.dir, 0o700) // who opens a file in it says what is wrong
	return o
}

// result is what a step took with both.
type result struct {
	file, database measured
	server         time.Duration // the processors' time of the database
	trips          int64         // how often the program waited for an answer of the database
}

// comparison prints the table of results.
type comparison struct {
	out   io.Writer
	first int // how many objects a second the first sync took in
}

func (c *comparison) printf(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

func (c *comparison) head(o options, memberships int, version string) {
	c.printf("\n%d people, %d groups, %d memberships, delivered to a file; the state in a file (bolt) and in %s on the same CPUs, in turn\n\n",
		o.people, o.groups, memberships, version)
	c.printf("%-40s %9s %9s %7s %10s %9s %9s %7s %10s %7s %8s\n", "what", "bolt", "postgres", "ratio", "per second", "CPU bolt", "CPU pg", "ratio", "server CPU", "trips", "events")
}

func (c *comparison) row(s step, r result) {
	rate := ""
	if s.objects > 0 {
		rate = strconv.Itoa(r.database.rate(s.objects))
	}
	if c.first == 0 { // the steps begin with it
		c.first = r.database.rate(s.objects)
	}
	c.printf("%-40s %8.3fs %8.3fs %7s %10s %8.2fs %8.2fs %7s %9.2fs %7d %8d\n", s.name, r.file.took.Seconds(), r.database.took.Seconds(),
		ratio(r.database.took.Seconds(), r.file.took.Seconds()), rate, r.file.cpu.Seconds(), r.database.cpu.Seconds(),
		ratio(r.database.cpu.Seconds(), r.file.cpu.Seconds()), r.server.Seconds(), r.trips, r.database.events)
}

// foot says whether the first sync was fast enough. One that was not is no error: others may keep the machine busy.
func (c *comparison) foot(file float64, database string) {
	met := "met"
	if c.first < firstSyncGoal {
		met = "missed"
	}
	c.printf("\nfirst sync of %d objects a second: %s (at least %d)\nstate %.0f MiB in the file, %s MiB in the database; load %s\n", c.first, met, firstSyncGoal, file, database, load())
}
