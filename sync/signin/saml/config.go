package saml

import (
	"encoding/pem"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/crewjam/saml"

	"dirsyncd/sync/settings"
)

// Config is the block `saml` of a provider.
type Config struct {
	// Metadata is where the provider says what it is.
	Metadata Metadata `yaml:"metadata"`
	// EntityID is the provider's, exactly. What the metadata says of another one is not read.
	EntityID string `yaml:"entity_id"`
	// OwnEntityID is ours. Default: the address of our metadata.
	OwnEntityID string `yaml:"own_entity_id"`
	// NameID is the format to agree upon: persistent (default), email, unspecified, or the URI of another one.
	NameID string `yaml:"name_id"`
	// Attributes names attributes: a word of ours, and the names at the provider, the first that is there counts.
	// object_id or object_guid, tenant and mail have a meaning: see Subject and Mail of signin.Assertion.
	Attributes map[string]settings.Names `yaml:"attributes"`
	// IDPInitiated is what to do with an answer that nobody here asked for: restart (default), accept, refuse.
	IDPInitiated string `yaml:"idp_initiated"`
	// SingleLogout ends the session at the provider with ours, and ours with the provider's.
	SingleLogout bool `yaml:"single_logout"`
	// Binding is how requests travel: redirect (default) or post. What the provider does not have is not used.
	Binding string `yaml:"binding"`
	// Key is our RSA key with its certificate, as PEM: it signs requests, and assertions may be encrypted to it.
	Key settings.Secret `yaml:"key"`
	// NextKey is published beside Key, before it takes its place.
	NextKey settings.Secret `yaml:"next_key"`
	// FormerKeys still decrypt.
	FormerKeys []settings.Secret `yaml:"former_keys"`
	// SignRequests: default true where there is a key.
	SignRequests *bool `yaml:"sign_requests"`
	// ForceAuthn lets people prove who they are every time.
	ForceAuthn bool `yaml:"force_authn"`
	// AuthnContext are the classes of authentication that are good enough; the provider is asked for one of them.
	AuthnContext settings.Names `yaml:"authn_context"`
	// AllowSHA1 takes signatures with SHA-1.
	AllowSHA1 bool `yaml:"allow_sha1"`
	// AllowCBC takes assertions that are encrypted with CBC although the response around them is not signed.
	AllowCBC bool `yaml:"allow_cbc"`
	// CertificateDates: check (default), or ignore, as the SAML metadata interoperability profile has it.
	CertificateDates string `yaml:"certificate_dates"`
}

// Metadata is where the metadata of a provider come from: one of URL and File.
type Metadata struct {
	URL  string        `yaml:"url"`
	File settings.Path `yaml:"file"`
	// Certificate is a PEM file with what the metadata must be signed by; without it TLS or the file's rights must do.
	Certificate settings.Path `yaml:"certificate"`
}

// Defaults is the block before it is decoded.
func Defaults() *Config {
	return &Config{NameID: "persistent", IDPInitiated: "restart", Binding: "redirect", CertificateDates: "check"}
}

func (c *Config) format() saml.NameIDFormat {
	switch c.NameID {
	case "persistent":
		return saml.PersistentNameIDFormat
	case "email":
		return saml.EmailAddressNameIDFormat
	case "unspecified":
		return saml.UnspecifiedNameIDFormat
	}
	return saml.NameIDFormat(c.NameID)
}

func (c *Config) signs() bool {
	if c.SignRequests != nil {
		return *c.SignRequests
	}
	return !c.Key.IsZero()
}

// Validate reports what is wrong with the block. No message quotes a secret.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	c.validateMetadata(issues.Report)
	if c.EntityID == "" {
		issues.Report("entity_id", "copy entityID from the metadata of the provider", "is missing")
	}
	if f := c.format(); f == saml.TransientNameIDFormat || !strings.HasPrefix(string(f), "urn:") {
		issues.Report("name_id", "write persistent, email, unspecified or the URI of another format; a transient id names nobody twice",
			"%q is no format that names a person", c.NameID)
	}
	oneOf(issues.Report, "idp_initiated", c.IDPInitiated, "restart", "accept", "refuse")
	oneOf(issues.Report, "binding", c.Binding, "redirect", "post")
	oneOf(issues.Report, "certificate_dates", c.CertificateDates, "check", "ignore")
	for key, names := range c.Attributes {
		if len(names) == 0 || slices.Contains(names, "") {
			issues.Report("attributes."+key, "write the attribute's name as the provider sends it", "names no attribute")
		}
	}
	c.validateKeys(issues.Report)
	slices.SortStableFunc(issues, func(a, b settings.Issue) int { return strings.Compare(a.Path, b.Path) })
	return issues
}

func (c *Config) validateMetadata(report settings.Reporter) {
	m := c.Metadata
	if (m.URL == "") == (m.File == "") {
		report("metadata", "write {url: https://…} or {file: PATH}", "needs one of url and file")
	}
	if m.URL != "" && !safe(m.URL) {
		report("metadata.url", "who changes the metadata on the way decides who signs in", "is no https address")
	}
}

func (c *Config) validateKeys(report settings.Reporter) {
	const hint = "openssl req -x509 -newkey rsa:3072 -nodes -days 1095 -subj /CN=sign-in -keyout k.pem -out c.pem; cat k.pem c.pem"
	check := func(path string, s settings.Secret) {
		if text := s.Reveal(); text != "" {
			if _, err := parseKeyPair(text); err != nil {
				report(path, hint, "%v", err)
			}
		}
	}
	check("key", c.Key)
	check("next_key", c.NextKey)
	for _, s := range c.FormerKeys {
		check("former_keys", s)
	}
	if c.Key.IsZero() && c.SingleLogout {
		report("single_logout", hint, "needs a key: requests and answers of a log-out are signed")
	}
	if c.Key.IsZero() && c.SignRequests != nil && *c.SignRequests {
		report("sign_requests", hint, "needs a key")
	}
}

func oneOf(report settings.Reporter, path, value string, words ...string) {
	if !slices.Contains(words, value) {
		report(path, "write "+strings.Join(words, " or "), "%q means nothing here", value)
	}
}

// safe reports whether nobody on the way can change what comes from an address.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// Advise warns of what is allowed and weak.
func (c *Config) Advise() []settings.Issue {
	var issues settings.Issues
	if c.AllowSHA1 {
		issues.Report("allow_sha1", "let the provider sign with SHA-256", "signatures with SHA-1 are taken; they can be forged with effort")
	}
	if c.AllowCBC {
		issues.Report("allow_cbc", "let the provider sign the response, or encrypt with AES-GCM",
			"assertions in CBC mode are decrypted although nothing proves who sent them")
	}
	if c.IDPInitiated == "accept" {
		issues.Report("idp_initiated", "restart does the same for people, by one more redirect",
			"answers that nobody asked for are taken: somebody else's may be put into a browser; a page asks before it counts")
	}
	if c.Metadata.URL != "" && strings.HasPrefix(c.Metadata.URL, "http://") {
		issues.Report("metadata.url", "write https://", "the metadata come in clear text")
	}
	if c.format() == saml.EmailAddressNameIDFormat || c.format() == saml.UnspecifiedNameIDFormat {
		issues.Report("name_id", "ask for persistent, or name attributes.object_id",
			"this id may be given to somebody else one day")
	}
	return issues
}

// Files are what is read when the provider is opened.
func (c *Config) Files() []settings.Path {
	var files []settings.Path
	for _, f := range []settings.Path{c.Metadata.File, c.Metadata.Certificate} {
		if f != "" {
			files = append(files, f)
		}
	}
	return files
}

// blocks are the PEM blocks of a text.
func blocks(text []byte) []*pem.Block {
	var list []*pem.Block
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return list
		}
		list, text = append(list, block), rest
	}
}
