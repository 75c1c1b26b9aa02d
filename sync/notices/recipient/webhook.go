package recipient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

// Webhook is a recipient's block `webhook`.
type Webhook struct {
	// URL receives messages by POST: https, or http. Many hold a token; only its host is ever shown.
	URL settings.Secret `yaml:"url"`
	// Secret signs messages after https://www.standardwebhooks.com: "whsec_" and base64, or the base64 alone.
	Secret settings.Secret `yaml:"secret,omitempty"`
	// Headers are sent with every message.
	Headers   map[string]settings.Secret `yaml:"headers"`
	CAFile    settings.Path              `yaml:"ca_file"`
	Proxy     settings.Secret            `yaml:"proxy,omitempty"`
	Templates `yaml:",inline"`
}

// NewWebhook returns a block with its defaults.
func NewWebhook() *Webhook { return &Webhook{} }

// Validate reports what is wrong with the block. No message quotes a value: it may be a secret.
func (c *Webhook) Validate() []settings.Issue {
	var issues settings.Issues
	if _, err := c.address(); err != nil {
		issues.Report("url", "write https://host/path", "is not an http or https URL without a user")
	}
	if _, err := signingKey(c.Secret.Reveal()); err != nil {
		issues.Report("secret", `make one with: echo "whsec_$(openssl rand -base64 32)"`, "%s", err)
	}
	c.check(&issues)
	return issues
}

func (c *Webhook) address() (*url.URL, error) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("not an address") // the error of Parse quotes it
	}
	return u, nil
}

func signingKey(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, errors.New("is not base64")
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, errors.New("must be 24 to 64 bytes before base64")
	}
	return key, nil
}

type webhook struct {
	*Webhook
	client *http.Client
	url    string
	host   string
	key    []byte
}

// Open makes the sender. It reads the CA file and makes no connection.
func (c *Webhook) Open() (Sender, error) {
	u, err := c.address()
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read url", Err: err}
	}
	key, err := signingKey(c.Secret.Reveal())
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read secret", Err: err}
	}
	base, err := rest.NewBase(rest.Network{CAFile: c.CAFile, Proxy: c.Proxy})
	if err != nil {
		return nil, err
	}
	// Nobody but whom the operator named is told anything.
	client := &http.Client{Transport: base, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &webhook{Webhook: c, client: client, url: u.String(), host: u.Host, key: key}, nil
}

// answerBytes is how much of an answer is looked at.
const answerBytes = 512

// Send implements Sender.
func (w *webhook) Send(ctx context.Context, m *Message) error {
	if err := w.fill(m); err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "write the message", Where: w.host, Err: err, Hint: "look at the recipient's templates"}
	}
	body, err := w.body(m)
	if err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "write the message", Where: w.host, Err: err, Hint: "look at the recipient's templates"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		return &fault.Error{Class: fault.Configuration, Op: "send notices", Where: w.host, Err: errors.New("not an address")}
	}
	if json.Valid([]byte(body)) {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, value := range w.Headers {
		req.Header.Set(name, value.Reveal())
	}
	w.sign(req, m, body)
	resp, err := w.client.Do(req)
	if err != nil {
		f := &fault.Error{Class: fault.Transient, Op: "send notices", Where: w.host, Err: withoutURL(err)}
		if silent(err) {
			f.Err, f.Hint = errSilent, hintSilent
		}
		return f
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	f := &fault.Error{Class: fault.Transient, Op: "send notices", Where: w.host, Err: fmt.Errorf("%s: %s", resp.Status, oneLine(string(answer)))}
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		f.Class, f.Hint = fault.Auth, "look at the recipient's url, headers and secret"
	case resp.StatusCode/100 == 3:
		f.Class, f.Hint = fault.Configuration, "notices follow no redirect: write the address to which it leads"
	case resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusRequestEntityTooLarge || resp.StatusCode == http.StatusUnprocessableEntity:
		f.Class, f.Hint = fault.Invalid, "it does not take such a message: look at the recipient's `body`, and at how long a text it takes"
	case resp.StatusCode == http.StatusTooManyRequests:
		f.Class = fault.Throttled
	}
	return f
}

func (w *webhook) sign(req *http.Request, m *Message, body string) {
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	if w.key == nil {
		return
	}
	mac := hmac.New(sha256.New, w.key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", m.ID, req.Header.Get("Webhook-Timestamp"), body) // a hash never fails
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// errSilent is in place of what a library says of a recipient that has not answered as long as it had time.
var errSilent = errors.New("no answer in time")

const hintSilent = "if it goes on: does a firewall drop packets on the way, and is it the right port?"

func silent(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// withoutURL takes the address from an error of package http: it may hold a token.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}
