package ldapsim

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Extended operations that the server has.
const (
	oidStartTLS = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI   = "1.3.6.1.4.1.4203.1.11.3"
)

// errHangUp ends a session without a word.
var errHangUp = errors.New("hang up")

// session is one connection. Its requests are answered one after the other.
type session struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	secure bool
	user   string // as bound; empty: anonymous
	// listing is the paged search whose next page may be asked for.
	listing *listing
}

// newSession serves a connection; with a configuration it speaks TLS from the first byte.
func newSession(s *Server, c net.Conn, config *tls.Config) *session {
	session := &session{server: s}
	if config != nil {
		c, session.secure = tls.Server(c, config), true
	}
	session.use(c)
	return session
}

func (c *session) use(conn net.Conn) {
	c.conn, c.in, c.out = conn, bufio.NewReader(conn), bufio.NewWriterSize(conn, 64<<10)
}

// serve answers requests until either side hangs up.
func (c *session) serve() {
	for {
		packet, err := ber.ReadPacket(c.in)
		if err != nil {
			return
		}
		m, err := parseMessage(packet)
		if err != nil {
			return
		}
		err = c.handle(m)
		if flushed := c.out.Flush(); err != nil || flushed != nil {
			return
		}
	}
}

// handle answers one request. An error ends the session.
func (c *session) handle(m message) error {
	switch m.op.Tag {
	case ldap.ApplicationBindRequest:
		return c.bind(m)
	case ldap.ApplicationSearchRequest:
		return c.search(m)
	case ldap.ApplicationExtendedRequest:
		return c.extended(m)
	case ldap.ApplicationUnbindRequest:
		return errHangUp
	case ldap.ApplicationAbandonRequest:
		return nil // requests are answered one by one: there is nothing left to abandon
	case ldap.ApplicationModifyRequest, ldap.ApplicationAddRequest, ldap.ApplicationDelRequest,
		ldap.ApplicationModifyDNRequest, ldap.ApplicationCompareRequest:
		c.server.count(func(n *Counts) { n.Refused++ })
		response := result{code: ldap.LDAPResultUnwillingToPerform, text: "the simulator is read-only"}
		return c.send(m.id, response.packet(m.op.Tag+1))
	default:
		return errHangUp
	}
}

func (c *session) bind(m message) error {
	c.server.count(func(n *Counts) { n.Binds++ })
	c.user, c.listing = "", nil
	if fault, hit := c.server.takeFault(Binding, ""); hit {
		return c.misbehave(m, fault, ldap.ApplicationBindResponse)
	}
	name, password, simple := parseBind(m.op)
	r := c.checkBind(name, password, simple)
	if r.code == ldap.LDAPResultSuccess {
		c.user = name
	}
	return c.send(m.id, r.packet(ldap.ApplicationBindResponse))
}

func (c *session) checkBind(name, password string, simple bool) result {
	switch {
	case !simple:
		return result{code: ldap.LDAPResultAuthMethodNotSupported, text: "only simple bind is supported"}
	case name == "" && password == "":
		return result{}
	case password == "":
		return result{
			code: ldap.LDAPResultUnwillingToPerform,
			text: "unauthenticated bind (DN with no password) disallowed",
		}
	case c.server.requireTLS && !c.secure:
		return result{code: ldap.LDAPResultConfidentialityRequired, text: "TLS confidentiality required"}
	case parseKey(name) != parseKey(c.server.user) || password != c.server.password:
		return result{code: ldap.LDAPResultInvalidCredentials}
	default:
		return result{}
	}
}

func (c *session) extended(m message) error {
	r := extendedResult{result: result{code: ldap.LDAPResultProtocolError, text: "unsupported extended operation"}}
	switch name := text(child(m.op, 0)); {
	case name == oidWhoAmI:
		c.server.count(func(n *Counts) { n.WhoAmI++ })
		r = extendedResult{value: "dn:" + c.user, hasValue: true}
		if c.user == "" {
			r.value = ""
		}
	case name == oidStartTLS && c.secure:
		r.result = result{code: ldap.LDAPResultOperationsError, text: "TLS already started"}
	case name == oidStartTLS && c.server.tls != nil:
		return c.startTLS(m)
	}
	return c.send(m.id, r.packet())
}

func (c *session) startTLS(m message) error {
	c.server.count(func(n *Counts) { n.StartTLS++ })
	if err := c.send(m.id, extendedResult{name: oidStartTLS}.packet()); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	secured := tls.Server(c.conn, c.server.tls)
	if err := secured.HandshakeContext(context.Background()); err != nil {
		return err
	}
	c.use(secured)
	c.secure = true
	return nil
}

// misbehave does what a fault that needs no listing says, in the place of a response.
func (c *session) misbehave(m message, f Fault, response ber.Tag) error {
	switch f.Kind {
	case Answer:
		return c.send(m.id, result{code: f.Code, text: f.Text}.packet(response))
	case Hang:
		return nil
	case Garble:
		_, err := c.out.WriteString("HTTP/1.1 400 Bad Request\r\n\r\n")
		return errors.Join(errHangUp, err)
	default:
		return errHangUp
	}
}

// send writes a message into the buffer, which serve flushes when the request is answered.
func (c *session) send(id int64, op *ber.Packet, controls ...ldap.Control) error {
	_, err := c.out.Write(envelope(id, op, controls).Bytes())
	return err
}

// rootDSE describes the server (RFC 4512, 5.1). The class says that it is to be taken for an OpenLDAP.
func (s *Server) rootDSE() *entry {
	extensions := []string{oidWhoAmI}
	if s.tls != nil {
		extensions = append(extensions, oidStartTLS)
	}
	return &entry{attrs: []attribute{
		{"objectClass", []string{"top", "OpenLDAProotDSE"}},
		{"structuralObjectClass", []string{"OpenLDAProotDSE"}},
		{"namingContexts", []string{s.base}},
		{"supportedLDAPVersion", []string{"3"}},
		{"supportedControl", []string{ldap.ControlTypePaging}},
		{"supportedExtension", extensions},
		{"supportedFeatures", []string{"1.3.6.1.4.1.4203.1.5.1"}}, // "+" asks for operational attributes (RFC 3673)
	}}
}

// operational reports whether an attribute is sent only when it is asked for.
func operational(name string) bool {
	switch strings.ToLower(name) {
	case "entryuuid", "entrycsn", "contextcsn", "createtimestamp", "modifytimestamp", "structuralobjectclass",
		"pwdaccountlockedtime", "namingcontexts", "supportedldapversion", "supportedcontrol",
		"supportedextension", "supportedfeatures":
		return true
	default:
		return false
	}
}
