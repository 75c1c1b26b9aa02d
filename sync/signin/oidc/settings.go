package oidc

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Settings is the block of one preset, of the preset's name.
type Settings interface {
	settings.Validator
	preset(o Options) preset
}

// Presets are the names that Blank knows.
func Presets() []string {
	return []string{"delinea", "entra", "entra-b2c", "entra-external", "generic", "google", "okta"}
}

// Blank returns a preset's block with the defaults set, to be decoded into; nil when there is none of that name.
func Blank(name string) Settings {
	c := Client{Scopes: []string{"openid", "profile", "email"}}
	switch name {
	case "generic":
		return &Generic{Client: c, Mail: "email", Subject: "sub"}
	case "entra":
		return &Entra{Client: c, Authority: "https://login.microsoftonline.com"}
	case "entra-b2c":
		c.Scopes = []string{"openid"}
		return &B2C{Client: c}
	case "entra-external":
		return &External{Client: c}
	case "okta":
		return &Okta{Client: c}
	case "google":
		return &Google{Client: c}
	case "delinea":
		return &Delinea{Client: c, Mail: "email", Subject: "sub"}
	}
	return nil
}

// Client is what the blocks of all presets have: who we are there, and how people are asked.
type Client struct {
	ClientID string `yaml:"client_id"`
	// One of the two proves that it is us: a secret, or a PEM with a private key and its certificate (private_key_jwt).
	ClientSecret settings.Secret `yaml:"client_secret"`
	Certificate  settings.Secret `yaml:"certificate"`
	// SecretEnds is the day on which ClientSecret ends, as the provider's page says; no provider tells it by itself.
	SecretEnds settings.Date `yaml:"client_secret_ends"`
	// KeyID is sent as kid with what the private key signs, for providers that find the key by it.
	KeyID  string   `yaml:"key_id"`
	Scopes []string `yaml:"scopes"`
	// Prompt is none, login, consent or select_account; blank leaves it to the provider.
	Prompt string `yaml:"prompt"`
	// ACR are the ways of signing in that are asked for, the best first. What was done instead is for `require` to refuse.
	ACR []string `yaml:"acr_values"`
	// MaxAge is how long ago the person may have signed in at the provider; zero means now.
	MaxAge *settings.Duration `yaml:"max_age"`
	// SingleLogout ends the session at the provider, too, when somebody signs out here.
	SingleLogout bool `yaml:"single_logout"`
	// Locales are the languages of the provider's pages (BCP 47), the best first.
	Locales []string `yaml:"ui_locales"`
}

var locale = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func (c *Client) validate(report settings.Reporter) {
	if c.ClientID == "" {
		report("client_id", "write the id that the provider gave the application", "is missing")
	}
	const one = "give one of client_secret and certificate"
	switch {
	case c.ClientSecret.IsZero() && c.Certificate.IsZero():
		report("client_secret", one, "is missing: nothing proves who asks")
	case !c.ClientSecret.IsZero() && !c.Certificate.IsZero():
		report("certificate", one, "goes not together with client_secret")
	}
	if pem := c.Certificate.Reveal(); pem != "" { // blank also when this process may not read it
		if _, err := readCredential(pem); err != nil {
			report("certificate", pemHint, "%s", err)
		}
	}
	if c.KeyID != "" && c.Certificate.IsZero() {
		report("key_id", "give certificate, or remove it", "needs certificate")
	}
	if !c.SecretEnds.IsZero() && c.ClientSecret.IsZero() {
		report("client_secret_ends", "give client_secret, or remove it", "needs client_secret")
	}
	if !slices.Contains(c.Scopes, "openid") {
		report("scopes", "write [openid, profile, email]", "must have openid")
	}
	for i, scope := range c.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\\t\n") {
			report(fmt.Sprintf("scopes[%d]", i), "write each scope by itself", "is no scope")
		}
	}
	if !slices.Contains([]string{"", "none", "login", "consent", "select_account"}, c.Prompt) {
		report("prompt", "write none, login, consent or select_account, or remove it", "is none of the words of OpenID Connect")
	}
	for i, value := range c.ACR {
		if value == "" || strings.Contains(value, " ") {
			report(fmt.Sprintf("acr_values[%d]", i), "write each value by itself", "must not be empty nor have blanks")
		}
	}
	for i, tag := range c.Locales {
		if !locale.MatchString(tag) {
			report(fmt.Sprintf("ui_locales[%d]", i), "write a language such as de or en-GB", "is no language")
		}
	}
}

func (c *Client) credential() (credential, error) {
	if c.Certificate.IsZero() {
		return credential{}, nil
	}
	creds, err := readCredential(c.Certificate.Reveal())
	creds.id = c.KeyID
	return creds, err
}

// address checks a setting that is an https address. It says whether it can be used.
func address(report settings.Reporter, key, text, hint string) bool {
	u, err := url.Parse(text)
	switch {
	case text == "":
		report(key, hint, "is missing")
	case err != nil || u.Host == "" || u.Scheme != "https":
		report(key, hint, "must be an https:// address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		report(key, hint, "must be an address without user, query and fragment")
	case strings.ContainsAny(u.Host, "{}<>"):
		report(key, hint, "still has a placeholder")
	default:
		return true
	}
	return false
}

// host checks a setting that is a host name.
func host(report settings.Reporter, key, text, hint string) {
	if u, err := url.Parse("https://" + text); err != nil || u.Host != text || u.Hostname() == "" || !hostname.MatchString(text) {
		report(key, hint, "is no host name")
	}
}

var (
	hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[0-9]+)?$`)
	guid     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

const wellKnown = "/.well-known/openid-configuration"

// preset is what one kind of provider has of its own: data, and what its tokens must say besides.
type preset struct {
	name   string
	client Client
	extra  map[string]string // parameters of the request
	again  string            // the prompt that has the person choose or prove an account anew; blank: select_account where it is listed, else login
	create bool              // prompt=create signs up
	needs  []string          // claims for which UserInfo is asked
	alias  string            // a second spelling of the issuer that its tokens may have
	bySub  bool              // a logout token's sub is the value of our subjects
	// silentFront: front-channel requests may come without iss.
	silentFront bool

	// flow is the flow that a sign-in takes; blank where there are none.
	flow func(s signin.Start) string
	// entry is the authority where a flow begins and redeems its code.
	entry func(flow string) (authority, *signin.Refusal)
	// all are the authorities that a probe looks at.
	all func() []authority
	// tenant, where there are many, picks the authority of a token that is not verified yet.
	tenant tenantFunc
	// framed reports whether an issuer is one of the many.
	framed func(issuer string) bool
	// check checks a verified token by the rules of this kind, and sets the subject, the mail address and whether it is vouched for.
	check func(c *checks, v *verified, a *signin.Assertion, flow string) *signin.Refusal
	// restart says what an error of the provider leads to; nil where nothing does.
	restart func(code, flow string) *signin.Start
}

// single makes a preset of one authority.
func (p preset) single(at authority) preset {
	p.flow = func(signin.Start) string { return "" }
	p.entry = func(string) (authority, *signin.Refusal) { return at, nil }
	p.all = func() []authority { return []authority{at} }
	return p
}

// domainOf returns the part of a mail address after its only @, in lower case; blank when it is none.
func domainOf(mail string) string {
	local, domain, ok := strings.Cut(mail, "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return ""
	}
	return strings.ToLower(domain)
}

// listed reports whether the operator says that the provider may vouch for an address.
func (o Options) listed(mail string) bool {
	domain := domainOf(mail)
	return domain != "" && (slices.Contains(o.Domains, domain) || slices.Contains(o.Domains, signin.AnyDomain))
}

// vouch sets the mail address. verified is what the provider says of it; the domain must be listed besides.
func (o Options) vouch(c *checks, a *signin.Assertion, mail string, verified bool, why string) {
	a.Mail = mail
	a.MailVerified = verified && o.listed(mail)
	found := why
	if verified && !a.MailVerified {
		found = "the domain is not listed"
	}
	c.list = append(c.list, signin.Check{Name: "mail is verified", OK: a.MailVerified, Found: found, Value: bounded(mail)})
}
