package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
)

// verdict is what a result code means for a sync.
type verdict struct {
	class fault.Class
	hint  string
}

const (
	hintEncrypt = "the server wants an encrypted connection: use an ldaps:// address or set start_tls: true"
	hintBase    = "no such base, or the bind user may not see it: check base and the user's rights"
	hintFilter  = "check the filter, scope and attributes of this connection"
	hintSize    = "the server's size limit for the bind user is smaller than the directory: raise it there " +
		"(OpenLDAP: limits … size=unlimited; 389 Directory Server: nsSizeLimit and nsPagedSizeLimit of the account)"
	hintBind = "the connection is anonymous and the server refuses that: set bind (a user with a password, or method: external with the " +
		"client certificate that tls names)"
	hintChange = "the bind account must change its password before it may do anything else: set a new one, or clear pwdReset"
)

// verdicts are the result codes of RFC 4511 appendix A that say more than "try again later". Every other code is
// transient.
var verdicts = map[uint16]verdict{
	ldap.LDAPResultProtocolError:          {fault.Internal, ""},
	ldap.LDAPResultTimeLimitExceeded:      {fault.Transient, "the server's time limit was reached: a smaller page_size or a higher limit helps"},
	ldap.LDAPResultSizeLimitExceeded:      {fault.Configuration, hintSize},
	ldap.LDAPResultAuthMethodNotSupported: {fault.Configuration, "the server does not take simple binds"},
	ldap.LDAPResultStrongAuthRequired:     {fault.Configuration, hintEncrypt},
	ldap.LDAPResultReferral:               {fault.Configuration, "another server holds this base: name that server, or another base"},
	ldap.LDAPResultAdminLimitExceeded: {fault.Configuration, "an administrative limit of the server was reached: raise the bind user's limits there (OpenLDAP: limits … size.pr and size.unchecked; " +
		"389 Directory Server: nsslapd-lookthroughlimit, or nsLookThroughLimit and nsPagedLookThroughLimit of the account), or set a smaller page_size"},
	ldap.LDAPResultUnavailableCriticalExtension: {fault.Configuration, "the server lacks a feature that this read needs"},
	ldap.LDAPResultConfidentialityRequired:      {fault.Configuration, hintEncrypt},
	ldap.LDAPResultNoSuchAttribute:              {fault.Configuration, hintFilter},
	ldap.LDAPResultUndefinedAttributeType:       {fault.Configuration, hintFilter},
	ldap.LDAPResultInappropriateMatching:        {fault.Configuration, hintFilter},
	ldap.LDAPResultInvalidAttributeSyntax:       {fault.Configuration, hintFilter},
	ldap.LDAPResultNoSuchObject:                 {fault.Configuration, hintBase},
	ldap.LDAPResultInvalidDNSyntax:              {fault.Configuration, "a base or the bind user is not a valid DN"},
	ldap.LDAPResultInappropriateAuthentication:  {fault.Configuration, "the server does not let this user bind with a password: check bind.user"},
	ldap.LDAPResultInvalidCredentials:           {fault.Auth, "check bind.user and bind.password"},
	ldap.LDAPResultInsufficientAccessRights:     {fault.Forbidden, "give the bind user the right to read the base"},
	ldap.LDAPResultUnwillingToPerform:           {fault.Configuration, "the server refuses this request: see its own log"},
	ldap.ErrorFilterCompile:                     {fault.Configuration, hintFilter},
	ldap.ErrorEmptyPassword:                     {fault.Configuration, "set bind.password, or leave out bind for an anonymous connection"},
}

// resultError classifies a result other than success.
func resultError(op, where string, code uint16, text string) error {
	v, known := verdicts[code]
	if !known {
		v.class = fault.Transient
	}
	var cause error = &serverResult{code: code, text: strings.Trim(text, " \x00")}
	switch {
	case code == ldap.LDAPResultInvalidCredentials:
		if r, ok := findRefusal(text); ok {
			cause, v.hint = fmt.Errorf("%s: %w", r.words, cause), r.hint
		}
	case code == ldap.LDAPResultOperationsError && strings.Contains(text, "successful bind"):
		v = verdict{fault.Configuration, "the server answers nobody who has not bound: set bind"}
	case strings.Contains(text, "Operations are restricted to bind"): // slapo-ppolicy, while pwdReset is TRUE
		v = verdict{fault.Auth, hintChange}
	case code == ldap.LDAPResultProtocolError && strings.Contains(text, "cookie"):
		v.class = fault.Transient
	}
	return &fault.Error{Class: v.class, Op: op, Where: where, Hint: v.hint, Err: cause}
}

// explain gives an error of an anonymous connection the hint that helps: without an account the server's own reasons lead
// nowhere.
func (c *Connector) explain(err error) error {
	var r *serverResult
	var f *fault.Error
	if !c.cfg.Bind.anonymous() || !errors.As(err, &r) || !errors.As(err, &f) {
		return err
	}
	switch r.code {
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultOperationsError, ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultNoSuchObject:
		explained := *f
		explained.Hint = hintBind
		if r.code == ldap.LDAPResultNoSuchObject {
			explained.Hint = hintBase + "; " + "the connection is anonymous: does the server show this base to a bind user only?"
		}
		return &explained
	}
	return err
}

// failed is the finding that an error is.
func (c *Connector) failed(subject string, err error) connectors.Finding {
	return connectors.Failed(subject, c.explain(err))
}

// refusal is a reason for result 49 in words, and what to do about it.
type refusal struct{ words, hint string }

// refusals are the Win32 error codes that Active Directory and Samba put into the text of result 49, as
// "data 52e".
var refusals = map[uint64]refusal{
	0x525: {"user not found", "check bind.user: a DN, or user@domain"},
	0x52e: {"wrong user name or password", "check bind.user and bind.password; every retry counts towards a lock-out"},
	0x530: {"logon not permitted at this time", "change the user's logon hours"},
	0x531: {"logon not permitted from this machine", "allow the user to log on from this machine"},
	0x532: {"password expired", "set a new password, one that does not expire"},
	0x533: {"account disabled", "enable the account"},
	0x534: {"logon type not granted", "grant the user network logon"},
	0x568: {"too many context ids", "take the user out of groups"},
	0x701: {"account expired", "extend the account's expiry"},
	0x773: {"password must be changed first", "clear 'must change password at next logon'"},
	0x775: {"account locked out", "unlock the account and find out who uses a wrong password"},
	0x80090346: {"channel binding mismatch", "the server demands channel binding (LdapEnforceChannelBinding = 2), which ntlm and gssapi do " +
		"not offer: use bind.method simple or external over ldaps:// or start_tls"},
}

// findRefusal looks for "data HEX" in the text of a refused bind.
func findRefusal(text string) (refusal, bool) {
	_, after, found := strings.Cut(text, "data ")
	if !found {
		return refusal{}, false
	}
	end := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
	if end >= 0 {
		after = after[:end]
	}
	code, err := strconv.ParseUint(after, 16, 64)
	if err != nil {
		return refusal{}, false
	}
	r, ok := refusals[code]
	return r, ok
}

// serverResult is a result other than success, as the server gave it.
type serverResult struct {
	code uint16
	text string
}

func (r *serverResult) Error() string {
	word := strings.ToLower(ldap.LDAPResultCodeMap[r.code])
	text := fmt.Sprintf("result %d, %s", r.code, word)
	if r.text != "" && !strings.EqualFold(r.text, word) {
		text += ": " + r.text
	}
	return text
}

// hidden reports whether a server said that something is not there or not for us to see.
func hidden(err error) bool {
	var r *serverResult
	return errors.As(err, &r) && (r.code == ldap.LDAPResultNoSuchObject || r.code == ldap.LDAPResultInsufficientAccessRights)
}

// limited reports whether a search went beyond what the server allows.
func limited(err error) bool {
	var r *serverResult
	return errors.As(err, &r) && slices.Contains([]uint16{ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultSizeLimitExceeded,
		ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultUnwillingToPerform}, r.code)
}

// operationError classifies an error of go-ldap. One that is not a result of the server is one of the
// connection: go-ldap reports it as plain text or with a code from 200 on.
func operationError(op, where string, err error) error {
	var e *ldap.Error
	if errors.As(err, &e) {
		if _, known := verdicts[e.ResultCode]; known || e.ResultCode < ldap.ErrorNetwork {
			return resultError(op, where, e.ResultCode, e.Err.Error())
		}
	}
	return transportError(op, where, err)
}

// transportError is the error for a connection that could not be made or did not last.
func transportError(op, where string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		// The end of our own timeout, not of the caller's context.
		err = errTooSlow
	}
	return &fault.Error{Class: fault.Transient, Op: op, Where: where, Hint: transportHint(err), Err: fmt.Errorf("connection: %w", err)}
}

var errTooSlow = errors.New("the server did not answer in time")

// transportHint says what to look at when a connection could not be made or did not last. All of them are tried
// again without anybody's doing; the hint is for those that stay.
func transportHint(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, wire.ErrTooLong):
		return "no LDAP server answers this with so much: check what listens at this address"
	case errors.As(err, &dns):
		return "check the server's name in servers, and the machine's DNS server or the one that dns names"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the server running, and are host and port in servers right?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that address: check servers, routes and firewalls"
	case errors.Is(err, errTooSlow), errors.As(err, &timeout) && timeout.Timeout(),
		strings.HasSuffix(err.Error(), "i/o timeout"): // of some errors go-ldap keeps only the text
		return "if it goes on: does a firewall drop packets on the way? A server that is only slow needs a longer timeout"
	default:
		return "if it goes on: see the server's own log for why it closed the connection"
	}
}

// tlsError tells certificates that do not fit from connections that broke.
func tlsError(op, where string, err error) error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		hint    string
	)
	switch {
	case errors.As(err, &unknown):
		hint = "set ca_file to the certificate of the authority that signed the server's"
	case errors.As(err, &host) && host.Certificate != nil && len(host.Certificate.DNSNames)+len(host.Certificate.IPAddresses) == 0:
		hint = "the certificate names the server in its common name (CN) only, which counts for nothing (RFC 9525): have one issued with " +
			"the server's name in subjectAltName; server_name does not help"
	case errors.As(err, &host):
		hint = "use the name in the certificate in servers, or set server_name to it"
	case errors.As(err, &invalid):
		hint = "the server's certificate must be renewed or replaced"
	case errors.As(err, &record):
		hint = "the server does not speak TLS on this port: use ldap://, with start_tls: true if it can"
	default:
		// A server that does not speak TLS may just close the connection.
		return &fault.Error{
			Class: fault.Transient, Op: op, Where: where, Hint: "if it goes on: does the server speak TLS on this port?",
			Err: fmt.Errorf("TLS handshake: %w", err),
		}
	}
	return &fault.Error{Class: fault.Configuration, Op: op, Where: where, Hint: hint, Err: err}
}
