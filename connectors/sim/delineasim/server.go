// Package delineasim is a simulated tenant of the Delinea Platform or of Centrify, as far as the connector speaks to it: the token endpoint, queries
// of the tables User, DSUsers and Role, and the members of roles. It speaks the wire form of the vendor's published clients: every answer is 200 with
// an envelope, what went wrong too; dates are "/Date(ms)/"; truth values may be texts.
package delineasim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say what tenant to make.
type Options struct {
	// People and Roles are the sizes of the population. Besides the roles there is always Everybody, and a computed one.
	People, Roles int
	// RolesPerPerson is how many roles each person is in; 3 when zero.
	RolesPerPerson int
	// Centrify makes a tenant of the former product: tokens with Basic at /oauth2/token/APPLICATION, calls without a base path.
	Centrify bool
	// Words makes truth values the texts "True" and "False".
	Words bool
	// Cap, when there is one, is what some versions are said to do with the argument Limit: the list ends there, and is counted so.
	Cap bool
	// Now is the tenant's clock; time.Now when nil.
	Now func() time.Time
}

// What the tenant takes.
const (
	Client      = "sync-svc@example.test"
	Secret      = "s3cret:of+the tenant"
	Application = "dirsyncd"
	Scope       = "reading"
)

// Server is a running tenant. Its methods may be called at any time from any goroutine.
type Server struct {
	// URL is the tenant's address.
	URL string

	o    Options
	http *http.Server

	mu     sync.Mutex
	people []*person
	roles  []*role
	next   int
	tokens map[string]time.Time
	minted int
	locked bool // the client is not taken any more
	denied map[string]bool
	faults []*Fault
	counts map[string]int
	hanged chan struct{}
}

// Start makes a tenant and serves it.
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RolesPerPerson == 0 {
		o.RolesPerPerson = 3
	}
	s := &Server{o: o, tokens: map[string]time.Time{}, denied: map[string]bool{}, counts: map[string]int{}, hanged: make(chan struct{})}
	s.populate()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the listener is ours
		}
	}()
	return s, nil
}

// Close stops the tenant. Requests under way are cut.
func (s *Server) Close() { _ = s.http.Close() }

// Requests returns how often a path was asked.
func (s *Server) Requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[path]
}

// RevokeTokens makes the tokens that were handed out so far invalid.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Lock takes the client's right to ask for tokens, and the tokens that it has.
func (s *Server) Lock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	s.locked = true
}

// Deny takes the right to query a table, or to call "members".
func (s *Server) Deny(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[what] = true
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.counts[r.URL.Path]++
	body := new(struct {
		Script string
		Name   string `json:"name"`
		Args   args
	})
	_ = r.ParseForm()
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.NewDecoder(r.Body).Decode(body)
	}
	f := s.strike(r)
	a := s.answer(r, body.Script, body.Name, body.Args, f)
	hanged := s.hanged
	s.mu.Unlock()
	if f != nil {
		f.act(r, a, hanged)
	}
	a.write(w, f != nil && f.Kind == Cut)
}

// args are the arguments of a list.
type args struct {
	PageNumber, PageSize, Limit, Caching int
}

func (s *Server) answer(r *http.Request, script, name string, list args, f *Fault) *reply {
	base, token := "/identity", "/identity/api/oauth2/token/xpmplatform"
	if s.o.Centrify {
		base, token = "", "/oauth2/token/"+Application
	}
	switch {
	case r.Method != http.MethodPost:
		return &reply{status: http.StatusNotFound, body: []byte("{}")}
	case r.URL.Path == token:
		return s.token(r)
	case r.Header.Get("X-CENTRIFY-NATIVE-CLIENT") == "":
		return &reply{status: http.StatusForbidden, body: []byte(`{"Message":"refused as a forged request"}`)}
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if until, known := s.tokens[bearer]; !ok || !known || !s.o.Now().Before(until) {
		return &reply{status: http.StatusUnauthorized, body: []byte(`{"error":"invalid_token"}`)}
	}
	switch r.URL.Path {
	case base + "/Redrock/query":
		return s.query(script, list, f)
	case base + "/SaasManage/GetRoleMembers":
		return s.members(name, list, f)
	default:
		return &reply{status: http.StatusNotFound, body: []byte("{}")}
	}
}

// token is the token endpoint (RFC 6749 section 4.4).
func (s *Server) token(r *http.Request) *reply {
	id, secret, scope := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), "xpmheadless"
	if s.o.Centrify {
		id, secret, _ = r.BasicAuth()
		scope = Scope
	}
	refuse := func(code string) *reply {
		return &reply{status: http.StatusBadRequest, body: fmt.Appendf(nil, `{"error":%q,"error_description":"The client is refused."}`, code)}
	}
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		return refuse("unsupported_grant_type")
	case s.locked || id != Client || secret != Secret:
		return refuse("invalid_client")
	case r.PostForm.Get("scope") != scope:
		return refuse("invalid_scope")
	}
	s.minted++
	token := fmt.Sprintf("bearer-%d-of-simulator", s.minted)
	s.tokens[token] = s.o.Now().Add(time.Hour)
	return &reply{status: http.StatusOK, body: fmt.Appendf(nil, `{"access_token":%q,"token_type":"Bearer","expires_in":3600,"session_expires_in":3600,"scope":%q}`, token, scope)}
}

// reply is an answer before it is sent.
type reply struct {
	status int
	kind   string // Content-Type; blank: JSON
	body   []byte
}

func (a *reply) write(w http.ResponseWriter, cut bool) {
	if a.kind == "" {
		a.kind = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", a.kind)
	length := len(a.body)
	if cut {
		length++
	}
	w.Header().Set("Content-Length", fmt.Sprint(length))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// envelope makes the answer to a call.
func envelope(success bool, result any, message, code string) *reply {
	e := map[string]any{"success": success, "Result": result, "Message": nil, "MessageID": nil, "Exception": nil, "ErrorID": nil, "ErrorCode": nil, "IsSoftError": false, "InnerExceptions": nil}
	if !success {
		e["Message"], e["MessageID"] = message, code
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // made here
	}
	return &reply{status: http.StatusOK, body: body}
}

// Allow gives back what Lock and Deny have taken.
func (s *Server) Allow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.denied)
	s.locked = false
}
