// Package simplesamltest starts a real SimpleSAMLphp for tests: Debian's package as a provider of identity, with a configuration
// of its own. Nothing of an installed one is read or changed but its code.
package simplesamltest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dirsyncd/sync/signin/saml/samltest"
)

// Packages is what to install, for people to read.
const Packages = "simplesamlphp php-cli php-xml php-mbstring"

const (
	root = "/usr/share/simplesamlphp"
	// patience is how long it may take to come up on a busy machine.
	patience = 5 * time.Minute
	// nobody is the user as whom it runs when the tests run as root.
	nobody = 65534
)

// EntityID is what the provider calls itself.
const EntityID = "https://simplesaml.example.test/idp"

// Who may sign in: User, and Stranger, both with Password.
const (
	User     = "ada"
	Stranger = "eve"
	Password = "ada's-of-the-test"
)

// SP is whom it knows.
type SP struct {
	EntityID, ACS, SLO string
	Cert               []byte // DER; requests must be signed by it
	Persistent         bool   // gets persistent ids; transient ones else, whatever it asks for
	Encrypt            string // the URI of the cipher of assertions; blank: in clear
}

// Server is one that runs until its test is over. Its addresses are below URL.
type Server struct{ URL string }

// Metadata is where it publishes them.
func (s *Server) Metadata() string { return s.URL + "/saml2/idp/metadata.php" }

// Start starts one. The test is skipped where there is none, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, sps ...SP) *Server {
	tb.Helper()
	php, err := exec.LookPath("php")
	if _, missing := os.Stat(root + "/www/saml2"); err != nil || missing != nil {
		text := "SimpleSAMLphp is not installed: apt-get install --no-install-recommends " + Packages
		if os.Getenv("CI") != "" || os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" {
			tb.Fatal(text)
		}
		tb.Skip(text)
	}
	dir := folder(tb, sps)
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), php, "-S", "127.0.0.1:0", "-t", filepath.Join(dir, "www"))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C.UTF-8", "SIMPLESAMLPHP_CONFIG_DIR=" + filepath.Join(dir, "config")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	out, in, err := os.Pipe()
	check(tb, err)
	cmd.Stdout, cmd.Stderr = in, in
	check(tb, cmd.Start())
	check(tb, in.Close())
	said := &said{}
	port := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		said.read(out, port)
		_ = cmd.Wait()
		_ = out.Close()
	}()
	tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if tb.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log", "simplesamlphp.log"))
			tb.Logf("SimpleSAMLphp says at last:\n%s\n%s", said, log[max(0, len(log)-3000):])
		}
	})
	select {
	case p := <-port:
		return &Server{URL: "http://127.0.0.1:" + p + "/simplesamlphp"}
	case <-ended:
		tb.Fatalf("php ended: %s", said)
	case <-time.After(patience):
		tb.Fatalf("php did not come up: %s", said)
	}
	return nil
}

// said is what a program wrote.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var started = regexp.MustCompile(`\(http://127\.0\.0\.1:(\d+)\) started`)

func (s *said) read(r io.Reader, port chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := started.FindStringSubmatch(lines.Text()); m != nil {
			port <- m[1]
		}
		s.mu.Lock()
		s.b.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
	}
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.b.Bytes()[max(0, s.b.Len()-3000):])
}

const config = `<?php
$config = [
	'baseurlpath' => 'simplesamlphp/', 'certdir' => '%[1]s/cert/', 'loggingdir' => '%[1]s/log/', 'datadir' => '%[1]s/data/', 'tempdir' => '%[1]s/tmp',
	'metadatadir' => '%[1]s/metadata/', 'attributenamemapdir' => '/etc/simplesamlphp/attributemap/', 'timezone' => 'UTC',
	'technicalcontact_name' => 'Test', 'technicalcontact_email' => 'na@example.test', 'secretsalt' => 'salt-of-the-test', 'auth.adminpassword' => 'admin-of-the-test',
	'trusted.url.domains' => ['auth.example.test', 'auth.example.com'], 'showerrors' => true, 'errorreporting' => false, 'admin.checkforupdates' => false,
	'logging.level' => 7, 'logging.handler' => 'file', 'logging.logfile' => 'simplesamlphp.log', 'logging.processname' => 'test',
	'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
	'session.duration' => 28800, 'session.datastore.timeout' => 14400, 'session.state.timeout' => 3600, 'session.cookie.name' => 'SimpleSAMLSessionID',
	'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'session.phpsession.cookiename' => 'SimpleSAML', 'session.phpsession.savepath' => '%[1]s/data',
	'session.phpsession.httponly' => true, 'session.authtoken.cookiename' => 'SimpleSAMLAuthToken', 'store.type' => 'phpsession',
	'language.available' => ['en'], 'language.default' => 'en', 'language.cookie.secure' => false, 'language.cookie.samesite' => null,
	'theme.use' => 'default', 'production' => true, 'metadata.sources' => [['type' => 'flatfile']],
];
`

const sources = `<?php
$config = ['example' => ['exampleauth:UserPass',
	'%[1]s:%[3]s' => ['uid' => ['ada'], 'mail' => ['ada@example.test'], 'objectGUID' => ['3f2504e0-4f89-41d3-9a0c-0305e82c3301'], 'groups' => ['staff', 'engineers']],
	'%[2]s:%[3]s' => ['uid' => ['eve'], 'mail' => ['eve@example.test'], 'groups' => ['staff']],
]];
`

const hosted = `<?php
$metadata['%s'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'example', 'sign.logout' => true, 'redirect.sign' => true, 'redirect.validate' => true];
`

// folder makes its configuration.
func folder(tb testing.TB, sps []SP) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "simplesaml") //nolint:usetesting // that of tb.TempDir is below one that only this user may enter
	check(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"config", "cert", "log", "data", "tmp", "metadata", "www"} {
		check(tb, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	check(tb, os.Symlink(root+"/www", filepath.Join(dir, "www", "simplesamlphp")))
	pair := samltest.NewPair(tb, 0, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Cert.Raw})
	var remote strings.Builder
	remote.WriteString("<?php\n")
	for _, sp := range sps {
		remote.WriteString(sp.php())
	}
	for name, text := range map[string]string{
		"config/config.php": fmt.Sprintf(config, dir), "config/authsources.php": fmt.Sprintf(sources, User, Stranger, strings.ReplaceAll(Password, "'", `\'`)),
		"cert/idp.crt": string(crt), "cert/idp.pem": strings.TrimSuffix(pair.PEM(), string(crt)),
		"metadata/saml20-idp-hosted.php": fmt.Sprintf(hosted, EntityID), "metadata/saml20-sp-remote.php": remote.String(),
	} {
		check(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if os.Getuid() == 0 {
		check(tb, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil {
				err = os.Lchown(path, nobody, nobody)
			}
			return err
		}))
	}
	return dir
}

func (sp SP) php() string {
	text := fmt.Sprintf("$metadata['%s'] = ['AssertionConsumerService' => '%s', 'SingleLogoutService' => '%s', 'certData' => '%s', 'validate.authnrequest' => true, 'validate.logout' => true",
		sp.EntityID, sp.ACS, sp.SLO, base64.StdEncoding.EncodeToString(sp.Cert))
	if sp.Persistent {
		text += ", 'authproc' => [3 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid']], 'NameIDFormat' => '" + samltest.Persistent + "'"
	}
	if sp.Encrypt != "" {
		text += ", 'assertion.encryption' => true, 'sharedkey_algorithm' => '" + sp.Encrypt + "'"
	}
	return text + "];\n"
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
