// Package slapdtest starts real OpenLDAP servers for tests: private, on free loopback ports, with TLS by a
// certificate authority that is made for the test, and with identities whose rights and limits differ.
package slapdtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/sync/database/testserver"
)

// RequireReal names the environment variable that turns "slapd is not installed" from a skipped test into a
// failed one. CI=true does the same.
const RequireReal = "DIRSYNCD_REQUIRE_REAL"

// startTimeout is how long a server may take to come up on a busy machine.
const startTimeout = 5 * time.Minute

// Options says what server to start. The zero value is an empty tree with the default suffix.
type Options struct {
	// Suffix is the tree's root; dc=example,dc=test when empty. It must be made of dc= parts.
	Suffix string
	// Load writes LDIF that is loaded below the suffix entry, ou=people, ou=groups and ou=services, which
	// always exist. Population.WriteLDIF makes large ones.
	Load func(w io.Writer, suffix string) error
	// SizeLimit is the limit for everybody who has none of their own; 0 is no limit.
	SizeLimit int
	// MemberOf switches the memberof overlay on. MemberOfRefint lets it rewrite the members of groups when one of them is
	// renamed or deleted (memberof-refint).
	MemberOf, MemberOfRefint bool
	// Refint are the attributes that the refint overlay rewrites when the entry that they name is renamed or deleted;
	// none is no such overlay. It does so a moment after the change.
	Refint []string
	// SessionLog is how many changes the server remembers for RFC 4533 consumers (syncprov-sessionlog). The log
	// is in memory: a restart empties it. 0 is no log.
	SessionLog int
	// NoCSNIndex leaves entryCSN without an index.
	NoCSNIndex bool
	// RFC2307bis loads a schema in which posixGroup is auxiliary, in place of the NIS schema of RFC 2307.
	RFC2307bis bool
	// Global and Database are lines to add to the two parts of slapd.conf; Access are access rules that come
	// before the server's own.
	Global, Database, Access []string
}

// Passwords of the identities that every server has. They are marks that no log, error or report may show.
const (
	AdminPassword      = "admin-secret-7d1f"
	ReplicatorPassword = "replicator-secret-90ab"
	LimitedPassword    = "limited-secret-33ce"
	BlindPassword      = "blind-secret-52e0"
)

// Server is a running slapd. Its methods fail the test on errors.
type Server struct {
	// URL and URLS are the plain and the TLS address.
	URL, URLS string
	// CAFile holds the certificate of the authority that signed the server's.
	CAFile string
	// ClientCert and ClientKey are a certificate of ClientName by the same authority, and its key.
	ClientCert, ClientKey string
	Suffix                string
	// AdminDN is the root identity. ReplicatorDN reads everything and has no limits; LimitedDN reads
	// everything, but no more than 500 entries of one search, paged or not; BlindDN can bind and sees only
	// the containers.
	AdminDN, ReplicatorDN, LimitedDN, BlindDN string

	tb   testing.TB
	opts Options
	dir  string
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File
}

// Start starts a server that ends with the test. The test is skipped when slapd is not installed, and fails
// then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	findServer(tb)
	if opts.Suffix == "" {
		opts.Suffix = "dc=example,dc=test"
	}
	s := &Server{
		tb: tb, opts: opts, dir: tb.TempDir(), Suffix: opts.Suffix,
		AdminDN:      "cn=admin," + opts.Suffix,
		ReplicatorDN: "cn=replicator,ou=services," + opts.Suffix,
		LimitedDN:    "cn=limited,ou=services," + opts.Suffix,
		BlindDN:      "cn=blind,ou=services," + opts.Suffix,
	}
	s.URL = "ldap://127.0.0.1:" + FreePort(tb)
	s.URLS = "ldaps://127.0.0.1:" + FreePort(tb)
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	s.ClientCert, s.ClientKey = filepath.Join(s.dir, "client.pem"), filepath.Join(s.dir, "client.key")
	s.check("write certificates", WriteCertificates(s.dir))
	s.check("make database folder", os.Mkdir(filepath.Join(s.dir, "db"), 0o700))
	s.writeConfiguration()
	s.load()
	s.start()
	return s
}

// start starts the server on what its folder holds, until the test ends.
func (s *Server) start() {
	s.tb.Helper()
	s.writeConfiguration()
	log, err := os.Create(s.path("slapd.log"))
	s.check("create log", err)
	s.log = log
	s.tb.Cleanup(func() {
		s.Kill()
		_ = s.log.Close()
	})
	s.launch(findServer(s.tb))
}

func findServer(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{"slapd", "/usr/sbin/slapd", "/usr/lib/openldap/slapd", "/usr/local/libexec/slapd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(tb, "slapd is not installed: apt-get install slapd ldap-utils")
	return ""
}

// Missing skips a test because of a real part that is missing, and fails it where CI or DIRSYNCD_REQUIRE_REAL is set. what
// says how to get it; nothing is missing when it is empty.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	switch {
	case what == "":
	case os.Getenv("CI") != "" || os.Getenv(RequireReal) == "1":
		tb.Fatal(what)
	default:
		tb.Skip(what)
	}
}

// FreePort is a port on which nobody listens and that is the test's until it ends; see testserver.Port.
func FreePort(tb testing.TB) string {
	tb.Helper()
	return strconv.Itoa(testserver.Port(tb))
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) check(what string, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("slapdtest: %s: %v", what, err)
	}
}

// load fills the database offline, with slapadd's quick mode: 100,000 people take some ten seconds.
func (s *Server) load() {
	s.tb.Helper()
	tool, err := exec.LookPath("slapadd")
	if err != nil {
		tool = "/usr/sbin/slapadd"
	}
	cmd := exec.Command(tool, "-q", "-f", s.path("slapd.conf"), "-b", s.Suffix)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	s.check("slapadd", err)
	s.check("slapadd", cmd.Start())
	writeErr := s.writeBase(in)
	if writeErr == nil && s.opts.Load != nil {
		writeErr = s.opts.Load(in, s.Suffix)
	}
	_ = in.Close()
	if err := errors.Join(cmd.Wait(), writeErr); err != nil {
		s.tb.Fatalf("slapdtest: slapadd: %v\n%s", err, out.String())
	}
}

func (s *Server) launch(slapd string) {
	s.tb.Helper()
	cmd := exec.Command(slapd, "-d", "0", "-f", s.path("slapd.conf"), "-h", s.URL+"/ "+s.URLS+"/")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.check("start slapd", cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	s.awaitReady(done)
}

func (s *Server) awaitReady(done chan struct{}) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if conn, err := s.connect(); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-done:
			s.tb.Fatalf("slapdtest: slapd ended at once: %s", s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.tb.Fatalf("slapdtest: slapd did not come up in %v: %s", startTimeout, s.Log())
}

// connect binds as the root identity, over TLS, which every configuration allows.
func (s *Server) connect() (*ldap.Conn, error) {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := ldap.DialURL(s.URLS, ldap.DialWithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}))
	if err != nil {
		return nil, err
	}
	if err := conn.Bind(s.AdminDN, AdminPassword); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// Log returns what slapd wrote to its standard error.
func (s *Server) Log() string {
	data, err := os.ReadFile(s.path("slapd.log"))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Kill ends the server at once, as a power cut would. It does nothing when the server is not running.
func (s *Server) Kill() { s.signal(syscall.SIGKILL) }

// Stop ends the server in an orderly way.
func (s *Server) Stop() { s.signal(syscall.SIGTERM) }

// Suspend freezes the server: it keeps its connections and answers nothing. Resume thaws it.
func (s *Server) Suspend() { s.tell(syscall.SIGSTOP) }

// Resume thaws a suspended server.
func (s *Server) Resume() { s.tell(syscall.SIGCONT) }

func (s *Server) tell(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	cmd, done := s.cmd, s.done
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-done:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		<-done
	}
}

// Restart starts the server again on the same addresses and data, after stopping it if it still runs.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	s.launch(findServer(s.tb))
}

// Reconfigure changes the options and restarts the server with them. Suffix, schema and content stay.
func (s *Server) Reconfigure(change func(*Options)) {
	s.tb.Helper()
	change(&s.opts)
	s.writeConfiguration()
	s.Restart()
}

func (s *Server) writeConfiguration() {
	s.tb.Helper()
	s.check("write slapd.conf", os.WriteFile(s.path("slapd.conf"), []byte(s.configuration()), 0o600))
}

// PID returns the process id of the running server, or 0.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Secrets lists every password of the server, for tests that look for leaks.
func (s *Server) Secrets() []string {
	return []string{AdminPassword, ReplicatorPassword, LimitedPassword, BlindPassword}
}

// PersonDN is the DN of a person below ou=people.
func (s *Server) PersonDN(uid string) string {
	return fmt.Sprintf("uid=%s,ou=people,%s", uid, s.Suffix)
}

// GroupDN is the DN of a group below ou=groups.
func (s *Server) GroupDN(cn string) string { return fmt.Sprintf("cn=%s,ou=groups,%s", cn, s.Suffix) }

// domain is the DNS name of the suffix: example.test for dc=example,dc=test.
func domain(suffix string) string {
	return strings.ReplaceAll(strings.ReplaceAll(suffix, "dc=", ""), ",", ".")
}

// Copy starts another server on what this one holds now, such as a replica that hears of nothing from then on. The server
// itself is restarted for that.
func (s *Server) Copy() *Server {
	s.tb.Helper()
	s.Stop()
	c := &Server{
		URL: "ldap://127.0.0.1:" + FreePort(s.tb), URLS: "ldaps://127.0.0.1:" + FreePort(s.tb), CAFile: s.CAFile,
		ClientCert: s.ClientCert, ClientKey: s.ClientKey, Suffix: s.Suffix, AdminDN: s.AdminDN, ReplicatorDN: s.ReplicatorDN,
		LimitedDN: s.LimitedDN, BlindDN: s.BlindDN, tb: s.tb, opts: s.opts, dir: s.tb.TempDir(),
	}
	s.check("copy the server's folder", exec.Command("cp", "-R", "--sparse=always", s.dir+"/.", c.dir).Run())
	c.start()
	s.Restart()
	return c
}
