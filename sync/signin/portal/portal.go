// Package portal is the HTTP side of sign-in: it takes browsers to providers and back, keeps sessions, and tells the proxies in front of
// applications who somebody is.
//
// One central host signs in (Options.URL). Each application's host has a cookie of its own, handed over by a code that counts once;
// no cookie is for a whole domain. Nobody who is not signed in causes a write: what is pending is sealed into the browser's own cookie.
package portal

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/web"
)

// Items keeps what must outlive a request: a part of store.Items.
type Items interface {
	Put(ctx context.Context, space string, items ...store.Item) error
	Replace(ctx context.Context, space string, items ...store.Item) (int, error)
	Get(ctx context.Context, space string, key []byte) (store.Item, bool, error)
	Take(ctx context.Context, space string, key []byte) (store.Item, bool, error)
	Delete(ctx context.Context, space string, keys ...[]byte) (int, error)
	Scan(ctx context.Context, space string, owner []byte, fn func(store.Item) bool) error
	Count(ctx context.Context, space string) (int, error)
}

// Named is a provider with what the operator says of it.
type Named struct {
	signin.Provider
	Name   string
	Policy signin.Policy
	Button string // text of the link on the sign-in page; blank: the name
	Host   string // where the link leads, for the page
	SAML   bool   // answers come by POST to an assertion consumer, and go on by GET
	// SingleLogout ends the provider's session, too, when somebody signs out.
	SingleLogout bool
}

// App is an application that people are let into.
type App struct {
	Name      string
	URL       *url.URL // https, host, perhaps a port; no path
	Providers []string // whose people may come in
	Admission signin.Admission
	Headers   Headers
	TokenURL  *url.URL // where a signed token is posted; nil: forward-auth, or Product
	Product   Product  // takes tokens of its own form; nil: ours
	LogoutURL *url.URL // where a session of its own is told to end; nil: it is not told
	Auto      bool     // a single provider is gone to without a page
	// Inside: it is at the central host itself, below the path of URL, and asks Insider who somebody is. It has no session of its own.
	Inside bool
}

// Product is an application that takes tokens of a form of its own.
type Product interface {
	// Nonce reports whether its requests carry a nonce, without which nobody is given a token.
	Nonce() bool
	// Hand makes the form or the address by which somebody comes in. The error may be a *signin.Refusal.
	Hand(h signin.HandOver, now time.Time) (signin.To, error)
}

// Headers are the names under which a proxy gets the identity; a blank one has its default.
type Headers struct{ User, Email, Name, Groups string }

// Options are what a portal is made of.
type Options struct {
	URL       *url.URL // of the central host
	Providers []Named
	Apps      []App
	People    signin.People
	Items     Items
	Keys      *keyring.Ring
	Client    *http.Client // tells applications; with a time limit. Nil: a usual one
	Log       *slog.Logger
	Now       func() time.Time
	Lifetime  time.Duration // of a session at most
	Idle      time.Duration // of a session that is not used
	Remember  time.Duration // of a session of whoever chooses to stay signed in, used or not; zero: nobody is asked
	Metrics   Metrics       // nil: nothing is counted
}

// Portal answers below /auth/. It may be used by many goroutines.
type Portal struct {
	Options
	seal     *sealer
	fresh    *fresh
	limits   *limits
	attempts *attempts
	mux      *http.ServeMux
}

// New returns a portal. The error says that the cookie key is of no use.
func New(o Options) (*Portal, error) {
	s, err := newSealer(o.Keys.Cookie())
	if err != nil {
		return nil, err
	}
	if o.Metrics == nil {
		o.Metrics = uncounted{}
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: tellPatience}
	}
	p := &Portal{Options: o, seal: s, fresh: newFresh(), limits: newLimits(o.Now), attempts: newAttempts()}
	p.mux = p.routes()
	return p, nil
}

// routes are the addresses of the portal. Those of the central host are not answered at an application's, and the other way round.
func (p *Portal) routes() *http.ServeMux {
	mux := http.NewServeMux()
	central := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !strings.EqualFold(web.CallerOf(r.Context()).Host, p.URL.Host) {
				http.NotFound(w, r)
				return
			}
			h(w, r)
		})
	}
	atApp := func(pattern string, h func(http.ResponseWriter, *http.Request, *App)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			app := p.appAt(web.CallerOf(r.Context()).Host)
			if app == nil {
				http.NotFound(w, r)
				return
			}
			h(w, r, app)
		})
	}
	central("GET /auth/{$}", p.home)
	mux.HandleFunc("GET /auth/style.css", p.style) // pages at an application's host have it, too
	central("GET /auth/start", p.start)
	central("GET /auth/app/{app}", p.startedByApp)
	central("GET /auth/oidc/{provider}/login", p.startedByPortal)
	central("GET /auth/oidc/{provider}/callback", p.callback)
	central("GET /auth/oidc/{provider}/logout", p.endRequest)
	central("POST /auth/oidc/{provider}/logout", p.endRequest)
	central("POST /auth/saml/{provider}/acs", p.consume)
	central("GET /auth/saml/{provider}/done", p.done)
	central("GET /auth/saml/{provider}/again", p.beginAgain)
	central("POST /auth/accept/{provider}", p.accept) // not below /auth/saml/, where other sites may post
	central("GET /auth/saml/{provider}/slo", p.endRequest)
	central("POST /auth/saml/{provider}/slo", p.endRequest)
	central("GET /auth/saml/{provider}/metadata", p.metadata)
	central("GET /auth/keys", p.keys)
	mux.HandleFunc("GET /auth/logout", p.askLogout)
	central("POST /auth/logout", p.logout)
	atApp("GET /auth/begin", p.begin)
	atApp("GET /auth/enter", p.enter)
	mux.HandleFunc("GET /auth/verify/nginx", p.verifyNginx)
	mux.HandleFunc("GET /auth/verify/forward", p.verifyForward)
	return mux
}

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Hosts are the hosts, besides the central one, at which /auth/ is answered.
func (p *Portal) Hosts() []string {
	var list []string
	for i := range p.Apps {
		if !p.Apps[i].Inside {
			list = append(list, p.Apps[i].URL.Host)
		}
	}
	return list
}

func (p *Portal) provider(name string) *Named {
	for i := range p.Providers {
		if p.Providers[i].Name == name {
			return &p.Providers[i]
		}
	}
	return nil
}

func (p *Portal) appAt(host string) *App {
	for i := range p.Apps {
		if strings.EqualFold(p.Apps[i].URL.Host, host) && !p.Apps[i].Inside {
			return &p.Apps[i]
		}
	}
	return nil
}

func (p *Portal) appNamed(name string) *App {
	for i := range p.Apps {
		if p.Apps[i].Name == name {
			return &p.Apps[i]
		}
	}
	return nil
}

// admits reports whether people of a provider may come into the application.
func (a *App) admits(provider string) bool { return slices.Contains(a.Providers, provider) }

// target is where somebody wants to go: an address of an application, made anew from its parts.
type target struct {
	app *App
	url string
}

// target reads an address that a browser or a proxy names. Only configured applications are gone to: https, exactly their host, no user,
// no fragment.
func (p *Portal) target(rd string) (target, bool) {
	if len(rd) > longestAddress || strings.ContainsFunc(rd, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return target{}, false
	}
	u, err := url.Parse(rd)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return target{}, false
	}
	host := strings.TrimSuffix(u.Host, ":443") // which https may name
	app := p.appAt(host)
	if app == nil {
		app = p.inside(host, u.Path)
	}
	if app == nil {
		return target{}, false
	}
	to := *app.URL
	to.Path, to.RawPath, to.RawQuery = u.Path, u.RawPath, u.RawQuery
	if to.Path == "" {
		to.Path = "/"
	}
	if strings.HasPrefix(to.Path, "/auth/") {
		to.Path, to.RawPath, to.RawQuery = "/", "", "" // our own addresses are no place to go to
	}
	return target{app, to.String()}, true
}

const longestAddress = 4096

// central is the address of one of our own pages.
func (p *Portal) central(path string, query url.Values) string {
	u := p.URL.JoinPath("auth", path)
	u.RawQuery = query.Encode()
	return u.String()
}

// at is an address below /auth/ of an application's host.
func (a *App) at(path string, query url.Values) string {
	u := a.URL.JoinPath("auth", path)
	u.RawQuery = query.Encode()
	return u.String()
}
