package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

// The schemes of addresses that name a domain whose servers are found in DNS (RFC 2782).
const (
	schemeDiscover       = "ldap+srv"
	schemeDiscoverSecure = "ldaps+srv"
)

// siteKey is the key in the query of such an address that names a site of Active Directory, whose domain controllers
// come before the others.
const siteKey = "site"

// resolver looks up service records. Those of *net.Resolver come sorted by priority, and in a random order by weight
// within one, as RFC 2782 wants it.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

var _ resolver = (*net.Resolver)(nil)

// newResolver makes a resolver that asks the DNS server with the address, or those of the machine when it is empty.
func newResolver(server string) *net.Resolver {
	if server == "" {
		return net.DefaultResolver
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

// discovered reports whether the servers of a configured address are found in DNS.
func discovered(name string) bool {
	return strings.HasPrefix(name, schemeDiscover+"://") || strings.HasPrefix(name, schemeDiscoverSecure+"://")
}

// discover looks up the servers of a domain: its domain controllers (MS-ADTS 6.3.2.3), those of the site first, or
// else whatever LDAP servers it names (RFC 2782).
func (c *Connector) discover(ctx context.Context, name string) ([]located, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "find servers", Err: errors.New("not an LDAP address")}
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(c.cfg.Timeout))
	defer cancel()
	domain := strings.TrimSuffix(u.Hostname(), ".") + "."
	var list []located
	if site := u.Query().Get(siteKey); site != "" {
		// A site may have no domain controller of its own.
		if list, err = c.lookup(limited, u.Scheme, site+"._sites.dc._msdcs."+domain, 0); err != nil && !notFound(err) {
			return nil, lookupError(ctx, name, err)
		}
	}
	more, err := c.lookup(limited, u.Scheme, "dc._msdcs."+domain, len(list))
	if notFound(err) {
		more, err = c.lookup(limited, u.Scheme, domain, len(list))
	}
	for _, l := range more {
		if !slices.ContainsFunc(list, func(known located) bool { return known.address == l.address }) {
			list = append(list, l)
		}
	}
	if len(list) > 0 {
		return list, c.ownOnly(u, list)
	}
	if err == nil {
		err = errors.New("the domain says that it has no LDAP servers")
	}
	return nil, lookupError(ctx, name, err)
}

// ownOnly is an error when a certificate would be believed for a name that only DNS gave: RFC 2782 records are not
// signed, and a name outside the domain proves nothing about it (RFC 6125 section 6.2.1).
func (c *Connector) ownOnly(u *url.URL, list []located) error {
	encrypted := u.Scheme == schemeDiscoverSecure || c.cfg.StartTLS
	if !encrypted || c.cfg.CAFile != "" || c.cfg.ServerName != "" || c.cfg.InsecureSkipVerify {
		return nil
	}
	domain := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, l := range list {
		found, err := url.Parse(l.address)
		if err != nil || found.Hostname() == domain || strings.HasSuffix(found.Hostname(), "."+domain) {
			continue
		}
		return &fault.Error{
			Class: fault.Configuration, Op: "find servers", Where: u.Scheme + "://" + u.Host,
			Err:  fmt.Errorf("DNS names %s, which is outside the domain: anybody who can forge DNS answers can have a certificate for such a name", found.Hostname()),
			Hint: "set ca_file to the authority of the domain's servers, or server_name, or name the servers themselves",
		}
	}
	return nil
}

// lookup asks for the service records of a domain. The ranks begin with behind.
func (c *Connector) lookup(ctx context.Context, scheme, domain string, behind int) ([]located, error) {
	_, records, err := c.resolver.LookupSRV(ctx, "ldap", "tcp", domain)
	if err != nil && len(records) == 0 {
		return nil, err
	}
	list := make([]located, 0, len(records))
	rank, priority := uint16(behind), uint16(0)
	for i, record := range records {
		if i > 0 && record.Priority != priority {
			rank++
		}
		priority = record.Priority
		// RFC 2782: the root as the target says that the service is not offered.
		if host := strings.ToLower(strings.TrimSuffix(record.Target, ".")); host != "" {
			list = append(list, located{address: addressOf(scheme, host, record.Port), rank: rank})
		}
	}
	return list, nil
}

// addressOf makes an address of a service record, which names the port of unencrypted connections. With ldaps it is
// exchanged for the other one; an unusual one is kept.
func addressOf(scheme, host string, port uint16) string {
	if scheme == schemeDiscover {
		return "ldap://" + withPort(host, port, 389)
	}
	switch port {
	case 389:
		port = 636
	case 3268:
		port = 3269
	}
	return "ldaps://" + withPort(host, port, 636)
}

func withPort(host string, port, usual uint16) string {
	if port == usual {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}

func notFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// lookupError is the error for a domain whose servers could not be found.
func lookupError(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &fault.Error{
		Class: fault.Transient, Op: "find servers", Where: name, Err: err,
		Hint: "does the DNS server of this machine answer? Set dns to one that knows the domain, or name the servers",
	}
	if notFound(err) {
		e.Class, e.Err = fault.Configuration, errors.New("DNS knows no LDAP servers of this domain")
		e.Hint = "check the name; set dns to a DNS server that knows the domain, or name the servers"
	}
	return e
}
