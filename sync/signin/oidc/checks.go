package oidc

import (
	"strings"
	"time"

	"dirsyncd/sync/signin"
)

// checks collects what was looked at in one sign-in.
type checks struct {
	now  time.Time
	list []signin.Check
}

// that notes a check and returns the refusal when it does not hold. found has no secrets and no personal data.
func (c *checks) that(name string, ok bool, found string, reason signin.Reason, text, hint string) *signin.Refusal {
	c.list = append(c.list, signin.Check{Name: name, OK: ok, Found: found})
	if ok {
		return nil
	}
	return c.refuse(reason, text, hint)
}

// personal notes what may be personal beside the check before.
func (c *checks) personal(value string) {
	if n := len(c.list); n > 0 {
		c.list[n-1].Value = bounded(value)
	}
}

func (c *checks) refuse(reason signin.Reason, text, hint string) *signin.Refusal {
	return &signin.Refusal{Reason: reason, Text: text, Hint: hint, Checks: c.list}
}

// bounded is a text from outside, short and without what could disturb a terminal or a log.
func bounded(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
