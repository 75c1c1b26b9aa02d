// Package distinct makes objects of texts: a site of each office that the records of other connections name, a customer of each
// company. What there is follows from those records, which the rules of the other connections have made: so an organizational unit, a
// group or a table can say where somebody is.
//
// There is one stream. A full read goes over the records; a delta read over those that the journals (store.Writer) name since the
// last one, each with what it said before. How many records name something, by spelling, is in the cursor, so that a read costs
// what has changed and nobody need be counted anew. docs/distinct.md says it for operators.
package distinct

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// streamName is the one stream's.
const streamName = "objects"

// Factory opens connectors that make objects of texts.
func Factory() connectors.Factory {
	return connectors.New("distinct", "sites, customers and groups of the texts that records of other connections have", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env), nil })
}

// Connector reads the records of other connections.
type Connector struct {
	cfg Config
	env connectors.Env
	// pageSize is how many objects a page holds.
	pageSize int
}

func open(cfg *Config, env connectors.Env) *Connector {
	if env.Now == nil {
		env.Now = time.Now
	}
	return &Connector{cfg: *cfg, env: env, pageSize: 500}
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	stream := connectors.Stream{Name: streamName, Delta: true, Tombstones: true}
	for _, m := range c.cfg.made() {
		stream.Kinds = append(stream.Kinds, m.kind)
	}
	return connectors.Description{Permissions: []string{"none: the state is read"}, Streams: []connectors.Stream{stream}}
}

// Check implements connectors.Connector: each connection must have been settled.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings []connectors.Finding
	for _, name := range c.cfg.From {
		if c.env.Stored == nil { // before a first sync nothing is wrong
			findings = append(findings, connectors.Finding{Subject: "connection " + name, OK: true, Detail: "nothing is stored yet; it is looked at after its first sync"})
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

// partitionsOf lists the partitions of a connection whose records were made at least once.
func (c *Connector) partitionsOf(ctx context.Context, name string) ([]store.Partition, error) {
	if c.env.Stored == nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read " + streamName, Err: errors.New("there is no state to read from")}
	}
	parts, err := c.env.Stored.Partitions(ctx, name)
	if err != nil {
		return nil, err
	}
	var list []store.Partition
	for _, p := range parts {
		begun := false
		err := c.env.Stored.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			begun = state.RulesHash != ""
			return err
		})
		if err != nil {
			return nil, err
		}
		if begun {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read " + streamName, Where: name, Err: errors.New("the connection was not synced to its end yet"),
			Hint: "nothing is made until each connection under from was: `dirsyncd sync " + name + "`"}
	}
	return list, nil
}

// mustBeSettled refuses to go by records of two times: somebody who moves from one site to another in one run has not left the one
// before the other is known. What waits for the operator has marks for as long as it waits.
func mustBeSettled(tx store.Reader, p store.Partition) error {
	state, err := tx.Tenant()
	if err != nil {
		return err
	}
	unsettled := state.Unsettled()
	for _, kind := range directory.Kinds() {
		if unsettled || state.Held != nil || len(state.SeatQueue) > 0 {
			break
		}
		if err := tx.Dirty(kind, 0, func(store.Num, store.DirtyReason) bool { unsettled = true; return false }); err != nil {
			return err
		}
	}
	if !unsettled {
		return nil
	}
	return &fault.Error{Class: fault.Transient, Op: "read " + streamName, Where: p.String(),
		Err:  errors.New("its records are being made, or its last run broke off half-way"),
		Hint: "nothing is made of them until that came to its end: `dirsyncd sync " + p.Connection + "`"}
}
