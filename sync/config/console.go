package config

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Console is what operators see in a browser.
type Console struct {
	Users  []ConsoleUser  // sorted by name
	Signin *ConsoleSignin // nil: nobody signs in at a provider
}

// ConsoleSignin is who may use it of those who sign in (signin). Whoever may decide may look.
type ConsoleSignin struct {
	Providers []string
	// Operators and Readers are by a field of their records, or "key", and values of it.
	Operators, Readers map[string][]string
}

// ConsoleApp is the name under which sign-in knows the console.
const ConsoleApp = "console"

// ConsoleUser is somebody who may use it.
type ConsoleUser struct {
	Name string
	Role string // reader or operator
	// Token is what they show to come in, at least shortestToken bytes.
	Token settings.Secret
}

// shortestToken is what nobody guesses, in bytes: 128 bits as base32 or hex.
const shortestToken = 26

type consoleKeys struct {
	Users  signinBlock `yaml:"users"`
	Signin signinBlock `yaml:"signin"`
}

type consoleSigninKeys struct {
	Providers []string            `yaml:"providers" strict:"required"`
	Operators map[string][]string `yaml:"operators"`
	Readers   map[string][]string `yaml:"readers"`
}

// consoleRole is the word of what somebody may do.
type consoleRole string

// DecodeStrict implements strict.Decoder.
func (r *consoleRole) DecodeStrict(v strict.Value) { choose(v, r, "reader", "operator") }

type consoleUserKeys struct {
	Role  consoleRole     `yaml:"role" strict:"required"`
	Token settings.Secret `yaml:"token" strict:"required"`
}

// readConsole reads `console:`; nil without it.
func (l *loader) readConsole(v strict.Value) *Console {
	if v.Kind() == strict.None {
		return nil
	}
	var k consoleKeys
	v.Into(&k)
	if v.Kind() != strict.Block {
		return nil
	}
	if l.cfg.Web == nil {
		v.KeyProblem("write where browsers reach it, `web: {url: https://sync.example.com, listen: 127.0.0.1:9443, proxies: [127.0.0.1]}`", "console: there is no `web:`")
	}
	c := &Console{}
	for _, e := range l.section([]strict.Value{k.Users.Value}, "user", checkName) {
		u := e.Value.In(quoted("user", e.Key))
		var own consoleUserKeys
		u.Into(&own)
		at := u.Get("token")
		switch token := own.Token.Reveal(); {
		case token == "": // said already, or not to be seen by who checks
		case len(token) < shortestToken:
			at.Problem("make one with `openssl rand -base64 32`", "token: it is too short to be safe, %d of at least %d bytes", len(token), shortestToken)
		case token != strings.TrimSpace(token):
			at.Problem("remove the blanks around it", "token: nobody can type it")
		case slices.ContainsFunc(c.Users, func(o ConsoleUser) bool { return o.Token.Equal(own.Token) }):
			at.Problem("give everybody a token of their own", "token: somebody else has the same")
		}
		c.Users = append(c.Users, ConsoleUser{Name: e.Key, Role: string(own.Role), Token: own.Token})
	}
	slices.SortFunc(c.Users, func(a, b ConsoleUser) int { return strings.Compare(a.Name, b.Name) })
	if k.Signin.Kind() != strict.None {
		var own consoleSigninKeys
		k.Signin.Into(&own)
		if len(own.Operators)+len(own.Readers) == 0 && k.Signin.Kind() == strict.Block {
			k.Signin.KeyProblem("say who, such as `operators: {role: [Administrator]}`", "console.signin: nobody may use it")
		}
		c.Signin = &ConsoleSignin{Providers: own.Providers, Operators: own.Operators, Readers: own.Readers}
	} else if len(c.Users) == 0 {
		v.KeyProblem("write `users`, each with a role and a token, or `signin`", "console: nobody may use it")
	}
	return c
}

// checkConsole looks at what the console says of sign-in, after that was read.
func (l *loader) checkConsole(v strict.Value) {
	if l.cfg.Console == nil || l.cfg.Console.Signin == nil {
		return
	}
	at := v.Get("signin")
	if l.cfg.Signin == nil {
		at.KeyProblem("write `signin` with the providers, or give people tokens with `users`", "console.signin: there is no `signin`")
		return
	}
	var names []string
	for i := range l.cfg.Signin.Providers {
		names = append(names, l.cfg.Signin.Providers[i].Name)
	}
	for n, p := range l.cfg.Console.Signin.Providers {
		if !slices.Contains(names, p) {
			item, _ := at.Get("providers").At(fmt.Sprintf("[%d]", n))
			item.Problem(spelling.Suggest(p, names), "console.signin.providers: there is no provider %q", short(p))
		}
	}
	for i := range l.cfg.Signin.Apps {
		if l.cfg.Signin.Apps[i].Name == ConsoleApp {
			at.KeyProblem("give that application another name", "console.signin: an application is called %q", ConsoleApp)
		}
	}
}
