// Package postgres keeps a fleet's units and workers in PostgreSQL, and has River carry the runs.
//
// Two tables of ours decide: unit, what is wanted, who holds it, and when its schedules come next; and worker, who is alive. A job of
// River's says no more than "look at this unit": whoever works on it first takes the unit, in a transaction, or does nothing. Nothing
// rests on River's rescue of stuck jobs, on unique jobs or on its periodic ones: a job is never run twice.
//
// Every holder of a unit has a number, the fence, higher than all before. Whatever is stored on behalf of a unit is stored in a
// transaction that looks at holder and fence first and holds on to the row (Share): a worker that was given up, and does not know it yet,
// stores nothing.
//
// All times are the database's, or durations measured here: clocks of workers do not matter.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
)

// Options are what a fleet stands on.
type Options struct {
	// Pool is the database. Each process wants an application_name of its own in it: by that the sessions of a dead one are ended.
	Pool *pgxpool.Pool
	// Schema is where the tables are, and River's: small letters, digits and underscores. It is made when it is not there.
	Schema string
	// State is the schema of the state that the workers share; empty: what is known of that is not told (Upkeep).
	State string
	Log   *slog.Logger
	// PollOnly does without LISTEN, which a pooler of transactions does not carry; work begins up to a second later.
	PollOnly bool
}

// Fleet implements fleet.Fleet.
type Fleet struct {
	pool     *pgxpool.Pool
	schema   string
	state    string // the schema of that
	log      *slog.Logger
	quiet    *slog.Logger // River's: what is worth telling is told here
	pollOnly bool

	mu     sync.Mutex
	member *member // this process, while it works
}

var _ fleet.Fleet = (*Fleet)(nil)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// Open makes or updates the tables. The pool stays the caller's.
func Open(ctx context.Context, o Options) (*Fleet, error) {
	if !schemaName.MatchString(o.Schema) {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open", Err: fmt.Errorf("%q is no name of a schema", o.Schema),
			Hint: "small letters, digits and underscores, 40 at most"}
	}
	f := &Fleet{pool: o.Pool, schema: o.Schema, state: o.State, log: o.Log, quiet: slog.New(debugOnly{o.Log.Handler()}), pollOnly: o.PollOnly}
	if err := f.migrate(ctx); err != nil {
		return nil, fmt.Errorf("the tables of workers: %w", err)
	}
	return f, nil
}

// sql is a statement for this fleet's schema, which texts call "fleet".
func (f *Fleet) sql(text string) string { return strings.ReplaceAll(text, "fleet.", f.schema+".") }

// deciding begins a transaction in which alone it is decided what is offered to whom and which configuration is current.
func (f *Fleet) deciding(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return f.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, f.sql("select pg_advisory_xact_lock(hashtext('fleet.decide'))")); err != nil {
			return err
		}
		return fn(tx)
	})
}

// debugOnly tells at the level of debug what it is told, but for what is below information: that is for those who look after the queue itself.
type debugOnly struct{ slog.Handler }

// Enabled implements slog.Handler.
func (d debugOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo && d.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle implements slog.Handler.
func (d debugOnly) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return d.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (d debugOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugOnly{d.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (d debugOnly) WithGroup(name string) slog.Handler { return debugOnly{d.Handler.WithGroup(name)} }
