package proxytest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// Nginx starts nginx in front of a site and returns HOST:PORT, at which it speaks TLS until the test is over. The test is skipped where there is none,
// and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Nginx(tb testing.TB, s Site) string {
	tb.Helper()
	nginx := program(tb, "nginx", "nginx-light")
	dir := testserver.Folder(tb)
	address := testserver.Address(testserver.Port(tb))
	app := s.configuration(tb, "nginx")
	// One process, so that it ends with this one. Waiting has no end that a busy machine could reach.
	s.files(tb, dir, map[string]string{"nginx.conf": fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  client_header_timeout 1h; client_body_timeout 1h; send_timeout 1h; proxy_read_timeout 1h; proxy_send_timeout 1h;
  ssl_certificate %[1]s/%[2]s; ssl_certificate_key %[1]s/%[3]s;
%[4]s}
`, dir, certFile, keyFile, replaced(tb, app+central(tb, app), "listen 443 ssl;", "listen "+address+" ssl;"))})
	testserver.Start(tb, dir, listens(address), nginx, "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	return address
}

// central is the server of the central host: "the first two locations" of an application's.
func central(tb testing.TB, app string) string {
	tb.Helper()
	_, server, _ := strings.Cut(app, "\nserver {")
	parts := strings.Split(server, "\n  location ")
	if len(parts) < 3 {
		tb.Fatalf("the document has no two locations in:\n%s", app)
	}
	return replaced(tb, "server {"+strings.Join(parts[:3], "\n  location ")+"\n}\n", App, Central)
}
