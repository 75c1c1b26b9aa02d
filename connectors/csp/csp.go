// Package csp reads the customers of a Microsoft cloud solution provider: the partner's list of them, and the people,
// groups, licences and devices in the directory of each. One connection has many tenants; each has its own
// credentials, its own pace and its own troubles.
//
// What is read of one customer is read by package entra. What is here is the partner's side: who the customers are
// (source, customer), how to get in (refresh, token, tenantclients), how not to be a burden to the service or to each
// other (transport), what customers have bought (stream_licences), and in whose court the ball is when one cannot be
// read (explain).
package csp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/entra"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// The names of the streams.
const (
	streamUsers     = "users"
	streamGroups    = "groups"
	streamLicences  = "licences"
	streamDevices   = "devices"
	streamCustomers = "customers"
)

// Factory opens CSP connectors.
func Factory() connectors.Factory {
	return connectors.New("csp", "the customers of a Microsoft partner, and people, groups, licences and devices of each", Defaults, open)
}

// open makes a connector from a configuration that Validate finds nothing wrong with. It reads files and makes no
// connection.
func open(cfg *Config, env connectors.Env) (connectors.Connector, error) {
	return openWith(cfg, env, tuning{})
}

// Connector reads the customers of one partner.
type Connector struct {
	cfg     Config
	env     connectors.Env
	tune    tuning
	filter  customerFilter
	names   *entra.LicenceNames
	token   *tokenFile // nil without one
	base    rest.Wire
	limiter *concurrencyLimiter

	authority string
	sources   *sources
	clients   tenantClients
}

var _ connectors.Connector = (*Connector)(nil)

// tuning is what tests turn.
type tuning struct {
	sleep         func(ctx context.Context, d time.Duration) error
	patience      time.Duration
	stale         int
	customersPage int // how many customers are emitted at once; 0 is 100
}

func openWith(cfg *Config, env connectors.Env, t tuning) (*Connector, error) {
	if t.customersPage == 0 {
		t.customersPage = 100
	}
	env = env.WithClock()
	c := &Connector{cfg: *cfg, env: env, tune: t, filter: newCustomerFilter(cfg), names: entra.BuiltInLicenceNames()}
	var err error
	if cfg.LicenceNames != "" {
		if c.names, err = entra.ReadLicenceNames(cfg.LicenceNames); err != nil {
			return nil, err
		}
	}
	if cfg.RefreshTokenFile != "" {
		if c.token, err = openTokenFile(cfg.RefreshTokenFile); err != nil {
			return nil, err
		}
	}
	if c.base, err = rest.NewBase(cfg.Network); err != nil {
		return nil, err
	}
	c.base.MaxIdleConnsPerHost = max(c.base.MaxIdleConnsPerHost, cfg.Parallel)
	c.limiter = newConcurrencyLimiter(c.base, cfg.Parallel)
	if err := c.openSources(); err != nil {
		return nil, err
	}
	return c, nil
}

// openSources makes the clients that ask as the partner.
func (c *Connector) openSources() error {
	authority, graph, center, scope := c.cfg.services()
	c.authority = authority
	graphRoot, err := rootOf("graph", graph)
	if err != nil {
		return err
	}
	centerRoot, err := rootOf("partner_center", center)
	if err != nil {
		return err
	}
	way := newTenantTransport(c.limiter, c.env.Now)
	credential, err := c.credential(c.cfg.partnerApp(), c.cfg.Tenant, c.token != nil, way)
	if err != nil {
		return err
	}
	c.sources = &sources{cfg: &c.cfg, pace: newPartnerPace(c.cfg.Share, c.env.Portion, c.env.Now, c.tune.sleep)}
	c.sources.center = c.openCenter(way, centerRoot, credential.Tokens(scope, c.env.Now))
	c.sources.graph = partnerGraph{newAPI(apiOptions{
		root: graphRoot, base: way, env: c.env, tune: c.tune, name: nameOf, explain: explainOwnGraph,
		pace:   entra.NewPace(entra.PaceOptions{Share: c.cfg.Share, Portion: c.env.Portion, Now: c.env.Now, Sleep: c.tune.sleep}),
		tokens: credential.Tokens(graphScope(graphRoot.String()), c.env.Now),
	})}
	return nil
}

// openCenter makes a client of Partner Center that goes one tenant's way. All of them share the partner's token and
// pace.
func (c *Connector) openCenter(way http.RoundTripper, root *url.URL, t *tokens.Cache) partnerCenter {
	return partnerCenter{newAPI(apiOptions{
		root: root, base: way, env: c.env, tune: c.tune, name: nameOf, explain: explainPartner, pace: c.sources.pace, tokens: t,
	})}
}

func graphScope(graph string) string { return strings.TrimRight(graph, "/") + "/.default" }

// credential signs an application in to a tenant: as itself, or as the user whose refresh token it holds.
func (c *Connector) credential(app App, tenant string, delegated bool, way http.RoundTripper) (*entra.Credential, error) {
	client := entra.NewTokenClient(entra.TokenClientOptions{
		Authority: c.authority, Base: way, Env: c.env, Patience: c.tune.patience,
	})
	if delegated {
		return c.delegated(app, tenant, client), nil
	}
	return entra.NewCredential(entra.Application{
		Authority: c.authority, Tenant: tenant, ClientID: app.ClientID, Secret: app.ClientSecret,
		Certificate: app.Certificate, CertificatePassword: app.CertificatePassword, FederatedToken: app.FederatedTokenFile,
	}, client)
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	streams := append(c.blueprint().Streams(), connectors.Stream{Name: streamCustomers, Kinds: []directory.Kind{directory.Customer}})
	permissions := make([]string, 0, 8)
	for _, p := range c.blueprint().Permissions() {
		permissions = append(permissions, p+" in every customer's tenant")
	}
	if c.cfg.has(sourcePartnerCenter) {
		permissions = append(permissions, "Partner Center: the partner application registered under App management")
	}
	if c.cfg.has(sourceGDAP) {
		permissions = append(permissions, "DelegatedAdminRelationship.Read.All in the partner's tenant")
	}
	if c.cfg.has(sourceContracts) {
		permissions = append(permissions, "Directory.Read.All in the partner's tenant")
	}
	return connectors.Description{Streams: streams, Permissions: permissions}
}

// customerStreams are the names of the streams of a customer's tenant.
func (c *Connector) customerStreams() []string {
	var names []string
	for _, s := range c.blueprint().Streams() {
		names = append(names, s.Name)
	}
	return names
}

// Tenants implements connectors.Connector: the partner's own tenant, which lists the customers, and every customer
// that belongs to the connection.
func (c *Connector) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	got, err := c.sources.tolerant(ctx)
	if err != nil {
		return nil, err
	}
	list := []connectors.Tenant{{ID: c.partnerID(), Name: c.cfg.Name, Streams: []string{streamCustomers}}}
	streams := c.customerStreams()
	all := c.reconciled(got)
	for _, one := range c.filter.pick(all) {
		if one.id != c.partnerID() {
			list = append(list, connectors.Tenant{ID: one.id, Name: c.filter.nameOf(one), Domain: one.domain, Streams: streams})
		}
	}
	c.clients.keep(list, all)
	return list, nil
}

func (c *Connector) reconciled(a answers) map[string]*customer { return reconcile(a, c.env.Now()) }

func (c *Connector) partnerID() string { return strings.ToLower(c.cfg.Tenant) }

// Read implements connectors.Connector.
func (c *Connector) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	op := "read " + req.Stream
	own := strings.EqualFold(req.Tenant.ID, c.cfg.Tenant)
	switch {
	case own != (req.Stream == streamCustomers):
		return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf("this tenant has no stream %q", req.Stream)}
	case own:
		return c.readCustomers(ctx, op, emit)
	}
	err := c.readCustomer(ctx, req, emit)
	var f *fault.Error
	if errors.As(err, &f) {
		return c.explain(req.Tenant, op, f)
	}
	return err
}

// Close implements connectors.Connector.
func (c *Connector) Close() error {
	c.base.CloseIdleConnections()
	return nil
}
