// Package ldapsim is a small LDAP server inside this process, for `dirsyncd demo` and for tests on machines
// without slapd. It holds a company in memory that can be changed while it runs, counts what it is asked, and
// misbehaves on command. It listens on the loopback interface only.
//
// It answers as OpenLDAP does: simple bind, StartTLS and LDAPS, "who am I", searches with every filter of RFC
// 4511 except extensible matches, paged results (RFC 2696) with cookies that are bound to their connection,
// and operational attributes (RFC 4530 entryUUID, timestamps, entryCSN, and contextCSN at the suffix). Directory writes over the wire are
// refused; the program changes the directory through the methods of Server.
//
// The wire is spoken through the BER library that the LDAP client uses too: a server library that owns its
// sockets can neither cut a listing in the middle nor leave a request without its answer.
package ldapsim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"dirsyncd/connectors/sim/kit"
)

// Options say what a server holds and how strict it is. The zero value is an empty directory.
type Options struct {
	// Base is the naming context; "dc=example,dc=test" when empty.
	Base string
	// User and Password are the only credentials that are accepted; "cn=admin," before Base and "secret"
	// when empty. Who did not bind reads nothing but the root DSE.
	User, Password string
	// Port on 127.0.0.1; zero takes a free one.
	Port int
	// Population is what the directory holds at the start.
	Population Population
	// TLS makes a throw-away certificate authority and offers StartTLS and LDAPS with it.
	TLS bool
	// RequireTLS refuses a bind that would send the password in the clear. It implies TLS.
	RequireTLS bool
	// SizeLimit ends a listing with sizeLimitExceeded after so many entries, over all its pages, as the
	// default limits of OpenLDAP do; zero is no limit.
	SizeLimit int
	// Now is the clock of the timestamps; time.Now when nil.
	Now func() time.Time
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	base, user, password string
	requireTLS           bool
	sizeLimit            int
	now                  func() time.Time

	plain, secure net.Listener // secure is nil without TLS
	tls           *tls.Config
	ca            []byte

	treeMu sync.RWMutex
	tree   tree
	id     int    // of the server that makes the changes
	lag    *State // what is shown in place of the tree

	mu      sync.Mutex
	closed  bool
	conns   map[net.Conn]struct{}
	faults  []Fault
	counts  Counts
	cookies uint64

	running sync.WaitGroup
}

// Start starts a server, which serves until Close.
func Start(o Options) (*Server, error) {
	s := &Server{
		base: cmp.Or(o.Base, "dc=example,dc=test"), password: cmp.Or(o.Password, "secret"),
		requireTLS: o.RequireTLS, sizeLimit: o.SizeLimit, now: o.Now,
		conns: map[net.Conn]struct{}{},
	}
	s.user = cmp.Or(o.User, "cn=admin,"+s.base)
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.load(o.Population); err != nil {
		return nil, fmt.Errorf("fill directory: %w", err)
	}
	if o.TLS || o.RequireTLS {
		certificate, authority, err := kit.Certificate("LDAP")
		if err != nil {
			return nil, fmt.Errorf("make certificates: %w", err)
		}
		s.ca, s.tls = authority, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	}
	if err := s.listen(o.Port); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) listen(port int) error {
	var config net.ListenConfig
	var err error
	s.plain, err = config.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.running.Go(func() { s.accept(s.plain, nil) })
	if s.tls == nil {
		return nil
	}
	s.secure, err = config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen for TLS: %w", err), s.Close())
	}
	s.running.Go(func() { s.accept(s.secure, s.tls) })
	return nil
}

// URL is where the server answers, without TLS unless the client starts it.
func (s *Server) URL() string { return "ldap://" + s.plain.Addr().String() }

// SecureURL is where the server speaks TLS from the first byte; empty without Options.TLS.
func (s *Server) SecureURL() string {
	if s.secure == nil {
		return ""
	}
	return "ldaps://" + s.secure.Addr().String()
}

// CA is the certificate of the authority that the server's own certificate is signed by, in PEM; nil without
// Options.TLS.
func (s *Server) CA() []byte { return s.ca }

// Base is the naming context.
func (s *Server) Base() string { return s.base }

// User and Password are the accepted credentials.
func (s *Server) User() string { return s.user }

// Password is the accepted password.
func (s *Server) Password() string { return s.password }

// Close cuts all connections and returns when nothing runs any more. Later calls do nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	err := s.plain.Close()
	if s.secure != nil {
		err = errors.Join(err, s.secure.Close())
	}
	for c := range s.conns {
		_ = c.Close() // it may have been closed by its client
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

// accept serves the connections of a listener until the listener is closed.
func (s *Server) accept(l net.Listener, config *tls.Config) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !s.adopt(c) {
			_ = c.Close()
			continue
		}
		s.running.Go(func() {
			defer s.release(c)
			newSession(s, c, config).serve()
		})
	}
}

// adopt registers a connection, unless the server is closed or is to misbehave on connecting.
func (s *Server) adopt(c net.Conn) bool {
	if _, hit := s.takeFault(Connecting, ""); hit {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.counts.Connections++
	return true
}

func (s *Server) release(c net.Conn) {
	_ = c.Close() // nothing can be done about it, and nobody is left to be told
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Counts is how often the server was asked for what.
type Counts struct {
	Connections int
	Binds       int // successful or not
	Searches    int // each page of a listing counts
	Entries     int // sent, over all searches
	StartTLS    int
	WhoAmI      int
	Refused     int // operations that the server does not have
}

// Counts returns what was counted since the start or the last ResetCounts.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// ResetCounts begins to count anew.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = Counts{}
}

func (s *Server) count(add func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.counts)
}
