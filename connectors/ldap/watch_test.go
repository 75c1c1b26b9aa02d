package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// watching is a watch under way.
type watching struct {
	t     *testing.T
	calls chan struct{}
	ended chan error
	stop  context.CancelFunc
}

// within is how long a test waits for a call.
const within = 5 * time.Minute

func startWatch(t *testing.T, c *Connector, tenant connectors.Tenant) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{t: t, calls: make(chan struct{}, 1000), ended: make(chan error, 1), stop: cancel}
	go func() { w.ended <- c.Watch(ctx, tenant, func() { w.calls <- struct{}{} }) }()
	t.Cleanup(cancel)
	return w
}

// called waits for a call.
func (w *watching) called(what string) {
	w.t.Helper()
	select {
	case <-w.calls:
	case err := <-w.ended:
		w.t.Fatalf("%s: the watch ended: %v", what, err)
	case <-time.After(within):
		w.t.Fatalf("%s: no call", what)
	}
}

// drain forgets the calls that came already: one change may make several.
func (w *watching) drain() {
	for {
		select {
		case <-w.calls:
		default:
			return
		}
	}
}

// over waits for the end.
func (w *watching) over() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(within):
		w.t.Fatal("the watch does not end")
		return nil
	}
}

// TestWatchOwnBinds: what the server notes of the reader's own binds asks for no read.
func TestWatchOwnBinds(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Database: []string{"lastbind on"}})
	c := openFor(t, s, watched)
	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	for i := range 9 {
		readAll(t.Context(), c, streamUsers, nil).must(t) // noted once in a second
		s.Replace(s.ReplicatorDN, "description", fmt.Sprint(i))
	}
	s.AddPerson("new", nil)
	w.called("a change") // all that came before it was told before
	if n := len(w.calls); n > 4 {
		t.Errorf("%d calls besides", n)
	}
}

func watched(c *Config) { c.Watch = true }

func TestWatch(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 20, Groups: 2}.WriteLDIF})
	c := openFor(t, s, watched)
	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"add", func() { s.AddPerson("new", nil) }},
		{"change", func() { s.Replace(s.PersonDN("p1"), "title", "x") }},
		{"group", func() { s.AddValues(s.GroupDN("g1"), "member", s.PersonDN("new")) }},
		{"rename", func() { s.Rename(s.PersonDN("p2"), "uid=p2b", "") }},
		{"delete", func() { s.Delete(s.PersonDN("p3")) }},
	} {
		w.drain()
		step.do()
		w.called(step.what)
	}
	findings, err := c.Check(t.Context())
	if err != nil || !slices.Contains(findings, finding{Subject: "watch", OK: true, Detail: watchSyncrepl}) {
		t.Errorf("findings %+v, error %v", findings, err)
	}
	w.stop()
	if err := w.over(); !errors.Is(err, context.Canceled) || fault.ClassOf(err) != fault.Canceled {
		t.Errorf("after the end of the context: %v", err)
	}

	w = startWatch(t, c, connectors.Tenant{})
	w.called("in place again")
	s.Kill()
	if err := w.over(); fault.ClassOf(err) != fault.Transient {
		t.Errorf("after the end of the server: %v", err)
	}
}

// TestWatchPlaces: what lies outside of all bases is nobody's concern.
func TestWatchPlaces(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100, Load: slapdtest.Population{People: 5, Groups: 2}.WriteLDIF})
	c := openFor(t, s, func(c *Config) {
		c.Watch, c.Base = true, nil
		c.Users.Base, c.Groups.Search = Names{"ou=people," + s.Suffix}, []SearchLine{{Base: "ou=people," + s.Suffix}}
	})
	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	s.Replace(s.GroupDN("g1"), "description", "outside")
	s.Replace(s.PersonDN("p1"), "title", "inside")
	w.called("inside")
	// The server tells in order, so a call for the first change would have come before.
	s.Replace(s.PersonDN("p1"), "title", "again")
	w.called("inside again")
	if n := len(w.calls); n != 0 {
		t.Errorf("%d calls too many", n)
	}
}

func TestWatchRefused(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100})
	refused := func(c *Connector, class fault.Class) {
		t.Helper()
		err := startWatch(t, c, connectors.Tenant{}).over()
		if fault.ClassOf(err) != class || fault.Hint(err) == "" {
			t.Errorf("class %s, error %v; want class %s", fault.ClassOf(err), err, class)
		}
	}
	if err := startWatch(t, openFor(t, s, nil), connectors.Tenant{}).over(); err != nil {
		t.Errorf("a watch that nobody asked for: %v", err)
	}
	refused(openFor(t, s, func(c *Config) { c.Watch, c.Base = true, Names{"dc=elsewhere"} }), fault.Configuration)
	refused(openFor(t, s, func(c *Config) { watched(c); bindAs(s.ReplicatorDN, "wrong")(c) }), fault.Auth)
	refused(newFakeServer(t, fakeAD()).open(t, watched), fault.Configuration)
	s.Reconfigure(func(o *slapdtest.Options) { o.Access = []string{"access to attrs=contextCSN by * none"} })
	refused(openFor(t, s, watched), fault.Forbidden)
}

// TestPersistentSearch: the third way, by script. What a server says that is no change makes no call.
func TestPersistentSearch(t *testing.T) {
	d := fakeSync()
	// Content synchronization without a contextCSN is of no use.
	d.root["supportedControl"] = []string{ldap.ControlTypePaging, controlPersistentSearch, wire.SyncRequestOID}
	delete(d.entries[0].attributes, "contextCSN")
	more := make(chan func(*fakeRequest))
	d.watch = func(r *fakeRequest) {
		if r.watch != "\x30\x09\x02\x01\x0f\x01\x01\xff\x01\x01\x00" && r.watch != "\x30\x09\x02\x01\x0f\x01\x01\x01\x01\x01\x00" {
			t.Errorf("control %x", r.watch)
		}
		for do := range more {
			do(r)
		}
	}
	c := newFakeServer(t, d).open(t, watched)
	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	more <- func(r *fakeRequest) { r.reference("ldap://other/") }
	more <- func(r *fakeRequest) { r.entry(d, fakeEntry{dn: "uid=a,dc=example,dc=test"}) }
	w.called("change")
	more <- func(r *fakeRequest) { r.done(0, "", nil) }
	close(more)
	if err := w.over(); fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), "ended the watch") {
		t.Errorf("after the end: %v", err)
	}
	if n := len(w.calls); n != 0 {
		t.Errorf("%d calls too many", n)
	}
}

// TestWatchSeveral: a watch in every naming context, that are one to the caller.
func TestWatchSeveral(t *testing.T) {
	d := fakeSync()
	d.root["supportedControl"] = []string{ldap.ControlTypePaging, controlPersistentSearch}
	d.root["namingContexts"] = []string{"dc=one", "dc=two"}
	requests := make(chan *fakeRequest)
	release := make(chan struct{})
	d.watch = func(r *fakeRequest) {
		requests <- r
		<-release
	}
	c := newFakeServer(t, d).open(t, func(c *Config) { c.Watch, c.Base = true, Names{"ou=a,dc=one", "dc=two"} })
	w := startWatch(t, c, connectors.Tenant{})
	list := []*fakeRequest{<-requests, <-requests}
	w.called("in place")
	bases := []string{list[0].base, list[1].base}
	if slices.Sort(bases); !slices.Equal(bases, []string{"dc=two", "ou=a,dc=one"}) {
		t.Errorf("watched %q", bases)
	}
	for _, r := range list {
		r.entry(d, fakeEntry{dn: "uid=a," + r.base})
		w.called("change below " + r.base)
	}
	list[1].done(52, "shutting down", nil)
	if err := w.over(); fault.ClassOf(err) != fault.Transient {
		t.Errorf("after the end of one: %v", err)
	}
	close(release)
	if n := len(w.calls); n != 0 {
		t.Errorf("%d calls too many", n)
	}
}

// domainWatch watches a domain controller.
func domainWatch(t *testing.T, d *domain) {
	ou := d.AddOU("Watch", sambatest.Suffix)
	c := d.open(t, watched, ou)
	w := startWatch(t, c, connectors.Tenant{})
	w.called("in place")
	f := follow(t, c, streamUsers)
	began := time.Now()
	ada := d.AddUser("watched", ou, nil)
	w.called("add")
	t.Logf("the call came after %v", time.Since(began).Round(time.Millisecond))
	if err := f.delta(t.Context()); err != nil || f.touched != 1 {
		t.Errorf("the read after the call: %d people, error %v", f.touched, err)
	}
	w.drain()
	d.Replace(ada, "title", "x")
	w.called("change")
	w.drain()
	d.Delete(ada)
	w.called("delete")
	w.stop()
	if err := w.over(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
