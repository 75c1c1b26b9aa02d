package csp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// api asks one JSON service in the name of one tenant. It may be used by many goroutines.
type api struct {
	root   *url.URL
	http   *http.Client
	tokens *tokens.Cache
}

// apiOptions say how a service is reached.
type apiOptions struct {
	root    *url.URL
	base    http.RoundTripper
	pace    rest.Pace
	env     connectors.Env
	tune    tuning
	tokens  *tokens.Cache
	explain func(*rest.Answer) *fault.Error
	name    func(*http.Request) string
}

func newAPI(o apiOptions) *api {
	transport := rest.NewTransport(rest.Options{
		Base: o.base, Requested: o.env.Requested, Hosts: []string{o.root.Host}, Name: o.name, Explain: o.explain, Pace: o.pace,
		Sleep: o.tune.sleep, Patience: o.tune.patience,
	})
	client := &http.Client{Transport: transport, CheckRedirect: rest.NoRedirects}
	return &api{root: o.root, http: client, tokens: o.tokens}
}

// resolve reads an address that the service wrote. It must lead to where requests go anyway: a token goes with it.
func (a *api) resolve(op, text, prefix string) (*url.URL, error) {
	relative := strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") // Partner Center's are
	if relative {
		text = a.root.Scheme + "://" + a.root.Host + text
	}
	u, err := rest.Link(a.root, op, text)
	// It leaves the version out of some of them, and not of others.
	if err == nil && relative && !strings.HasPrefix(u.Path, prefix+"/") {
		u.Path = prefix + u.Path
	}
	return u, err
}

// get fetches a document. A token that is refused is replaced once.
func (a *api) get(ctx context.Context, op string, u *url.URL, header http.Header, into any) error {
	for again := false; ; again = true {
		token, err := a.tokens.Get(ctx, "")
		if err != nil {
			return err
		}
		body, err := a.send(ctx, op, u, header, token)
		class := fault.ClassOf(err)
		if class == fault.Auth || class == fault.Forbidden {
			a.tokens.Drop(token)
		}
		if err != nil && (again || class != fault.Auth) {
			return err
		}
		if err != nil {
			continue
		}
		if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), into); err != nil {
			return odd(op, a.root.Host, errors.New("the answer is not the document that was expected, or was cut short"))
		}
		return nil
	}
}

func (a *api) send(ctx context.Context, op string, u *url.URL, header http.Header, token string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: op, Err: errors.New("an address that cannot be asked")}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		if ctxErr := context.Cause(ctx); ctxErr != nil {
			return nil, ctxErr
		}
		return nil, rest.Fault(op, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return rest.Bytes(resp), nil
}

// odd is an answer with less, or other, than there should be. It is never taken for a complete one.
func odd(op, host string, err error) error {
	return &fault.Error{
		Class: fault.Transient, Op: op, Where: host, Err: err,
		Hint: "nothing was removed on its account; if it stays so, look for a proxy or firewall that rewrites answers",
	}
}

// maxPages ends a listing that does not end: the pages of 2000 customers are ten.
const maxPages = 10_000

// pages calls one for every page of a listing until it returns no next address. An address that comes twice ends
// with an error.
func pages(ctx context.Context, op, host, first string, one func(ctx context.Context, key string) (next string, err error)) error {
	seen := map[string]bool{}
	for key := first; key != ""; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if seen[key] || len(seen) >= maxPages {
			return odd(op, host, fmt.Errorf("the list does not end: the service sent a link that was followed before, or more than %d pages", maxPages))
		}
		seen[key] = true
		next, err := one(ctx, key)
		if err != nil {
			return err
		}
		key = next
	}
	return nil
}

// whole returns a list only when it was read to its end.
func whole[T any](list []T, invalid []error, err error) ([]T, []error, error) {
	if err != nil {
		return nil, nil, err
	}
	return list, invalid, nil
}
