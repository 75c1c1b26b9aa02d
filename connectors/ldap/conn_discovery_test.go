package ldap

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

const (
	srvControllers = "_ldap._tcp.dc._msdcs.example.test"
	srvLeeds       = "_ldap._tcp.leeds._sites.dc._msdcs.example.test"
	srvServers     = "_ldap._tcp.example.test"
)

// portOf returns the port of an address.
func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(port)
}

// srvAt makes a service record of a host that listens where an address says.
func srvAt(t *testing.T, host, address string) net.SRV {
	t.Helper()
	return net.SRV{Target: host, Port: portOf(t, "x://"+address)}
}

// recordOf makes a service record of a host that is this machine, with the port in a server's address.
func recordOf(t *testing.T, address string) net.SRV {
	t.Helper()
	return net.SRV{Target: "dc.example.test", Port: portOf(t, address)}
}

// closedPort is a port on which nothing ever listens.
const closedPort = 1

// TestDiscoveredServers reads an OpenLDAP server that only DNS knows.
func TestDiscoveredServers(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{Load: slapdtest.Population{People: 5, Groups: 1}.WriteLDIF})
	dns := newFakeDNS(t)
	dns.set(srvServers, net.SRV{Target: "one.example.test", Port: portOf(t, s.URL), Priority: 20}, net.SRV{Target: "down.example.test", Port: closedPort, Priority: 10})
	c := openFor(t, s, func(c *Config) { c.Servers, c.DNS = []string{"ldap+srv://example.test"}, dns.address })
	if got := readAll(t.Context(), c, streamUsers, nil).must(t); len(got.objects) != 5 {
		t.Errorf("%d people, want 5", len(got.objects))
	}
	findings, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"servers of ldap+srv://example.test ldap://down.example.test:", "server ldap://down.example.test:", "server ldap://one.example.test:",
	} {
		if !slices.ContainsFunc(findings, func(f finding) bool { return strings.HasPrefix(f.Subject+" "+f.Detail, want) }) {
			t.Errorf("no finding %q in %+v", want, findings)
		}
	}
	t.Run("moved", func(t *testing.T) {
		// What DNS said before is not remembered.
		dns.set(srvServers, net.SRV{Target: "down.example.test", Port: closedPort})
		expect(t, readAll(t.Context(), c, streamUsers, nil), fault.Transient, "down.example.test")
		dns.set(srvControllers, net.SRV{Target: "two.example.test", Port: portOf(t, s.URL)})
		readAll(t.Context(), c, streamUsers, nil).must(t)
	})
	t.Run("encrypted", func(t *testing.T) {
		dns.set(srvControllers, net.SRV{Target: "localhost", Port: portOf(t, s.URLS)})
		over := func(change func(*Config)) *Connector {
			return openFor(t, s, func(c *Config) {
				c.Servers, c.DNS, c.CAFile = []string{"ldaps+srv://example.test"}, dns.address, settings.Path(s.CAFile)
				if change != nil {
					change(c)
				}
			})
		}
		readAll(t.Context(), over(nil), streamUsers, nil).must(t)
		// The certificate must carry the name of the server, not that of the domain.
		dns.set(srvControllers, net.SRV{Target: "evil.example.test", Port: portOf(t, s.URLS)})
		expect(t, readAll(t.Context(), over(nil), streamUsers, nil), fault.Configuration, "server_name")
	})
	t.Run("other servers", func(t *testing.T) {
		// A domain that is not found keeps nobody from the servers that are named.
		both := openFor(t, s, func(c *Config) { c.Servers, c.DNS = []string{"ldap+srv://nowhere.test", s.URL}, dns.address })
		readAll(t.Context(), both, streamUsers, nil).must(t)
	})
}

func TestDiscover(t *testing.T) {
	dns := newFakeDNS(t)
	open := func(name string) *Connector {
		c := Defaults()
		c.Servers, c.DNS, c.Base = []string{name}, dns.address, Names{"dc=x"}
		opened, err := open(c, testEnv())
		if err != nil {
			t.Fatal(err)
		}
		return opened
	}
	addresses := func(name string) (list []string) {
		t.Helper()
		found, err := open(name).discover(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			list = append(list, l.address)
		}
		return list
	}
	refused := func(name string, class fault.Class, words string) {
		t.Helper()
		expect(t, readAll(t.Context(), open(name), streamUsers, nil), class, words)
	}
	refused("ldap+srv://example.test", fault.Configuration, "knows no LDAP servers")

	dns.set(srvServers, net.SRV{Target: "ldap.example.test.", Port: 389})
	if got := addresses("ldap+srv://Example.test"); !slices.Equal(got, []string{"ldap://ldap.example.test"}) {
		t.Errorf("without domain controllers: %q", got)
	}
	dns.set(srvControllers,
		net.SRV{Target: "DC3.example.test.", Port: 3389, Priority: 2}, net.SRV{Target: "dc1.example.test.", Port: 389, Priority: 0},
		net.SRV{Target: "dc2.example.test.", Port: 389, Priority: 1})
	if got := addresses("ldap+srv://example.test"); !slices.Equal(got, []string{"ldap://dc1.example.test", "ldap://dc2.example.test", "ldap://dc3.example.test:3389"}) {
		t.Errorf("by priority: %q", got)
	}
	if got := addresses("ldaps+srv://example.test"); !slices.Equal(got, []string{"ldaps://dc1.example.test", "ldaps://dc2.example.test", "ldaps://dc3.example.test:3389"}) {
		t.Errorf("encrypted: %q", got)
	}
	if got := addresses("ldap+srv://example.test?site=Leeds"); got[0] != "ldap://dc1.example.test" {
		t.Errorf("of a site without records: %q", got)
	}
	dns.set(srvLeeds, net.SRV{Target: "dc2.example.test.", Port: 389, Priority: 9})
	if got := addresses("ldap+srv://example.test?site=Leeds"); !slices.Equal(got, []string{"ldap://dc2.example.test", "ldap://dc1.example.test", "ldap://dc3.example.test:3389"}) {
		t.Errorf("of a site: %q", got)
	}

	heavy := 0
	dns.set(srvControllers, net.SRV{Target: "light.example.test", Port: 389, Weight: 5}, net.SRV{Target: "heavy.example.test", Port: 389, Weight: 95})
	for range 100 {
		if addresses("ldap+srv://example.test")[0] == "ldap://heavy.example.test" {
			heavy++
		}
	}
	if heavy < 60 {
		t.Errorf("95 of 100 in weight came first %d times of 100", heavy)
	}

	// A name outside the domain is believed only where something else says whose the certificate must be.
	dns.set(srvControllers, net.SRV{Target: "dc.example.test", Port: 389}, net.SRV{Target: "dc.notexample.test", Port: 389})
	refused("ldaps+srv://example.test", fault.Configuration, "dc.notexample.test, which is outside the domain")
	if got := addresses("ldap+srv://example.test"); len(got) != 2 { // nothing is encrypted, nothing is proven
		t.Errorf("found %q", got)
	}

	dns.set(srvControllers, net.SRV{Target: ".", Port: 0})
	refused("ldap+srv://example.test", fault.Transient, "no LDAP servers")
	dns.mu.Lock()
	dns.broken = true
	dns.mu.Unlock()
	refused("ldap+srv://example.test", fault.Transient, "find servers")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open("ldap+srv://example.test").discover(ended, "ldap+srv://example.test"); err != context.Canceled { //nolint:errorlint // unchanged is what the contract says
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestAddresses: who is tried, in which order.
func TestAddresses(t *testing.T) {
	now := time.Now()
	answer := []located{{"ldap://a", 0}, {"ldap://b", 1}, {"ldap://c", 1}, {"ldap://d", 2}}
	lookups := 0
	s := &servers{
		names: []string{"ldap://x", "ldap+srv://dom", "ldap://b"}, now: func() time.Time { return now },
		lookup: func(context.Context, string) ([]located, error) {
			lookups++
			return slices.Clone(answer), nil
		},
	}
	order := func(host string) (list []string) {
		for address := range s.addresses(t.Context(), host) {
			list = append(list, strings.TrimPrefix(address, "ldap://"))
		}
		return list
	}
	same := func(what string, got []string, want string) {
		t.Helper()
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	same("as configured", order(""), "x a b c d")
	s.worked("ldap://c")
	same("the last one that worked comes first of its rank", order(""), "x a c b d")
	same("the host of the cursor comes first", order("d"), "d x a c b")
	same("a host that is not there", order("e"), "x a c b d")
	s.failed("ldap://a")
	s.failed("ldap://x")
	same("what failed comes last", order(""), "c b d x a")
	same("also when it is the host of the cursor", order("a"), "c b d a x")
	now = now.Add(restPeriod)
	same("after the rest period", order(""), "x a c b d")
	lookups = 0
	for range s.addresses(t.Context(), "") {
		break
	}
	if lookups != 0 {
		t.Errorf("%d look-ups for a server that is named", lookups)
	}
}

func TestCursorHost(t *testing.T) {
	position := usnPosition{Host: "dc1.example.test", TombstoneProbe: strings.Repeat("00", 16)}.encode()
	if got := (cursor{Method: methodUSN, Position: position}).host(); got != "dc1.example.test" {
		t.Errorf("host %q", got)
	}
	if got := (cursor{Method: methodSyncrepl, Position: position}).host(); got != "" {
		t.Errorf("host %q", got)
	}
}

// domainSameController: an incremental read goes to the domain controller that the cursor is of, also when it is not the
// first of the list.
func domainSameController(t *testing.T, d *domain) {
	ou := d.AddOU("Same", sambatest.Suffix)
	d.AddUser("same-user", ou, nil)
	dns := newFakeDNS(t)
	first, own := d.Proxy(t), d.Proxy(t)
	named := strings.Replace(own.URLS, "127.0.0.1", "dc1."+sambatest.Domain, 1)
	c := d.open(t, func(c *Config) {
		c.Servers, c.DNS, c.ServerName = []string{first.URLS, named}, dns.address, "localhost"
	}, ou)
	f := follow(t, c, streamUsers)
	if c.servers.last != first.URLS {
		t.Errorf("the full read went to %s", c.servers.last)
	}
	if err := f.delta(t.Context()); err != nil || c.servers.last != named {
		t.Errorf("the incremental read went to %s, error %v", c.servers.last, err)
	}
	own.Shut()
	if err := f.delta(t.Context()); err != nil || c.servers.last != first.URLS {
		t.Errorf("when that one is down, the read went to %s, error %v", c.servers.last, err)
	}
}
