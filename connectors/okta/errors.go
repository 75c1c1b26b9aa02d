package okta

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

const (
	hintDPoP = "the app demands proof of possession: in the app, General, Client Credentials, turn off `Require Demonstrating Proof of Possession (DPoP) header in token requests`"

	hintToken = "make a new API token in Security, API, Tokens, as a service account with the role Read-only Administrator: " +
		"tokens die with the account that made them, and after 30 days without use"
	hintApp = "look at the service app: it must be active, and hold the public half of private_key (see key_id)"

	hintRights = "an administrator of the org must grant it: for an API token the role Read-only Administrator for the account that made it; " +
		"for a service app the scope under Okta API Scopes and that role under Admin roles"
)

// document is what the org answers when something is wrong (Okta, Error codes; RFC 6749 section 5.2).
type document struct {
	Code        string `json:"errorCode"`
	Summary     string `json:"errorSummary"`
	OAuth       string `json:"error"`
	Description string `json:"error_description"`
}

// refusal is what the org says to a request that it understood.
type refusal struct {
	status int
	code   string
}

func (e *refusal) Error() string { return fmt.Sprintf("%d %s", e.status, e.code) }

// aboutOne reports whether an error is about the one thing that was asked for, as far as an answer can tell.
func aboutOne(err error) bool {
	var e *refusal
	switch {
	case errors.Is(err, errNoMember):
		return true
	case !errors.As(err, &e):
		return false
	}
	switch fault.ClassOf(err) {
	case fault.Invalid, fault.Gone, fault.Forbidden:
		return e.status == http.StatusBadRequest || e.status == http.StatusForbidden || e.status == http.StatusNotFound
	default:
		return false
	}
}

// errNoMember is an entry of a list of members that names nobody. Left out, somebody would seem to have left.
var errNoMember = errors.New("a member has no id")

// explain classifies an answer that is not 2xx by its error code. Texts of the org are quoted only where they
// speak of the request itself; others can name people.
func (c *Connector) explain(a *rest.Answer) *fault.Error {
	var d document
	_ = json.Unmarshal(a.Body, &d) // what is not JSON is classified by its status
	d.OAuth = cmp.Or(d.OAuth, challenge(a.Header))
	switch {
	case a.Status == http.StatusTooManyRequests:
		return c.throttled(a)
	case d.Code == "" && d.OAuth == "":
		return nil
	}
	f := rest.Classify(a)
	f.Err = &refusal{a.Status, cmp.Or(d.Code, d.OAuth)}
	switch {
	case strings.Contains(d.OAuth, "dpop"):
		f.Class, f.Hint = fault.Configuration, hintDPoP
	case d.OAuth == "invalid_scope":
		f.Class = fault.Forbidden
		f.Err = fmt.Errorf("%w: a scope is not granted to the app (%s)", f.Err, strings.Join(c.cfg.scopes(), " "))
		f.Hint = "grant them in the service app under Okta API Scopes, or name those that are granted as scopes"
	case d.OAuth == "insufficient_scope", a.Status == http.StatusForbidden:
		f.Class, f.Hint = fault.Forbidden, hintRights
	case d.OAuth != "" && a.Status/100 == 4:
		f.Class, f.Hint = fault.Auth, c.hintCredentials()
		f.Err = quoting(f.Err, d.Description)
	case d.Code == "E0000015":
		f.Class, f.Hint = fault.Forbidden, "the org's licence does not include it: turn it off in the configuration, or ask Okta"
	case a.Status == http.StatusUnauthorized:
		f.Class, f.Hint = fault.Auth, c.hintCredentials()
	case a.Status == http.StatusBadRequest:
		f.Class = fault.Invalid
		f.Err = quoting(f.Err, d.Summary)
		if c.cfg.Users != (UsersConfig{}) || c.cfg.Groups.Filter != "" {
			f.Hint = "look at users.filter, users.search and groups.filter: filter takes few attributes and only eq, search takes any"
		}
	}
	return f
}

func (c *Connector) hintCredentials() string {
	if c.tokens != nil {
		return hintApp
	}
	return hintToken
}

// throttled says how long to wait. The end of the window is given in the org's time. With a limit of 0 too many
// requests were under way at once, by all tools together: the header's time is then a guess, and waiting a
// little is better.
func (c *Connector) throttled(a *rest.Answer) *fault.Error {
	f := rest.Classify(a)
	if strings.TrimSpace(a.Header.Get("X-Rate-Limit-Limit")) == "0" {
		f.Err = errors.New("429: the org has too many requests under way at once")
		f.Hint = "lower parallel if it goes on"
		return f
	}
	f.Err = errors.New("429: the rate limit of the org is used up")
	f.Hint = "lower share if other tools of the org suffer; their administrators see who uses what in Reports, Rate Limits"
	if wait, ok := untilReset(a.Header, c.clock); ok && f.After == 0 {
		f.After = wait + time.Second
	}
	return f
}

// challenge returns the error word of a WWW-Authenticate header (RFC 6750 section 3), or "".
func challenge(h http.Header) string {
	for _, part := range strings.FieldsFunc(h.Get("WWW-Authenticate"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if word, ok := strings.CutPrefix(part, `error="`); ok {
			return strings.TrimSuffix(word, `"`)
		}
	}
	return ""
}

// quoting adds the org's own words, on one line and not too many.
func quoting(err error, text string) error {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return err
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Errorf("%w: %s", err, text)
}

// invalid is an answer that is not what the documentation says.
func (c *Connector) invalid(op, format string, args ...any) *fault.Error {
	return &fault.Error{
		Class: fault.Invalid, Op: op, Where: c.host, Err: fmt.Errorf(format, args...),
		Hint: "nothing is concluded from such an answer; look for a proxy or gateway that changes answers, else tell the makers of this program",
	}
}
