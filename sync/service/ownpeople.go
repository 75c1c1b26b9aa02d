package service

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
)

// ownPeople is the source of a provider's own people: nobody lists them, and nobody is missed. What is stored came by sign-in.
type ownPeople struct{}

var _ connectors.Connector = ownPeople{}

// factoryOf makes the sources of connections, those included that nobody writes.
func factoryOf(registry connectors.Registry, name string) (connectors.Factory, bool) {
	if name == config.SignIn {
		return connectors.Factory{Name: name, Open: func(any, connectors.Env) (connectors.Connector, error) { return ownPeople{}, nil }}, true
	}
	return registry.Lookup(name)
}

// Describe implements connectors.Connector.
func (ownPeople) Describe() connectors.Description {
	return connectors.Description{Streams: []connectors.Stream{{Name: "people", Kinds: []directory.Kind{directory.Person}}}}
}

// Check implements connectors.Connector.
func (ownPeople) Check(context.Context) ([]connectors.Finding, error) { return nil, nil }

// Tenants implements connectors.Connector.
func (ownPeople) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}

// Read implements connectors.Connector.
func (ownPeople) Read(_ context.Context, _ connectors.Request, emit func(*connectors.Page) error) error {
	return emit(&connectors.Page{Proof: &connectors.Proof{Scope: "whoever signs in", Count: -1}})
}

// Close implements connectors.Connector.
func (ownPeople) Close() error { return nil }
