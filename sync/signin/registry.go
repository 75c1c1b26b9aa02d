package signin

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Env is what a provider is given.
type Env struct {
	Name    string   // in the configuration
	URL     *url.URL // of the front: addresses of ours are below /auth/ there
	Domains []string // whose mail addresses it may vouch for, in lower case
	Match   []string // claims by which people are found
	Claims  []string // others that are needed
	Client  *http.Client
	Now     func() time.Time
	Once    Once
	Kept    Kept
	Log     *slog.Logger
	// Customer reports whether a connection reads a tenant.
	Customer func(ctx context.Context, connection, tenant string) (bool, error)
}

// Factory makes providers of one kind.
type Factory struct {
	NewConfig func() any // with its defaults, as a pointer
	New       func(block any, env Env) (Provider, error)
	About     func(block any) About
}

// About is what is known of a configured provider without asking it.
type About struct {
	Host         string // where people are sent, for the sign-in page
	SAML         bool
	SingleLogout bool   // when somebody signs out here, they are at the provider, too
	Tenant       string // the directory's id of the only tenant whose people it names; blank when there are several or none
	// Gives are the connectors that read the objects whose ids it gives; nil: what the operator maps.
	Gives []string
}

// Registry is the kinds of provider, by name.
type Registry map[string]Factory

// Names are sorted.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }
