// Package merge makes one person of several sources: its source are the stored objects of other connections. Who is who is
// worked out in join.go, by anchors in order and never by a name; docs/merge.md says it for operators.
//
// There is one stream. A full read goes over all stored objects of the contributors; a delta read over what their journals
// (store.Writer) name since the last one, and over those who hang together with it by anchors: these are found by the handles of the
// merged objects themselves, which are the only memory. Who waits for a human is in the cursor.
//
// People become one; what else there is passes through under its connection's name. References need no translation: each
// merged object has the handles of its parts, as numbers of their partitions' stores.
package merge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// streamName is the one stream's.
const streamName = "objects"

// Factory opens merging connectors.
func Factory() connectors.Factory {
	return connectors.New("merge", "one person of several connections", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env), nil })
}

// Connector reads what is stored of other connections.
type Connector struct {
	cfg Config
	env connectors.Env
	// pageSize is how many objects a page holds.
	pageSize int
}

var _ connectors.Asker = (*Connector)(nil)

func open(cfg *Config, env connectors.Env) *Connector {
	if env.Now == nil {
		env.Now = time.Now
	}
	return &Connector{cfg: *cfg, env: env, pageSize: 500}
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	return connectors.Description{Permissions: []string{"none: the state is read"}, Streams: []connectors.Stream{{Name: streamName, Kinds: directory.Kinds(), Members: true, Delta: true, Tombstones: true}}}
}

// Check implements connectors.Connector: each contributor must have been read.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings []connectors.Finding
	for _, name := range c.cfg.From {
		if c.env.Stored == nil { // before a first sync nothing is wrong
			findings = append(findings, connectors.Finding{Subject: "connection " + name, OK: true, Detail: "nothing is stored yet; it is merged after its first sync"})
			continue
		}
		parts, err := c.partitionsOf(ctx, name)
		switch {
		case err == nil:
			findings = append(findings, connectors.Finding{Subject: "connection " + name, OK: true, Detail: fmt.Sprintf("stored, %d tenants", len(parts))})
		case fault.ClassOf(err) == fault.Configuration:
			findings = append(findings, connectors.Failed("connection "+name, err))
		default:
			return findings, err
		}
	}
	return findings, nil
}

// Tenants implements connectors.Connector.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Close implements connectors.Connector.
func (c *Connector) Close() error { return nil }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	r := &reading{Connector: c, ctx: ctx, view: req.View, emit: emit, merged: map[store.Num]*mergedRow{}}
	if r.view == nil {
		r.view = func(context.Context, func(store.Reader) error) error { return nil }
	}
	began := c.env.Now()
	err := r.open(req)
	if err == nil {
		if req.Mode == connectors.Delta {
			err = r.delta()
		} else {
			err = r.full()
		}
	}
	c.env.Requested(ctx, "merge", began, err)
	return err
}

// contributor is a partition of whose objects merged ones are made.
type contributor struct {
	store.Partition
	connection string // as the configuration names it
	source     int    // its place in Config.From
	name       string // begins the names of its objects: stays when the connection is renamed
	position   uint64 // of the journal, when it was read
}

// nameOf names an object among those of all contributors.
func (c *contributor) nameOf(id string) string { return c.name + "/" + id }

// partitionsOf lists the partitions of a connection that were read to their end and settled at least once.
func (c *Connector) partitionsOf(ctx context.Context, name string) ([]contributor, error) {
	var list []contributor
	if c.env.Stored == nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read " + streamName, Err: errors.New("there is no state to read from")}
	}
	parts, err := c.env.Stored.Partitions(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		part := contributor{Partition: p, connection: name, name: name}
		err := c.env.Stored.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil || state.RulesHash == "" {
				part.name = ""
				return err
			}
			if state.Origin != "" {
				part.name = state.Origin
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if part.name == "" {
			continue
		}
		if p.Tenant != "" {
			part.name += "/" + p.Tenant
		}
		list = append(list, part)
	}
	if len(list) == 0 {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read " + streamName, Where: name, Err: errors.New("the connection was not read to its end yet"),
			Hint: "nothing is merged until each connection under from was: `dirsyncd sync " + name + "`"}
	}
	return list, nil
}

// contributors lists the partitions of all connections.
func (c *Connector) contributors(ctx context.Context) ([]contributor, error) {
	var all []contributor
	for i, name := range c.cfg.From {
		list, err := c.partitionsOf(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, part := range list {
			part.source = i
			all = append(all, part)
		}
	}
	return all, nil
}

// rank is the place of a connection when somebody's parts are put in order: the leader's comes first.
func (c *Connector) rank(source int) int {
	if c.cfg.Leader != "" && c.cfg.From[source] == c.cfg.Leader {
		return -1
	}
	return source
}

// scope says what is listed.
func (c *Connector) scope() string {
	var joins []string
	for i := range c.cfg.Join {
		j := &c.cfg.Join[i]
		joins = append(joins, j.label()+" as "+j.As+" "+strings.Join(j.Domains, " "))
	}
	return "made of " + strings.Join(c.cfg.From, ", ") + " by " + strings.Join(joins, "; ")
}

// settings tells cursors that were made under other settings.
func (c *Connector) settings() string {
	return fmt.Sprintf("%s %s %s %v %v", c.scope(), c.cfg.Leader, c.cfg.Leaver, c.cfg.Fields, c.cfg.Blank)
}
