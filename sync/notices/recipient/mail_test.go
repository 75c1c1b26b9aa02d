package recipient

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// postOffice is an SMTP server.
type postOffice struct {
	address, ca string
	mu          sync.Mutex
	got         []string // messages
	to          []string
	users       []string // who logged in
	refuse      *smtp.SMTPError
	secret      string // password that is wanted; empty: nobody logs in
}

func newPostOffice(t *testing.T, implicit bool) *postOffice {
	t.Helper()
	certs := t.TempDir()
	testserver.Certificates(t, certs)
	pair, err := tls.LoadX509KeyPair(certs+"/server.pem", certs+"/server.key")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{ca: certs + "/ca.pem"}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{office: o, conn: c}, nil }))
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Domain, server.ErrorLog = "localhost", quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.address = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, server.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return o
}

// quiet keeps the server from writing to the standard error.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (o *postOffice) set(fn func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn()
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
	in     bool
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if _, encrypted := s.conn.TLSConnectionState(); !encrypted {
		return &smtp.SMTPError{Code: 530, Message: "encrypt first"}
	}
	if s.office.secret != "" && !s.in {
		return smtp.ErrAuthRequired
	}
	if s.office.refuse != nil {
		return s.office.refuse
	}
	return nil
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.set(func() { s.office.to = append(s.office.to, to) })
	return nil
}
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.office.set(func() { s.office.got = append(s.office.got, string(data)) })
	return err
}
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		if password != s.office.secret {
			return smtp.ErrAuthFailed
		}
		s.in, s.office.users = true, append(s.office.users, user)
		return nil
	}), nil
}

func message() *Message {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	return &Message{ID: "id1", Time: at, Host: "sync.example.com", Notices: []Notice{
		{Kind: Held, State: New, Where: "connection hq-ad", Text: "deactivate 41 of 900 — it’s much", Hint: "`dirsyncd plan`", Since: at},
		{Kind: Failing, State: Over, Where: "target desk"},
	}}
}

// A mail arrives, encrypted and from whom it says, on both kinds of port, and is what it was.
func TestMail(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		o := newPostOffice(t, implicit)
		o.set(func() { o.secret = "s3cret" })
		c := &Mail{Server: o.address, From: "dirsyncd <sync@example.com>", To: []string{"Ops <ops@example.com>", "second@example.com"},
			Username: "sync", Password: settings.NewSecret("s3cret"), CAFile: settings.Path(o.ca)}
		if implicit {
			c.TLS = "implicit"
		}
		if issues := c.Validate(); len(issues) > 0 {
			t.Fatal(issues)
		}
		sender, err := c.Open()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // one after the other
			if err := sender.Send(t.Context(), message()); err != nil {
				t.Fatalf("implicit %t: %v", implicit, err)
			}
		}
		o.mu.Lock()
		if len(o.got) != 2 || strings.Join(o.to, " ") != "ops@example.com second@example.com ops@example.com second@example.com" || o.users[0] != "sync" {
			t.Fatalf("implicit %t: %d mails to %v by %v", implicit, len(o.got), o.to, o.users)
		}
		mail, err := netmail.ReadMessage(bytes.NewReader([]byte(o.got[0])))
		o.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if got := mail.Header.Get("Message-ID"); got != "<id1@sync.example.com>" {
			t.Error("message id", got)
		}
		if got := mail.Header.Get("Auto-Submitted"); got != "auto-generated" {
			t.Error("auto-submitted", got)
		}
		if got := mail.Header.Get("Subject"); !strings.Contains(got, "connection hq-ad is held; target desk is no longer failing") {
			t.Error("subject", got)
		}
		body, err := io.ReadAll(mail.Body)
		if err != nil || !strings.Contains(string(body), "what to do: `dirsyncd plan`") {
			t.Errorf("body %s, %v", body, err)
		}
	}
}

// What goes wrong is said in its class, and never hangs.
func TestMailFaults(t *testing.T) {
	o := newPostOffice(t, false)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	base := Mail{Server: o.address, From: "sync@example.com", To: []string{"ops@example.com"}, CAFile: settings.Path(o.ca)}
	for _, c := range []struct {
		name   string
		change func(*Mail)
		office func()
		want   fault.Class
	}{
		{"an authority that nobody knows", func(m *Mail) { m.CAFile = "" }, nil, fault.Configuration},
		{"a wrong password", func(m *Mail) { m.Username, m.Password = "sync", settings.NewSecret("no") }, func() { o.secret = "s3cret" }, fault.Auth},
		{"a password that is missing", nil, func() { o.secret = "s3cret" }, fault.Invalid},
		{"refused for good", nil, func() { o.refuse = &smtp.SMTPError{Code: 550, Message: "no such sender"} }, fault.Invalid},
		{"refused for now", nil, func() { o.refuse = &smtp.SMTPError{Code: 451, Message: "busy"} }, fault.Transient},
		{"nobody there", func(m *Mail) { m.Server = "127.0.0.1:1" }, nil, fault.Transient},
	} {
		o.set(func() {
			o.secret, o.refuse = "", nil
			if c.office != nil {
				c.office()
			}
		})
		m := base
		if c.change != nil {
			c.change(&m)
		}
		sender, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		err = sender.Send(t.Context(), message())
		if err == nil || fault.ClassOf(err) != c.want {
			t.Errorf("%s: %v, of class %s, want %s", c.name, err, fault.ClassOf(err), c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: a secret is told: %v", c.name, err)
		}
	}
	m := base
	m.Server = silent.Addr().String()
	sender, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := within(t, time.Second/10)
	defer cancel()
	if err := sender.Send(ctx, message()); err == nil || !strings.Contains(err.Error(), "no answer in time") || fault.Hint(err) == "" {
		t.Errorf("a server that says nothing: %v", err)
	}
	if o.got != nil {
		t.Error("something was sent")
	}
}

// Who can offer no encryption gets nothing, unless that was written.
func TestMailIsEncrypted(t *testing.T) {
	office := &postOffice{}
	plain := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{office: office, conn: c}, nil }))
	plain.ErrorLog = quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = plain.Serve(l) }()
	defer func() { _ = plain.Close(); <-done }()
	c := &Mail{Server: l.Addr().String(), From: "sync@example.com", To: []string{"ops@example.com"}}
	sender, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), message()); err == nil || !strings.Contains(fault.Hint(err), "tls: none") {
		t.Errorf("sent in plain text, or it is not said what to do: %v", err)
	}
	office.set(func() {
		if office.got != nil || office.to != nil {
			t.Error("something was sent in plain text")
		}
	})
}

func TestMailValidate(t *testing.T) {
	for name, c := range map[string]struct {
		mail Mail
		want string
	}{
		"nothing":        {Mail{}, "server,from,to"},
		"no port":        {Mail{Server: "smtp.example.com", From: "a@b.test", To: []string{"c@d.test"}}, "server"},
		"plain password": {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test"}, TLS: "none", Username: "u", Password: settings.NewSecret("p")}, "tls"},
		"here":           {Mail{Server: "127.0.0.1:25", From: "a@b.test", To: []string{"c@d.test"}, TLS: "none", Username: "u", Password: settings.NewSecret("p")}, ""},
		"a word":         {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test"}, TLS: "yes"}, "tls"},
		"an address":     {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test", "x"}}, "to[1]"},
		"a template":     {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test"}, Templates: Templates{Subject: "{{.Nothing}}"}}, "subject"},
		"a body":         {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test"}, Templates: Templates{Body: "x"}}, "body"},
		"a user alone":   {Mail{Server: "smtp.example.com:25", From: "a@b.test", To: []string{"c@d.test"}, Username: "u"}, "password"},
	} {
		var paths []string
		for _, issue := range c.mail.Validate() {
			paths = append(paths, issue.Path)
		}
		if got := strings.Join(paths, ","); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
