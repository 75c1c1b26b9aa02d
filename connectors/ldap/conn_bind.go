package ldap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// The values of BindConfig.Method.
const (
	bindSimple   = "simple"
	bindExternal = "external"
	bindNTLM     = "ntlm"
	bindGSSAPI   = "gssapi"
)

func bindMethods() []string { return []string{bindSimple, bindExternal, bindNTLM, bindGSSAPI} }

// BindConfig is the account that reads, and how it proves who it is.
type BindConfig struct {
	// Method is simple (a password, the default), external (the client certificate of tls), ntlm or gssapi (Kerberos).
	Method string `yaml:"method"`
	// User is a DN; Active Directory also takes user@domain and DOMAIN\user. For Kerberos it is user or user@REALM.
	User     string          `yaml:"user"`
	Password settings.Secret `yaml:"password"`
	// Keytab holds the user's Kerberos keys, in place of a password.
	Keytab settings.Path `yaml:"keytab"`
	// Realm is the Kerberos realm, when the user does not name it.
	Realm string `yaml:"realm"`
	// KDC are key distribution centres, host or host:port, in place of those that DNS names for the realm.
	KDC Names `yaml:"kdc"`
	// Krb5Conf is a krb5.conf, which then says everything about realms.
	Krb5Conf settings.Path `yaml:"krb5_conf"`
	// Service is the server's Kerberos name when it is not ldap/ and the host in its address.
	Service string `yaml:"service"`
}

// method returns the method, the default filled in.
func (b *BindConfig) method() string {
	if b.Method == "" {
		return bindSimple
	}
	return b.Method
}

// anonymous reports whether nobody is bound.
func (b *BindConfig) anonymous() bool { return b.method() == bindSimple && b.User == "" }

func (c *Config) validateBind(report settings.Reporter) {
	b := &c.Bind
	none := func(path, hint string, wrong bool) {
		if wrong {
			report("bind."+path, hint, "is of no use with bind.method %s", b.method())
		}
	}
	if b.method() != bindGSSAPI {
		for path, set := range map[string]bool{
			"keytab": b.Keytab != "", "realm": b.Realm != "", "kdc": len(b.KDC) > 0, "krb5_conf": b.Krb5Conf != "", "service": b.Service != "",
		} {
			none(path, "set method: gssapi, or remove it", set)
		}
	}
	switch b.method() {
	case bindSimple:
		if (b.User == "") != b.Password.IsZero() {
			report("bind", "set both, or leave out bind for an anonymous connection", "needs a user and a password")
		}
	case bindNTLM:
		if b.User == "" || b.Password.IsZero() {
			report("bind", `set user to DOMAIN\user or user@domain, and password`, "needs a user and a password")
		}
	case bindExternal:
		none("user", "the certificate says who it is", b.User != "")
		none("password", "the certificate says who it is", !b.Password.IsZero())
		if c.TLS.CertFile == "" {
			report("tls.cert_file", "set it and tls.key_file to the client certificate and its key", "bind.method external needs a client certificate")
		}
		if !c.encrypted() {
			report("bind.method", "use ldaps:// addresses, or set start_tls: true", "external needs encrypted connections")
		}
	case bindGSSAPI:
		c.validateKerberos(report)
	default:
		report("bind.method", "one of "+strings.Join(bindMethods(), ", "), "unknown method %q", b.Method)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		report("tls", "set both cert_file and key_file", "a client certificate needs its key")
	}
}

func (c *Config) validateKerberos(report settings.Reporter) {
	b := &c.Bind
	if b.User == "" || b.Password.IsZero() == (b.Keytab == "") {
		report("bind", "set user, and either keytab or password", "needs a user and its keys")
	}
	if _, realm := b.principal(); realm == "" && b.Krb5Conf == "" {
		report("bind.realm", "write the realm, such as EXAMPLE.COM, or the user as user@EXAMPLE.COM", "must not be empty")
	}
	if b.Krb5Conf != "" && len(b.KDC) > 0 {
		report("bind.kdc", "remove it, or krb5_conf", "krb5_conf says already where the key distribution centres are")
	}
	if b.Service != "" && !strings.Contains(b.Service, "/") {
		report("bind.service", "write ldap/ and the full name of the server, such as ldap/dc1.example.com", "%q is not the name of a service", b.Service)
	}
}

// encrypted reports whether every connection is.
func (c *Config) encrypted() bool {
	servers := c.Servers
	for _, d := range c.Domains.List {
		servers = slices.Concat(servers, d.Servers)
	}
	return c.StartTLS || !slices.ContainsFunc(servers, func(server string) bool { return !strings.HasPrefix(server, "ldaps") })
}

// identity says who reads, in words that change when somebody else does.
func (c *Config) identity(certificate []byte) string {
	switch {
	case c.Bind.anonymous():
		return "anonymous"
	case c.Bind.method() == bindExternal:
		// The name in a certificate outlives the certificate.
		return fmt.Sprintf("certificate of subject sha256:%x", sha256.Sum256(certificate))
	case c.Bind.method() == bindGSSAPI:
		user, realm := c.Bind.principal()
		return user + "@" + realm
	default:
		return c.Bind.User
	}
}

// bind authenticates. Without a user the connection stays anonymous.
func (c *Connector) bind(ctx context.Context, s *session, op string) error {
	if c.cfg.Bind.anonymous() {
		return nil
	}
	began := time.Now()
	err := c.authenticate(ctx, s, op+": bind")
	s.requested("bind", began, err)
	return err
}

func (c *Connector) authenticate(ctx context.Context, s *session, op string) error {
	cfg := &c.cfg.Bind
	ask := func(fn func() error) error {
		if err := s.limit(fn); err != nil {
			return bindError(op, s.server, cfg.method(), err)
		}
		return nil
	}
	switch cfg.method() {
	case bindExternal:
		return c.bindExternal(s, op, ask)
	case bindNTLM:
		// The domain is a part of the name.
		return ask(func() error { return s.conn.NTLMBind("", cfg.User, cfg.Password.Reveal()) })
	case bindGSSAPI:
		client, err := c.kerberos(ctx, op)
		if err != nil {
			return err
		}
		defer client.close()
		service := cfg.Service
		if service == "" {
			service = "ldap/" + hostOf(s.server)
		}
		if err := ticket(op, client, service); err != nil {
			return err
		}
		return ask(func() error { return s.conn.GSSAPIBind(client.Client, service, "") })
	default:
		return ask(func() error { return s.conn.Bind(cfg.User, cfg.Password.Reveal()) })
	}
}

// bindExternal proves who it is with the client certificate of the TLS handshake (RFC 4513 section 5.2.3). Active
// Directory has bound the certificate's owner already when the connection was encrypted from the start, and takes
// no bind then (MS-ADTS 5.1.1.1.2).
func (c *Connector) bindExternal(s *session, op string, ask func(func() error) error) error {
	if u, err := url.Parse(s.server); err == nil && u.Scheme == "ldaps" {
		if err := s.identify(op); err != nil {
			return bindError(op, s.server, bindExternal, err)
		}
		if s.root.activeDirectory() {
			var who *ldap.WhoAmIResult
			err := ask(func() (err error) {
				who, err = s.conn.WhoAmI(nil)
				return err
			})
			if err == nil && who.AuthzID == "" {
				err = &fault.Error{
					Class: fault.Auth, Op: op, Where: s.server, Err: errors.New("the server maps the client certificate to no account"),
					Hint: "the certificate must be of an authority that the domain trusts, and name an account (user principal name, or altSecurityIdentities)",
				}
			}
			return err
		}
	}
	return ask(s.conn.ExternalBind)
}

// bindError says of refusals what the method makes of them.
func bindError(op, where, method string, err error) error {
	var r *serverResult
	var e *fault.Error
	if !errors.As(err, &e) {
		err = operationError(op, where, err)
	}
	if !errors.As(err, &r) {
		switch {
		case !errors.As(err, &e):
		case method == bindExternal:
			// Of TLS 1.3 the client learns only now that the server has refused its certificate, and often just
			// by the end of the connection.
			e.Hint = "if it goes on: does the server trust the authority of the client certificate?"
		case method == bindNTLM:
			e.Hint = "if it goes on: does the server take NTLM binds? Samba does not, and ends the connection"
		}
		return err
	}
	if !errors.As(err, &e) {
		return err
	}
	strong := r.code == ldap.LDAPResultStrongAuthRequired
	unknown := r.code == ldap.LDAPResultAuthMethodNotSupported || r.code == ldap.LDAPResultInappropriateAuthentication ||
		// A server that does not know the choice in the request at all.
		r.code == ldap.LDAPResultProtocolError
	switch {
	case strong && method == bindSimple, method == bindSimple && r.code == ldap.LDAPResultInappropriateAuthentication:
		// What is said already is right.
	case strong:
		e.Hint = "the server wants signed connections, which " + method + " cannot give here: use bind.method simple or external over " +
			"ldaps:// or start_tls (with gssapi on Samba, 'ldap server require strong auth = allow_sasl_over_tls' helps, too)"
	case unknown:
		e.Class, e.Hint = fault.Configuration, "the server does not take this way of binding ("+method+"): set another bind.method"
	case r.code == ldap.LDAPResultInvalidCredentials && method == bindExternal:
		e.Hint = "the server maps the client certificate to no account: see its rules for that (OpenLDAP: TLSVerifyClient, authz-regexp)"
	case r.code == ldap.LDAPResultInvalidCredentials && method == bindGSSAPI && e.Hint == verdicts[r.code].hint:
		e.Hint = "the server did not take the Kerberos ticket: check bind.service, the clocks, and the server's own keys"
	}
	return err
}
