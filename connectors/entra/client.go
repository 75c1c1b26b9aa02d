package entra

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// ClientOptions say how one tenant's Graph is reached. Graph, Base and Credential are needed.
type ClientOptions struct {
	// Graph is the service's address without a version: https://graph.microsoft.com.
	Graph string
	// Base sends the requests; see rest.NewBase. Many clients may share one.
	Base http.RoundTripper
	// Credential signs in to the tenant. Many clients may share one.
	Credential *Credential
	// Pace holds requests back; nil sends at once.
	Pace *Pace
	// Env is told of every request.
	Env connectors.Env
	// Patience is how long one request may wait in all between its attempts; see rest.Options.
	Patience time.Duration
	// Stale is after how many pages in a row without anything new a listing counts as one that does not end;
	// 0 is 1000.
	Stale int
}

// Client speaks to the Graph of one tenant. It may be used by many goroutines. Making one costs little and does
// no I/O.
type Client struct {
	graph    *url.URL
	requests requests
	http     *http.Client
	tokens   *tokens.Cache
	pace     *Pace
	stale    int
	now      func() time.Time
	// retries is the beginning of those for parts of a batch.
	retries rest.Retries
}

// NewClient makes a client.
func NewClient(o ClientOptions) (*Client, error) {
	root, err := url.Parse(strings.ToLower(strings.TrimRight(o.Graph, "/"))) // the service's links are in small letters
	if err != nil || root.Host == "" {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open graph", Err: errors.New("graph is not an address")}
	}
	if o.Env.Now == nil {
		o.Env.Now = time.Now
	}
	if o.Stale == 0 {
		o.Stale = 1000
	}
	options := rest.Options{
		Base: o.Base, Requested: o.Env.Requested, Sleep: o.Env.Sleep, Hosts: []string{root.Host}, Name: opOf, Explain: explainGraph,
		Patience: o.Patience,
	}
	if o.Pace != nil {
		options.Pace = o.Pace
	}
	return &Client{
		graph: root, requests: newRequests(root.String()), pace: o.Pace, stale: o.Stale, now: o.Env.Now,
		retries: rest.Retries{Patience: o.Patience, Sleep: o.Env.Sleep},
		http:    &http.Client{Transport: rest.NewTransport(options), CheckRedirect: rest.NoRedirects},
		tokens:  o.Credential.Tokens(root.Scheme+"://"+root.Host+"/.default", o.Env.Now),
	}, nil
}

// idSegment is a part of a path that is an id and not a word.
var idSegment = regexp.MustCompile(`/[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}`)

// opOf names a request by its path without ids.
func opOf(r *http.Request) string {
	path := idSegment.ReplaceAllString(r.URL.Path, "/{id}")
	path = strings.TrimSuffix(path, "()")
	_, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/") // after the version
	if !ok {
		rest = path
	}
	if strings.Contains(r.URL.RawQuery, "signInActivity") {
		rest += " with signInActivity"
	}
	return r.Method + " " + rest
}

// get fetches one address. prefer is a preference for the answer's form, or empty.
func (c *Client) get(ctx context.Context, u *url.URL, prefer string) ([]byte, error) {
	return c.call(ctx, http.MethodGet, u, prefer, nil)
}

// call makes a request, which may be sent more than once. A document goes with it unless it is nil.
func (c *Client) call(ctx context.Context, method string, u *url.URL, prefer string, document []byte) ([]byte, error) {
	claims := ""
	for again := false; ; again = true {
		token, err := c.tokens.Get(ctx, claims)
		if err != nil {
			return nil, err
		}
		body, err := c.send(ctx, method, u, prefer, token, document)
		g, refused := asGraph(err)
		if !refused || g.Status != http.StatusUnauthorized && g.Status != http.StatusForbidden {
			return body, err
		}
		if g.challenge == "" || again {
			c.tokens.Drop(token)
		}
		// Once: with the claims that the service asks for, or with a fresh token in place of one that was
		// withdrawn. A missing permission is not mended by asking again; the next run has a new token.
		if again || g.Status == http.StatusForbidden {
			return nil, refusedThough(token, err)
		}
		claims = g.challenge
	}
}

func (c *Client) send(ctx context.Context, method string, u *url.URL, prefer, token string, document []byte) ([]byte, error) {
	var body io.Reader = http.NoBody
	if document != nil {
		body = bytes.NewReader(document)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: "make a request", Err: errors.New("an address that cannot be asked")}
	}
	req.URL = u // as the service wrote it, not as package url writes it
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if document != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// Work in the background gives way to what people wait for.
	req.Header.Set("x-ms-throttle-priority", "low")
	if prefer != "" {
		req.Header.Set("Prefer", prefer)
	}
	if u.Query().Has("$count") { // the directory counts only for who is content with a number that can be behind
		req.Header.Set("ConsistencyLevel", "eventual")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctxErr := context.Cause(ctx); ctxErr != nil {
			return nil, ctxErr
		}
		return nil, rest.Fault(opOf(req), fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return rest.Bytes(resp), nil
}
