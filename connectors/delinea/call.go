package delinea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// The calls that are made, below the base path.
const (
	callQuery   = "/Redrock/query"
	callMembers = "/SaasManage/GetRoleMembers"
)

// nativeHeader keeps the service from taking a call for one that a foreign page has made a browser send.
const nativeHeader = "X-CENTRIFY-NATIVE-CLIENT"

// native sets that header.
type native struct {
	value string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (n native) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.value != "" {
		r = r.Clone(r.Context())
		r.Header.Set(nativeHeader, n.value)
	}
	return n.next.RoundTrip(r)
}

// envelope is around every answer. What went wrong stands in it, with status 200.
type envelope struct {
	Success   *bool           `json:"success"`
	Result    json.RawMessage `json:"Result"`
	Message   string          `json:"Message"`
	MessageID string          `json:"MessageID"`
	ErrorCode string          `json:"ErrorCode"`
	ErrorID   string          `json:"ErrorID"`
	Soft      bool            `json:"IsSoftError"`
}

// call asks for something and returns the Result. A token that the tenant refuses is replaced once.
func (c *Connector) call(ctx context.Context, path string, args any) (json.RawMessage, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: wordOf(path), Err: err}
	}
	for try := 1; ; try++ {
		token, err := c.tokens.Get(ctx, "")
		if err != nil {
			return nil, signInFault(err)
		}
		result, err := c.once(ctx, path, token, body)
		if try == 1 && fault.ClassOf(err) == fault.Auth {
			c.tokens.Drop(token)
			continue
		}
		return result, err
	}
}

func (c *Connector) once(ctx context.Context, path, token string, body []byte) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.root+path, bytes.NewReader(body))
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: wordOf(path), Where: c.host, Err: errors.New("the address cannot be used"), Hint: "look at url and base_path"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.refused(rest.Fault(wordOf(path), fault.Transient, err))
	}
	defer func() { _ = resp.Body.Close() }()
	return c.open(wordOf(path), rest.Bytes(resp))
}

// open takes the Result out of an answer.
func (c *Connector) open(op string, body []byte) (json.RawMessage, error) {
	var e envelope
	switch err := json.Unmarshal(body, &e); {
	case err != nil:
		return nil, c.invalid(op, "the answer is not the documented one")
	case e.Success == nil:
		return nil, c.invalid(op, "the answer does not say whether the call succeeded")
	case *e.Success:
		return e.Result, nil
	}
	return nil, c.failure(op, &e)
}

// failure is what a tenant says to a call that it took and did not do. It has no list of codes that is public, so its own words, which speak of
// the call, are quoted, and rights are known by what they say.
func (c *Connector) failure(op string, e *envelope) *fault.Error {
	f := &fault.Error{Class: fault.Invalid, Op: op, Where: c.host, Err: &refusal{quoted(e)},
		Hint: "the words are the tenant's own: of a column or table that it does not know, look at table, attributes and fields"}
	said := strings.ToLower(strings.Join([]string{e.Message, e.MessageID, e.ErrorCode}, " "))
	for _, word := range []string{"not authorized", "unauthorized", "not authorised", "permission", "access denied", "accessdenied", "forbidden"} {
		if strings.Contains(said, word) {
			f.Class, f.Hint = fault.Forbidden, hintRights
		}
	}
	if f.Class == fault.Invalid && e.Soft {
		f.Class, f.Hint = fault.Transient, "the tenant calls it a passing error"
	}
	return f
}

const (
	hintRights = "give the service user a role that may read users and roles, and let the client's scope allow Redrock/query and SaasManage/GetRoleMembers"
	hintToken  = "look at client_id and client_secret, at application and scope, and whether the service user is active and may ask for tokens by itself"
	hintPath   = "look at url, product, base_path and token_path: the tenant does not know the address"
)

// refusal is what a tenant says of a call.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// quoted is what a tenant says, on one line and not too much of it.
func quoted(e *envelope) string {
	const most = 200
	text := strings.Join(strings.Fields(e.Message), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	for _, code := range []string{e.MessageID, e.ErrorCode, e.ErrorID} {
		if code = strings.Join(strings.Fields(code), " "); code != "" && len(code) <= most {
			text += " [" + code + "]"
		}
	}
	if strings.TrimSpace(text) == "" {
		return "the call did not succeed, and the tenant does not say why"
	}
	return "the call did not succeed: " + strings.TrimSpace(text)
}

// refused adds what to do to an answer that is not 2xx.
func (c *Connector) refused(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Hint != "" {
		return err
	}
	again := *f
	switch f.Class {
	case fault.Auth:
		again.Hint = hintToken
	case fault.Forbidden:
		again.Hint = hintRights
		if c.cfg.NativeClient == "" {
			again.Hint = "set native_client: without that header calls are refused as forged. Else " + hintRights
		}
	case fault.Gone:
		again.Class, again.Hint = fault.Configuration, hintPath
	}
	return &again
}

// signInFault adds what to do to an error of the token endpoint.
func signInFault(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	again := *f
	switch f.Class {
	case fault.Auth:
		again.Hint = hintToken
	case fault.Gone, fault.Configuration:
		again.Class, again.Hint = fault.Configuration, hintPath
	}
	return &again
}

// invalid is an answer that is not what is documented.
func (c *Connector) invalid(op, format string, args ...any) *fault.Error {
	return &fault.Error{Class: fault.Invalid, Op: op, Where: c.host, Err: fmt.Errorf(format, args...),
		Hint: "nothing is concluded from such an answer; look for a proxy that changes answers, and at base_path and product"}
}

func wordOf(path string) string { return "call " + strings.TrimPrefix(path, "/") }

// nameOf is a request's word in metrics and errors. Paths hold no ids.
func nameOf(r *http.Request) string {
	for _, call := range []string{callQuery, callMembers} {
		if strings.HasSuffix(r.URL.Path, call) {
			return wordOf(call)
		}
	}
	return "get a token"
}
