package service

import (
	"context"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin/key"
	"dirsyncd/sync/signin/portal"
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

// strangersOf are the own people of providers who may turn out to be people of a connection: by the mail address, as everybody is found who signs in.
func strangersOf(cfg *config.Config, connection string, d deps) (list []engine.Strangers, err error) {
	if cfg.Signin == nil {
		return nil, nil
	}
	for i := range cfg.Signin.Providers {
		p := &cfg.Signin.Providers[i]
		c, ok := cfg.Connection(p.Name)
		if p.Newcomers == nil || p.Newcomers.Mapping == "" || !ok || !slices.Contains(p.Match, key.MatchMail) || !slices.Contains(p.Directories, connection) {
			continue
		}
		own, err := openConnection(cfg, *c, nil, d)
		if err != nil {
			return nil, err
		}
		list = append(list, engine.Strangers{Own: &own.Connection, Domains: p.Domains, Moved: d.moved})
	}
	return list, nil
}

// moved lets the links of somebody who came by sign-in lead to the person in the directory.
func (s *Service) moved(ctx context.Context, from, to engine.Owner) error {
	items, err := s.items()
	if err != nil {
		return err
	}
	return portal.MoveLinks(ctx, items, ownerOf(from), ownerOf(to), s.now())
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
