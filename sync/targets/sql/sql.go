// Package sql is a target: rows of tables that the operator has, in PostgreSQL, MariaDB and MySQL, SQL Server or SQLite. Tables are
// never made or changed. A row is changed by its id and only while it has the mark that it should have, read and locked in the same
// transaction: nothing that is written can hit a row of somebody else.
package sql

import (
	stdsql "database/sql"
	"sync"
	"time"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Desk is the tables of one database. It implements targets.Desk.
type Desk struct {
	cfg    Config
	now    func() time.Time
	db     *stdsql.DB
	reads  *stdsql.DB                      // db, but for SQLite, whose file is opened once more to be read only
	tables map[directory.RecordKind]*table // as they are configured

	mu    sync.Mutex
	known map[directory.RecordKind]*table // with what the database says of them; nil before it was asked
	// scans counts searches without regard to case, by kind, since a time.
	scans map[directory.RecordKind]scans
}

var _ targets.Desk = (*Desk)(nil)

// Factory makes sql targets.
func Factory() targets.Factory {
	return targets.NewDesk("sql", "keeps rows of tables in a database", defaults, describe,
		func(cfg *Config, env targets.Env) (targets.Desk, error) { return Open(cfg, env) })
}

// Open makes the desk of a configuration that Validate finds nothing wrong with. It makes no connection.
func Open(cfg *Config, env targets.Env) (*Desk, error) {
	d := &Desk{cfg: *cfg, now: env.Now, tables: cfg.tables(), scans: map[directory.RecordKind]scans{}}
	if d.now == nil {
		d.now = time.Now
	}
	var err error
	if d.db, err = d.cfg.Open(database.Writing, cfg.Timeout.Std()); err != nil {
		return nil, err
	}
	d.reads = d.db
	if cfg.Driver == database.SQLite {
		if d.reads, err = d.cfg.Open(database.Reading, cfg.Timeout.Std()); err != nil {
			_ = d.db.Close()
			return nil, err
		}
	}
	for _, db := range []*stdsql.DB{d.db, d.reads} {
		db.SetMaxIdleConns(cfg.Parallel + 1)
		db.SetConnMaxIdleTime(time.Minute)
	}
	return d, nil
}

// Describe implements targets.Desk.
func (d *Desk) Describe() targets.DeskDescription { return describe(&d.cfg) }

func describe(cfg *Config) targets.DeskDescription {
	about := targets.DeskDescription{Place: cfg.place(), Batch: cfg.Batch, Parallel: cfg.Parallel}
	tables := cfg.tables()
	for _, kind := range directory.RecordKinds() {
		t, ok := tables[kind]
		if !ok {
			continue
		}
		k := targets.DeskKind{Kind: kind, Keys: t.keys, Title: t.title, Marked: true, Ends: []directory.Op{directory.Delete}, References: t.kinds}
		if t.Active != nil || t.Ended != "" {
			k.Ends = append(k.Ends, directory.Deactivate)
		}
		if t.Members != nil {
			k.Members, k.MemberKinds = true, []directory.RecordKind{t.memberKind}
		}
		about.Kinds = append(about.Kinds, k)
	}
	return about
}

// Reopen implements targets.Desk: what the database said of its tables is asked again.
func (d *Desk) Reopen() error {
	d.forget()
	return nil
}

func (d *Desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = nil
}

// Close implements targets.Desk.
func (d *Desk) Close() error {
	err := d.db.Close()
	if d.reads != d.db {
		if also := d.reads.Close(); err == nil {
			err = also
		}
	}
	return err
}
