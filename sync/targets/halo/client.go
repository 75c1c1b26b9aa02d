package halo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
	"dirsyncd/sync/targets"
)

// client speaks to one desk. It may be used by many goroutines.
type client struct {
	cfg    Config
	base   string // without a slash at its end
	host   string
	tokens *tokens.Cache
	// What changes something is sent once: whether to send it again is for the delivery, which looks first.
	reads, writes, signIn *http.Client

	mu   sync.Mutex
	auth string // where tokens come from, once the desk has said so
	// tenant is the name at the sign-in.
	tenant string
}

func newClient(cfg *Config, env targets.Env) (*client, error) {
	network, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open target", Err: errors.New("url cannot be used")}
	}
	now := env.Now
	if now == nil {
		now = time.Now
	}
	pace := rest.NewBucket(rest.BucketOptions{Rate: cfg.Rate, Burst: 1, Slowest: 0.1, Now: now})
	through := func(attempts int) *http.Client {
		return &http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.ReadOnly{Name: nameOf, Next: rest.NewTransport(rest.Options{
			Base: network, Hosts: []string{u.Host}, Name: nameOf, Explain: explain, Pace: pace, Attempts: attempts,
		})}}
	}
	cl := &client{cfg: *cfg, base: strings.TrimRight(cfg.URL, "/"), host: u.Host, reads: through(0), writes: through(1)}
	hosts := []string{u.Host}
	if cfg.AuthURL != "" {
		hosts = append(hosts, rest.Host(cfg.AuthURL))
	}
	cl.signIn = &http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.NewTransport(rest.Options{
		Base: network, Hosts: hosts, Name: func(*http.Request) string { return "POST token" }, MaxBody: 1 << 20,
	})}
	cl.tokens = tokens.New(tokens.Options{Now: now, Fetch: func(ctx context.Context, _ string) (tokens.Token, error) {
		grant, err := cl.grant(ctx)
		if err != nil {
			return tokens.Token{}, err
		}
		return grant.Fetch(ctx, cl.signIn, now)
	}})
	return cl, nil
}

// grant is how to get a token here: the desk says where, and which tenant it is (GET /api/authinfo, which takes no token). The
// tenant goes into the address and into the form: clients of the vendor's API differ in where they put it.
func (c *client) grant(ctx context.Context) (*rest.ClientCredentials, error) {
	auth, tenant, err := c.signInAt(ctx)
	if err != nil {
		return nil, err
	}
	g := &rest.ClientCredentials{
		TokenURL: auth + "/token", ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret, Scope: c.cfg.Scope,
	}
	if tenant != "" {
		g.TokenURL += "?" + url.Values{"tenant": {tenant}}.Encode()
		g.Form = url.Values{"tenant": {tenant}}
	}
	return g, nil
}

func (c *client) signInAt(ctx context.Context) (auth, tenant string, err error) {
	c.mu.Lock()
	auth, tenant = c.auth, c.tenant
	c.mu.Unlock()
	if auth != "" {
		return auth, tenant, nil
	}
	auth, tenant = c.cfg.AuthURL, c.cfg.Tenant
	if auth == "" || tenant == "" {
		said, known, err := c.authInfo(ctx)
		if err != nil {
			return "", "", err
		}
		switch host := rest.Host(said.text("auth_url")); {
		case auth != "":
		case !known || said.text("auth_url") == "":
			auth = c.base + "/auth"
		case host != c.host:
			return "", "", &fault.Error{
				Class: fault.Configuration, Op: "get a token", Where: c.host, Err: fmt.Errorf("the desk says that tokens come from another host, %s", rest.Printable(host)),
				Hint: "if that is so, write auth_url: the client's secret goes there",
			}
		default:
			auth = said.text("auth_url")
		}
		if tenant == "" {
			tenant = said.text("tenant_id")
		}
	}
	auth = strings.TrimRight(auth, "/")
	c.mu.Lock()
	c.auth, c.tenant = auth, tenant
	c.mu.Unlock()
	return auth, tenant, nil
}

// authInfo asks where to sign in. A desk that does not answer that has its sign-in at /auth.
func (c *client) authInfo(ctx context.Context) (info object, known bool, err error) {
	v, err := c.once(ctx, http.MethodGet, "authinfo", nil, nil, "")
	switch class := fault.ClassOf(err); {
	case err == nil:
		info, known = v.(map[string]any)
		return info, known, nil
	case class == fault.Gone || class == fault.Auth || class == fault.Forbidden || class == fault.Invalid:
		return nil, false, nil
	default:
		return nil, false, err
	}
}

// nameOf is a request's word in errors: the method and the resource, without ids.
func nameOf(r *http.Request) string {
	_, path, _ := strings.Cut(r.URL.Path, "/api/")
	resource, id, _ := strings.Cut(path, "/")
	if id == "me" {
		resource += "/me"
	}
	return r.Method + " " + resource
}

// read asks for something. The answer is an object, a list or a text.
func (c *client) read(ctx context.Context, path string, query url.Values) (any, error) {
	return c.send(ctx, http.MethodGet, path, query, nil)
}

// write makes or changes one thing: a POST takes a list always, and the answer to a list of one is an object, or a list of one.
// An answer without an id is a refusal, with whatever status.
func (c *client) write(ctx context.Context, path string, body object) (object, error) {
	v, err := c.send(ctx, http.MethodPost, path, nil, []object{body})
	if err != nil {
		return nil, err
	}
	if list, is := objectsOf(v); is && len(list) == 1 {
		v = map[string]any(list[0])
	}
	answer, _ := v.(map[string]any)
	if object(answer).text("id") != "" && object(answer).text("id") != "0" {
		return answer, nil
	}
	op := http.MethodPost + " " + path
	text := said(v)
	if text == "" {
		return nil, &fault.Error{Class: fault.Transient, Op: op, Where: c.host, Err: errors.New("the answer names no id")}
	}
	return nil, refusal(&fault.Error{Class: fault.Invalid, Op: op, Where: c.host}, http.StatusOK, text)
}

// send makes one request. A token that the desk refuses is replaced once.
func (c *client) send(ctx context.Context, method, path string, query url.Values, in any) (any, error) {
	for try := 1; ; try++ {
		token, err := c.tokens.Get(ctx, "")
		if err != nil {
			return nil, err
		}
		v, err := c.once(ctx, method, path, query, in, token)
		if try == 1 && fault.ClassOf(err) == fault.Auth {
			c.tokens.Drop(token)
			continue
		}
		return v, err
	}
}

func (c *client) once(ctx context.Context, method, path string, query url.Values, in any, token string) (any, error) {
	resource, _, _ := strings.Cut(path, "/")
	op := method + " " + resource
	var reader io.Reader
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, &fault.Error{Class: fault.Internal, Op: op, Err: err}
		}
		reader = bytes.NewReader(body)
	}
	address := c.base + "/api/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: op, Err: errors.New("the address cannot be made")}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "dirsyncd")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	way := c.writes
	if method == http.MethodGet {
		way = c.reads
	}
	resp, err := way.Do(req)
	if err != nil {
		return nil, rest.Fault(op, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	v, err := rest.Document(rest.Bytes(resp))
	if err != nil {
		return nil, &fault.Error{Class: fault.Transient, Op: op, Where: c.host, Err: errors.New("the answer is not JSON"), Hint: "check url"}
	}
	return v, nil
}

// said is what an answer that is a refusal says: it comes in five shapes.
func said(v any) string {
	switch v := v.(type) {
	case string:
		return rest.Printable(v)
	case map[string]any:
		for _, name := range []string{"errorMessage", "Message", "message", "error_description", "error"} {
			if text := textOf(v[name]); text != "" {
				return rest.Printable(text)
			}
		}
	}
	return ""
}

// taken reports whether a refusal says that another thing has a value. That something is closed already, or out of use, is none of it.
func taken(text string) bool {
	lower := strings.ToLower(text)
	_, after, already := strings.Cut(lower, "already")
	held := func(word string) bool { return strings.Contains(after, " "+word) }
	return strings.Contains(lower, "duplicate") || strings.Contains(lower, "must be unique") ||
		already && slices.ContainsFunc([]string{"exist", "in use", "used", "taken", "assigned", "registered", "linked", "has ", "have "}, held)
}

// refusal finishes the error of a refusal: one that says that something is there already is told apart.
func refusal(f *fault.Error, status int, text string) *fault.Error {
	f.Err = &rest.Refusal{Status: status, Text: text}
	if taken(text) {
		f.Err = errors.Join(f.Err, targets.ErrExists)
	}
	return f
}

// explain classifies an answer that is not a success. Only refusals of what was sent quote what the desk says.
func explain(a *rest.Answer) *fault.Error {
	f := rest.Classify(a)
	text := ""
	if f.Class == fault.Invalid || f.Class == fault.Conflict {
		f.Class = fault.Invalid
		if v, err := rest.Document(a.Body); err == nil {
			text = said(v)
		} else {
			text = rest.Printable(string(a.Body))
		}
	}
	f = refusal(f, a.Status, text)
	switch a.Status {
	case http.StatusUnauthorized:
		f.Hint = "the desk does not take the token: is the application active, and its agent?"
	case http.StatusForbidden:
		f.Hint = "the application's agent lacks a permission, or the application a scope (scope of the target)"
	case http.StatusNotFound:
		f.Hint = "is url the address of the desk?"
	}
	return f
}

// page is a part of a list.
type page struct {
	total int // -1: not said
	rows  []object
}

// list asks for rows: in an envelope with their number, or a bare list.
func (c *client) list(ctx context.Context, path, envelope string, query url.Values) (page, error) {
	v, err := c.read(ctx, path, query)
	if err != nil {
		return page{}, err
	}
	if rows, bare := objectsOf(v); bare {
		return page{total: -1, rows: rows}, nil
	}
	answer, _ := v.(map[string]any)
	rows, is := object(answer).objects(envelope)
	total, counted := object(answer).number("record_count")
	switch {
	case !is && (!counted || total > 0) || counted && total < 0:
		err := errors.New("the answer is no list")
		if text := said(v); text != "" {
			err = &rest.Refusal{Status: http.StatusOK, Text: text}
		}
		return page{}, &fault.Error{Class: fault.Transient, Op: "GET " + path, Where: c.host, Err: err}
	case !counted:
		total = -1
	}
	return page{total: total, rows: rows}, nil
}

// pages is the query of the nth page of a list; a list without an envelope comes whole. The vendor spells it so, and without that
// word every page is the first one.
func pages(envelope string, n, size int, beside map[string]string) url.Values {
	q := url.Values{}
	if envelope != "" {
		q = url.Values{"pageinate": {"true"}, "page_size": {strconv.Itoa(size)}, "page_no": {strconv.Itoa(n)}, "order": {"id"}}
	}
	for k, v := range beside {
		q.Set(k, v)
	}
	return q
}
