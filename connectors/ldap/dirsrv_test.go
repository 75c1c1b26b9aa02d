package ldap

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/sync/settings"
)

// dirsrv is a real 389 Directory Server, in namespaces for files and processes of its own: its tools write to fixed places.
type dirsrv struct {
	t    *testing.T
	url  string
	conn *ldap.Conn
}

const (
	dirsrvSuffix   = "dc=example,dc=test"
	dirsrvAdmin    = "cn=Directory Manager"
	dirsrvPassword = "dirsrv-secret-4be1"
)

// dirsrvScript makes and starts a server. Its tools want systemd, of which they need no more than this.
const dirsrvScript = `
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
	for i in \$(seq 600); do
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
root_password = ` + dirsrvPassword + `
self_sign_cert = False
[backend-userroot]
suffix = ` + dirsrvSuffix + `
create_suffix_entry = True
X
dscreate from-file $d/inst.inf
touch $d/made
exec sleep infinity
`

// startDirsrv skips the test where the server or the rights for namespaces are missing.
func startDirsrv(t *testing.T) *dirsrv {
	t.Helper()
	for _, tool := range []string{"/usr/sbin/ns-slapd", "/usr/sbin/dscreate"} {
		if _, err := os.Stat(tool); err != nil || os.Getuid() != 0 {
			t.Skip("needs root and 389 Directory Server: apt-get install --no-install-recommends 389-ds-base")
		}
	}
	dir := t.TempDir()
	port, secure := closedPort(t), closedPort(t)
	log, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", dirsrvScript, "sh", dir, fmt.Sprint(port), fmt.Sprint(secure))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s := &dirsrv{t: t, url: fmt.Sprintf("ldap://127.0.0.1:%d", port)}
	t.Cleanup(func() {
		if s.conn != nil {
			_ = s.conn.Close()
		}
		_ = cmd.Process.Kill()
		<-ended
		_ = log.Close()
	})
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); {
		// The tool stops and starts the server while it makes it.
		if _, err = os.Stat(filepath.Join(dir, "made")); err != nil {
			s.conn = nil
		} else if s.conn, err = ldap.DialURL(s.url, ldap.DialWithDialer(&net.Dialer{Timeout: time.Second})); err == nil {
			err = s.conn.Bind(dirsrvAdmin, dirsrvPassword)
		}
		if err == nil {
			_, err = s.conn.Search(ldap.NewSearchRequest(dirsrvSuffix, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		}
		if err == nil {
			return s
		}
		if s.conn != nil {
			_ = s.conn.Close()
		}
		select {
		case <-ended:
			end = time.Now()
		case <-time.After(50 * time.Millisecond):
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("389 Directory Server did not come up: %v\n%s", err, text)
	return nil
}

func (s *dirsrv) add(dn string, attributes map[string][]string) string {
	s.t.Helper()
	req := ldap.NewAddRequest(dn+","+dirsrvSuffix, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	if err := s.conn.Add(req); err != nil {
		s.t.Fatalf("add %s: %v", dn, err)
	}
	return req.DN
}

func (s *dirsrv) person(uid string) string {
	s.t.Helper()
	return s.add("uid="+uid+",ou=people", map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}, "mail": {uid + "@example.test"},
	})
}

func (s *dirsrv) replace(dn, attribute string, values ...string) {
	s.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	if err := s.conn.Modify(req); err != nil {
		s.t.Fatalf("change %s: %v", dn, err)
	}
}

// TestDirectoryServer389 reads and watches a 389 Directory Server.
func TestDirectoryServer389(t *testing.T) {
	s := startDirsrv(t)
	for _, ou := range []string{"people", "groups"} {
		s.add("ou="+ou, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
	}
	var people []string
	for i := range 30 {
		people = append(people, s.person(fmt.Sprintf("p%d", i)))
	}
	s.add("cn=desk,ou=groups", map[string][]string{"objectClass": {"groupOfUniqueNames"}, "cn": {"desk"}, "uniqueMember": people[:3]})
	s.replace(people[1], "nsAccountLock", "true")
	open := func(change func(*Config)) *Connector {
		t.Helper()
		cfg := Defaults()
		cfg.Servers, cfg.Base, cfg.PageSize = []string{s.url}, Names{dirsrvSuffix}, 7
		cfg.Bind = BindConfig{User: dirsrvAdmin, Password: settings.NewSecret(dirsrvPassword)}
		if change != nil {
			change(cfg)
		}
		c, err := open(cfg, testEnv())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(func(c *Config) { c.Watch, c.Incremental = true, methodTimestamp })

	users, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	if len(users.objects) != 30 || len(groups.objects) != 1 {
		t.Fatalf("%d people, %d groups", len(users.objects), len(groups.objects))
	}
	for id, o := range users.objects {
		login, _ := o.Get("login")
		if got, want := users.field(id, "status"), map[bool]string{true: "disabled", false: "active"}[login.Text() == "p1"]; got != want {
			t.Errorf("status of %s is %s", login.Text(), got)
		}
		if len(id) != 35 {
			t.Errorf("id %q is no nsUniqueId", id)
		}
	}
	for _, members := range groups.members {
		if !slices.Equal(members, []string{"dn:uid=p0,ou=people," + dirsrvSuffix, "dn:uid=p1,ou=people," + dirsrvSuffix, "dn:uid=p2,ou=people," + dirsrvSuffix}) {
			t.Errorf("members %q", members)
		}
	}
	findings, err := c.Check(t.Context())
	if err != nil || slices.ContainsFunc(findings, func(f finding) bool { return !f.OK }) || !strings.Contains(findings[0].Detail, "389 Project") {
		t.Errorf("findings %+v, error %v", findings, err)
	}

	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	f := follow(t, c, streamUsers)
	s.replace(people[5], "title", "watched")
	w.called("change")
	if err := f.delta(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.covers(t, "a change")
	w.drain()
	if err := s.conn.Del(ldap.NewDelRequest(people[6], nil)); err != nil {
		t.Fatal(err)
	}
	w.called("delete")
	w.stop()
	if err := w.over(); err != context.Canceled { //nolint:errorlint // unchanged is what the contract says
		t.Errorf("after the end of the context: %v", err)
	}
	// Without the plug-in for content synchronization nothing names removals, so auto reads everything.
	automatic := open(nil)
	if g := follow(t, automatic, streamUsers); g.cursor != nil || len(g.objects) != 29 {
		t.Errorf("%d people, cursor %s", len(g.objects), g.cursor)
	}
}
