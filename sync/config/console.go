package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Console is what operators see in a browser.
type Console struct {
	Users []ConsoleUser // sorted by name
}

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
	Users signinBlock `yaml:"users" strict:"required"`
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
	return c
}
