package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/signin/key"
	"dirsyncd/sync/spelling"
)

// Signin is how people sign in, and to what.
type Signin struct {
	// Keys is the file of the keys that seal cookies and sign tokens, and KeyText the text of such a file; one of the two is set.
	Keys    settings.Path
	KeyText settings.Secret
	// Lifetime is how long a session counts at most, and Idle how long when it is not used.
	Lifetime, Idle settings.Duration
	// Remember is how long a session counts of whoever chooses to stay signed in; zero: nobody is asked.
	Remember  settings.Duration
	Providers []Identity    // sorted by name
	Apps      []Application // sorted by name
}

// Identity is a configured provider of identity.
type Identity struct {
	Name     string
	Provider string // the kind
	// Directories are connections whose people it may name, and Domains those of mail addresses that it may vouch for, in lower case.
	Directories, Domains []string
	// Match says by what people are known, in order, where the provider does not give the id of an object.
	Match []string
	// Audience is who may come in: agents, users, both.
	Audience string
	Button   string
	// Require must hold of what the provider says; nil: nothing must.
	Require *mapping.Requirements
	// Newcomers is how people are made of those whom nobody knows; nil: they are refused.
	Newcomers *Newcomers
	// Block is the provider's own configuration, as its NewConfig made it.
	Block any
}

// Application is something that people are let into.
type Application struct {
	Name      string
	URL       *url.URL // https, host, perhaps a port; no path
	Providers []string
	Audience  string
	// TokenURL is where a signed token is posted; nil: a reverse proxy in front of it asks.
	TokenURL *url.URL
	// HandOver is token, zendesk or freshworks: whose form the token has. Blank: a reverse proxy asks.
	HandOver string
	// LogoutURL is where an application with sessions of its own is told that one has ended; nil: it is not told.
	LogoutURL  *url.URL
	Secret     settings.Secret // zendesk
	PrivateKey settings.Secret // freshworks
	Headers    HeaderNames
	Auto       bool // a single provider is gone to without a page
}

// HeaderNames are those under which a proxy gets the identity; an empty one is the usual name.
type HeaderNames struct {
	User   string `yaml:"user"`
	Email  string `yaml:"email"`
	Name   string `yaml:"name"`
	Groups string `yaml:"groups"`
}

// The defaults of `signin.session`.
const (
	sessionLifetime = settings.Duration(12 * time.Hour)
	sessionIdle     = settings.Duration(2 * time.Hour)

	shortestRemembered = settings.Duration(24 * time.Hour)
	longestRemembered  = 365 * shortestRemembered // browsers keep no cookie for much longer
)

// signinBlock is `signin:` as it stands in the file.
type signinBlock struct{ strict.Value }

// DecodeStrict implements strict.Decoder.
func (b *signinBlock) DecodeStrict(v strict.Value) { b.Value = v }

type signinKeys struct {
	Keys      keySource   `yaml:"keys" strict:"required"`
	Session   sessionKeys `yaml:"session"`
	Providers signinBlock `yaml:"providers" strict:"required"`
	Apps      signinBlock `yaml:"apps" strict:"required"`
}

// keySource is where the keys are: a file that is ours to write, or a secret.
type keySource struct {
	file settings.Path
	text settings.Secret
}

// DecodeStrict implements strict.Decoder.
func (s *keySource) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Block {
		s.text.DecodeStrict(v)
		return
	}
	s.file.DecodeStrict(v)
}

type sessionKeys struct {
	Lifetime settings.Duration `yaml:"lifetime"`
	Idle     settings.Duration `yaml:"idle"`
	Remember settings.Duration `yaml:"remember"`
}

// whom is the word of who may come in.
type whom string

// DecodeStrict implements strict.Decoder.
func (w *whom) DecodeStrict(v strict.Value) { choose(v, w, "agents", "users", "both") }

// handOver is the word of how an application is told who somebody is.
type handOver string

// DecodeStrict implements strict.Decoder.
func (h *handOver) DecodeStrict(v strict.Value) {
	choose(v, h, handProxy, handToken, handZendesk, handFreshworks)
}

// Ways to tell an application.
const (
	handProxy      = "proxy"
	handToken      = "token"
	handZendesk    = "zendesk"
	handFreshworks = "freshworks"
)

type identityKeys struct {
	Provider    string      `yaml:"provider" strict:"required"`
	Directories []string    `yaml:"directories" strict:"required"`
	Domains     []string    `yaml:"domains"`
	Match       []string    `yaml:"match"`
	Audience    whom        `yaml:"audience"`
	Button      string      `yaml:"button"`
	Require     []ruleText  `yaml:"require"`
	Unknown     unknownWord `yaml:"unknown"`
	Create      *createKeys `yaml:"create"`
}

type applicationKeys struct {
	URL       string   `yaml:"url" strict:"required"`
	Providers []string `yaml:"providers" strict:"required"`
	Audience  whom     `yaml:"audience"`
	TokenURL  string   `yaml:"token_url"`
	HandOver  handOver `yaml:"hand_over"`
	// Secret is shared with Zendesk, and the half of PrivateKey that is public is known to Freshworks.
	LogoutURL  string          `yaml:"logout_url"`
	Secret     settings.Secret `yaml:"secret"`
	PrivateKey settings.Secret `yaml:"private_key"`
	Headers    HeaderNames     `yaml:"headers"`
	Auto       bool            `yaml:"auto"`
}

// MatchOf are the fields by which people of a connection are found when they sign in; none when nobody of them does.
func (c *Config) MatchOf(connection string) (fields []key.Field) {
	if c.Signin == nil {
		return nil
	}
	for _, p := range c.Signin.Providers {
		for _, m := range p.Match {
			if f := key.FieldOf(m); p.names(connection) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
	}
	slices.SortFunc(fields, func(a, b key.Field) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return fields
}

// names reports whether the provider may say who people of a connection are.
func (i *Identity) names(connection string) bool {
	return slices.Contains(i.Directories, connection) || i.Newcomers != nil && i.Newcomers.Mapping != "" && i.Name == connection
}

// checkMatch refuses two fields whose values count byte by byte at one connection: a value would be looked for in both.
func (l *loader) checkMatch(v strict.Value, s *Signin) {
	for i := range l.cfg.Connections {
		own := &Config{Signin: s}
		var exact []string
		for _, f := range own.MatchOf(l.cfg.Connections[i].Name) {
			if f.Kind == key.Exact {
				exact = append(exact, f.Name)
			}
		}
		if len(exact) > 1 {
			v.KeyProblem("match by one of them", "signin: people of connection %q are matched by %s: of these only one may be", l.cfg.Connections[i].Name, strings.Join(exact, " and "))
		}
	}
}

// readSignin reads `signin:`, after the connections; nil without it.
func (l *loader) readSignin(v strict.Value) *Signin {
	if v.Kind() == strict.None {
		return nil
	}
	k := signinKeys{Session: sessionKeys{Lifetime: sessionLifetime, Idle: sessionIdle}}
	v.Into(&k)
	if v.Kind() != strict.Block {
		return nil
	}
	if l.cfg.Web == nil {
		v.KeyProblem("write where people reach it, `web: {url: https://auth.example.com, listen: 127.0.0.1:9443, proxies: [127.0.0.1]}`", "signin: there is no `web:`")
	}
	s := &Signin{Keys: k.Keys.file, KeyText: k.Keys.text, Lifetime: k.Session.Lifetime, Idle: k.Session.Idle, Remember: k.Session.Remember}
	if at, _ := v.At("session"); s.Idle.Std() <= 0 || s.Lifetime.Std() <= 0 || s.Idle > s.Lifetime {
		at.Problem("write such as {lifetime: 12h, idle: 2h}", "signin.session: a session cannot be idle for longer than it lives, nor for no time")
	}
	if at := v.Get("session").Get("remember"); at.Kind() != strict.None && (s.Remember < shortestRemembered || s.Remember > longestRemembered || s.Remember < s.Lifetime) {
		at.Problem("write such as 30d, or remove it", "signin.session.remember: %s is shorter than a day or than the lifetime of others, or longer than a year", s.Remember)
	}
	for _, e := range l.section([]strict.Value{k.Providers.Value}, "provider", checkName) {
		s.Providers = append(s.Providers, l.readIdentity(e.Key, e.Value.In(quoted("provider", e.Key))))
	}
	hosts := make(map[string]string)
	if l.cfg.Web != nil && l.cfg.Web.URL != nil {
		hosts[strings.ToLower(l.cfg.Web.URL.Host)] = "`web.url`"
	}
	for _, e := range l.section([]strict.Value{k.Apps.Value}, "application", checkName) {
		s.Apps = append(s.Apps, l.readApplication(e.Key, e.Value.In(quoted("application", e.Key)), s, hosts))
	}
	l.checkMatch(v, s)
	slices.SortFunc(s.Providers, func(a, b Identity) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Apps, func(a, b Application) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func (l *loader) readIdentity(name string, v strict.Value) Identity {
	k := identityKeys{Audience: "both"}
	lookup := l.parts.Identity
	if lookup == nil {
		lookup = func(string) (func() any, bool) { return nil, false }
	}
	own := blocks{what: "provider", names: l.parts.IdentityNames, lookup: lookup}.read(v, &k, func() string { return k.Provider })
	i := Identity{Name: name, Provider: k.Provider, Directories: k.Directories, Match: k.Match, Audience: string(k.Audience), Button: k.Button, Block: own}
	i.Require = l.requirements(v, k.Require)
	for n, d := range k.Domains {
		at, _ := v.Get("domains").At(fmt.Sprintf("[%d]", n))
		if domain, ok := key.Domain(d); ok {
			i.Domains = append(i.Domains, domain)
		} else if d == anyDomain && k.Unknown == createUnknown && !slices.Contains(k.Match, key.MatchMail) {
			i.Domains = append(i.Domains, d)
		} else {
			at.Problem("write such as example.com", "domains: %q is not the domain of mail addresses", short(d))
		}
	}
	for n, d := range k.Directories {
		at, _ := v.Get("directories").At(fmt.Sprintf("[%d]", n))
		if _, ok := l.cfg.Connection(d); !ok && !l.partial {
			at.Problem(l.connectionNames(d), "directories: there is no connection %q", short(d))
		}
	}
	if at := v.Get("match"); slices.Contains(k.Match, key.MatchMail) && len(k.Domains) == 0 && v.Kind() == strict.Block {
		at.Problem("name the domains whose addresses this provider gives out: `domains: [example.com]`", "match: by `mail`, and no `domains`: anybody's address would do")
	}
	i.Newcomers = l.readNewcomers(name, v, k.Unknown, k.Create)
	return i
}

// requirements compiles `require`; nil without it, and with problems.
func (l *loader) requirements(v strict.Value, list []ruleText) *mapping.Requirements {
	var specs []mapping.TextSpec
	for _, text := range list {
		if text.Text != "" {
			specs = append(specs, mapping.TextSpec(text))
		}
	}
	if len(specs) == 0 {
		return nil
	}
	all, problems := mapping.CompileRequirements(specs)
	for _, p := range problems {
		v.Document().ProblemAt(p.Pos.Line, p.Pos.Column, p.Hint, "%s", p.Message)
	}
	return all
}

func (l *loader) connectionNames(wrong string) string {
	names := make([]string, len(l.cfg.Connections))
	for i := range l.cfg.Connections {
		names[i] = l.cfg.Connections[i].Name
	}
	return spelling.Suggest(wrong, names)
}

// readApplication reads one application; hosts are those that are taken, and by what.
func (l *loader) readApplication(name string, v strict.Value, s *Signin, hosts map[string]string) Application {
	k := applicationKeys{Audience: "both"}
	v.Into(&k)
	a := Application{Name: name, Providers: k.Providers, Audience: string(k.Audience), Headers: k.Headers, Auto: k.Auto}
	if at := v.Get("url"); at.Kind() == strict.Text {
		if a.URL = httpsHost(k.URL); a.URL == nil {
			at.Problem("write it as https://desk.example.com: without https a browser keeps no session", "url: %s is not https:// and a host, without a path", short(k.URL))
		} else if by, taken := hosts[a.URL.Host]; taken {
			at.Problem("each application has a host of its own", "url: %s is the host of %s", a.URL.Host, by)
		} else {
			hosts[a.URL.Host] = quoted("application", name)
		}
	}
	for n, p := range k.Providers {
		if !slices.ContainsFunc(s.Providers, func(i Identity) bool { return i.Name == p }) {
			at, _ := v.Get("providers").At(fmt.Sprintf("[%d]", n))
			var names []string
			for _, i := range s.Providers {
				names = append(names, i.Name)
			}
			at.Problem(spelling.Suggest(p, names), "providers: there is no provider %q", short(p))
		}
	}
	if at := v.Get("token_url"); at.Kind() == strict.Text {
		u, err := url.Parse(k.TokenURL)
		if err != nil || u.Scheme != "https" || u.User != nil || a.URL == nil || !strings.EqualFold(u.Host, a.URL.Host) {
			at.Problem("tokens go to the application itself", "token_url: %s is not https:// at the application's host", short(k.TokenURL))
		} else {
			a.TokenURL = u
		}
	}
	l.readHandOver(v, &k, &a)
	if at := v.Get("logout_url"); at.Kind() == strict.Text {
		u, err := url.Parse(k.LogoutURL)
		switch {
		case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
			at.Problem("write it as https://shop.example.com/signed-out; without https only at this machine", "logout_url: %s cannot be posted to", short(k.LogoutURL))
		case a.HandOver != handProxy && a.HandOver != handToken:
			at.Problem("remove it", "logout_url: an application with hand_over: %s takes no logout tokens", a.HandOver)
		default:
			a.LogoutURL = u
		}
	}
	checkHeaders(v.Get("headers"), k.Headers)
	return a
}

// checkHeaders refuses names that are none, and one name for two values: proxies would pass on either as who somebody is.
func checkHeaders(at strict.Value, h HeaderNames) {
	taken := map[string]bool{"x-dirsyncd-token": true}
	for _, name := range []string{cmp.Or(h.User, "Remote-User"), cmp.Or(h.Email, "Remote-Email"), cmp.Or(h.Name, "Remote-Name"), cmp.Or(h.Groups, "Remote-Groups")} {
		lower := strings.ToLower(name)
		switch {
		case strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			at.Problem("letters, digits and -: proxies drop others or take them for something else", "headers: %q cannot be the name of a header", short(name))
		case ownHeader(lower):
			at.Problem("choose a name that means nothing else, such as X-Auth-User", "headers: %q says something to browsers, proxies or servers already", short(name))
		case taken[lower]:
			at.Problem("give each of user, email, name and groups a name of its own; X-Dirsyncd-Token is that of the token", "headers: two values have the name %q", short(name))
		}
		taken[lower] = true
	}
}

// ownHeader reports whether a header's name, in lower case, has a meaning of its own in answers, in requests, or between two servers (RFC 9110
// section 7.6.1): a proxy would act on it in place of passing it on, or pass it on to the browser.
func ownHeader(name string) bool {
	for _, begin := range []string{"access-control-", "content-", "cross-origin-", "if-", "proxy-", "sec-", "x-accel-", "x-content-type-", "x-original-"} {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return slices.Contains([]string{
		"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", // of one connection
		"accept-ranges", "age", "allow", "alt-svc", "cache-control", "clear-site-data", "date", "etag", "expires", "last-modified", "link", "location", "pragma", "referrer-policy",
		"refresh", "retry-after", "server", "set-cookie", "strict-transport-security", "vary", "via", "warning", "www-authenticate", "x-frame-options", "x-sendfile", // of an answer
		"accept", "accept-encoding", "accept-language", "authorization", "cookie", "expect", "forwarded", "host", "max-forwards", "origin", "range", "referer", "user-agent", "x-forwarded-for",
		"x-forwarded-host", "x-forwarded-method", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-uri", "x-real-ip", // of a request
	}, name)
}

// shortestSecret is the shortest key of HS256, in bytes (RFC 7518 section 3.2). Zendesk makes the secret itself, longer than that.
const shortestSecret = 32

// readHandOver reads how an application is told who somebody is.
func (l *loader) readHandOver(v strict.Value, k *applicationKeys, a *Application) {
	a.HandOver, a.Secret, a.PrivateKey = string(k.HandOver), k.Secret, k.PrivateKey
	if a.HandOver == "" {
		a.HandOver = handProxy
		if k.TokenURL != "" {
			a.HandOver = handToken
		}
	}
	for _, key := range []struct {
		name          string
		needed, taken bool
	}{
		{"token_url", a.HandOver == handToken || a.HandOver == handFreshworks, a.HandOver != handProxy},
		{"secret", a.HandOver == handZendesk, a.HandOver == handZendesk},
		{"private_key", a.HandOver == handFreshworks, a.HandOver == handFreshworks},
	} {
		at := v.Get(key.name)
		switch given := at.Kind() != strict.None; {
		case key.needed && !given:
			v.KeyProblem("docs/sign-in.md says where it comes from", "hand_over: %s needs `%s`", a.HandOver, key.name)
		case !key.taken && given:
			at.Problem("remove it, or write another hand_over", "%s: it means nothing with hand_over: %s", key.name, a.HandOver)
		}
	}
	if n := len(k.Secret.Reveal()); a.HandOver == handZendesk && n > 0 && n < shortestSecret {
		v.Get("secret").Problem("copy the whole shared secret that Zendesk shows; where it was cut off or is old, let Zendesk make another one", "secret: it has %d bytes, and what signs tokens has %d at least", n, shortestSecret)
	}
	if at := v.Get("private_key"); a.HandOver == handFreshworks && k.PrivateKey.Reveal() != "" {
		if _, err := settings.RSAKey(k.PrivateKey); err != nil {
			at.Problem("make one with `openssl genrsa 2048`, and give Freshworks what `openssl rsa -pubout` prints of it", "private_key: %s", err)
		}
	}
	if a.HandOver == handZendesk && a.TokenURL == nil && a.URL != nil {
		a.TokenURL = a.URL.JoinPath("access", "jwt")
	}
}

// httpsHost reads an address of a host; nil when it is more or less than that.
func httpsHost(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(strings.TrimSuffix(u.Host, ":443"))}
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
