// Package web is the one public HTTP front: whatever comes in from outside, notices of sources now and people who sign in
// later, comes in here. It knows who is asking and that they ask for an address of ours; what is answered is for those
// who put a handler there.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"dirsyncd/sync/fault"
)

// Limits of what anybody may send.
const (
	// mostCallers is how many are connected at a time.
	mostCallers = 1024
	// mostHeaders is bytes; cookies of others on the same host come along.
	mostHeaders = 64 << 10
	// defaultBody is the largest body, in bytes, where a route says nothing.
	defaultBody = 16 << 10
)

// Options are what a front is made of.
type Options struct {
	// URL is how browsers and services see the front: https, a host, perhaps a port, no path. No request says otherwise.
	URL *url.URL
	// Listen is HOST:PORT.
	Listen string
	// Cert and Key are PEM files, looked at anew when they change. Without them only Proxies are let in, who speak plain HTTP.
	Cert, Key string
	// Proxies are those whose X-Forwarded headers count.
	Proxies []netip.Prefix
	Log     *slog.Logger
}

// Route is what is answered below a path.
type Route struct {
	Handler http.Handler
	// Body is the largest body, in bytes; 0: 16 KiB.
	Body int64
	// CrossSite lets pages of other sites, which is where a browser is sent from, and services post there. Such a handler trusts
	// nothing but what it can verify.
	CrossSite bool
	// Hosts are further hosts, besides that of the front, at which this is answered.
	Hosts []string
	// Proxies lets the front's proxies ask under any name: they call by an address of their own.
	Proxies bool
}

// at reports whether a caller asks where the route is answered; nil is one of the front itself.
func (r *mounted) at(c Caller, front string) bool {
	if strings.EqualFold(c.Host, front) || r == nil {
		return strings.EqualFold(c.Host, front)
	}
	return r.Proxies && c.Proxied || slices.ContainsFunc(r.Hosts, func(h string) bool { return strings.EqualFold(h, c.Host) })
}

// Front serves routes at one address. It may be used by many goroutines.
type Front struct {
	o        Options
	origin   *http.CrossOriginProtection
	listener net.Listener // of Listen
	limit    limit

	mu     sync.RWMutex
	routes []*mounted // the longest path first
}

type mounted struct {
	path string
	Route
}

// New returns a front without routes.
func New(o Options) *Front { return &Front{o: o, origin: http.NewCrossOriginProtection()} }

// URL returns the public address of a path.
func (f *Front) URL(path string) string { return f.o.URL.JoinPath(path).String() }

// Mount answers requests for a path and, when it ends with a slash, for what is below it, until release is called. The longest path that fits is asked.
// The error, which is transient, says that somebody is there, who may be about to leave.
func (f *Front) Mount(path string, r Route) (release func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.routes, func(m *mounted) bool { return m.path == path }) {
		return nil, &fault.Error{Class: fault.Transient, Op: "serve", Where: f.URL(path), Err: errors.New("the address is in use")}
	}
	return f.put(path, r), nil
}

// Replace is Mount in the place of whoever is there: no request falls between the two.
func (f *Front) Replace(path string, r Route) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.put(path, r)
}

// put makes a new list, so that a request under way keeps the one that it has found.
func (f *Front) put(path string, r Route) (release func()) {
	one := &mounted{path, r}
	list := slices.DeleteFunc(slices.Clone(f.routes), func(m *mounted) bool { return m.path == path })
	list = append(list, one)
	slices.SortStableFunc(list, func(a, b *mounted) int { return len(b.path) - len(a.path) })
	f.routes = list
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.routes = slices.DeleteFunc(slices.Clone(f.routes), func(m *mounted) bool { return m == one })
	})
}

// Listen begins to listen and returns the address. The error is of class Configuration where the certificate is of no use, and Transient
// where the address is taken.
func (f *Front) Listen(ctx context.Context) (net.Addr, error) {
	tls, err := f.tls()
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.o.Listen)
	if err != nil {
		return nil, &fault.Error{Class: fault.Transient, Op: "listen", Where: f.o.Listen, Err: err, Hint: "set `web.listen` to a free address of this machine"}
	}
	// The limit is inside: the server knows what TLS agreed on by the connection itself.
	f.listener = tls(netutil.LimitListener(l, mostCallers))
	return l.Addr(), nil
}

// Serve answers, after Listen, until the context ends, which is no error. What is under way then has 5 seconds.
func (f *Front) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: mostHeaders,
		// What it says of broken connections is for nobody: anybody can cause it.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(f.listener) }()
	select {
	case err := <-ended:
		return &fault.Error{Class: fault.Transient, Op: "listen", Where: f.o.Listen, Err: err}
	case <-ctx.Done():
	}
	goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if server.Shutdown(goodbye) != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return &fault.Error{Class: fault.Transient, Op: "listen", Where: f.o.Listen, Err: err}
	}
	return nil
}

// farewell is how long an answer under way may take when the daemon stops.
const farewell = 5 * time.Second

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.o.URL.Scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	caller, refusal := f.caller(r)
	if refusal != nil {
		http.Error(w, refusal.text, refusal.status)
		return
	}
	caller.Host = withoutPort(caller.Host, f.o.URL.Scheme)
	route, ok := f.route(r.URL.Path)
	if !route.at(caller, withoutPort(f.o.URL.Host, f.o.URL.Scheme)) {
		http.Error(w, "this address is not served here", http.StatusMisdirectedRequest)
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	// What a proxy asks for each request of a client is the proxy's to limit.
	if !(route.Proxies && caller.Proxied) && !f.limit.allow(caller.Address, time.Now()) {
		h.Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, caller))
	r.Host = caller.Host // what the browser asked for, behind a proxy, too
	if !route.CrossSite {
		if err := f.origin.Check(r); err != nil {
			http.Error(w, "the request comes from a page of another site", http.StatusForbidden)
			return
		}
	}
	most := route.Body
	if most == 0 {
		most = defaultBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	sent := &begun{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // it is the value itself
			f.o.Log.Error("a request could not be answered because of a mistake in this program", "path", route.path, "panic", p, "stack", string(debug.Stack()))
			if sent.is {
				panic(http.ErrAbortHandler) // what is there already must not pass for an answer
			}
			http.Error(w, "internal error", http.StatusInternalServerError)
		} else if p != nil {
			panic(p)
		}
	}()
	route.Handler.ServeHTTP(sent, r)
}

// begun knows whether something of an answer was sent.
type begun struct {
	http.ResponseWriter
	is bool
}

func (b *begun) WriteHeader(status int) {
	b.is = b.is || status >= http.StatusOK
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.is = true
	return b.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (f *Front) route(path string) (*mounted, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, m := range f.routes {
		if path == m.path || strings.HasSuffix(m.path, "/") && strings.HasPrefix(path, m.path) {
			return m, true
		}
	}
	return nil, false
}
