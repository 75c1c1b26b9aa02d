package entra

import (
	"net"
	"net/url"
	"strconv"

	"dirsyncd/connectors/internal/rest"
	"dirsyncd/sync/settings"
)

// Notifications say how Graph tells of changes: it calls an address of this program (change notifications). Without
// URL and Listen nothing is watched.
type Notifications struct {
	// URL is where Graph calls, from the internet: https://, of a reverse proxy or of Listen itself.
	URL string `yaml:"url"`
	// Listen is the address, host:port, at which the calls arrive here.
	Listen string `yaml:"listen"`
	// CertFile and KeyFile make it a TLS listener: PEM files, read anew for every connection.
	CertFile settings.Path `yaml:"cert_file"`
	KeyFile  settings.Path `yaml:"key_file"`
}

func (n *Notifications) wanted() bool { return *n != Notifications{} }

func (n *Notifications) validate(tenantType string, report settings.Reporter) {
	if !n.wanted() {
		return
	}
	if tenantType != Workforce {
		report("notifications", "remove it: the schedule alone finds the changes", "tenants of type %s tell of no changes", tenantType)
	}
	const hint = "write the public address that leads to listen, such as https://sync.example.com/dirsyncd"
	u, err := url.Parse(n.URL)
	switch {
	case n.URL == "":
		report("notifications.url", hint, "must not be empty")
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !rest.Loopback(u.Hostname())):
		report("notifications.url", hint, "must be an https:// address")
	case u.User != nil || u.Fragment != "" || len(n.URL) > 1024:
		report("notifications.url", hint, "must be an address without user and fragment")
	}
	host, port, err := net.SplitHostPort(n.Listen)
	number, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || number < 1 || number > 65535 || host == "" {
		report("notifications.listen", "write HOST:PORT, such as 127.0.0.1:9443, behind a reverse proxy; 0.0.0.0:443 takes calls from everywhere", "is not a host and a port")
	}
	if (n.CertFile == "") != (n.KeyFile == "") {
		report("notifications.cert_file", "set cert_file and key_file, or neither behind a reverse proxy", "certificate and key belong together")
	}
}
