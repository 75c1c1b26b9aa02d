// Package okta reads people, groups and who has which application from an Okta org.
//
// It works through okta-sdk-golang: the SDK makes, signs and sends the requests. Below it stands the transport
// that all REST connectors share, and answers are decoded here, because what the SDK makes of an odd answer
// (an empty one, a list with one odd value, a Link header that a proxy changed) loses people.
package okta

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

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

// Factory opens Okta connectors.
func Factory() connectors.Factory {
	return connectors.New("okta", "people, groups and application assignments of an Okta org", Defaults,
		func(cfg *Config, env connectors.Env) (connectors.Connector, error) { return open(cfg, env, nil) })
}

// Connector reads one org.
type Connector struct {
	cfg        Config
	env        connectors.Env
	host       string
	base       rest.Wire
	sdk        *sdk.Client
	tokens     *tokens.Cache // nil with an API token
	clock      *serverClock
	users      *translator
	lastAccess rememberedAccess
	// selfLinks: the org sends a Link header with lists that have a single page.
	selfLinks atomic.Bool
	// pageSize is how many entries are asked for at once: what Okta recommends for every list here.
	pageSize int
}

var _ connectors.Connector = (*Connector)(nil)

// open makes a connector from a configuration that Validate finds nothing wrong with. It reads the files of the
// network settings and makes no connection. The org is reached over the network, unless another way is given.
func open(cfg *Config, env connectors.Env, network http.RoundTripper) (*Connector, error) {
	address, problem, hint := orgAddress(cfg.URL)
	if problem != "" {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open okta", Err: errors.New("url " + problem), Hint: hint}
	}
	env = env.WithClock()
	base, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	if network == nil {
		network = base
	}
	_, host, _ := strings.Cut(address, "://")
	c := &Connector{
		cfg: *cfg, env: env, host: host, base: base, clock: &serverClock{local: env.Now}, users: newTranslator(cfg), pageSize: 200,
	}
	transport := rest.NewTransport(rest.Options{
		Base: network, Requested: env.Requested, Sleep: env.Sleep, Hosts: []string{host}, Name: nameOf, Explain: c.explain,
		Pace: &pace{share: cfg.Share, portion: env.Portion, clock: c.clock, sleep: env.Sleep, buckets: map[string]*bucket{}},
	})
	client := &http.Client{
		Transport:     &linkReader{transport},
		CheckRedirect: rest.NoRedirects,
	}
	mode, token := "SSWS", cfg.Token.Reveal()
	if cfg.Token.IsZero() {
		key, problem := parseKey(cfg.PrivateKey.Reveal())
		if problem != "" {
			return nil, &fault.Error{Class: fault.Configuration, Op: "open okta", Err: errors.New("private_key " + problem)}
		}
		g := &grant{
			client: client, address: address, clientID: cfg.ClientID, keyID: cfg.KeyID, key: key, scopes: cfg.scopes(), clock: c.clock,
		}
		c.tokens = tokens.New(tokens.Options{Fetch: g.fetch, Now: env.Now})
		mode, token = "Bearer", "set for each request"
	}
	if c.sdk, err = newSDK(address, token, mode, client); err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open okta", Where: host, Err: err}
	}
	return c, nil
}

// Describe implements connectors.Connector. Removals are named by the System Log; without it only full reads
// find them.
func (c *Connector) Describe() connectors.Description {
	d := connectors.Description{
		Streams: []connectors.Stream{
			{Name: streamUsers, Kinds: []directory.Kind{directory.Person}, Delta: true, Tombstones: c.cfg.Log, Resumable: true, ByID: true},
			{Name: streamGroups, Kinds: []directory.Kind{directory.Group}, Members: true, Delta: true, Tombstones: c.cfg.Log},
		},
	}
	for _, scope := range []struct {
		needed      bool
		name, about string
	}{
		{true, "okta.users.read", "users"}, {true, "okta.groups.read", "groups and their members"},
		{c.cfg.Log, "okta.logs.read", "the System Log, for deletions (log: false does without)"},
		{c.cfg.Apps, "okta.apps.read", "applications and who has them"},
	} {
		if scope.needed {
			d.Permissions = append(d.Permissions, scope.name+": "+scope.about)
		}
	}
	d.Permissions = append(d.Permissions, "the role Read-only Administrator over the whole org, for the service app or for the account that made the API token")
	return d
}

// Tenants implements connectors.Connector. An org has none.
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
	r := &reading{Connector: c, op: "read " + req.Stream, stream: req.Stream, emit: emit}
	read := r.delta
	switch req.Mode {
	case connectors.Full:
		read = r.full
	case connectors.ByID:
		read = func(ctx context.Context, _ []byte) error { return r.byID(ctx, req.IDs) }
	}
	err := read(ctx, req.Cursor)
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	// Single objects that are gone were dealt with; a list that is not there says nothing about anybody.
	return &fault.Error{
		Class: fault.Configuration, Op: r.op, Where: c.host, Err: err,
		Hint: "every org has this list: look at url, and for a proxy or gateway that answers in the org's place",
	}
}
