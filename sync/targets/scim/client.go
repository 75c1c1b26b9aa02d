package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

// client speaks to one service. It may be used by many goroutines.
type client struct {
	base   string // without a slash at its end
	host   string
	token  settings.Secret
	tokens *tokens.Cache // nil with a token that stays
	// What changes something is sent once: whether to send it again is for the delivery, which looks first.
	reads, writes *http.Client
}

func newClient(c *Config, env targets.Env) (*client, error) {
	network, err := rest.NewBase(c.Network)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open target", Err: errors.New("url cannot be used")}
	}
	pace := rest.NewBucket(rest.BucketOptions{Rate: c.Rate, Burst: 1, Slowest: 0.1, Now: env.Now})
	through := func(attempts int) *http.Client {
		return &http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.ReadOnly{Name: nameOf, Next: rest.NewTransport(rest.Options{
			Base: network, Hosts: []string{u.Host}, Name: nameOf, Explain: explain, Pace: pace, Attempts: attempts, Empty: true,
		})}}
	}
	cl := &client{base: strings.TrimRight(c.URL, "/"), host: u.Host, token: c.Token, reads: through(0), writes: through(1)}
	if c.OAuth != nil {
		cl.tokens = c.OAuth.Tokens(&http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.NewTransport(rest.Options{
			Base: network, Hosts: []string{c.OAuth.Host()}, Name: func(*http.Request) string { return "POST token" }, MaxBody: 1 << 20,
		})}, env.Now)
	}
	return cl, nil
}

// nameOf is a request's word in errors: the method and the kind of resource, without ids and values.
func nameOf(r *http.Request) string {
	for _, kind := range []string{"Users", "Groups", "ServiceProviderConfig"} {
		if i := strings.LastIndex(r.URL.Path, "/"+kind); i >= 0 {
			return r.Method + " " + kind
		}
	}
	return r.Method
}

// mediaType is that of SCIM (RFC 7644 section 8.1).
const mediaType = "application/scim+json"

// answer is a whole answer: of a success without a body, an empty one.
type answer struct {
	status int
	body   resource
	etag   string
}

// send makes one request. in is the body, or nil. A token that the service refuses is replaced once.
func (c *client) send(ctx context.Context, method, path string, in any, header http.Header) (answer, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return answer{}, &fault.Error{Class: fault.Internal, Op: method, Err: err}
		}
	}
	for try := 1; ; try++ {
		token := c.token.Reveal()
		if c.tokens != nil {
			var err error
			if token, err = c.tokens.Get(ctx, ""); err != nil {
				return answer{}, err
			}
		}
		a, err := c.once(ctx, method, path, body, token, header)
		if c.tokens != nil && try == 1 && fault.ClassOf(err) == fault.Auth {
			c.tokens.Drop(token)
			continue
		}
		return a, err
	}
}

func (c *client) once(ctx context.Context, method, path string, body []byte, token string, header http.Header) (answer, error) {
	op := method + " " + strings.Trim(strings.SplitN(path, "?", 2)[0], "/")
	if i := strings.IndexByte(op[len(method)+1:], '/'); i >= 0 {
		op = op[:len(method)+1+i]
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return answer{}, &fault.Error{Class: fault.Internal, Op: op, Err: errors.New("the address cannot be made")}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", mediaType+", application/json")
	req.Header.Set("User-Agent", "dirsyncd") // some services refuse requests without one
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	way := c.writes
	if method == http.MethodGet {
		way = c.reads
	}
	resp, err := way.Do(req)
	if err != nil {
		return answer{}, rest.Fault(op, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode, etag: resp.Header.Get("ETag")}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, rest.Fault(op, fault.Transient, err)
	}
	if len(data) == 0 {
		return a, nil
	}
	decode := json.NewDecoder(bytes.NewReader(data))
	decode.UseNumber()
	if err := decode.Decode(&a.body); err != nil {
		return answer{}, &fault.Error{Class: fault.Transient, Op: op, Where: c.host, Err: errors.New("the answer is not a JSON object"), Hint: "check url"}
	}
	return a, nil
}

// explain classifies an answer that is not a success. Only refusals of what was sent quote what the service says.
func explain(a *rest.Answer) *fault.Error {
	f := rest.Classify(a)
	r := &rest.Refusal{Status: a.Status}
	var body struct {
		Type   string `json:"scimType"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(a.Body, &body) == nil {
		r.Type = rest.Printable(body.Type)
		if f.Class == fault.Invalid || f.Class == fault.Conflict {
			r.Text = rest.Printable(body.Detail)
		}
	}
	f.Err = r
	switch a.Status {
	case http.StatusConflict:
		// Uniqueness (RFC 7644 section 3.3), by whatever scimType.
		f.Class, f.Err = fault.Invalid, errors.Join(r, targets.ErrExists)
	case http.StatusUnauthorized:
		f.Hint = "the service does not take the token: renew it"
	case http.StatusForbidden:
		f.Hint = "the token's account must be allowed to read and to write users and groups"
	case http.StatusNotFound:
		f.Hint = "is url the base of the service, without /Users?"
	}
	if r.Type == "uniqueness" && a.Status != http.StatusConflict {
		f.Class, f.Err = fault.Invalid, errors.Join(r, targets.ErrExists)
	}
	return f
}

func refusalOf(err error) *rest.Refusal {
	var r *rest.Refusal
	if errors.As(err, &r) {
		return r
	}
	return &rest.Refusal{}
}

// page is a part of a list (RFC 7644 section 3.4.2).
type page struct {
	total     int // -1: not said
	resources []resource
}

// list asks for resources of a kind. query has what is asked beside.
func (c *client) list(ctx context.Context, kind string, query url.Values) (page, error) {
	a, err := c.send(ctx, http.MethodGet, "/"+kind+"?"+query.Encode(), nil, nil)
	if err != nil {
		return page{}, err
	}
	schemas, _ := a.body.at("schemas")
	items, _ := a.body.at("Resources")
	list, isList := items.([]any)
	named, _ := schemas.([]any)
	p := page{total: -1}
	if total, ok := number(a.body, "totalResults"); ok {
		p.total = total
	}
	if p.total < 0 && !isList && !slices.Contains(named, any("urn:ietf:params:scim:api:messages:2.0:ListResponse")) {
		return page{}, &fault.Error{Class: fault.Transient, Op: "GET " + kind, Where: c.host, Err: errors.New("the answer is no list of SCIM resources"), Hint: "check url"}
	}
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			p.resources = append(p.resources, m)
		}
	}
	return p, nil
}

func number(r resource, name string) (int, bool) {
	v, _ := r.at(name)
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i >= 0
}

// get reads one resource.
func (c *client) get(ctx context.Context, kind, id string, query url.Values) (answer, error) {
	path := "/" + kind + "/" + url.PathEscape(id)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	a, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err == nil && a.body.text("id") != id {
		return answer{}, &fault.Error{Class: fault.Transient, Op: "GET " + kind, Where: c.host, Err: errors.New("the answer is not the resource that was asked for")}
	}
	return a, err
}

// quoted is a text as a filter has it (RFC 7644 section 3.4.2.2: as in JSON).
func quoted(text string) string {
	var b bytes.Buffer
	encode := json.NewEncoder(&b)
	encode.SetEscapeHTML(false)
	_ = encode.Encode(text) // a text always can be
	return strings.TrimSpace(b.String())
}
