package nats

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets/event"
)

// Config is the block `nats:` of a target.
type Config struct {
	// Servers are the addresses of a cluster: nats://HOST:PORT, or tls:// which insists on TLS.
	Servers []string `yaml:"servers"`
	// Credentials is a file with a user's JWT and key, as `nsc` writes it. Token, or User with Password, go in its place.
	Credentials settings.Path   `yaml:"credentials"`
	Token       settings.Secret `yaml:"token"`
	User        string          `yaml:"user"`
	Password    settings.Secret `yaml:"password"`
	// CAFile holds the authorities, as PEM, that may have signed the servers' certificates, in the place of the system's.
	CAFile settings.Path `yaml:"ca_file"`
	// ClientCert and ClientKey are PEM files by which the servers know us.
	ClientCert settings.Path `yaml:"client_cert"`
	ClientKey  settings.Path `yaml:"client_key"`
	// Stream is the name of the JetStream stream, which is there already: dirsyncd makes none.
	Stream string `yaml:"stream"`
	// Prefix is how the subjects begin.
	Prefix string `yaml:"prefix"`
	// Keep says what the stream is for: all, a log of all events, or last, the newest event of every record.
	Keep string `yaml:"keep"`
	// Attributes stand in every event beside its own.
	Attributes event.Attributes `yaml:"attributes"`
	// Timeout ends the wait for a server.
	Timeout settings.Duration `yaml:"timeout"`
}

const (
	keepAll  = "all"
	keepLast = "last"
)

func defaults() *Config {
	return &Config{Prefix: "directory", Keep: keepAll, Timeout: settings.Duration(10 * time.Second)}
}

// Validate reports what is wrong with the block.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	if len(c.Servers) == 0 {
		issues.Report("servers", "write [nats://HOST:4222]", "must name at least one server")
	}
	for i, server := range c.Servers {
		u, err := url.Parse(server)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls":
			issues.Report(fmt.Sprintf("servers[%d]", i), "write nats://HOST:4222 or tls://HOST:4222", "is not the address of a server")
		case u.User != nil:
			issues.Report(fmt.Sprintf("servers[%d]", i), "write user and password, token, or credentials", "holds a user or a token")
		}
	}
	ways := 0
	for _, given := range []bool{c.Credentials != "", !c.Token.IsZero(), c.User != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		issues.Report("credentials", "give one of credentials, token and user", "are given in more than one way")
	}
	if (c.User == "") != c.Password.IsZero() {
		issues.Report("user", "give both or neither", "goes together with password")
	}
	if (c.ClientCert == "") != (c.ClientKey == "") {
		issues.Report("client_cert", "give both or neither", "goes together with client_key")
	}
	if c.Stream == "" || strings.ContainsAny(c.Stream, " .*>/\\") {
		issues.Report("stream", "write its name, such as DIRECTORY", "is not the name of a stream")
	}
	if !plainSubject(c.Prefix) {
		issues.Report("prefix", "write words with dots between, such as directory", "is not the beginning of a subject")
	}
	if c.Keep != keepAll && c.Keep != keepLast {
		issues.Report("keep", "write all or last", "must be one of two words")
	}
	c.Attributes.Validate(issues.Report)
	if c.Timeout <= 0 {
		issues.Report("timeout", "write a duration, such as 10s", "must be greater than zero")
	}
	return issues
}

// Advise warns of what others can read or write.
func (c *Config) Advise() []settings.Issue {
	for i, server := range c.Servers {
		if u, err := url.Parse(server); err == nil && u.Scheme == "nats" && c.CAFile == "" && c.ClientCert == "" && !rest.Loopback(u.Hostname()) {
			return []settings.Issue{{
				Path: fmt.Sprintf("servers[%d]", i), Message: "events with personal data go to " + u.Hostname() + " in clear text unless the server insists on TLS",
				Hint: "write tls://",
			}}
		}
	}
	return nil
}

// Files are what is read when the target is opened: with another content the same settings lead elsewhere.
func (c *Config) Files() []settings.Path { return []settings.Path{c.CAFile, c.Credentials} }
