package recipient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// Mail is a recipient's block `mail`.
type Mail struct {
	// Server is HOST:PORT of a server that takes mail: 587, 465 or 25.
	Server string   `yaml:"server"`
	From   string   `yaml:"from"`
	To     []string `yaml:"to"`
	// TLS is starttls (demanded, not merely tried), implicit (from the first byte) or none (plain text, for a relay on this machine). The
	// default is implicit on port 465, and starttls elsewhere.
	TLS      string          `yaml:"tls"`
	Username string          `yaml:"username"`
	Password settings.Secret `yaml:"password,omitempty"`
	// CAFile holds the authorities, as PEM, that may have signed the server's certificate, in place of the system's.
	CAFile    settings.Path `yaml:"ca_file"`
	Templates `yaml:",inline"`
}

// NewMail returns a block with its defaults.
func NewMail() *Mail { return &Mail{} }

// The words of Mail.TLS.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// Validate reports what is wrong with the block.
func (c *Mail) Validate() []settings.Issue {
	var issues settings.Issues
	if _, _, err := c.server(); err != nil {
		issues.Report("server", "write HOST:PORT, such as smtp.example.com:587", "is not a host and a port")
	}
	if _, err := netmail.ParseAddress(c.From); err != nil {
		issues.Report("from", "write an address, such as dirsyncd@example.com", "is not a mail address")
	}
	if len(c.To) == 0 {
		issues.Report("to", "write a list of addresses", "nobody is named")
	}
	for i, to := range c.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			issues.Report(fmt.Sprintf("to[%d]", i), "write an address, such as it@example.com", "is not a mail address")
		}
	}
	switch c.TLS {
	case "", startTLS, implicitTLS:
	case noTLS:
		if !c.Password.IsZero() && !c.here() {
			issues.Report("tls", "use starttls or implicit", "a password would go over the network in plain text")
		}
	default:
		issues.Report("tls", "write starttls, implicit or none", "is none of the words for it")
	}
	if c.Username != "" && c.Password.IsZero() {
		issues.Report("password", "write both, or neither for a server that wants none", "is missing for the username")
	}
	if c.Body != "" {
		issues.Report("body", "write text", "is for a webhook; a mail has subject and text")
	}
	c.check(&issues)
	return issues
}

func (c *Mail) server() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(c.Server)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err == nil && (host == "" || port < 1 || port > 65535) {
		err = errors.New("not a host and a port")
	}
	return host, port, err
}

// here reports whether the server is on this machine.
func (c *Mail) here() bool {
	host, _, _ := net.SplitHostPort(c.Server)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type mailer struct {
	*Mail
	host     string
	options  []mail.Option
	implicit *tls.Config // nil: TLS does not begin with the first byte
}

// Open makes the sender. It reads the CA file and makes no connection.
func (c *Mail) Open() (Sender, error) {
	host, port, err := c.server()
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read server", Err: err}
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.CAFile != "" {
		pem, err := os.ReadFile(string(c.CAFile))
		if err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Err: err}
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Where: string(c.CAFile), Err: errors.New("no certificate in it"), Hint: "the file must be PEM"}
		}
	}
	m := &mailer{Mail: c, host: host}
	options := []mail.Option{mail.WithPort(port), mail.WithTLSConfig(settings), mail.WithTimeout(sendTime)}
	switch {
	case c.TLS == implicitTLS, c.TLS == "" && port == 465:
		m.implicit = settings
		options = append(options, mail.WithSSL())
	case c.TLS == noTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, mail.WithSMTPAuthCustom(&login{mail: c, host: host}))
	}
	m.options = options
	_, err = mail.NewClient(host, options...)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "prepare mail", Where: c.Server, Err: err}
	}
	return m, nil
}

// dial connects for one message. The connection ends with ctx: the library looks at that while it dials only.
func (m *mailer) dial(ctx context.Context, hangUp *func() bool) mail.DialContextFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		*hangUp = context.AfterFunc(ctx, func() { _ = conn.Close() })
		if m.implicit == nil {
			return conn, nil
		}
		secure := tls.Client(conn, m.implicit)
		if err := secure.HandshakeContext(dialing); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

// sendTime bounds one conversation with a server that says nothing.
const sendTime = 15 * time.Second

// Send implements Sender.
func (m *mailer) Send(ctx context.Context, msg *Message) error {
	if err := m.fill(msg); err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "write the message", Where: m.Server, Err: err, Hint: "look at the recipient's templates"}
	}
	out := mail.NewMsg()
	if err := out.From(m.From); err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "write the message", Where: m.Server, Err: err}
	}
	if err := out.To(m.To...); err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "write the message", Where: m.Server, Err: err}
	}
	out.Subject(msg.Subject)
	out.SetDateWithValue(msg.Time)
	out.SetMessageIDWithValue(msg.ID + "@" + msg.Host)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	out.SetBodyString(mail.TypeTextPlain, msg.Text)
	forget := func() bool { return true }
	client, err := mail.NewClient(m.host, append(slices.Clone(m.options), mail.WithDialContextFunc(m.dial(ctx, &forget)))...)
	if err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "prepare mail", Where: m.Server, Err: err}
	}
	err = client.DialAndSendWithContext(ctx, out)
	forget()
	if err != nil {
		return m.classify(ctx, err)
	}
	return nil
}

// login logs in by what the server offers, PLAIN before LOGIN, and only where nobody else can listen. The library's own choice takes
// a connection that it was handed for one in plain text.
type login struct {
	mail *Mail
	host string
	by   smtp.Auth
}

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (method string, first []byte, err error) {
	unencrypted := l.mail.TLS == noTLS
	switch {
	case slices.Contains(server.Auth, "PLAIN"):
		l.by = smtp.PlainAuth("", l.mail.Username, l.mail.Password.Reveal(), l.host, unencrypted)
	case slices.Contains(server.Auth, "LOGIN"):
		l.by = smtp.LoginAuth(l.mail.Username, l.mail.Password.Reveal(), l.host, unencrypted)
	default:
		return "", nil, errors.New("the server offers neither PLAIN nor LOGIN to log in")
	}
	return l.by.Start(server)
}

// Next implements smtp.Auth.
func (l *login) Next(fromServer []byte, more bool) ([]byte, error) {
	return l.by.Next(fromServer, more)
}

// classify says what an error of the server means for the next attempt.
func (m *mailer) classify(ctx context.Context, err error) error {
	f := &fault.Error{Class: fault.Transient, Op: "send mail", Where: m.Server, Err: errors.New(oneLine(err.Error()))}
	var verify *tls.CertificateVerificationError
	var reply *textproto.Error
	var sent *mail.SendError
	code := 0
	switch {
	case errors.As(err, &sent):
		code = sent.ErrorCode()
	case errors.As(err, &reply):
		code = reply.Code
	}
	switch {
	case errors.As(err, &verify):
		f.Class, f.Hint = fault.Configuration, "the server's certificate must be for the host in `server`; name its authority in `ca_file`"
	case code == 535 || code == 530 || code == 534:
		f.Class, f.Hint = fault.Auth, "look at username and password"
	case code/100 == 5:
		f.Class, f.Hint = fault.Invalid, "the server refuses the message for good: look at `from` and `to`"
	case ctx.Err() != nil || silent(err):
		f.Err, f.Hint = errSilent, hintSilent+" A port with implicit TLS says nothing to who does not begin with it: `tls: implicit`"
	case strings.Contains(err.Error(), "STARTTLS"):
		f.Hint = "the server offers no STARTTLS: write `tls: implicit` and its port for that, or for a relay on this machine `tls: none`"
	}
	return f
}
