package ldap

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
)

// Advise warns of what everybody on the way to a server can read or forge. On this machine nobody is on the way.
func (c *Config) Advise() []settings.Issue {
	var issues []settings.Issue
	if c.InsecureSkipVerify {
		issues = append(issues, settings.Issue{
			Path: "insecure_skip_verify", Message: "the server's certificate is not looked at: whoever is on the way can read the password and answer in the server's place",
			Hint: "give its authority as ca_file, and server_name where the certificate has another name",
		})
	}
	risk := c.inClear()
	if risk == "" {
		return issues
	}
	look := func(path string, servers []string) {
		for i, server := range servers {
			u, err := url.Parse(server)
			if err != nil || strings.HasPrefix(u.Scheme, "ldaps") || loopback(u.Hostname()) {
				continue
			}
			secure := strings.Replace(server, "ldap", "ldaps", 1)
			issues = append(issues, settings.Issue{
				Path: fmt.Sprintf("%s[%d]", path, i), Message: fmt.Sprintf(risk, u.Hostname()),
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

// inClear says what others can read of an unencrypted connection to a host; empty where it protects itself.
func (c *Config) inClear() string {
	switch {
	case c.StartTLS:
		return ""
	case c.Bind.anonymous():
		return "what is read comes from %s in clear text, and whoever is on the way can change it"
	case c.Bind.method() == bindSimple:
		return "the bind password goes to %s in clear text, and so does what is read"
	case c.Bind.method() == bindNTLM:
		return "what is read comes from %s in clear text, and a recorded log-in by NTLM can be tried until the password is found"
	default:
		return ""
	}
}

func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
