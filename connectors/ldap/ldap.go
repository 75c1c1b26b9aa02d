// Package ldap reads people and groups from LDAP directories: OpenLDAP and its relatives, and Active Directory.
package ldap

import (
	"context"
	"errors"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
)

// The names of the streams.
const (
	streamUsers  = "users"
	streamGroups = "groups"
)

// Factory opens LDAP connectors.
func Factory() connectors.Factory {
	return connectors.New("ldap", "people and groups of OpenLDAP, Active Directory and other LDAP servers", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env) })
}

// Connector reads one directory. It keeps no connection open between calls.
type Connector struct {
	cfg      Config
	env      connectors.Env
	resolver resolver
	servers  *servers
	forest   forest
	schemas  schemas
	looks    idleLooks
}

var _ connectors.Watcher = (*Connector)(nil)

// open makes a connector from a configuration that Validate finds nothing wrong with.
func open(cfg *Config, env connectors.Env) (*Connector, error) {
	if len(cfg.Servers) == 0 && !cfg.Domains.set() {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open ldap", Err: errors.New("no server is named")}
	}
	if env.Sleep == nil {
		env.Sleep = patience.Sleep
	}
	c := &Connector{cfg: *cfg, env: env, resolver: newResolver(cfg.DNS)}
	c.servers = &servers{names: cfg.Servers, lookup: c.discover, now: env.Now}
	return c, nil
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	delta := c.cfg.Incremental != incrementalOff
	tombstones := delta && c.cfg.Incremental != methodTimestamp
	rewritten := ""
	if delta {
		rewritten = dnHandle
	}
	return connectors.Description{
		Streams: []connectors.Stream{
			{Name: streamUsers, Kinds: []directory.Kind{directory.Person}, Delta: delta, Tombstones: tombstones, Rewritten: rewritten, Derived: delta && c.cfg.readsBackLinks(directory.Person), ByID: delta},
			{Name: streamGroups, Kinds: []directory.Kind{directory.Group}, Members: true, Delta: delta, Tombstones: tombstones, Rewritten: rewritten, Derived: delta && c.cfg.readsBackLinks(directory.Group)},
		},
		Permissions: []string{
			"bind, and read below every base: the entries, the attributes of the preset, and the anchor",
			"no size limit for the bind user (OpenLDAP: limits … size=unlimited)",
			"Active Directory, for domains: auto: read CN=Partitions of the forest's configuration, as anybody may by default",
			"Active Directory, for incremental reads: List Contents and Read Property on CN=Deleted Objects of the domain",
		},
	}
}

// Close implements connectors.Connector.
func (c *Connector) Close() error { return nil }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	op, kind := "read "+req.Stream, kindOf(req.Stream)
	own, err := c.view(ctx, op, req.Tenant)
	switch {
	case err != nil:
		return err
	case req.Mode == connectors.Full:
		return own.explain(own.readFull(ctx, op, kind, &req, emit))
	case req.Mode == connectors.Referrers, req.Mode == connectors.ByID: // who is not found may be out of the base, or not there yet
		return own.explain(own.readReferrers(ctx, op, kind, &req, emit))
	default:
		return own.explain(own.readDelta(ctx, op, kind, &req, emit))
	}
}

func kindOf(stream string) directory.Kind {
	if stream == streamGroups {
		return directory.Group
	}
	return directory.Person
}

// readFull lists everything of one kind.
func (c *Connector) readFull(ctx context.Context, op string, kind directory.Kind, req *connectors.Request, emit func(*connectors.Page) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := c.openKnowing(inner, op, kind, "", req)
	if err != nil {
		return err
	}
	s := r.session
	defer s.close()
	if r.tr.twins, err = r.findTwins(inner); err != nil {
		return err
	}
	if kind == directory.Group && r.preset.name != presetActiveDirectory { // a domain has members of other domains by design
		r.tr.outside = &outside{read: c.readSets(&r.preset)}
	}
	cursor, err := r.beginCursor()
	if err != nil {
		return err
	}
	conn, err := s.stream(op)
	if err != nil {
		return err
	}
	l := &listing{
		reading: r, conn: conn, cursor: cursor,
		ranges: &rangeReader{connector: c, op: op, server: s.server},
		spare:  make(chan *batch, batches), ready: make(chan *batch),
	}
	defer l.ranges.close()
	if r.query.overlapping(r.preset.form) {
		l.seen = make(map[string]struct{})
	}
	if l.same, err = l.openSame(inner, req); err != nil {
		return err
	}
	go l.run(inner)
	if err := l.emit(ctx, emit); err != nil {
		cancel() // breaks the connections under whatever the listing waits for
		l.drain()
		return err
	}
	if l.err != nil && fault.ClassOf(l.err) == fault.Transient {
		c.servers.failed(s.server)
	}
	return l.err
}
