// Package config loads the configuration file: strictly, completely, without network I/O. What is wrong is
// reported with file, line, column and hint, everything at once.
//
// Connectors and targets decode their own blocks through types that they hand in (see Parts); this package
// knows none of them.
package config

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/schedule"
	"dirsyncd/sync/settings"
)

// Config is a configuration that is complete and consistent. It is not changed after loading.
type Config struct {
	File string // as it was named
	Dir  string // absolute; relative paths in the file start here
	Sum  string // Text.Sum of what was read, with the files of its tables

	// State is the file that has the state, or would have it: Database is in its place.
	State settings.Path
	// Database is nil where a file has the state.
	Database *Database
	Control  settings.Path
	Readers  *Readers // who may look by commands, and not decide; nil: nobody
	Listen   string   // host:port, or empty: no listener
	Web      *Web     // the public front; nil: nothing is public
	Notices  *Notices // nil: nobody is told anything
	Signin   *Signin  // nil: nobody signs in
	Console  *Console // nil: there is none
	Log      Log
	// History is how long it is kept what was sent.
	History History
	// Guard are the limits over time of all connections together; none: those of each alone count.
	Guard Overs
	// Parallel is how many connections are run at a time; 0: RunsAtOnce says.
	Parallel int

	Connections []Connection        // sorted by name
	Tables      map[string]*Table   // by name
	Mappings    map[string]*Mapping // by name
	Targets     []Target            // sorted by name

	// FromStart says that a secret comes from the environment or from systemd's credentials, which are those of the
	// moment at which the process was started.
	FromStart bool

	// Warnings are what is allowed but probably not meant, in the order of the file.
	Warnings []Problem
	// Unseen are the secrets that could not be read and were let pass (Parts.Blind). With any, nobody who needs one may be
	// asked.
	Unseen []Problem
}

// Log says how to log.
type Log struct {
	Level  Level  `yaml:"level"`
	Format Format `yaml:"format"`
}

// Connection is one configured source.
type Connection struct {
	Name      string
	Connector string
	// Schedule and Full are the schedules as written; empty: only on demand.
	Schedule, Full string
	// Incremental and Complete are the same, parsed; nil when empty.
	Incremental, Complete cron.Schedule
	Timezone              *time.Location
	Jitter                settings.Duration
	Mapping               string
	Targets               []string
	// Import says that the connection is an import, and of which kind; empty for one that is none.
	Import directory.Import
	// Every is how much time is at least between two reads by the schedule of the streams of some kinds.
	Every map[directory.Kind]time.Duration
	// RemoveInFull are the kinds of object that only a full read takes away.
	RemoveInFull []directory.Kind
	// Tenants are those that have something of their own.
	Tenants []Tenant
	// Workers are the names of the workers that run the connection; none: all that share the state.
	Workers []string
	// Block is the connector's own configuration, as its NewConfig made it.
	Block any
}

// Entry returns the connection's schedule for the loop that runs it.
func (c *Connection) Entry() schedule.Entry {
	return schedule.Entry{Name: c.Name, Incremental: c.Incremental, Full: c.Complete, Jitter: c.Jitter.Std()}
}

// Mapping is one mapping, compiled.
type Mapping struct {
	Spec  mapping.Spec
	Rules *mapping.Ruleset
	Guard Guard
}

// Target is one place where actions go.
type Target struct {
	Name   string
	Target string // the kind
	// Kinds are the kinds of record that go there; none means all.
	Kinds []directory.RecordKind
	// Workers are the names of the workers that deliver; none: all that share the state.
	Workers []string
	// Desk is what is wanted of a target that has things of its own; nil for others.
	Desk *Desk
	// Block is the target's own configuration, as its NewConfig made it.
	Block any
}

// Connection returns the connection with this name.
func (c *Config) Connection(name string) (*Connection, bool) {
	for i := range c.Connections {
		if c.Connections[i].Name == name {
			return &c.Connections[i], true
		}
	}
	return nil, false
}

// Entries returns the schedules of all connections.
func (c *Config) Entries() []schedule.Entry {
	list := make([]schedule.Entry, len(c.Connections))
	for i := range c.Connections {
		list[i] = c.Connections[i].Entry()
	}
	return list
}

// Audits returns the schedules of the audits of targets.
func (c *Config) Audits() (list []schedule.Entry) {
	for i := range c.Targets {
		if d := c.Targets[i].Desk; d != nil && d.Audit != nil && d.Audit.Times != nil {
			list = append(list, schedule.Entry{Name: c.Targets[i].Name, Incremental: d.Audit.Times})
		}
	}
	return list
}

// runsPerCore is how many connections are run at a time for each core of the machine: a run mostly waits for its source.
// fewestRuns is how many there are on the smallest one.
const (
	runsPerCore = 4
	fewestRuns  = 8
)

// RunsAtOnce is how many connections are run at a time.
func (c *Config) RunsAtOnce() int {
	if c.Parallel > 0 {
		return c.Parallel
	}
	return max(runsPerCore*runtime.GOMAXPROCS(0), fewestRuns)
}

// LogValue shows the configuration in a log by its file only.
func (c *Config) LogValue() slog.Value { return slog.StringValue(c.File) }
