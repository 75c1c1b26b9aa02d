package web

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// Caller is who asks, as far as the connection and the proxies that are trusted say.
type Caller struct {
	// Address is that of the client itself, as the last proxy that is trusted saw it.
	Address netip.Addr
	// Host is the one that was asked for, with a port if that is not 443.
	Host string
	// Proxied says that one of Options.Proxies has passed the request on.
	Proxied bool
}

type callerKey struct{}

// CallerOf returns who asks, of a request that a Front passes to a handler.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// refusal is an answer to who may not ask.
type refusal struct {
	status int
	text   string
}

// caller finds out who asks. What a request says of itself in X-Forwarded headers counts if a proxy that is trusted has sent it, and
// then only what the nearest ones wrote: a client can send such headers, too, and proxies append to them.
func (f *Front) caller(r *http.Request) (Caller, *refusal) {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return Caller{}, &refusal{http.StatusBadRequest, "no address"}
	}
	c := Caller{Address: port.Addr().Unmap().WithZone(""), Host: r.Host}
	if c.Proxied = f.trusted(c.Address); !c.Proxied {
		if r.TLS == nil {
			return Caller{}, &refusal{http.StatusForbidden, "only the proxies of `web.proxies` may ask here"}
		}
		return c, nil
	}
	if scheme := last(r.Header.Values("X-Forwarded-Proto")); scheme != "" && !strings.EqualFold(scheme, "https") {
		return Caller{}, &refusal{http.StatusForbidden, "ask with https"}
	}
	if host := last(r.Header.Values("X-Forwarded-Host")); host != "" {
		c.Host = host
	}
	list := split(r.Header.Values("X-Forwarded-For"))
	for i := len(list) - 1; i >= 0; i-- {
		a, ok := address(list[i])
		if !ok {
			break
		}
		if c.Address = a; !f.trusted(a) {
			break
		}
	}
	return c, nil
}

// withoutPort is a host without the port that its scheme has by default: clients may name it (RFC 9110, 4.2.2).
func withoutPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

func (f *Front) trusted(a netip.Addr) bool {
	for _, p := range f.o.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// address reads an entry of X-Forwarded-For, with a port or without.
func address(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	p, err := netip.ParseAddrPort(text)
	return p.Addr().Unmap().WithZone(""), err == nil
}

// split returns the entries of a header that may be there several times and hold several with commas.
func split(values []string) []string {
	var list []string
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(one))
		}
	}
	return list
}

// last returns the entry that the nearest proxy wrote.
func last(values []string) string {
	if list := split(values); len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}
