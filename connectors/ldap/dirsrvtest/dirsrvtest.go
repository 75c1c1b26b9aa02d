// Package dirsrvtest starts a real 389 Directory Server for tests, in namespaces for files and processes of its own: its
// tools write to fixed places. It needs Linux, root, and the Debian package in Packages.
package dirsrvtest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
)

// Packages is what to install, for people to read.
const Packages = "389-ds-base"

// The server's tree and its root identity. The password is a mark that no log, error or report may show.
const (
	Suffix        = "dc=example,dc=test"
	AdminDN       = "cn=Directory Manager"
	AdminPassword = "dirsrv-secret-4be1"
)

// Options says what server to start.
type Options struct {
	// Refint are the attributes that the plug-in for referential integrity rewrites when the entry that they name is renamed
	// or deleted; none is no such plug-in.
	Refint []string
	// MemberOf switches the plug-in on that makes memberOf of the members of groups.
	MemberOf bool
}

// Server is a running server. Its methods fail the test on errors.
type Server struct {
	URL string
	// Conn is bound as the root identity.
	Conn *ldap.Conn
	tb   testing.TB
}

// script makes and starts a server. Its tools want systemd, of which they need no more than this.
const script = `
set -e
d=$1 port=$2 secure=$3
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p $d/etc $d/lib $d/log $d/run/dirsrv $d/run/lock/dirsrv $d/bin
cp -a /etc/dirsrv/. $d/etc
mount --bind $d/etc /etc/dirsrv
mount --bind $d/lib /var/lib/dirsrv
mount --bind $d/log /var/log/dirsrv
mount --bind $d/run /run
cat > $d/bin/systemctl <<X
#!/bin/sh
case "\$1" in
start)
	/usr/sbin/ns-slapd -D /etc/dirsrv/slapd-trial -i /run/dirsrv/slapd-trial.pid
	for i in \$(seq 3000); do
		python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' $port 2>/dev/null && [ -S /run/slapd-trial.socket ] && exit 0
		sleep 0.05
	done
	exit 1 ;;
stop)
	kill \$(cat /run/dirsrv/slapd-trial.pid)
	while kill -0 \$(cat /run/dirsrv/slapd-trial.pid) 2>/dev/null; do sleep 0.05; done ;;
is-active) kill -0 \$(cat /run/dirsrv/slapd-trial.pid) 2>/dev/null ;;
esac
X
chmod 755 $d/bin/systemctl
export PATH=$d/bin:$PATH
cat > $d/inst.inf <<X
[general]
config_version = 2
full_machine_name = localhost
strict_host_checking = False
systemd = False
selinux = False
[slapd]
instance_name = trial
user = root
group = root
port = $port
secure_port = $secure
root_password = ` + AdminPassword + `
self_sign_cert = False
[backend-userroot]
suffix = ` + Suffix + `
create_suffix_entry = True
X
dscreate from-file $d/inst.inf
touch $d/made
exec sleep infinity
`

// Start starts a server that ends with the test, which takes some ten seconds. The test is skipped where there is no such
// server or no root, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	require(tb)
	s := launch(tb)
	if opts.MemberOf || len(opts.Refint) > 0 {
		s.Replace("cn=config", "nsslapd-dynamic-plugins", "on")
	}
	if len(opts.Refint) > 0 {
		plugin := "cn=referential integrity postoperation,cn=plugins,cn=config"
		s.Replace(plugin, "referint-membership-attr", opts.Refint...)
		s.Replace(plugin, "referint-update-delay", "0")
		s.Replace(plugin, "nsslapd-pluginEnabled", "on")
	}
	if opts.MemberOf {
		plugin := "cn=MemberOf Plugin,cn=plugins,cn=config"
		s.Replace(plugin, "memberofgroupattr", "member", "uniqueMember")
		s.Replace(plugin, "memberofallbackends", "on")
		s.Replace(plugin, "nsslapd-pluginEnabled", "on")
	}
	return s
}

func require(tb testing.TB) {
	tb.Helper()
	missing := ""
	for _, tool := range []string{"/usr/sbin/ns-slapd", "/usr/sbin/dscreate"} {
		if _, err := os.Stat(tool); err != nil {
			missing = "389 Directory Server is not installed: apt-get install --no-install-recommends " + Packages
		}
	}
	if os.Getuid() != 0 {
		missing = "389 Directory Server needs root, for its namespaces"
	}
	slapdtest.Missing(tb, missing)
}

func launch(tb testing.TB) *Server {
	tb.Helper()
	dir := tb.TempDir()
	port, secure := slapdtest.FreePort(tb), slapdtest.FreePort(tb)
	log, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script, "sh", dir, port, secure)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s := &Server{tb: tb, URL: "ldap://127.0.0.1:" + port}
	tb.Cleanup(func() {
		if tb.Failed() {
			errors, _ := os.ReadFile(filepath.Join(dir, "log", "slapd-trial", "errors"))
			tb.Logf("the server's log ends with:\n%s", errors[max(0, len(errors)-4000):])
		}
		if s.Conn != nil {
			_ = s.Conn.Close()
		}
		_ = cmd.Process.Kill()
		<-ended
		_ = log.Close()
	})
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		// The tool stops and starts the server while it makes it.
		if _, err = os.Stat(filepath.Join(dir, "made")); err != nil {
			s.Conn = nil
		} else if s.Conn, err = ldap.DialURL(s.URL, ldap.DialWithDialer(&net.Dialer{Timeout: time.Minute})); err == nil {
			err = s.Conn.Bind(AdminDN, AdminPassword)
		}
		if err == nil {
			_, err = s.Conn.Search(ldap.NewSearchRequest(Suffix, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		}
		if err == nil {
			return s
		}
		if s.Conn != nil {
			_ = s.Conn.Close()
		}
		select {
		case <-ended:
			end = time.Now()
		case <-time.After(50 * time.Millisecond):
		}
	}
	text, _ := os.ReadFile(log.Name())
	tb.Fatalf("389 Directory Server did not come up: %v\n%s", err, text)
	return nil
}

// Add adds an entry.
func (s *Server) Add(dn string, attributes map[string][]string) {
	s.tb.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	if err := s.Conn.Add(req); err != nil {
		s.tb.Fatalf("dirsrvtest: add %s: %v", dn, err)
	}
}

// Replace sets an attribute's values; none removes the attribute.
func (s *Server) Replace(dn, attribute string, values ...string) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	if err := s.Conn.Modify(req); err != nil {
		s.tb.Fatalf("dirsrvtest: change %s: %v", dn, err)
	}
}
