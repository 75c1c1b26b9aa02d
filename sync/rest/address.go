package rest

import (
	"net"
	"net/url"
)

// Host returns an address's host, with the port when it has one.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Loopback reports whether a host is this very machine, so that what goes there unencrypted passes nobody.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
