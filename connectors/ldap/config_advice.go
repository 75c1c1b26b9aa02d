package ldap

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
)

// Advise warns of a password that everybody on the way to a server can read. On this machine nobody is on the way.
func (c *Config) Advise() []settings.Issue {
	if c.Bind.anonymous() || c.Bind.method() != bindSimple || c.StartTLS {
		return nil
	}
	var issues []settings.Issue
	look := func(path string, servers []string) {
		for i, server := range servers {
			u, err := url.Parse(server)
			if err != nil || strings.HasPrefix(u.Scheme, "ldaps") || loopback(u.Hostname()) {
				continue
			}
			secure := strings.Replace(server, "ldap", "ldaps", 1)
			issues = append(issues, settings.Issue{
				Path: fmt.Sprintf("%s[%d]", path, i), Message: "the bind password goes to " + u.Hostname() + " in clear text, and so does what is read",
				Hint: "set start_tls: true, or write " + secure + " (with the port of LDAP over TLS); ca_file names the authority of the server's certificate",
			})
		}
	}
	look("servers", c.Servers)
	for i, d := range c.Domains.List {
		look(fmt.Sprintf("domains[%d].servers", i), d.Servers)
	}
	return issues
}

func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
