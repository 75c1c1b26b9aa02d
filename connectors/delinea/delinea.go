// Package delinea reads people and roles of a Delinea Platform or Centrify tenant by its query API (RPC over HTTP).
//
// There is no change feed: every read is a full one. What of the interface no public document settles, which is more than with other
// vendors, is a setting with a stated default; docs/delinea.md lists it.
package delinea

import (
	"context"
	"errors"
	"net/http"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// The names of the streams.
const (
	streamUsers  = "users"
	streamGroups = "groups"
)

// Factory opens Delinea connectors.
func Factory() connectors.Factory {
	return connectors.New("delinea", "people and roles of a Delinea Platform or Centrify tenant", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env) })
}

// Connector reads one tenant.
type Connector struct {
	cfg    Config
	people table
	base   rest.Wire
	client *http.Client
	tokens *tokens.Cache
	root   string // what stands before the paths of calls
	host   string
}

var _ connectors.Connector = (*Connector)(nil)

// open makes a connector from a configuration that Validate finds nothing wrong with. It makes no connection.
func open(cfg *Config, env connectors.Env) (*Connector, error) {
	address, problem, hint := tenantAddress(cfg.URL)
	if problem != "" {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open delinea", Err: errors.New("url " + problem), Hint: hint}
	}
	env = env.WithClock()
	base, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	c := &Connector{cfg: *cfg, people: cfg.people(), base: base, root: address + cfg.basePath(), host: rest.Host(address)}
	c.client = &http.Client{CheckRedirect: rest.NoRedirects, Transport: native{cfg.NativeClient, rest.NewTransport(rest.Options{
		Base: base, Requested: env.Requested, Sleep: env.Sleep, Hosts: []string{c.host}, Name: nameOf,
	})}}
	grant := rest.ClientCredentials{
		TokenURL: address + cfg.tokenPath(), ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Scope: cfg.scope(), Method: cfg.method(), Unescaped: true,
	}
	c.tokens = grant.Tokens(c.client, env.Now)
	return c, nil
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	d := connectors.Description{
		Streams: []connectors.Stream{{Name: streamUsers, Kinds: []directory.Kind{directory.Person}, ByID: true}},
		Permissions: []string{
			"Redrock/query: the client's scope and its user's role must let it query the table " + c.people.name,
		},
	}
	if c.cfg.Roles {
		d.Streams = append(d.Streams, connectors.Stream{Name: streamGroups, Kinds: []directory.Kind{directory.Group}, Members: true})
		d.Permissions = append(d.Permissions, "Redrock/query of the table Role, and SaasManage/GetRoleMembers (roles: false does without)")
	}
	return d
}

// Tenants implements connectors.Connector. To us a tenant of Delinea is one source without parts.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Close implements connectors.Connector.
func (c *Connector) Close() error {
	c.base.CloseIdleConnections()
	return nil
}

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	switch {
	case req.Mode == connectors.ByID:
		return c.readByID(ctx, req.IDs, emit)
	case req.Stream == streamUsers:
		return c.readPeople(ctx, emit)
	default:
		return c.readRoles(ctx, emit)
	}
}

// proof is that of a list that was followed to its end, with as many rows as the tenant counts. The count comes with the list itself, and a client
// with fewer rights sees less without a word: whom one list lacks, the next one must lack, too.
func (c *Connector) proof(stream, what string) *connectors.Proof {
	return &connectors.Proof{Scope: what + " of " + c.host + ", read by " + c.cfg.ClientID, Count: -1, Reads: c.cfg.says(stream), MayBeShort: true}
}
