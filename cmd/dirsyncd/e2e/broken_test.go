package e2e

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
)

// A source that answers with less than everything removes nobody. Every story below ends with the same demand:
// what the journal said before is what it says now, and once the server is well again all is as the directory
// says, within two syncs.

// intact demands that the journal did not grow.
func (in *installation) intact(events int) {
	in.t.Helper()
	if news := in.journal()[events:]; len(news) > 0 {
		in.t.Fatalf("a broken source led to %d events, the first is %s", len(news), news[0].inShort())
	}
}

// recovers syncs at most twice, and then all is as the directory says.
func (in *installation) recovers(s *slapdtest.Server) {
	in.t.Helper()
	if r := in.run("sync"); r.code != 0 {
		in.expect(0, "sync")
	}
	replay(in.t, in.journal()).mustBe(in.t, wants(directoryNow(in.t, s)))
	if state := in.status().Connections[0].Tenants[0].State; state != "ok" {
		in.t.Errorf("the connection is %s in the end", state)
	}
}

// fuse is a connection to a server that breaks when a number of bytes of answers have passed.
type fuse struct {
	net.Listener
	to string

	mu   sync.Mutex
	left int
	blow func()
	// up, when not nil, is closed when the server takes connections again: until then new ones wait.
	up chan struct{}
	traffic
}

// traffic is what passed through a fuse.
type traffic struct{ bytes, connections int }

func newFuse(t *testing.T, s *slapdtest.Server) *fuse {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := &fuse{Listener: l, to: strings.TrimPrefix(s.URL, "ldap://"), left: 1 << 40}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	}()
	return f
}

func (f *fuse) url() string { return "ldap://" + f.Addr().String() }

// set makes blow be called after so many bytes from now on.
func (f *fuse) set(bytes int, blow func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.blow = bytes, blow
}

// reset begins to count anew and returns what was counted.
func (f *fuse) reset() traffic {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.traffic
	f.traffic = traffic{}
	return was
}

func (f *fuse) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	f.mu.Lock()
	f.connections++
	up := f.up
	f.mu.Unlock()
	if up != nil {
		<-up
	}
	server, err := net.Dial("tcp", f.to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
	buf := make([]byte, 8192)
	for {
		n, err := server.Read(buf)
		if n > 0 && f.pass(n) {
			_, _ = client.Write(buf[:n/2]) // a packet that is cut in two
			return
		}
		if _, e := client.Write(buf[:n]); e != nil || err != nil {
			return
		}
	}
}

// pass counts bytes and reports whether this is where it ends.
func (f *fuse) pass(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += n
	if f.left -= n; f.left > 0 {
		return false
	}
	f.left = 1 << 40
	f.blow()
	return true
}

// TestServerDiesInFirstSync: the very first listing is cut. What was read is kept, and nothing is made of it.
func TestServerDiesInFirstSync(t *testing.T) {
	t.Parallel()
	s := large(1500).open(t)
	f := newFuse(t, s)
	through := of(s)
	through.url = f.url()
	in := install(t, through.configuration())
	f.set(300_000, s.Kill)
	in.expect(1, "sync").says(t, "failed", "read users", "connection")
	in.intact(0)
	in.expect(1, "plan", "--offline").says(t, "never read to the end", "dirsyncd sync")
	s.Restart()
	in.recovers(s)
}

// TestServerDiesInMidListing: the server is killed when half of the people, or half of the groups, were listed.
// Twice it is back before the run gives up, once it stays dead.
func TestServerDiesInMidListing(t *testing.T) {
	t.Parallel()
	s := large(3000).open(t)
	f := newFuse(t, s)
	through := of(s)
	through.url = f.url()
	in := install(t, through.configuration())
	in.expect(0, "sync")
	all := f.reset().bytes
	events := len(in.journal())

	for _, at := range []int{all / 2, all - 20_000} {
		restarted := make(chan struct{})
		f.set(at, func() {
			s.Kill()
			f.up = restarted // however long the start takes, the run does not give up meanwhile
			go func() {
				defer close(restarted)
				s.Restart()
			}()
		})
		// The run tries again by itself, and the second time it gets everything.
		in.expect(0, "sync")
		<-restarted
		in.intact(events)
	}
	s.Replace(s.PersonDN("p40"), "displayName", "Newly Named")
	f.set(all/2, s.Kill)
	in.expect(1, "sync").says(t, "connection")
	in.intact(events)
	if failing := in.status().Connections[0].Tenants[0].Failing; failing == nil || failing.Class != "transient" {
		t.Errorf("the status says %+v", failing)
	}
	s.Restart()
	in.recovers(s)
}

// TestServerIsStopped: there is no server at all.
func TestServerIsStopped(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	events := len(in.journal())
	s.Stop()
	in.expect(1, "check", "--probe").says(t, s.URL, "refused")
	in.expect(1, "sync").says(t, s.URL, "refused")
	in.intact(events)
	in.expect(0, "status").says(t, "failing", "refused")
	s.Restart()
	s.Delete(s.PersonDN("p41"))
	in.recovers(s)
}

// TestSizeLimit: the server answers with its first hundred entries and the result "size limit exceeded".
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	events := len(in.journal())
	s.Reconfigure(func(o *slapdtest.Options) { o.SizeLimit = 100 })
	in.expect(1, "sync", "--full").says(t, "size limit exceeded", "raise it there", "limits")
	in.expect(1, "plan", "--full").says(t, "size limit exceeded")
	in.intact(events)
	s.Delete(s.PersonDN("p41"))
	s.Reconfigure(func(o *slapdtest.Options) { o.SizeLimit = 0 })
	in.recovers(s)
}

// TestRightsAreLost: the account may bind, but sees nothing any more. The server calls that success.
func TestRightsAreLost(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	events := len(in.journal())
	s.Reconfigure(func(o *slapdtest.Options) {
		o.Access = []string{`access to dn.regex="^(ou=[^,]+,)?` + s.Suffix + `$" by users read by * none`,
			`access to * by dn.exact="cn=reader,ou=services,` + s.Suffix + `" none by users read by anonymous auth`}
	})
	in.expect(3, "sync").says(t, "listed no person at all", "waits for approval")
	in.intact(events)
	s.Reconfigure(func(o *slapdtest.Options) { o.Access = nil })
	in.recovers(s)
	in.intact(events)
}

// TestWrongPassword: the account's password was changed.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	f := newFuse(t, s)
	through := of(s)
	through.url = f.url()
	in := install(t, through.configuration())
	in.expect(0, "sync")
	events := len(in.journal())
	reader := "cn=reader,ou=services," + s.Suffix
	s.Replace(reader, "userPassword", wrongPassword)
	f.reset()
	in.expect(1, "sync").says(t, "check bind.user and bind.password")
	if tried := f.reset(); tried.connections != 1 {
		t.Errorf("the password was tried %d times: that locks accounts", tried.connections)
	}
	if status := in.status().Connections[0].Tenants[0]; status.Failing == nil || status.Failing.Class != "auth" || status.State != "failing" {
		t.Errorf("the status says %+v", status)
	}
	in.expect(0, "status").says(t, "failing", "check bind.user and bind.password")
	in.intact(events)

	s.Replace(reader, "userPassword", readerPassword)
	s.Delete(s.PersonDN("p41"))
	in.recovers(s)
}

// TestEmptiedDirectory: an administrator deletes everything. The server answers truthfully, and still nobody
// is removed: it looks too much like an accident. A backup is put back.
func TestEmptiedDirectory(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	in := install(t, of(s).configuration())
	in.expect(0, "sync")
	events := len(in.journal())
	restore := backup(t, s)
	deleteAll(t, s)

	for _, command := range [][]string{{"sync"}, {"sync", "--full"}, {"sync"}} {
		in.expect(3, command...).says(t, "held", "dirsyncd approve")
		in.intact(events)
	}
	in.expect(0, "status").says(t, "held")
	if held := in.status().Connections[0].Tenants[0].Held; held == nil || !slices.ContainsFunc(held.Reasons, func(r string) bool {
		return strings.Contains(r, "no proof")
	}) {
		t.Errorf("held: %+v", held)
	}
	restore()
	in.expect(1, "sync").says(t, "the server knows less than was read before")
	in.expect(0, "sync", "--full") // a backup is older for good; nothing follows from it
	in.recovers(s)
	in.intact(events)
	if in.status().Connections[0].Tenants[0].Held != nil {
		t.Error("a plan is still held")
	}
}

// deleteAll deletes all people and groups.
func deleteAll(t *testing.T, s *slapdtest.Server) {
	t.Helper()
	conn := connect(t, s)
	defer func() { _ = conn.Close() }()
	for _, e := range readDirectory(t, s, "objectClass") {
		if !strings.Contains(e.dn, ",ou=people,") && !strings.Contains(e.dn, ",ou=groups,") {
			continue
		}
		if err := conn.Del(ldap.NewDelRequest(e.dn, nil)); err != nil {
			t.Fatal(err)
		}
	}
}
