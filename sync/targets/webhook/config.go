package webhook

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets/event"
)

// Config is the target's own block.
type Config struct {
	// URL receives the events by POST: https, or http. It may be given like a secret, since many receivers
	// put a token into it; only its host is ever shown.
	URL settings.Secret `yaml:"url"`
	// Secret signs the requests: "whsec_" and the base64 of 24 to 64 bytes, or the base64 alone, after
	// https://www.standardwebhooks.com. Without it they are not signed.
	Secret settings.Secret `yaml:"secret"`
	// PreviousSecret signs, too: every request has two signatures while receivers change from it to Secret.
	PreviousSecret settings.Secret `yaml:"previous_secret"`
	// Attributes stand in every event beside its own.
	Attributes event.Attributes `yaml:"attributes"`
	// Headers are sent with every request.
	Headers map[string]settings.Secret `yaml:"headers"`
	// Batch is how many events one request holds. 1, the default, sends one event; more send JSON arrays.
	Batch int `yaml:"batch"`
	// Parallel is how many requests run at the same time. Default 4.
	Parallel int `yaml:"parallel"`
	// Timeout ends a request that takes longer, with everything that belongs to it. Default 30 s.
	Timeout settings.Duration `yaml:"timeout"`
	// CAFile holds the authorities, as PEM, that may have signed the receiver's certificate, in the place of
	// the system's.
	CAFile settings.Path `yaml:"ca_file"`
	// ClientCert and ClientKey are PEM files by which the receiver knows us.
	ClientCert settings.Path `yaml:"client_cert"`
	ClientKey  settings.Path `yaml:"client_key"`
	// Proxy is the URL of a proxy, "none" for none, or empty for what the environment says (HTTPS_PROXY).
	Proxy settings.Secret `yaml:"proxy"`
}

const (
	largestBatch    = 1000
	largestParallel = 64
)

func defaults() *Config {
	return &Config{Batch: 1, Parallel: 4, Timeout: settings.Duration(30 * time.Second)}
}

// ours are the headers that the target sets itself.
var ours = []string{
	"content-type", "content-length", "host", "idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature",
	"connection", "transfer-encoding", "user-agent",
}

// Validate reports what is wrong with the block. No message quotes a value: it may be a secret.
func (c *Config) Validate() []settings.Issue {
	var issues []settings.Issue
	add := func(path, message, hint string) {
		issues = append(issues, settings.Issue{Path: path, Message: message, Hint: hint})
	}
	if u, err := url.Parse(c.URL.Reveal()); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		add("url", "is not an http or https URL", "write https://host/path")
	} else if u.User != nil {
		add("url", "holds a user and password", "send them as headers: {Authorization: …}")
	}
	if _, err := signingKey(c.Secret.Reveal()); err != nil {
		add("secret", err.Error(), `make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	if _, err := signingKey(c.PreviousSecret.Reveal()); err != nil {
		add("previous_secret", err.Error(), "write the one that was in secret before")
	} else if c.Secret.IsZero() && !c.PreviousSecret.IsZero() {
		add("previous_secret", "goes together with secret", "write the new one as secret")
	}
	c.Attributes.Validate(func(path, hint, format string, args ...any) { add(path, fmt.Sprintf(format, args...), hint) })
	for name, value := range c.Headers {
		switch {
		case !isToken(name):
			add("headers."+name, "is not the name of a header", "")
		case slices.Contains(ours, strings.ToLower(name)):
			add("headers."+name, "is set by dirsyncd itself", "remove it")
		case strings.ContainsAny(value.Reveal(), "\r\n\x00"):
			add("headers."+name, "holds a line break", "remove it; a secret file may end with one line break at most")
		}
	}
	if c.Batch < 1 || c.Batch > largestBatch {
		add("batch", "must be 1 to 1000", "")
	}
	if c.Parallel < 1 || c.Parallel > largestParallel {
		add("parallel", "must be 1 to 64", "")
	}
	if c.Timeout <= 0 {
		add("timeout", "must be more than nothing", "write 30s")
	}
	if (c.ClientCert == "") != (c.ClientKey == "") {
		add("client_cert", "goes together with client_key", "give both or neither")
	}
	if _, err := proxyOf(c.Proxy.Reveal()); err != nil {
		add("proxy", "is neither a URL nor none", "write http://proxy.example:3128")
	}
	slices.SortFunc(issues, func(a, b settings.Issue) int { return strings.Compare(a.Path, b.Path) })
	return issues
}

// Advise warns of events that others can read, and of a receiver that cannot tell whose they are.
func (c *Config) Advise() []settings.Issue {
	var issues []settings.Issue
	if u, err := url.Parse(c.URL.Reveal()); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		issues = append(issues, settings.Issue{Path: "url", Message: "events with personal data, and the headers with them, go to " + u.Hostname() + " in clear text",
			Hint: "write https://; ca_file names the authority of the receiver's certificate if it is your own"})
	}
	if c.Secret.IsZero() && len(c.Headers) == 0 && c.ClientCert == "" {
		issues = append(issues, settings.Issue{Message: "without secret, headers or client_cert the receiver cannot tell who sends the events",
			Hint: `set secret; make one with: echo "whsec_$(openssl rand -base64 32)"`})
	}
	return issues
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Files are what is read when the target is opened: with another content the same settings lead elsewhere.
func (c *Config) Files() []settings.Path { return []settings.Path{c.CAFile} }

// signingKey decodes a Standard Webhooks secret; none is no key.
func signingKey(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
	if err != nil {
		return nil, errSecret
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, errSecretLength
	}
	return key, nil
}

// isToken reports whether a text may be the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return false
		}
	}
	return s != ""
}
