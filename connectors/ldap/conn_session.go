package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
)

// session is one bound connection to one server. The end of the context that it was opened with breaks it, so
// that whatever waits on it returns.
type session struct {
	server  string // as configured
	timeout time.Duration
	raw     net.Conn
	hand    *wire.Handover
	conn    *ldap.Conn
	unhook  func() bool
	root    rootDSE
	// streaming is the connection of the reader of whole listings, once it was given to that.
	streaming *wire.Conn
	// csn are the contextCSN that were read, by naming context: what a reading knows is of one moment.
	csn map[string]contextCSN
	// covered says, by naming context, why contextCSN does not speak of all below it; nothing when it does.
	covered map[string]string
	// known: the server has taken the bind and said what it is.
	known bool
	// subject is the encoded name in the client certificate, if there is one.
	subject []byte
	// requested tells the program of a request.
	requested func(request string, began time.Time, err error)
	// wait waits, or returns the error of the context.
	wait func(time.Duration) error
	// roundTrip is how long the server took for a small question.
	roundTrip time.Duration
}

// open connects to the first server that answers and that accept, if not nil, has nothing against, beginning with the one
// on the host, if that is not empty. Only what another server could do better leads to the next one: a wrong password
// does not, since every try counts towards a lock-out.
func (c *Connector) open(ctx context.Context, op, host string, accept func(*session) error) (*session, error) {
	var errs []error
	class := fault.Configuration // unless another time could be better
	for server, err := range c.servers.addresses(ctx, host) {
		found := err == nil
		if found {
			var s *session
			if s, err = c.connect(ctx, op, server); err == nil && accept != nil {
				if err = accept(s); err != nil {
					s.close()
				}
			}
			if err == nil {
				c.servers.worked(server)
				return s, nil
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if fault.ClassOf(err) == fault.Transient {
			class = fault.Transient
		} else if found {
			return nil, err
		}
		if found {
			c.servers.failed(server)
		}
		errs = append(errs, err)
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	all := &fault.Error{Class: class, Op: op, Err: errors.Join(errs...), Hint: "no server can be used"}
	if i := slices.IndexFunc(errs, func(err error) bool { return errors.Is(err, errBehind) }); i > 0 {
		errs[0], errs[i] = errs[i], errs[0] // why no server is read that could be
		all.Err = errors.Join(errs...)
	}
	return nil, all
}

// connect dials, encrypts, binds and identifies one server.
func (c *Connector) connect(ctx context.Context, op, server string) (*session, error) {
	s, err := c.dial(ctx, op, server)
	if err != nil {
		return nil, err
	}
	if err = c.bind(ctx, s, op); err == nil {
		err = s.identify(op)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.known = true
	return s, nil
}

// dial connects and encrypts. go-ldap could do it, too, but without a deadline for the TLS handshake, and
// without the certificate's error after StartTLS.
func (c *Connector) dial(ctx context.Context, op, server string) (*session, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: op, Err: errors.New("not an LDAP address")}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	s := &session{server: server, timeout: time.Duration(c.cfg.Timeout)}
	s.requested = func(request string, began time.Time, err error) { c.env.Requested(ctx, request, began, err) }
	s.wait = func(d time.Duration) error { return c.env.Sleep(ctx, d) }
	dialer := net.Dialer{Timeout: s.timeout, Resolver: newResolver(c.cfg.DNS)}
	if s.raw, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port)); err != nil {
		return nil, transportError(op, server, err)
	}
	// Closing the socket itself, below TLS, never waits.
	s.unhook = context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	secure := u.Scheme == "ldaps" || c.cfg.StartTLS
	conn := s.raw
	if secure {
		if conn, err = c.encrypt(ctx, s, op, u); err != nil {
			s.unhook()
			_ = s.raw.Close()
			return nil, err
		}
	}
	s.hand = wire.NewHandover(conn)
	s.hand.Allow(firstAnswers)
	s.conn = ldap.NewConn(s.hand, secure)
	s.conn.Start()
	return s, nil
}

// encrypt does the TLS handshake, after a StartTLS request on an ldap:// address.
func (c *Connector) encrypt(ctx context.Context, s *session, op string, u *url.URL) (net.Conn, error) {
	tlsConfig, err := c.tlsConfig(op, u.Hostname())
	if err != nil {
		return nil, err
	}
	if own := tlsConfig.Certificates; len(own) > 0 && own[0].Leaf != nil {
		s.subject = own[0].Leaf.RawSubject
	}
	_ = s.raw.SetDeadline(time.Now().Add(s.timeout))
	if u.Scheme == "ldap" {
		if err := startTLS(s.raw, op, s.server); err != nil {
			return nil, err
		}
	}
	conn := tls.Client(s.raw, tlsConfig)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, tlsError(op, s.server, err)
	}
	return conn, s.raw.SetDeadline(time.Time{})
}

// startTLS asks for TLS by the extended operation of RFC 4511 section 4.14 and reads the consent.
func startTLS(conn io.ReadWriter, op, server string) error {
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", ""))
	msg := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(1), ""))
	msg.AppendChild(request)
	if _, err := conn.Write(msg.Bytes()); err != nil {
		return transportError(op, server, err)
	}
	limited := &io.LimitedReader{R: conn, N: firstAnswers}
	answer, err := ber.ReadPacket(limited)
	if err != nil && limited.N <= 0 {
		err = wire.ErrTooLong
	}
	if err != nil {
		return transportError(op, server, err)
	}
	if err := ldap.GetLDAPError(answer); err != nil {
		var e *ldap.Error
		if errors.As(err, &e) && e.ResultCode < ldap.ErrorNetwork {
			return &fault.Error{
				Class: fault.Configuration, Op: op, Where: server, Hint: "the server offers no TLS here: use ldaps://, or give it a certificate",
				Err: fmt.Errorf("start TLS: result %d: %w", e.ResultCode, e.Err),
			}
		}
		return transportError(op, server, err)
	}
	return nil
}

// What one request of go-ldap may bring, in bytes, of which go-ldap makes a hundred times that if they are as bad as can
// be: at first, when the other side may be anything, a large Kerberos ticket or root DSE; afterwards, a large schema or a
// range of values.
const (
	firstAnswers = 256 << 10
	laterAnswers = 2 << 20
)

// limit runs a request of go-ldap with a deadline and a limit for its answer. A request that one of them ends leaves a
// broken connection.
func (s *session) limit(fn func() error) error {
	if s.streaming != nil {
		return errors.New("the connection was given to a listing, and go-ldap would wait on it for ever") // a defect
	}
	if s.known {
		s.hand.Allow(laterAnswers)
	} else {
		s.hand.Allow(firstAnswers)
	}
	_ = s.hand.SetDeadline(time.Now().Add(s.timeout))
	err := fn()
	_ = s.hand.SetDeadline(time.Time{})
	if err != nil && s.hand.Exceeded() {
		return wire.ErrTooLong
	}
	return err
}

// search reads a few entries whole, by go-ldap.
func (s *session) search(op string, req *ldap.SearchRequest) ([]*ldap.Entry, error) {
	var res *ldap.SearchResult
	began := time.Now()
	err := s.limit(func() (err error) {
		res, err = s.conn.Search(req)
		return err
	})
	if err != nil {
		err = operationError(op, s.server, err)
		s.requested("search", began, err)
		return nil, err
	}
	s.requested("search", began, nil)
	return res.Entries, nil
}

// stream gives the connection to the reader of whole listings. Nothing else can be asked on the session then.
func (s *session) stream(op string) (conn *wire.Conn, err error) {
	if s.streaming == nil {
		s.streaming, err = s.take(op, s.timeout)
	}
	return s.streaming, err
}

// take does so with another limit for the silence of the server; zero is none.
func (s *session) take(op string, idle time.Duration) (*wire.Conn, error) {
	conn, err := s.hand.Take(idle)
	if err != nil {
		return nil, transportError(op, s.server, err)
	}
	return conn, nil
}

// unbindRequest is an LDAPMessage that ends a connection politely (RFC 4511 section 4.3).
const unbindRequest = "\x30\x05\x02\x01\x7f\x42\x00"

// close ends the connection without waiting for the server.
func (s *session) close() {
	s.unhook()
	_ = s.hand.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.hand.Write([]byte(unbindRequest))
	_ = s.raw.Close()
	_ = s.conn.Close()
}
