package csp

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"dirsyncd/connectors"
	"dirsyncd/connectors/entra"
)

// tenantClient is what is kept for one customer's tenant: its reader, with its credential and its pace.
type tenantClient struct {
	reader *entra.Reader
	graph  *api
	center partnerCenter
}

// tenantClients are those of the tenants that have been read. It may be used by many goroutines.
type tenantClients struct {
	mu    sync.Mutex
	open  map[string]*tenantClient
	known map[string]*customer
}

// keep lets go of the tenants that are listed no more, and remembers what is known of the others.
func (t *tenantClients) keep(list []connectors.Tenant, known map[string]*customer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	listed := make(map[string]bool, len(list))
	for _, one := range list {
		listed[one.ID] = true
	}
	for id := range t.open {
		if !listed[id] {
			delete(t.open, id)
		}
	}
	t.known = known
}

// learn remembers what is known of customers.
func (t *tenantClients) learn(known map[string]*customer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = known
}

// about returns what the sources last said of a customer, or nil.
func (t *tenantClients) about(id string) *customer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[id]
}

// getOrCreate returns a tenant's client, and makes it when there is none.
func (t *tenantClients) getOrCreate(id string, create func() (*tenantClient, error)) (*tenantClient, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.open[id]; one != nil {
		return one, nil
	}
	one, err := create()
	if err != nil {
		return nil, err
	}
	if t.open == nil {
		t.open = map[string]*tenantClient{}
	}
	t.open[id] = one
	return one, nil
}

// selection is what is read of a customer.
func (c *Connector) selection(tenant string) entra.Selection {
	app := c.customerApp()
	return entra.Selection{
		Tenant: tenant, Identity: app.ClientID, Groups: c.cfg.Groups, Licences: c.cfg.Licences, Devices: c.cfg.Devices, DevicesIfAny: true,
		DeviceLastSeen: c.cfg.DeviceLastSeen, Manager: c.cfg.Manager, GroupOwners: c.cfg.GroupOwners, LeaveDate: c.cfg.LeaveDate,
		SignInActivity: c.cfg.SignInActivity, Photos: c.cfg.Photos,
		Attributes: c.cfg.Attributes, Names: c.names,
	}
}

// customerApp is the application that reads the customers.
func (c *Connector) customerApp() App {
	if c.cfg.CustomerAccess == accessDelegated {
		return c.cfg.partnerApp()
	}
	return c.cfg.App
}

// blueprint is a reader of no tenant, which knows what every reader can do.
func (c *Connector) blueprint() *entra.Reader { return entra.NewReader(nil, c.selection("")) }

// client returns the client of a customer's tenant. Making one costs no request.
func (c *Connector) client(id string) (*tenantClient, error) {
	return c.clients.getOrCreate(strings.ToLower(id), func() (*tenantClient, error) {
		way := newTenantTransport(c.limiter, c.env.Now)
		credential, err := c.credential(c.customerApp(), id, c.cfg.CustomerAccess == accessDelegated, way)
		if err != nil {
			return nil, err
		}
		// One worker at a time reads a tenant, so that its quota is not shared with others.
		pace := entra.NewPace(entra.PaceOptions{Share: c.cfg.Share, Now: c.env.Now, Sleep: c.tune.sleep})
		graph := c.sources.graph.root
		client, err := entra.NewClient(entra.ClientOptions{
			Graph: graph.String(), Base: way, Credential: credential, Pace: pace, Env: c.env,
			Patience: c.tune.patience, Stale: c.tune.stale,
		})
		if err != nil {
			return nil, err
		}
		return &tenantClient{
			center: c.openCenter(way, c.sources.center.root, c.sources.center.tokens),
			reader: entra.NewReader(client, c.selection(id)),
			graph: newAPI(apiOptions{
				root: graph, base: way, pace: pace, env: c.env, tune: c.tune, name: nameOf, explain: explainOwnGraph,
				tokens: credential.Tokens(graphScope(graph.String()), c.env.Now),
			}),
		}, nil
	})
}

// delegated signs in as the partner's user.
func (c *Connector) delegated(app App, tenant string, client *http.Client) *entra.Credential {
	cred := &refreshCredential{
		endpoint: c.authority + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token", client: client,
		app: &clientAuth{app: app, now: c.env.Now}, file: c.token, now: c.env.Now,
	}
	return &entra.Credential{Open: func() (azcore.TokenCredential, error) { return cred, nil }}
}

// readCustomer reads a stream of a customer's tenant.
func (c *Connector) readCustomer(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	one, err := c.client(req.Tenant.ID)
	if err != nil {
		return err
	}
	if _, reads := c.cfg.ReadsDomains(); reads && req.Stream == streamUsers && (req.Mode == connectors.Full || req.Mode == connectors.Delta) {
		emit = one.withDomains(ctx, req.Tenant.ID, emit)
	}
	if req.Stream == streamLicences && c.cfg.Subscriptions {
		return c.readLicences(ctx, one, req, emit)
	}
	return one.reader.Read(ctx, req, emit)
}

// idSegment is a part of a path that is an id and not a word.
var idSegment = regexp.MustCompile(`/[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}`)

// nameOf names a request by its path without ids.
func nameOf(r *http.Request) string {
	return r.Method + " " + idSegment.ReplaceAllString(strings.TrimPrefix(r.URL.Path, "/v1.0/"), "/{id}")
}
