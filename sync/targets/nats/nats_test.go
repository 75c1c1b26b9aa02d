package nats

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/targettest"
)

// place is a real server in this process, with a stream.
type place struct {
	t      *testing.T
	dir    string
	port   int
	change func(*server.Options)
	server *server.Server
}

const (
	testUser     = "sync"
	testPassword = "of-the-test-SECRET"
)

// patience is how long a server may take for anything on a busy machine; the libraries give it some seconds.
const patience = 5 * time.Minute

// host is an address at which no connection of another test begins, so that nobody takes the port while the server is down.
const host = "127.0.0.2"

func start(t *testing.T, change func(*server.Options)) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), port: -1, change: change}
	p.up()
	t.Cleanup(p.down)
	return p
}

func (p *place) up() {
	p.t.Helper()
	o := &server.Options{
		Host: host, Port: p.port, JetStream: true, StoreDir: p.dir, NoLog: true, NoSigs: true, Username: testUser, Password: testPassword,
		AuthTimeout: patience.Seconds(),
	}
	if p.change != nil {
		p.change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		p.t.Fatal("the server does not start")
	}
	p.server, p.port = s, s.Addr().(*net.TCPAddr).Port
}

func (p *place) down() {
	p.server.Shutdown()
	p.server.WaitForShutdown()
}

func (p *place) url() string { return "nats://" + net.JoinHostPort(host, strconv.Itoa(p.port)) }

func (p *place) js() jetstream.JetStream {
	p.t.Helper()
	conn, err := nats.Connect(p.url(), nats.UserInfo(testUser, testPassword), nats.Timeout(patience))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		p.t.Fatal(err)
	}
	return js
}

func (p *place) stream(cfg jetstream.StreamConfig) *place {
	p.t.Helper()
	cfg.Name = "DIRECTORY"
	if cfg.Subjects == nil {
		cfg.Subjects = []string{"directory.>"}
	}
	if _, err := p.js().CreateStream(p.t.Context(), cfg); err != nil {
		p.t.Fatal(err)
	}
	return p
}

func (p *place) open(t *testing.T, change func(*Config)) targets.Target {
	t.Helper()
	cfg := defaults()
	cfg.Servers, cfg.Stream, cfg.User, cfg.Password = []string{p.url()}, "DIRECTORY", testUser, settings.NewSecret(testPassword)
	cfg.Timeout = settings.Duration(time.Minute)
	if change != nil {
		change(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	target, err := open(cfg, targets.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// message is what a test looks at.
type message struct {
	subject, id, kind string
	event             struct {
		ID, Subject, Type string
		Data              struct{ Op string }
	}
}

func (p *place) messages() []message {
	p.t.Helper()
	js := p.js()
	consumer, err := js.OrderedConsumer(p.t.Context(), "DIRECTORY", jetstream.OrderedConsumerConfig{})
	if err != nil {
		p.t.Fatal(err)
	}
	stream, err := js.Stream(p.t.Context(), "DIRECTORY")
	if err != nil {
		p.t.Fatal(err)
	}
	var list []message
	for range stream.CachedInfo().State.Msgs {
		m, err := consumer.Next(jetstream.FetchMaxWait(patience), jetstream.FetchHeartbeat(patience/2))
		if err != nil {
			p.t.Fatal(err)
		}
		one := message{subject: m.Subject(), id: m.Headers().Get("Nats-Msg-Id"), kind: m.Headers().Get("Content-Type")}
		if err := json.Unmarshal(m.Data(), &one.event); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

func TestSuite(t *testing.T) {
	targettest.Run(t, func(t *testing.T) *targettest.Place {
		p := start(t, func(o *server.Options) { o.MaxPayload = 8 << 20 }).stream(jetstream.StreamConfig{})
		return &targettest.Place{
			Open: func(t *testing.T) targets.Target { return p.open(t, nil) },
			Taken: func(*testing.T) []targettest.Taken {
				var list []targettest.Taken
				for _, m := range p.messages() {
					if m.id != m.event.ID || m.kind != "application/cloudevents+json" {
						t.Errorf("headers %q and %q of event %q", m.id, m.kind, m.event.ID)
					}
					list = append(list, targettest.Taken{Key: m.event.ID, Op: m.event.Data.Op, Subject: m.event.Subject})
				}
				return list
			},
			Break: func(*testing.T) { p.down() }, Mend: func(*testing.T) { p.up() },
			Secrets: []string{testPassword},
		}
	})
}

func action(key, record string, op directory.Op) targets.Delivery {
	return targets.Delivery{Action: directory.Action{
		Key: key, Op: op, Kind: directory.UserRecord, Record: record, Origin: directory.Origin{Connection: "hq-ad", Connector: "ldap"},
		Fields: []directory.Field{{Name: "name", Value: directory.Text("A")}},
	}}
}

func deliver(t *testing.T, target targets.Target, work ...targets.Delivery) {
	t.Helper()
	out, err := target.Deliver(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
}

// TestKeepLast: the newest event of a record is there once, also when it comes again long after, and when somebody else
// has published in between.
func TestKeepLast(t *testing.T) {
	p := start(t, nil).stream(jetstream.StreamConfig{MaxMsgsPerSubject: 1, Duplicates: 100 * time.Millisecond})
	target := p.open(t, func(c *Config) { c.Keep = keepLast })
	t.Cleanup(func() { _ = target.Close() })
	if err := target.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b, c := action("k1", "hq-ad/1", directory.Create), action("k2", "hq-ad/1", directory.Update), action("k3", "hq-ad/a b.*>", directory.Create)
	deliver(t, target, a, c)
	deliver(t, target, b)
	deliver(t, target, b)
	list := p.messages()
	if len(list) != 2 || list[0].id != "k3" || list[1].id != "k2" {
		t.Errorf("%+v", list)
	}
	if _, err := p.js().Publish(t.Context(), list[1].subject, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	deliver(t, target, action("k4", "hq-ad/1", directory.Update))
	if list = p.messages(); len(list) != 2 || list[1].id != "k4" {
		t.Errorf("%+v", list)
	}
}

// TestRepetitionInTheWindow: what comes again soon is stored once.
func TestRepetitionInTheWindow(t *testing.T) {
	p := start(t, nil).stream(jetstream.StreamConfig{})
	target := p.open(t, nil)
	t.Cleanup(func() { _ = target.Close() })
	deliver(t, target, action("k1", "hq-ad/1", directory.Create), action("k2", "hq-ad/2", directory.Create))
	deliver(t, target, action("k1", "hq-ad/1", directory.Create))
	if list := p.messages(); len(list) != 2 || !strings.HasPrefix(list[0].subject, "directory.user.hq-ad.") {
		t.Errorf("%+v", list)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		server func(*server.Options)
		stream *jetstream.StreamConfig
		config func(*Config)
		check  fault.Class // of Check; empty: nothing is wrong
		class  fault.Class // of Deliver
		single bool        // it is the action's own
		hint   string
	}{
		{name: "no stream", check: fault.Configuration, class: fault.Configuration, hint: "nats stream add"},
		{name: "other subjects", stream: &jetstream.StreamConfig{Subjects: []string{"other.>"}}, check: fault.Configuration, class: fault.Configuration, hint: "stream add"},
		{name: "other name", stream: &jetstream.StreamConfig{}, config: func(c *Config) { c.Stream = "OTHER" }, check: fault.Configuration, class: fault.Configuration, hint: "check stream"},
		{name: "keeps one", stream: &jetstream.StreamConfig{MaxMsgsPerSubject: 1}, check: fault.Configuration},
		{name: "keeps all", stream: &jetstream.StreamConfig{}, config: func(c *Config) { c.Keep = keepLast }, check: fault.Configuration},
		{name: "too large for the stream", stream: &jetstream.StreamConfig{MaxMsgSize: 100}, class: fault.Invalid, single: true, hint: "maximum message size"},
		{name: "too large for the server", server: func(o *server.Options) { o.MaxPayload = 300 }, stream: &jetstream.StreamConfig{Subjects: []string{"d.>"}},
			config: func(c *Config) { c.Prefix = "d" }, check: "any", class: fault.Invalid, single: true, hint: "max_payload"},
		{name: "no room", stream: &jetstream.StreamConfig{MaxMsgs: 1, Discard: jetstream.DiscardNew}, class: fault.Transient},
		{name: "wrong password", stream: &jetstream.StreamConfig{}, config: func(c *Config) { c.Password = settings.NewSecret("wrong-SECRET") }, check: fault.Auth, class: fault.Auth},
		{name: "no such host", config: func(c *Config) { c.Servers = []string{"nats://127.0.0.1:1"} }, check: fault.Transient, class: fault.Transient},
		{name: "no credentials file", config: func(c *Config) { c.User, c.Password, c.Credentials = "", settings.Secret{}, "/nonexistent/creds" }, check: fault.Configuration, class: fault.Configuration},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, test.server)
			if test.stream != nil {
				p.stream(*test.stream)
			}
			target := p.open(t, test.config)
			t.Cleanup(func() { _ = target.Close() })
			if err := target.Check(t.Context()); test.check != "any" && fault.ClassOf(err) != test.check {
				t.Errorf("check: %v (%s)", err, fault.ClassOf(err))
			}
			if test.class == "" {
				return
			}
			out, err := target.Deliver(t.Context(), []targets.Delivery{action("k0", "hq-ad/0", directory.Create), action("k1", "hq-ad/1", directory.Create)})
			if test.single {
				if err != nil {
					t.Fatal(err)
				}
				err = out[1].Err
			}
			if fault.ClassOf(err) != test.class || !strings.Contains(fault.Hint(err), test.hint) || strings.Contains(fmt.Sprint(err), "SECRET") {
				t.Errorf("deliver: %v (%s)", err, fault.ClassOf(err))
			}
		})
	}
}

func TestForbidden(t *testing.T) {
	p := start(t, func(o *server.Options) {
		o.Username, o.Password = "", ""
		o.Users = []*server.User{
			{Username: testUser, Password: testPassword},
			{Username: "reader", Password: "r", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"directory.user.>"}}}},
		}
	}).stream(jetstream.StreamConfig{})
	reader := p.open(t, func(c *Config) { c.User, c.Password = "reader", settings.NewSecret("r") }).(*target)
	t.Cleanup(func() { _ = reader.Close() })
	told := make(chan struct{}, 100)
	reader.options = append(reader.options, nats.ErrorHandler(func(conn *nats.Conn, sub *nats.Subscription, err error) {
		reader.heard(conn, sub, err)
		told <- struct{}{}
	}))
	if _, err := reader.connected(); err != nil {
		t.Fatal(err)
	}
	// The server's word may come after the wait for an acknowledgement, however long that is: the next delivery knows of it.
	reader.cfg.Timeout = settings.Duration(time.Millisecond)
	work := []targets.Delivery{action("k1", "hq-ad/1", directory.Create)}
	if _, err := reader.Deliver(t.Context(), work); fault.ClassOf(err) != fault.Forbidden && fault.ClassOf(err) != fault.Transient {
		t.Errorf("%v (%s)", err, fault.ClassOf(err))
	}
	<-told
	_, err := reader.Deliver(t.Context(), work)
	if fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "directory.>") {
		t.Errorf("%v (%s)", err, fault.ClassOf(err))
	}
	// What was refused once is no reason for what happens after the server has taken something.
	reader.cfg.Timeout = settings.Duration(time.Minute)
	other := action("k2", "hq-ad/acme", directory.Create)
	other.Action.Kind = directory.CustomerRecord
	deliver(t, reader, other)
	if old := reader.refused.Load(); old != nil {
		t.Errorf("still refused: %v", *old)
	}
}

func TestSubjects(t *testing.T) {
	for record, connection := range map[string]string{"hq/1": "hq", "hq/a b": "head office", "hq/*.>": "a.b"} {
		s := subjectOf("directory", &directory.Action{Kind: directory.UserRecord, Record: record, Origin: directory.Origin{Connection: connection}})
		if !plainSubject(s) || strings.Count(s, ".") != 3 {
			t.Errorf("%q", s)
		}
	}
	for _, test := range []struct {
		subject, prefix string
		want            bool
	}{
		{"directory.>", "directory", true}, {">", "directory", true}, {"*.*.*.*", "directory", true}, {"directory.user.>", "directory", false},
		{"directory", "directory", false}, {"directory.*", "directory", false}, {"other.>", "directory", false}, {"a.b.>", "a.b", true}, {"a.b.c.d.e.f.>", "a.b", false},
	} {
		if covers(test.subject, test.prefix) != test.want {
			t.Errorf("%s covers %s: %t", test.subject, test.prefix, !test.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		path   string
		change func(*Config)
	}{
		{"servers", func(c *Config) { c.Servers = nil }},
		{"servers[0]", func(c *Config) { c.Servers = []string{"bus.example.test"} }},
		{"servers[0]", func(c *Config) { c.Servers = []string{"nats://u:p@bus.example.test:4222"} }},
		{"credentials", func(c *Config) { c.Credentials, c.Token = "x", settings.NewSecret("y") }},
		{"user", func(c *Config) { c.User = "u" }},
		{"client_cert", func(c *Config) { c.ClientCert = "x" }},
		{"stream", func(c *Config) { c.Stream = "a.b" }},
		{"prefix", func(c *Config) { c.Prefix = "a.>" }},
		{"keep", func(c *Config) { c.Keep = "some" }},
		{"timeout", func(c *Config) { c.Timeout = 0 }},
	} {
		c := defaults()
		c.Servers, c.Stream = []string{"tls://bus.example.test:4222"}, "DIRECTORY"
		if issues := c.Validate(); len(issues) != 0 {
			t.Fatal(issues)
		}
		test.change(c)
		if issues := c.Validate(); len(issues) != 1 || issues[0].Path != test.path {
			t.Errorf("%s: %+v", test.path, issues)
		}
	}
}
