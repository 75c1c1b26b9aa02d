package microsoftsim

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/connectors/sim/kit"
)

// Options say how a server answers. The zero value works.
type Options struct {
	// Port on 127.0.0.1; zero takes a free one.
	Port int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Pages are the sizes of pages; zeros take the defaults.
	Pages Pages
	// DeltaLife is how long a delta token is good; 7 days when zero.
	DeltaLife time.Duration
	// RefreshLife is how long a refresh token may lie unused; 90 days when zero.
	RefreshLife time.Duration
	// AccessLife is how long an access token is good, by the real clock; an hour when zero.
	AccessLife time.Duration
	// Pristine is how many tenants that nobody has changed are kept in memory; 64 when zero.
	Pristine int
	// Delay is how long every answer takes longer, as those of a service far away do.
	Delay time.Duration
}

// Pages are how many entries the server puts on a page.
type Pages struct {
	Users   int // of a users delta; 200
	Groups  int // of a groups delta; 100
	Members int // entries of members@delta over all groups of a page; 1000
	Devices int // of a devices delta; 200
	List    int // of any other list when the client asks for no size; 100
	// Most is the largest size that a client gets, whatever it asks for; 999.
	Most int
	// Customers is the same for the customers of Partner Center; 500.
	Customers int
}

func (p Pages) orDefaults() Pages {
	return Pages{
		Users: cmp.Or(p.Users, 200), Groups: cmp.Or(p.Groups, 100), Members: cmp.Or(p.Members, 1000), Devices: cmp.Or(p.Devices, 200),
		List: cmp.Or(p.List, 100), Most: cmp.Or(p.Most, 999), Customers: cmp.Or(p.Customers, 500),
	}
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	o        Options
	listener net.Listener
	server   *http.Server
	ca       []byte
	signer   []byte        // signs access tokens
	closing  chan struct{} // ends hanging requests

	mu      sync.Mutex
	tenants map[string]*Tenant // by id and by every domain, lower-case
	order   []*Tenant
	recent  []*Tenant // pristine tenants in memory, the least recently used first
	apps    map[string]*App
	refresh map[string]*refreshToken
	refused map[refusal]int
	pages   Pages
	quirks  Quirks
	faults  []*Fault
	holes   map[string]chan struct{}
	epoch   int // access tokens of an earlier one are not taken
	partner *partner
	subs    map[string]*subscription
	meter   meter

	running sync.WaitGroup
}

// Start starts a server, which serves until Close.
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.DeltaLife = cmp.Or(o.DeltaLife, 7*24*time.Hour)
	o.RefreshLife = cmp.Or(o.RefreshLife, 90*24*time.Hour)
	o.AccessLife = cmp.Or(o.AccessLife, time.Hour)
	o.Pristine = cmp.Or(o.Pristine, 64)
	s := &Server{
		o: o, signer: make([]byte, 32), closing: make(chan struct{}), pages: o.Pages.orDefaults(),
		tenants: map[string]*Tenant{}, apps: map[string]*App{}, refresh: map[string]*refreshToken{}, refused: map[refusal]int{},
		holes: map[string]chan struct{}{}, partner: &partner{}, subs: map[string]*subscription{}, meter: newMeter(),
	}
	_, _ = rand.Read(s.signer) // never fails
	certificate, ca, err := kit.Certificate("Microsoft")
	if err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	s.ca = ca
	var config net.ListenConfig
	s.listener, err = config.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		// HTTP/1.1 only: a fault cuts connections, which HTTP/2 shares among requests.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	secure := tls.NewListener(s.listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}})
	s.running.Go(func() { _ = s.server.Serve(secure) }) // ends with ErrServerClosed
	return s, nil
}

// Close cuts all connections and returns when nothing runs any more. It is called once.
func (s *Server) Close() error {
	close(s.closing)
	err := s.server.Close()
	s.running.Wait()
	return err
}

// URL is the server's address without a path: authority, Graph and Partner Center are all there.
func (s *Server) URL() string { return "https://" + s.listener.Addr().String() }

// CA is the certificate of the authority that signed the server's own, in PEM.
func (s *Server) CA() []byte { return s.ca }

// WriteCA writes the authority's certificate into a folder, for a configuration's ca_file, and returns the path.
func (s *Server) WriteCA(folder string) (string, error) {
	path := filepath.Join(folder, "simulator-ca.pem")
	return path, os.WriteFile(path, s.ca, 0o600)
}

func (s *Server) settings() (Pages, Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages, s.quirks
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Done()
	x := &exchange{s: s, w: w, r: r, out: http.Header{}}
	x.identify()
	defer s.meter.enter(x.tenantName())()
	if !s.linger(r.Context()) {
		return
	}
	if !s.passHole(x) || !s.strike(x) {
		return
	}
	s.dispatch(x)
}

// linger waits as long as every answer takes. It returns false when nobody waits for the answer any more.
func (s *Server) linger(ctx context.Context) bool {
	if s.o.Delay == 0 {
		return true
	}
	timer := time.NewTimer(s.o.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}

func (s *Server) dispatch(x *exchange) {
	switch {
	case x.area == areaGraph:
		s.graph(x)
	case x.area == areaPartner:
		s.partnerCenter(x)
	default:
		s.authority(x)
	}
	x.send()
}

// area is a part of the cloud.
type area uint8

const (
	areaAuthority area = iota
	areaGraph
	areaPartner
)

// exchange is one request and its answer. The answer is collected and sent at the end, so that faults can change
// it.
type exchange struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	area area
	// path is what follows the area's root, without slashes at its ends.
	path   string
	tenant *Tenant // whom it is about, when that is known
	claims *claims // of the access token, when there is one
	inner  bool    // within a batch
	fault  *Fault

	status int
	out    http.Header
	body   []byte
}

// identify finds out which part of the cloud is asked, and about which tenant.
func (x *exchange) identify() {
	path := strings.Trim(x.r.URL.Path, "/")
	first, rest, _ := strings.Cut(path, "/")
	switch first {
	case "v1.0", "beta":
		x.area, x.path = areaGraph, rest
		x.readToken()
	case "v1", "customers":
		x.area, x.path = areaPartner, rest
		if first != "v1" {
			x.path = path
		}
		x.readToken()
		if id, ok := strings.CutPrefix(x.path, "customers/"); ok {
			id, _, _ = strings.Cut(id, "/")
			x.tenant = x.s.find(id)
		}
	default:
		x.area, x.path = areaAuthority, rest
		x.tenant = x.s.find(first)
	}
}

func (x *exchange) readToken() {
	raw, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return
	}
	if c, ok := x.s.parseAccess(raw); ok {
		x.claims = c
		x.tenant = x.s.find(c.Tenant)
	}
}

func (x *exchange) tenantName() string {
	if x.tenant == nil {
		return ""
	}
	return x.tenant.id
}

// answer sets the answer. The body must be JSON.
func (x *exchange) answer(status int, body []byte) {
	x.status, x.body = status, body
	if x.out.Get("Content-Type") == "" {
		x.out.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
}

// send sends the answer, as the request's fault bends it.
func (x *exchange) send() {
	if x.status == 0 {
		x.status = http.StatusNoContent
	}
	if x.fault != nil && !x.bend() {
		return
	}
	header := x.w.Header()
	for name, values := range x.out {
		header[name] = values
	}
	header.Set("request-id", newGUID())
	if id := x.r.Header.Get("client-request-id"); id != "" {
		header.Set("client-request-id", id)
	}
	x.s.meter.count(x)
	if x.status != http.StatusNoContent {
		header.Set("Content-Length", strconv.Itoa(len(x.body)))
	}
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(x.body) // the client may have gone
}
