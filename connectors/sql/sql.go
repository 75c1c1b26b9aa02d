// Package sql reads people, groups, licences, devices and customers from a database: PostgreSQL, MariaDB and MySQL, SQL Server,
// SQLite. One query per kind lists them all; package columns makes objects of its rows.
//
// A read is one transaction that only reads and in which all queries see the same. A full result set that ended without an
// error lists everything; whether what it does not list is gone is for the operator to say (Config.Absent).
package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Factory opens SQL connectors.
func Factory() connectors.Factory {
	return connectors.New("sql", "people, groups, customers, licences and devices of a database", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env) })
}

// Connector reads one database.
type Connector struct {
	cfg     Config
	env     connectors.Env
	dialect dialect
	db      *stdsql.DB
	// pageSize is how many rows a page holds.
	pageSize int
}

var _ connectors.Connector = (*Connector)(nil)

// open makes a connector from a configuration that Validate finds nothing wrong with. It makes no connection.
func open(cfg *Config, env connectors.Env) (*Connector, error) {
	env = env.WithClock()
	c := &Connector{cfg: *cfg, env: env, pageSize: 500}
	c.dialect = c.cfg.dialect()
	var err error
	if c.db, err = c.cfg.Open(database.Reading, c.cfg.Timeout.Std()); err != nil {
		return nil, err
	}
	c.db.SetMaxIdleConns(1)
	c.db.SetConnMaxIdleTime(time.Minute)
	return c, nil
}

// Describe implements connectors.Connector. A database has nothing to say of rows that are gone: full reads find them.
func (c *Connector) Describe() connectors.Description {
	d := connectors.Description{Permissions: []string{"SELECT on what the queries read, and nothing else"}}
	for _, s := range c.cfg.sources() {
		d.Streams = append(d.Streams, connectors.Stream{
			Name: s.stream, Kinds: []directory.Kind{s.kind}, Members: s.kind == directory.Group,
			Delta: s.query.Changed != nil, Counted: s.query.Count != "",
		})
	}
	return d
}

// Tenants implements connectors.Connector. A database has none.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Close implements connectors.Connector.
func (c *Connector) Close() error { return c.db.Close() }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	for _, s := range c.cfg.sources() {
		if s.stream == req.Stream {
			r := &reading{Connector: c, source: s, op: "read " + req.Stream, emit: emit, delta: req.Mode == connectors.Delta}
			return r.run(ctx, req.Cursor)
		}
	}
	return &fault.Error{Class: fault.Internal, Op: "read " + req.Stream, Err: errors.New("there is no such stream")}
}

// within runs fn in a transaction that only reads. What fn returns unchanged comes back unchanged if it is no error of the
// database's (see fail).
func (c *Connector) within(ctx context.Context, op string, fn func(context.Context, *stdsql.Tx) error) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout.Std())
	defer cancel()
	began := c.env.Now()
	conn, err := c.db.Conn(ctx)
	c.env.Requested(outer, "connect", began, err)
	if err != nil {
		return c.fail(outer, op, err)
	}
	defer func() { _ = conn.Close() }()
	tx, err := c.dialect.begin(ctx, conn, c.cfg.Timeout.Std())
	if err != nil {
		return c.fail(outer, op, err)
	}
	err = fn(ctx, tx)
	// Rows that nobody wants any more are not read to their end: the connection ends with the context instead.
	if err != nil {
		cancel()
	}
	_ = tx.Rollback()
	return err
}

// options are those of a layout.
func (c *Connector) options(s source) columns.Options {
	opts := columns.Options{Kind: s.kind, Named: c.cfg.names(s.kind), KeyParts: c.cfg.keyParts()}
	if s.query.Changed != nil {
		opts.Ignored = []string{s.query.Changed.Column}
	}
	return opts
}
