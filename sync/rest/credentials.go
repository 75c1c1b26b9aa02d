package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest/tokens"
	"dirsyncd/sync/settings"
)

// ClientCredentials is the part of a configuration that gets access tokens by the client credentials grant (RFC 6749
// section 4.4).
type ClientCredentials struct {
	TokenURL     string          `yaml:"token_url"`
	ClientID     string          `yaml:"client_id"`
	ClientSecret settings.Secret `yaml:"client_secret"`
	// Scope is a list with blanks between; empty: what the service gives by itself.
	Scope string `yaml:"scope"`
	// Method is how the client says who it is, in the words of RFC 7591: client_secret_post, which is the default, or
	// client_secret_basic.
	Method string `yaml:"method"`
	// Form is sent beside, for services that want more; nobody writes it into a configuration.
	Form url.Values `yaml:"-"`
	// Unescaped sends what client_secret_basic says as it is, for services that do not undo the escaping of RFC 6749 section 2.3.1; nobody writes
	// it into a configuration.
	Unescaped bool `yaml:"-"`
}

const basicMethod = "client_secret_basic"

// Validate reports what is wrong with the block.
func (c *ClientCredentials) Validate(report settings.Reporter) {
	if u, err := url.Parse(c.TokenURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		report("token_url", "write https://HOST/PATH", "is not an http or https URL")
	}
	if c.ClientID == "" {
		report("client_id", "", "is missing")
	}
	if c.ClientSecret.IsZero() {
		report("client_secret", "write {credential: NAME}, {file: PATH} or {env: NAME}", "is missing")
	}
	switch c.Method {
	case "", "client_secret_post", basicMethod:
	default:
		report("method", "write client_secret_post or client_secret_basic", "must be one of two words")
	}
}

// Host is where the tokens come from, for Options.Hosts.
func (c *ClientCredentials) Host() string { return Host(c.TokenURL) }

// Tokens makes a cache of tokens that are asked for through a client.
func (c *ClientCredentials) Tokens(client *http.Client, now func() time.Time) *tokens.Cache {
	return tokens.New(tokens.Options{Now: now, Fetch: func(ctx context.Context, _ string) (tokens.Token, error) {
		return c.Fetch(ctx, client, now)
	}})
}

// Fetch asks for one token through a client. Errors are classified: what the service says of the client is fault.Auth.
func (c *ClientCredentials) Fetch(ctx context.Context, client *http.Client, now func() time.Time) (tokens.Token, error) {
	const op = "get a token"
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.Scope != "" {
		form.Set("scope", c.Scope)
	}
	for name, values := range c.Form {
		form[name] = values
	}
	if c.Method != basicMethod {
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", c.ClientSecret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens.Token{}, &fault.Error{Class: fault.Configuration, Op: op, Err: errors.New("token_url cannot be used")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	switch {
	case c.Method == basicMethod && c.Unescaped:
		req.SetBasicAuth(c.ClientID, c.ClientSecret.Reveal())
	case c.Method == basicMethod:
		req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret.Reveal()))
	}
	resp, err := client.Do(req)
	if err != nil {
		return tokens.Token{}, refusedClient(Fault(op, fault.Transient, err))
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token   string      `json:"access_token"`
		Type    string      `json:"token_type"`
		Expires json.Number `json:"expires_in"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || answer.Token == "" || answer.Type != "" && !strings.EqualFold(answer.Type, "bearer") {
		return tokens.Token{}, &fault.Error{
			Class: fault.Configuration, Op: op, Where: c.Host(), Err: errors.New("the answer holds no bearer token"), Hint: "check token_url",
		}
	}
	t := tokens.Token{Value: answer.Token}
	if seconds, err := answer.Expires.Int64(); err == nil && seconds > 0 {
		t.Expires = now().Add(time.Duration(min(seconds, 365*24*3600)) * time.Second)
	}
	return t, nil
}

// refusedClient says what a refusal of a token endpoint means (RFC 6749 section 5.2): with whatever status, the client is
// not known, or not as it should be.
func refusedClient(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	switch f.Class {
	case fault.Invalid, fault.Auth, fault.Forbidden:
		return &fault.Error{
			Class: fault.Auth, Op: "get a token", Where: f.Where, Err: fmt.Errorf("the service refuses the client: %w", f.Err),
			Hint: "check client_id, client_secret and scope",
		}
	default:
		return f
	}
}
