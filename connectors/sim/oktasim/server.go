package oktasim

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"dirsyncd/connectors/sim/kit"
)

// Options say what org to make. The zero value is an empty org on plain HTTP.
type Options struct {
	// People, Groups and Apps are the sizes of the population. Besides the groups there is always Everyone.
	People, Groups, Apps int
	// GroupsPerPerson and AppsPerPerson are how many of them each person is in; 3 and 2 when zero.
	GroupsPerPerson, AppsPerPerson int
	// Seed makes another population of the same size.
	Seed int
	// TLS serves https:// with a certificate of its own (see CA).
	TLS bool
	// Token is the API token that is taken; "simulator-token" when empty.
	Token string
	// ClientID and Key make the org take client assertions of this OAuth app.
	ClientID string
	Key      *rsa.PublicKey
	// Now is the org's clock; time.Now when nil.
	Now func() time.Time
	// Limits are the quotas per minute of buckets (see Requests for their names), in place of the usual ones.
	Limits map[string]int
	// TokenShare is the percentage of a bucket that one client may use; 0: all of it.
	TokenShare int
	// IndexLag is how far `search` is behind. With LagFilter, `filter` is as well.
	IndexLag  time.Duration
	LagFilter bool
	// PageCap is the largest page of users and groups; 200 when zero.
	PageCap int
	// SummaryEvents: changes of members are logged without saying whose they are.
	SummaryEvents bool
}

// Server is a running org. Its methods may be called at any time from any goroutine.
type Server struct {
	// URL is the org's address, as in https://127.0.0.1:4711.
	URL string

	o    Options
	http *http.Server
	ca   []byte

	mu     sync.Mutex
	skew   time.Duration
	org    string
	people []*person
	byID   map[string]int
	groups []*group
	apps   []*app
	log    eventLog
	next   int // numbers new objects
	epoch  int // page links of an earlier one are refused
	quota  quotas
	access access
	faults []*Fault
	counts map[string]int
	hanged chan struct{}
}

// Start makes an org and serves it.
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Token == "" {
		o.Token = "simulator-token"
	}
	if o.PageCap == 0 {
		o.PageCap = 200
	}
	if o.GroupsPerPerson == 0 {
		o.GroupsPerPerson = 3
	}
	if o.AppsPerPerson == 0 {
		o.AppsPerPerson = 2
	}
	s := &Server{
		o: o, byID: map[string]int{}, counts: map[string]int{}, org: objectID("00o", o.Seed), hanged: make(chan struct{}),
	}
	s.quota = newQuotas(o)
	s.access = newAccess(o)
	s.populate()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + l.Addr().String()
	if o.TLS {
		certificate, ca, err := kit.Certificate("Okta")
		if err != nil {
			_ = l.Close()
			return nil, err
		}
		s.ca, s.URL = ca, "https://"+l.Addr().String()
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}})
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the listener is ours
		}
	}()
	return s, nil
}

// Close stops the org. Requests under way are cut.
func (s *Server) Close() { _ = s.http.Close() }

// CA is the PEM text of the authority that signed the certificate; nil without TLS.
func (s *Server) CA() []byte { return s.ca }

// Token is the API token that the org took first.
func (s *Server) Token() string { return s.o.Token }

// SetOrg makes the same address answer as another org.
func (s *Server) SetOrg(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org = id
}

// Org is the org's id.
func (s *Server) Org() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.org
}

// SetSkew puts the org's clock ahead of Options.Now.
func (s *Server) SetSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// ExpirePages makes every page link that was handed out so far invalid.
func (s *Server) ExpirePages() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

// Requests returns how often each endpoint was asked: the path with {id} for ids.
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Total returns how many requests there were in all.
func (s *Server) Total() int {
	n := 0
	for _, c := range s.Requests() {
		n += c
	}
	return n
}

func (s *Server) now() time.Time { return s.o.Now().Add(s.skew).UTC() }

// serve answers one request: count, faults, quota, access, and what was asked for.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.counts[bucketOf(r.URL.Path)]++
	f := s.strike(r)
	var a *reply
	if f == nil || f.Kind.alters() {
		a = s.answer(r)
	}
	date := s.now()
	hanged := s.hanged
	s.mu.Unlock()
	if a != nil {
		a.header.Set("Date", date.Format(http.TimeFormat))
	}
	if f == nil {
		a.write(w)
		return
	}
	f.act(w, r, a, hanged, date)
}

func (s *Server) answer(r *http.Request) *reply {
	now := s.now()
	a := newReply()
	a.header.Set("X-Okta-Request-Id", fmt.Sprintf("req%08d", s.counts[bucketOf(r.URL.Path)]))
	switch r.URL.Path {
	case "/.well-known/okta-organization":
		a.json(map[string]any{"id": s.org, "pipeline": "idx", "_links": map[string]any{
			"organization": map[string]any{"href": "https://" + publicHost},
		}})
		return a
	case "/oauth2/v1/token":
		s.token(a, r, now)
		return a
	}
	client, ok := s.authenticate(a, r, now)
	if !ok {
		return a
	}
	if !s.quota.take(a, bucketOf(r.URL.Path), client, now) {
		a.fail(http.StatusTooManyRequests, "E0000047", "API call exceeded rate limit due to too many requests.")
		return a
	}
	if s.authorize(a, r, client) {
		s.route(a, r, now)
	}
	return a
}
