// Package entra reads people, groups, licences and devices of one Entra ID tenant from Microsoft Graph.
//
// A Reader reads one tenant and is what other connectors of this program build upon; the Connector is a Reader
// with the configuration of one tenant.
package entra

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/rest"
)

// Factory opens Entra ID connectors.
func Factory() connectors.Factory {
	return connectors.New("entra", "people, groups, licences and devices of one Microsoft Entra ID tenant", Defaults, open)
}

// open makes a connector from a configuration that Validate finds nothing wrong with. It reads files and makes no
// connection.
func open(cfg *Config, env connectors.Env) (connectors.Connector, error) {
	return openWith(cfg, env, tuning{})
}

// Connector reads one tenant.
type Connector struct {
	*Reader
	base          rest.Wire
	notifications bool
	public        func(http.Handler) (address string, release func(), err error) // nil: there is no public front
	after         func(d time.Duration) <-chan time.Time
	farewell      time.Duration // how long a watch may take to take leave
	consent       string        // where an administrator consents
}

var _ connectors.Connector = (*Connector)(nil)

// tuning is what tests turn.
type tuning struct {
	patience time.Duration
	stale    int
	after    func(d time.Duration) <-chan time.Time
	farewell time.Duration // 0: as usual
}

func openWith(cfg *Config, env connectors.Env, t tuning) (*Connector, error) {
	var names *LicenceNames
	if cfg.LicenceNames != "" {
		var err error
		if names, err = ReadLicenceNames(cfg.LicenceNames); err != nil {
			return nil, err
		}
	}
	base, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	authority, graph := cfg.services()
	credential, err := NewCredential(Application{
		Authority: authority, Tenant: cfg.Tenant, ClientID: cfg.ClientID, Secret: cfg.ClientSecret,
		Certificate: cfg.Certificate, CertificatePassword: cfg.CertificatePassword,
		FederatedToken: cfg.FederatedTokenFile, ManagedIdentity: cfg.ManagedIdentity,
	}, NewTokenClient(TokenClientOptions{Authority: authority, Base: base, Env: env, Patience: t.patience}))
	if err != nil {
		return nil, err
	}
	client, err := NewClient(ClientOptions{
		Graph: graph, Base: base, Credential: credential, Env: env, Patience: t.patience, Stale: t.stale,
		Pace: NewPace(PaceOptions{Share: cfg.Share, Portion: env.Portion, Now: env.Now, Sleep: env.Sleep}),
	})
	if err != nil {
		return nil, err
	}
	c := &Connector{
		Reader: NewReader(client, cfg.selection(names)), base: base, notifications: cfg.Notifications, public: env.Public, after: t.after, farewell: cmp.Or(t.farewell, farewell),
		consent: fmt.Sprintf("%s/%s/adminconsent?client_id=%s", strings.TrimSuffix(authority, "/"), cfg.Tenant, cfg.ClientID),
	}
	if c.after == nil {
		c.after = time.After
	}
	return c, nil
}

// Check implements connectors.Connector. Where consent is missing it says where to give it.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	findings, err := c.Reader.Check(ctx)
	for i := range findings {
		f := &findings[i]
		for _, code := range Unconsented() {
			if !f.OK && strings.Contains(f.Detail, fmt.Sprintf("AADSTS%d:", code)) {
				f.Hint += "; consent: " + c.consent
			}
		}
	}
	return findings, err
}

// Describe implements connectors.Connector.
func (c *Connector) Describe() connectors.Description {
	return connectors.Description{Streams: c.Streams(), Permissions: c.Permissions()}
}

// Tenants implements connectors.Connector: the connection is one tenant.
func (c *Connector) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Close implements connectors.Connector.
func (c *Connector) Close() error {
	c.base.CloseIdleConnections()
	return nil
}
