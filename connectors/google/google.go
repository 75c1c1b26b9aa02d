// Package google reads people, groups, licences and devices of Google Workspace and Cloud Identity through the
// Admin SDK.
package google

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// The names of the streams.
const (
	streamUsers    = "users"
	streamGroups   = "groups"
	streamLicences = "licences"
	streamDevices  = "devices"
)

// Factory opens Google connectors.
func Factory() connectors.Factory {
	return connectors.New("google", "people, groups, licences and devices of Google Workspace", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env) })
}

// Connector reads one or several customers.
type Connector struct {
	cfg        Config
	env        connectors.Env
	attributes []attribute
	units      []string
	wire       rest.Wire
	paces      *paces
	batch      int // how many customers of a reseller are emitted at once

	mu       sync.Mutex
	accounts map[string]*account // by tenant id
}

var _ connectors.Connector = (*Connector)(nil)

// open makes a connector from a configuration that Validate finds nothing wrong with. It does no network I/O.
func open(cfg *Config, env connectors.Env) (*Connector, error) {
	env = env.WithClock()
	attributes, err := parseAttributes(cfg.Attributes)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open google", Err: err}
	}
	wire, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	c := &Connector{
		cfg: *cfg, env: env, batch: customerBatch, attributes: attributes, units: roots(cfg.Users.OrgUnits), wire: wire,
		accounts: map[string]*account{},
		paces:    &paces{by: map[string]*pace{}, rate: float64(cfg.Quota) * float64(cfg.Share) / 100 / 60, burst: max(1, cfg.Parallel), env: &env},
	}
	parties := cfg.parties()
	if cfg.Reseller {
		parties = append(parties, cfg.reseller())
	}
	for _, p := range parties {
		if _, err := signIn(p); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	var d connectors.Description
	switch {
	case !c.cfg.Reseller:
		d = c.describeDirectory()
	case len(c.cfg.Customers) == 0:
		d.Streams = resellerStreams()
	default:
		d = c.describeDirectory()
		for _, s := range resellerStreams() {
			if !slices.ContainsFunc(d.Streams, func(has connectors.Stream) bool { return has.Name == s.Name }) {
				d.Streams = append(d.Streams, s)
			}
		}
	}
	if c.cfg.Reseller {
		d.Permissions = append(d.Permissions, "a subject that is an administrator of the reseller")
		for _, s := range resellerScopes() {
			d.Permissions = append(d.Permissions, scopePrefix+s+" (customers and subscriptions of a reseller)")
		}
	}
	return d
}

// describeDirectory says what is read of an account.
func (c *Connector) describeDirectory() connectors.Description {
	events := c.cfg.Events != eventsOff
	d := connectors.Description{Permissions: []string{
		"a subject that is an administrator with the privileges Users > Read and Groups > Read of the Admin API",
	}}
	permit := func(why string, scopes ...string) {
		for _, s := range scopes {
			d.Permissions = append(d.Permissions, scopePrefix+s+" ("+why+")")
		}
	}
	if len(c.cfg.Licences.Products) > 0 {
		d.Streams = append(d.Streams, connectors.Stream{Name: streamLicences, Kinds: []directory.Kind{directory.Licence}, Delta: events})
	}
	byEvents := events && c.cfg.Users.Query == ""
	d.Streams = append(d.Streams, connectors.Stream{
		Name: streamUsers, Kinds: []directory.Kind{directory.Person}, Delta: byEvents, Tombstones: byEvents, ByID: c.cfg.Users.Query == "",
	})
	permit("people", userScopes()...)
	if c.cfg.Groups.Read {
		d.Streams = append(d.Streams, connectors.Stream{
			Name: streamGroups, Kinds: []directory.Kind{directory.Group}, Members: true, Delta: events, Tombstones: events,
		})
		permit("groups", groupScopes()...)
	}
	if c.cfg.Devices.ChromeOS || c.cfg.Devices.Mobile {
		d.Streams = append(d.Streams, connectors.Stream{Name: streamDevices, Kinds: []directory.Kind{directory.Device}})
	}
	if c.cfg.Devices.ChromeOS {
		permit("ChromeOS devices", chromeScopes()...)
	}
	if c.cfg.Devices.Mobile {
		permit("mobile devices", mobileScopes()...)
	}
	if events {
		permit("changes between full reads; privilege Reports", eventScopes()...)
	}
	if len(c.cfg.Licences.Products) > 0 {
		permit("licences; privilege License Management > Read", licenceScopes()...)
	}
	return d
}

// Tenants implements connectors.Connector: one for every customer on the list, else a single one without a name; and
// one for a reseller.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	var list []connectors.Tenant
	for _, p := range c.cfg.parties() {
		t := p.tenant(len(c.cfg.Customers) > 0)
		if c.cfg.Reseller {
			t.Streams = names(c.describeDirectory().Streams)
		}
		list = append(list, t)
	}
	if c.cfg.Reseller {
		list = append(list, connectors.Tenant{ID: resellerTenant, Name: "Reseller", Streams: names(resellerStreams())})
	}
	return list, nil
}

func names(streams []connectors.Stream) []string {
	var list []string
	for _, s := range streams {
		list = append(list, s.Name)
	}
	return list
}

// Close implements connectors.Connector.
func (c *Connector) Close() error {
	c.wire.CloseIdleConnections()
	return nil
}

// account returns the account of a tenant, made on first use.
func (c *Connector) account(tenant string) (*account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.accounts[tenant]; a != nil {
		return a, nil
	}
	parties := c.cfg.parties()
	if c.cfg.Reseller {
		parties = append(parties, c.cfg.reseller())
	}
	for _, p := range parties {
		if p.tenant(len(c.cfg.Customers) > 0 || c.cfg.Reseller).ID != tenant {
			continue
		}
		a, err := c.newAccount(p)
		if err != nil {
			return nil, err
		}
		c.accounts[tenant] = a
		return a, nil
	}
	return nil, &fault.Error{Class: fault.Internal, Op: "read", Where: tenant, Err: errors.New("no such customer in the configuration")}
}

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	op := "read " + req.Stream
	reseller := c.cfg.Reseller && req.Tenant.ID == resellerTenant
	streams := resellerStreams()
	if !reseller {
		streams = c.describeDirectory().Streams
	}
	i := slices.IndexFunc(streams, func(s connectors.Stream) bool { return s.Name == req.Stream })
	switch {
	case i < 0:
		return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf("this tenant has no stream %q", req.Stream)}
	case req.Mode == connectors.Delta && !streams[i].Delta:
		return &fault.Error{Class: fault.CursorExpired, Op: op, Err: errors.New("the stream is read in full only")}
	}
	a, err := c.account(req.Tenant.ID)
	if err != nil {
		return err
	}
	r := &reading{account: a, connector: c, op: op, stream: streams[i], began: c.env.Now(), emit: emit}
	if reseller {
		return r.readReseller(ctx)
	}
	if r.customer, err = a.identify(ctx); err != nil {
		return err
	}
	switch req.Mode {
	case connectors.Delta:
		return r.delta(ctx, req.Cursor)
	case connectors.ByID:
		return r.byID(ctx, req.IDs)
	default:
		return r.full(ctx)
	}
}

// reading is one read of one stream.
type reading struct {
	*account
	connector *Connector
	op        string
	stream    connectors.Stream
	customer  string // the real id
	began     time.Time
	emit      func(*connectors.Page) error
}

func (r *reading) full(ctx context.Context) error {
	switch r.stream.Name {
	case streamUsers:
		return r.fullUsers(ctx)
	case streamGroups:
		return r.fullGroups(ctx)
	case streamLicences:
		return r.fullLicences(ctx)
	default:
		return r.fullDevices(ctx)
	}
}

// closing is the last page of a full read: the cursor from which events count, and the proof.
func (r *reading) closing() *connectors.Page {
	// None of Google's lists has a count of its own.
	p := &connectors.Page{Proof: &connectors.Proof{Scope: r.scope(), Count: -1, Reads: r.connector.cfg.says(r.stream.Name), MayBeShort: true}}
	switch {
	case r.stream.Name == streamDevices:
		p.Look = r.lookForDevices
	case r.stream.Name == streamGroups:
		p.Look, p.Definite = r.lookForGroups, true
	case r.stream.Name == streamUsers && r.connector.cfg.Users.Query == "":
		p.Look, p.Definite = r.lookForUsers, true
	}
	if r.stream.Delta {
		p.Cursor = r.firstCursor()
	}
	return p
}
