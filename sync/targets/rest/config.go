package rest

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Config is the block `rest:` of a target: a place, described by data. A preset describes a product, and every key of it can be
// written over.
type Config struct {
	// Preset names the description to start from; see Presets.
	Preset string `yaml:"preset"`
	// URL is what stands before all paths.
	URL  string `yaml:"url"`
	Auth Auth   `yaml:"auth"`
	// Headers are sent with every request.
	Headers map[string]string `yaml:"headers"`
	// Names are what the operator chose at the place, such as the field of the mark. {names.X} stands for them in paths, bodies
	// and addresses; what needs one that is not given is left out (the mark, a way to search, a field).
	Names nameMap `yaml:"names"`

	rest.Network `yaml:",inline"`

	// Pages say how lists are read, unless a request says otherwise.
	Pages Pages `yaml:"pages"`
	// Errors say what answers mean, beyond their status. The first that holds decides.
	Errors errorRules `yaml:"errors"`
	// Self answers the account that we sign in with; it is never touched.
	Self *Request `yaml:"self"`
	// Unescape: the place shows texts with the marks of HTML (&amp;).
	Unescape bool  `yaml:"unescape"`
	Kinds    Kinds `yaml:"kinds"`
	// Rate is how many requests are sent a second, Parallel how many at a time.
	Rate     float64 `yaml:"rate"`
	Parallel int     `yaml:"parallel"`

	// Tried says on what a preset was tried, Source where its facts are from; both are for the reader.
	Tried  string `yaml:"tried"`
	Source string `yaml:"source"`
}

// Auth is how requests show who sends them: by a token, by a name and a password (RFC 7617), or by client credentials.
type Auth struct {
	Token settings.Secret `yaml:"token"`
	// Header takes the token, after Prefix.
	Header string `yaml:"header"`
	Prefix string `yaml:"prefix"`

	// User may be a key, where the place wants it there.
	User     settings.Secret `yaml:"user"`
	Password settings.Secret `yaml:"password"`

	OAuth *rest.ClientCredentials `yaml:"oauth"`
}

// Pages say how a list comes in parts.
type Pages struct {
	// By is page, offset, cursor, next, link or none.
	By string `yaml:"by"`
	// Page is the parameter of the page's number, the offset or the cursor; First the first number.
	Page  string `yaml:"page"`
	First *int   `yaml:"first"`
	// Size is the parameter of the number of things in a part, Per that number.
	Size string `yaml:"size"`
	Per  int    `yaml:"per"`
	// Next is the path of the next cursor, or of the next address; More that of whether there is more.
	Next string `yaml:"next"`
	More string `yaml:"more"`
	// Total is the path of how many there are, TotalHeader the header.
	Total       string `yaml:"total"`
	TotalHeader string `yaml:"total_header"`
}

// word is a text, or a number that is written as one.
type word string

// DecodeStrict reads a text or a whole number.
func (w *word) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Int || v.Kind() == strict.Bool {
		*w = word(v.Literal())
		return
	}
	if text, ok := v.Text(); ok {
		*w = word(text)
	}
}

// nameMap are the operator's names. Those of a preset are all that there are.
type nameMap map[string]word

// DecodeStrict reads names over those that are there.
func (m *nameMap) DecodeStrict(v strict.Value) {
	entries, _ := v.Entries()
	for _, e := range entries {
		if _, known := (*m)[e.Key]; len(*m) > 0 && !known {
			v.UnknownKey(e, sortedKeys(*m))
		}
	}
	*m = merged(v, *m)
}

type errorRules []ErrorRule

// DecodeStrict reads rules, which come before those that are there.
func (l *errorRules) DecodeStrict(v strict.Value) {
	var list []ErrorRule
	v.Into(&list)
	for _, r := range *l {
		if !slices.ContainsFunc(list, func(o ErrorRule) bool { return reflect.DeepEqual(o, r) }) {
			list = append(list, r)
		}
	}
	*l = list
}

func defaults() *Config {
	return &Config{
		Network: rest.Network{Timeout: settings.Duration(time.Minute)},
		Auth:    Auth{Header: "Authorization", Prefix: "Bearer "},
		Rate:    5, Parallel: 2,
	}
}

// DecodeStrict reads the block over the preset that it names.
func (c *Config) DecodeStrict(v strict.Value) {
	if name := v.Get("preset"); name.Kind() != strict.None {
		text, ok := name.Text()
		if ok && !loadPreset(c, text) {
			name.Problem("", "%s: there is no preset %q (known: %s)", name.Label(), text, strings.Join(Presets(), ", "))
		}
	}
	v.Into((*plainConfig)(c))
}

// plainConfig is Config as its fields are.
type plainConfig Config

// Validate reports what is wrong with the block.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		issues.Report("url", "write https://HOST/PATH, what stands before all paths", "is not an http or https URL")
	} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		issues.Report("url", "write https://HOST/PATH", "holds more than a host and a path")
	}
	c.Auth.validate(&issues)
	c.Network.Validate(issues.Report)
	c.Pages.validate(&issues, "pages")
	if c.Parallel < 1 || c.Parallel > 32 {
		issues.Report("parallel", "", "must be 1 to 32")
	}
	if !(c.Rate > 0 && c.Rate <= 1000) {
		issues.Report("rate", "write how many requests a second the place allows", "must be more than 0 and at most 1000")
	}
	if len(c.Kinds) == 0 {
		issues.Report("kinds", "name a preset ("+strings.Join(Presets(), ", ")+"), or describe the kinds", "is missing")
	}
	compile(c, issues.Report)
	return issues
}

// Advise warns of what others can read, and of what cannot be marked.
func (c *Config) Advise() (issues []settings.Issue) {
	p := compile(c, func(string, string, string, ...any) {}) // what is wrong was reported
	for _, kind := range p.order {
		if name := kind.String(); c.Kinds[name].Mark != nil && !p.kinds[kind].about.Marked {
			issues = append(issues, settings.Issue{
				Path: "names", Message: fmt.Sprintf("what is made of %s records gets no mark, because the field for it is not named", name),
				Hint: "docs/rest.md says which field to make at the place, and how it is named here; without a mark, whoever may have been made when an answer was lost waits for a human",
			})
		}
	}
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "http" && !rest.Loopback(u.Hostname()) {
		issues = append(issues, settings.Issue{Path: "url", Message: "people's data and the token go to " + u.Hostname() + " in clear text", Hint: "write https://"})
	}
	return issues
}

func (a *Auth) validate(issues *settings.Issues) {
	ways := 0
	for _, given := range []bool{!a.Token.IsZero(), !a.User.IsZero(), a.OAuth != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		issues.Report("auth", "give token, user and password, or oauth", "says not how to sign in")
	case ways > 1:
		issues.Report("auth", "give one of them", "has more than one of token, user and oauth")
	}
	if !a.User.IsZero() && a.Password.IsZero() {
		issues.Report("auth.password", "write {credential: NAME}, {file: PATH} or {env: NAME}", "is missing")
	}
	if a.Header == "" || strings.ContainsAny(a.Header, " :\r\n") {
		issues.Report("auth.header", "write Authorization", "is not the name of a header")
	}
	if a.OAuth != nil {
		a.OAuth.Validate(func(path, hint, format string, args ...any) { issues.Report("auth.oauth."+path, hint, format, args...) })
	}
}

func (p *Pages) validate(issues *settings.Issues, at string) {
	ways := []string{"page", "offset", "cursor", "next", "link", "none"}
	by := cmp.Or(p.By, "none")
	switch {
	case !slices.Contains(ways, by):
		issues.Report(at+".by", "", "unknown word %q (known: %s)", p.By, strings.Join(ways, ", "))
	case p.Page == "" && slices.Contains([]string{"page", "offset", "cursor"}, by):
		issues.Report(at+".page", "write the name of the parameter", "is missing")
	case p.Next == "" && (by == "cursor" || by == "next"):
		issues.Report(at+".next", "write the path of the next cursor or address in the answer", "is missing")
	}
	if p.Per < 0 || p.Per > 10000 || p.Size != "" && p.Per == 0 {
		issues.Report(at+".per", "", "must be 1 to 10000")
	}
	for key, text := range map[string]string{"next": p.Next, "more": p.More, "total": p.Total} {
		if _, err := parsePath(text); text != "" && err != nil {
			issues.Report(at+"."+key, "", "%s", err)
		}
	}
}
