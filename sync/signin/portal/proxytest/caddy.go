package proxytest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// Caddy starts Caddy in front of a site and returns HOST:PORT, at which it speaks TLS until the test is over. The test is skipped where there is none,
// and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Caddy(tb testing.TB, s Site) string {
	tb.Helper()
	caddy := program(tb, "caddy", "caddy")
	dir := testserver.Folder(tb)
	port := testserver.Port(tb)
	sites := s.configuration(tb, "caddyfile")
	for _, host := range []string{Central, App} {
		u := url.URL{Scheme: "https", Host: net.JoinHostPort(host, strconv.Itoa(port))}
		sites = replaced(tb, sites, host+" {\n", u.String()+" {\n\ttls "+filepath.Join(dir, certFile)+" "+filepath.Join(dir, keyFile)+"\n")
	}
	s.files(tb, dir, map[string]string{"Caddyfile": fmt.Sprintf(`{
	admin off
	auto_https off
	default_bind 127.0.0.1
	storage file_system %s
	servers {
		protocols h1 h2
	}
}
`, filepath.Join(dir, "storage")) + sites})
	testserver.Start(tb, dir, listens(testserver.Address(port)), caddy, "run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile"))
	return testserver.Address(port)
}
