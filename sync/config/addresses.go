package config

import (
	"net"
	"path/filepath"
	"strconv"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Readers are the members of a group who may look by commands, and not decide: by a socket of their own.
type Readers struct {
	Socket settings.Path `yaml:"socket" strict:"required"`
	Group  string        `yaml:"group" strict:"required"` // name or number
}

// maxSocketPath is the longest path of a Unix socket on Linux, see unix(7).
const maxSocketPath = 107

func (l *loader) checkAddresses(root strict.Value) {
	if v := root.Get("listen"); v.Kind() == strict.Text && l.cfg.Listen != "" {
		if message := badAddress(l.cfg.Listen); message != "" {
			v.Problem(`write host:port such as 127.0.0.1:9440, or "" for none`, "listen: %s", message)
		} else if host, _, _ := net.SplitHostPort(l.cfg.Listen); host == "" || net.ParseIP(host).IsUnspecified() {
			v.Warn("write 127.0.0.1:9440, or the address on which the monitoring comes in",
				"listen: every network of this machine may ask; /metrics names connections and tenants, and wants no password")
		}
	}
	at := root.Get("control")
	if l.cfg.Control == "" {
		l.cfg.Control = settings.Path(filepath.Join(filepath.Dir(string(l.cfg.State)), controlSocket))
		at = root.Get("state")
	}
	if n := len(l.cfg.Control); n > maxSocketPath && at.Kind() == strict.Text {
		at.Problem("set control to a shorter path",
			"control: the path of the socket has %d bytes, Linux takes %d", n, maxSocketPath)
	}
	if r := l.cfg.Readers; r != nil {
		switch at := root.Get("readers").Get("socket"); {
		case at.Kind() != strict.Text:
		case len(r.Socket) > maxSocketPath:
			at.Problem("write a shorter path", "readers.socket: the path of the socket has %d bytes, Linux takes %d", len(r.Socket), maxSocketPath)
		case r.Socket == l.cfg.Control:
			at.Problem("write another path, such as /run/dirsyncd/readers.sock", "readers.socket: it is the one of `control`, by which everything may be done")
		}
	}
}

// badAddress says what is wrong with a listen address; names are not looked up.
func badAddress(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return strconv.Quote(short(address)) + " is not an address"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return strconv.Quote(short(port)) + " is not a port"
	}
	return ""
}
