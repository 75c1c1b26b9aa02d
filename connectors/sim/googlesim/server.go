// Package googlesim is a Google Workspace on the loopback interface: the token service, and as much of the Admin
// SDK's Directory API, Reports API, of the Enterprise License Manager API and of the Reseller API as a reader of people,
// groups, licences, devices and a reseller's customers uses. It speaks the real wire protocol, holds a population that can be changed while it runs, counts
// requests, and misbehaves on command.
package googlesim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options say how a Server works. The zero value works.
type Options struct {
	// Customers are the ids of the accounts; empty: a single one. The first one's domain is example.test, that of
	// each other is its folded id and ".test".
	Customers []string
	// Key signs the service account's assertions; nil: a new one.
	Key *rsa.PrivateKey
	// Now is the clock of the population, the audit log and page tokens; nil: time.Now. Access tokens always live by
	// the real one, as the libraries that ask for them do.
	Now func() time.Time
	// PageCap is the most that the server puts on a page whatever is asked for; 0: as the real service does.
	PageCap int
	// Discovery are discovery documents. With them, a request with a path, parameter or value that no document
	// allows is refused and noted (see Violations).
	Discovery [][]byte
	// Lag is how long an event takes to show in the audit log.
	Lag time.Duration
	// Modern makes error documents of the new form, with status and details and without a list of errors.
	Modern bool
}

// Server is a running simulator. It may be used by many goroutines.
type Server struct {
	// URL is its address, without a slash at the end.
	URL string

	opts      Options
	http      *http.Server
	methods   []method
	listening net.Listener

	mu         sync.Mutex
	customers  []*Customer
	reseller   *Reseller
	tokens     map[string]grant
	denied     map[string]bool // scopes without their prefix
	keyDeleted bool
	refresh    string // the refresh token that is taken
	faults     []*Fault
	requests   map[string]int
	violations []string
	epoch      int // page tokens of earlier ones have died
	serial     int64
	closing    chan struct{}
}

type grant struct {
	subject string
	scopes  []string
	expires time.Time
}

// Start starts a server.
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		o.Key = key
	}
	if len(o.Customers) == 0 {
		o.Customers = []string{"C01simul8"}
	}
	s := &Server{
		opts: o, tokens: map[string]grant{}, denied: map[string]bool{}, requests: map[string]int{}, refresh: RefreshToken,
		closing: make(chan struct{}),
	}
	s.reseller = &Reseller{s: s, customers: map[string]*Resold{}}
	for i, id := range o.Customers {
		s.customers = append(s.customers, newCustomer(s, id, i))
	}
	for _, doc := range o.Discovery {
		list, err := parseDiscovery(doc)
		if err != nil {
			return nil, err
		}
		s.methods = append(s.methods, list...)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s.listening, s.URL = l, "http://"+l.Addr().String()
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s, nil
}

// Close stops the server and cuts every connection.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return nil
	default:
		close(s.closing)
	}
	return s.http.Close()
}

// Customer returns an account by its place in Options.Customers.
func (s *Server) Customer(i int) *Customer { return s.customers[i] }

// Endpoint is what a reader is configured with in place of Google's own addresses.
func (s *Server) Endpoint() string { return s.URL + "/" }

// Names that a reader is configured with. None of them is secret outside a simulator.
const (
	ServiceAccount = "dirsync@simulated.iam.gserviceaccount.test"
	ClientNumber   = "104729104729104729"
	ClientID       = "104729.apps.googleusercontent.test"
	ClientSecret   = "sim-client-s3cret"
	RefreshToken   = "1//sim-refresh-s3cret"
)

// KeyFile is the JSON key of a service account that may act for every administrator.
func (s *Server) KeyFile() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(s.opts.Key)
	if err != nil {
		panic(err) // an RSA key always can be
	}
	doc, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "simulated", "private_key_id": "5eed",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": ServiceAccount, "client_id": ClientNumber, "token_uri": s.TokenURI(),
	}, "", "  ")
	if err != nil {
		panic(err) // texts only
	}
	return doc
}

// UserFile is an authorized_user document of the first customer's administrator.
func (s *Server) UserFile() []byte {
	doc, err := json.Marshal(map[string]string{
		"type": "authorized_user", "client_id": ClientID, "client_secret": ClientSecret, "refresh_token": RefreshToken, "token_uri": s.TokenURI(),
	})
	if err != nil {
		panic(err) // texts only
	}
	return doc
}

// TokenURI is where tokens come from.
func (s *Server) TokenURI() string { return s.URL + "/token" }

// Deny takes scopes back, given without their common prefix. Tokens that were given with them are void.
func (s *Server) Deny(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		s.denied[scope] = true
	}
	clear(s.tokens)
}

// Grant gives scopes that were denied.
func (s *Server) Grant(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		delete(s.denied, scope)
	}
}

// DeleteKey makes the key that readers sign with unknown, and revokes the refresh token.
func (s *Server) DeleteKey() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyDeleted, s.refresh = true, ""
	clear(s.tokens)
}

// ExpireTokens makes every access token that was given void.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// ExpirePages makes every page token that was given void.
func (s *Server) ExpirePages() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

// Requests counts the requests whose "METHOD path" contains a text; every request for an empty one.
func (s *Server) Requests(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for name, count := range s.requests {
		if contains(name, part) {
			n += count
		}
	}
	return n
}

// Violations lists requests that the discovery documents do not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.violations...)
}

// serve handles one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests[r.Method+" "+r.URL.Path]++
	fault := s.takeFault(r)
	s.mu.Unlock()
	if fault != nil && fault.strike(s, w, r) {
		return
	}
	a := s.answer(r)
	if fault != nil && fault.Rewrite != nil && a.doc != nil {
		fault.Rewrite(a.doc)
	}
	a.write(w)
}

// answer is what the server says.
type answer struct {
	status int
	doc    map[string]any
}

func (a *answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.doc) // the other side may have hung up
}

func (s *Server) answer(r *http.Request) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		return s.token(r)
	}
	if why := s.violation(r); why != "" {
		s.violations = append(s.violations, why)
		return s.refuse(http.StatusBadRequest, "badRequest", "Bad request: "+why)
	}
	call, refused := s.route(r)
	if refused != nil {
		return refused
	}
	return call.answer()
}

// refuse makes an error document.
func (s *Server) refuse(status int, reason, message string) *answer {
	e := map[string]any{"code": status, "message": message}
	if s.opts.Modern {
		e["status"] = http.StatusText(status)
		e["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}}
	} else {
		e["errors"] = []any{map[string]any{"domain": "global", "reason": reason, "message": message}}
	}
	return &answer{status, map[string]any{"error": e}}
}

func values(r *http.Request) url.Values { return r.URL.Query() }
