// Package sambatest starts a real Active Directory domain controller for tests: Samba, provisioned into a private
// folder and run in a network and process namespace of its own, so that its fixed ports disturb nobody and nothing
// of it outlives the test. It needs Linux, root, and the Debian packages in Packages.
package sambatest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
)

// Packages is what to install, for people to read.
const Packages = "samba samba-ad-dc samba-ad-provision samba-dsdb-modules winbind python3-samba iproute2"

// Names and passwords of the domain. The passwords are marks that no log, error or report may show.
const (
	Suffix         = "DC=example,DC=test"
	Domain         = "example.test"
	DeletedObjects = "CN=Deleted Objects," + Suffix
	AdminUser      = "Administrator@" + Domain
	AdminPassword  = "Adm1n-secret-5d20"
	ReaderPassword = "Read3r-secret-71be"
)

const (
	address      = "10.57.0.1"     // inside the namespace
	startTimeout = 5 * time.Minute // on a busy machine
)

// Server is a running domain controller. Its methods fail the test on errors.
type Server struct {
	// CAFile holds the certificate of the authority that signed the server's, which names 127.0.0.1.
	CAFile string

	tb testing.TB
	*machine
}

// machine is what all views of a server share.
type machine struct {
	dir  string
	cmd  *exec.Cmd
	pid  atomic.Int64
	done chan struct{}
	log  *os.File
	door *Proxy
	conn *ldap.Conn
}

// In returns the server as seen by another test, which its methods fail instead.
func (s *Server) In(tb testing.TB) *Server {
	view := *s
	view.tb = tb
	return &view
}

// Start provisions and starts a domain controller that ends with the test, which takes some ten seconds: a test
// binary should start one and share it. The test is skipped where there is no Samba or no root, and fails then
// when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB) *Server {
	tb.Helper()
	require(tb)
	s := &Server{tb: tb, machine: &machine{dir: tb.TempDir()}}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	s.check("write certificates", slapdtest.WriteCertificates(s.dir))
	s.provision()
	log, err := os.Create(filepath.Join(s.dir, "samba.out"))
	s.check("create log", err)
	s.log = log
	tb.Cleanup(s.stop)
	s.launch()
	// A service that does not run here would do that.
	s.Replace("CN=DC1,OU=Domain Controllers,"+Suffix, "servicePrincipalName", Service, "HOST/dc1."+Domain)
	return s
}

func require(tb testing.TB) {
	tb.Helper()
	missing := ""
	for _, tool := range []string{"samba", "samba-tool", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = tool + " is not installed: apt-get install --no-install-recommends " + Packages
		}
	}
	if os.Getuid() != 0 {
		missing = "a domain controller needs root, for its network namespace and its ports"
	}
	slapdtest.Missing(tb, missing)
}

func (s *Server) check(what string, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("sambatest: %s: %v", what, err)
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// configuration renders smb.conf: everything inside the folder, and no services but those that an LDAP client
// and the allocation of account numbers need.
func (s *Server) configuration() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[global]\nrealm = %s\nworkgroup = EXAMPLE\nnetbios name = DC1", strings.ToUpper(Domain))
	line("server role = active directory domain controller\nserver services = rpc, ldap, drepl, kdc")
	line("interfaces = %s/24\nbind interfaces only = yes", address)
	for _, folder := range folders() {
		line("%s = %s", folder.setting, s.path(folder.name))
	}
	line("tls enabled = yes\ntls cafile = %s\ntls certfile = %s\ntls keyfile = %s", s.CAFile, s.path("server.pem"), s.path("server.key"))
	line("ldap server require strong auth = allow_sasl_over_tls")
	line("disable netbios = yes\nload printers = no\nlogging = file\nlog file = %s\nlog level = 1", s.path("samba.log"))
	line("[netlogon]\npath = %s\n[sysvol]\npath = %s", s.path("netlogon"), s.path("sysvol"))
	return b.String()
}

// Realm is the domain's Kerberos realm, and Service the Kerberos name of its LDAP server.
const (
	Realm   = "EXAMPLE.TEST"
	Service = "ldap/dc1." + Domain
)

// Keytab writes the Kerberos keys of an account into a file.
func (s *Server) Keytab(account string) string {
	s.tb.Helper()
	path := filepath.Join(s.tb.TempDir(), account+".keytab")
	out, err := exec.Command("samba-tool", "domain", "exportkeytab", path, "--principal="+account, "-s", s.path("smb.conf")).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("sambatest: exportkeytab: %v\n%s", err, out)
	}
	return path
}

type folder struct{ setting, name string }

func folders() []folder {
	return []folder{
		{"private dir", "private"},
		{"state directory", "state"},
		{"cache directory", "cache"},
		{"lock directory", "lock"},
		{"pid directory", "pid"},
		{"ncalrpc dir", "ncalrpc"},
		{"winbindd socket directory", "winbindd"},
		{"ntp signd socket directory", "ntp"},
		{"binddns dir", "dns"},
	}
}

func (s *Server) provision() {
	s.tb.Helper()
	for _, folder := range append(folders(), folder{name: "netlogon"}, folder{name: "sysvol"}) {
		s.check("make folder", os.Mkdir(s.path(folder.name), 0o755))
	}
	conf := s.path("smb.conf")
	s.check("write smb.conf", os.WriteFile(conf, []byte(s.configuration()), 0o600))
	cmd := exec.Command("samba-tool", "domain", "provision", "-s", conf, "--realm="+strings.ToUpper(Domain), "--domain=EXAMPLE",
		"--host-name=dc1", "--host-ip="+address, "--adminpass="+AdminPassword, "--dns-backend=NONE", "--server-role=dc",
		"--function-level=2008_R2", "--backend-store=mdb")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		s.tb.Fatalf("sambatest: provision: %v\n%s", err, out.String())
	}
}

// launch starts Samba as the first process of its own process namespace: when it ends, so does whatever it started.
func (s *Server) launch() {
	s.tb.Helper()
	script := fmt.Sprintf("ip link set lo up && ip addr add %s/24 dev lo && exec samba --foreground --no-process-group -M single -s %s",
		address, s.path("smb.conf"))
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	s.check("start samba (may this container make namespaces?)", cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.cmd, s.done = cmd, done
	s.pid.Store(int64(cmd.Process.Pid))
	if s.door == nil {
		s.door = s.Proxy(s.tb)
	}
	s.awaitReady()
}

func (s *Server) awaitReady() {
	s.tb.Helper()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		conn, err := s.connect(AdminUser, AdminPassword)
		if err == nil {
			s.conn = conn
			return
		}
		select {
		case <-s.done:
			s.tb.Fatalf("sambatest: samba ended at once: %s", s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.tb.Fatalf("sambatest: samba did not come up in %v: %s", startTimeout, s.Log())
}

// connect binds over TLS, which the server demands.
func (s *Server) connect(user, password string) (*ldap.Conn, error) {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := ldap.DialURL(s.door.URLS, ldap.DialWithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}))
	if err != nil {
		return nil, err
	}
	if err := conn.Bind(user, password); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// Log returns what Samba wrote.
func (s *Server) Log() string {
	out, errOut := os.ReadFile(s.path("samba.out"))
	log, errLog := os.ReadFile(s.path("samba.log"))
	if err := errors.Join(errOut, errLog); err != nil {
		return err.Error()
	}
	return string(out) + string(log)
}

func (s *Server) stop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	_ = s.log.Close()
}

// Restart stops the server and starts it on the same data. The addresses of its proxies stay.
func (s *Server) Restart() {
	s.tb.Helper()
	_ = s.conn.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
	s.launch()
}
