package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	directoryapi "google.golang.org/api/admin/directory/v1"
	reportsapi "google.golang.org/api/admin/reports/v1"
	"google.golang.org/api/licensing/v1"
	"google.golang.org/api/option"
	resellerapi "google.golang.org/api/reseller/v1"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// The scopes, without their prefix. Each set is asked for by itself, so that a part of the directory that was not
// granted fails alone.
func userScopes() []string {
	return []string{"admin.directory.customer.readonly", "admin.directory.user.readonly"}
}

func groupScopes() []string {
	return []string{"admin.directory.group.readonly", "admin.directory.group.member.readonly"}
}

func eventScopes() []string { return []string{"admin.reports.audit.readonly"} }

// licenceScopes has the only scope there is; it has no form that only reads. Nothing is written.
func licenceScopes() []string { return []string{"apps.licensing"} }

func chromeScopes() []string { return []string{"admin.directory.device.chromeos.readonly"} }

func mobileScopes() []string { return []string{"admin.directory.device.mobile.readonly"} }

// account is one customer: the services that read it, each with a token of its own.
type account struct {
	party
	connector *Connector
	base      *rest.Transport
	tokenURI  string // as configured; empty: what the key says

	users, groups, chrome, mobile *directoryapi.Service
	events                        *reportsapi.Service
	licences                      *licensing.Service
	sold                          *resellerapi.Service

	mu  sync.Mutex
	id  string // the customer's real id once it is known
	has addresses
}

// newAccount makes the services. It does no network I/O.
func (c *Connector) newAccount(p party) (*account, error) {
	a := &account{party: p, connector: c, tokenURI: c.cfg.TokenURI}
	k, err := signIn(p)
	if err != nil {
		return nil, err
	}
	uri := defaultTokenURI
	if k.TokenURI != "" {
		uri = k.TokenURI
	}
	if a.tokenURI != "" {
		uri = a.tokenURI
	}
	hosts := []string{rest.Host(uri), "admin.googleapis.com", "licensing.googleapis.com", hostReseller}
	if c.cfg.Endpoint != "" {
		hosts = []string{rest.Host(uri), rest.Host(c.cfg.Endpoint)}
	}
	a.base = rest.NewTransport(rest.Options{
		Base: c.wire, Requested: c.env.Requested, Sleep: c.env.Sleep, Hosts: hosts, Name: word, Explain: explainer{c.env.Now}.explain,
		Pace: c.paces.of(p.identity()),
	})
	a.users, err = a.directory(userScopes()...)
	if err == nil {
		a.groups, err = a.directory(groupScopes()...)
	}
	if err == nil {
		a.chrome, err = a.directory(chromeScopes()...)
	}
	if err == nil {
		a.mobile, err = a.directory(mobileScopes()...)
	}
	if err == nil {
		a.events, err = service(a, reportsapi.NewService, eventScopes()...)
	}
	if err == nil {
		a.licences, err = service(a, licensing.NewService, licenceScopes()...)
	}
	if err == nil {
		a.sold, err = service(a, resellerapi.NewService, resellerScopes()...)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *account) directory(scopes ...string) (*directoryapi.Service, error) {
	return service(a, directoryapi.NewService, scopes...)
}

// service makes one of the SDK's services over the one transport.
func service[S any](a *account, open func(context.Context, ...option.ClientOption) (*S, error), scopes ...string) (*S, error) {
	client, err := a.client(scopes...)
	if err != nil {
		return nil, err
	}
	opts := []option.ClientOption{option.WithHTTPClient(client)}
	if e := a.connector.cfg.Endpoint; e != "" {
		opts = append(opts, option.WithEndpoint(slashed(e)))
	}
	s, err := open(context.Background(), opts...)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: "open google", Err: err}
	}
	return s, nil
}

// client is an HTTP client that signs in for scopes. Redirects never reach it: the transport refuses them.
func (a *account) client(scopes ...string) (*http.Client, error) {
	g, err := newGrant(a.party, a.tokenURI, a.base, scopes...)
	if err != nil {
		return nil, err
	}
	kept := tokens.New(tokens.Options{Fetch: g.fetch, Now: time.Now})
	return &http.Client{Transport: &capture{&authorised{kept, a.base}}}, nil
}

// slashed ends an address with a slash: without one the SDK drops the last part of the path.
func slashed(address string) string {
	if address[len(address)-1] != '/' {
		return address + "/"
	}
	return address
}

// identify returns the customer's real id. It is asked for once in the life of a connector, because credentials do
// not move to another customer while it runs; everything that was stored under another id is not comparable.
func (a *account) identify(ctx context.Context) (string, error) {
	a.mu.Lock()
	id := a.id
	a.mu.Unlock()
	if id != "" {
		return id, nil
	}
	got, err := a.askCustomer(ctx)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id = got.ID
	return got.ID, nil
}

type customer struct {
	ID     string `json:"id"`
	Domain string `json:"customerDomain"`
}

func (a *account) askCustomer(ctx context.Context) (customer, error) {
	const op = "get the customer"
	var got customer
	body, err := ask(ctx, op, func(ctx context.Context) error {
		_, err := a.users.Customers.Get(a.customer).Context(ctx).Fields("id,customerDomain").Do()
		return err
	})
	switch {
	case err != nil && aboutOne(err) && fault.ClassOf(err) == fault.Forbidden:
		// No role that was made by hand may get the customer, whatever its privileges: its people name it, too.
		return a.customerByPeople(ctx, err)
	case gone(err):
		return got, &fault.Error{
			Class: fault.Configuration, Op: op, Where: a.customer, Err: errors.New("there is no such customer"), Hint: customerHint,
		}
	case err != nil:
		return got, err
	case json.Unmarshal(body, &got) != nil || got.ID == "":
		return got, odd(op, errors.New("the answer 200 names no customer"))
	case a.customer != myCustomer && got.ID != a.customer:
		return got, &fault.Error{
			Class: fault.Configuration, Op: op, Where: a.customer, Err: fmt.Errorf("the answer is about customer %s", quotable(got.ID)),
			Hint: "write the id that the Admin console shows under Account",
		}
	}
	return got, nil
}

// customerByPeople finds out the customer's real id from somebody who belongs to it. Where nobody can be listed, the
// refusal stands.
func (a *account) customerByPeople(ctx context.Context, refused error) (customer, error) {
	body, err := ask(ctx, "list users", func(ctx context.Context) error {
		_, err := a.users.Users.List().Context(ctx).Customer(a.customer).MaxResults(1).Fields("kind,etag,users(customerId)").Do()
		return err
	})
	if ctx.Err() != nil {
		return customer{}, ctx.Err()
	}
	if err != nil && !aboutOne(err) {
		return customer{}, err
	}
	d, err2 := parseListPage("list users", body)
	if err != nil || err2 != nil || len(d.Users) == 0 {
		return customer{}, refused
	}
	var who struct {
		Customer string `json:"customerId"`
	}
	if json.Unmarshal(d.Users[0], &who) != nil || who.Customer == "" {
		return customer{}, refused
	}
	return customer{ID: who.Customer}, nil
}

// tenant is how the engine knows the account.
func (p *party) tenant(several bool) connectors.Tenant {
	if !several {
		return connectors.Tenant{}
	}
	t := connectors.Tenant{ID: p.customer, Name: p.name, Domain: p.domain}
	if t.Name == "" {
		t.Name = p.customer
	}
	return t
}
