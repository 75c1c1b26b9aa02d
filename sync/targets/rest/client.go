package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
	"dirsyncd/sync/targets"
)

// client speaks to one place. It may be used by many goroutines.
type client struct {
	cfg    *Config
	place  *place
	base   *url.URL
	tokens *tokens.Cache // nil without client credentials
	now    func() time.Time
	// What changes something is sent once: whether to send it again is for the delivery, which looks first.
	reads, writes *http.Client
}

// call says in a request's context what it is.
type call struct {
	word   string // "create user"
	writes bool
	search bool // a POST that reads
	silent bool // a success says nothing: what it has done is read afterwards
}

type callKey struct{}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

func wordIn(r *http.Request) string { return callOf(r.Context()).word }

func searches(r *http.Request) bool { return r.Method == http.MethodPost && callOf(r.Context()).search }

// silence makes the empty success of a POST one that may be empty (RFC 9110 section 15.3.5), where its answer is not needed.
type silence struct{ next http.RoundTripper }

func (s silence) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil && resp.StatusCode/100 == 2 && resp.ContentLength == 0 && callOf(r.Context()).silent {
		resp.StatusCode = http.StatusNoContent
	}
	return resp, err
}

func newClient(cfg *Config, p *place, env targets.Env) (*client, error) {
	network, err := rest.NewBase(cfg.Network)
	if err != nil {
		return nil, err
	}
	return newClientOver(network, cfg, p, env)
}

// newClientOver makes a client that sends its requests by something.
func newClientOver(network http.RoundTripper, cfg *Config, p *place, env targets.Env) (*client, error) {
	u, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open target", Err: errors.New("url cannot be used")}
	}
	pace := rest.NewBucket(rest.BucketOptions{Rate: cfg.Rate, Burst: 1, Slowest: 0.1, Now: env.Now})
	through := func(attempts int) *http.Client {
		return &http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.ReadOnly{Name: wordIn, Reads: searches, Next: rest.NewTransport(rest.Options{
			Base: silence{network}, Hosts: []string{u.Host}, Name: wordIn, Explain: p.explain, Pace: pace, Attempts: attempts, Empty: true,
		})}}
	}
	cl := &client{cfg: cfg, place: p, base: u, now: env.Now, reads: through(0), writes: through(1)}
	if cfg.Auth.OAuth != nil {
		cl.tokens = cfg.Auth.OAuth.Tokens(&http.Client{CheckRedirect: rest.NoRedirects, Transport: rest.NewTransport(rest.Options{
			Base: network, Hosts: []string{cfg.Auth.OAuth.Host()}, Name: func(*http.Request) string { return "POST token" }, MaxBody: 1 << 20,
		})}, env.Now)
	}
	return cl, nil
}

// do makes one request of the description. Its body is what the description says, with into as what is to be written.
func (c *client) do(ctx context.Context, kind directory.RecordKind, r *request, v values, members []string, into func(body any) any) (*answer, error) {
	w := call{word: wordOf(kind, r)}
	maps.Copy(v, c.place.names)
	address, err := v.address(r.address)
	var body any
	if err == nil {
		if contains(r, "random") {
			v["random"] = rand.Text()
		}
		body, err = v.body(r.body, members)
	}
	if err != nil {
		return nil, &fault.Error{Class: fault.Invalid, Op: w.word, Where: c.base.Host, Err: err}
	}
	if into != nil {
		body = into(body)
	}
	w.search = r.method == http.MethodPost && reading(r)
	w.writes = !reading(r)
	w.silent = w.writes && r.word != wordCreate
	target, err := c.base.Parse(c.base.EscapedPath() + address)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: w.word, Err: errors.New("the address cannot be made")}
	}
	return c.send(context.WithValue(ctx, callKey{}, w), w, r.method, target, body)
}

func contains(r *request, name string) bool {
	for _, n := range names(r.body) {
		if n == name {
			return true
		}
	}
	return false
}

func reading(r *request) bool {
	switch r.word {
	case wordOfList, wordGet, wordFind, wordMembers, wordBusy, wordSelf:
		return true
	default:
		return r.method == http.MethodGet // a look-up
	}
}

func wordOf(kind directory.RecordKind, r *request) string {
	if kind == 0 {
		return r.word
	}
	return r.word + " " + kind.String()
}

// send makes one request. A token that the place refuses is replaced once.
func (c *client) send(ctx context.Context, w call, method string, target *url.URL, in any) (*answer, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, &fault.Error{Class: fault.Internal, Op: w.word, Err: err}
		}
	}
	for try := 1; ; try++ {
		token := c.cfg.Auth.Token.Reveal()
		if c.tokens != nil {
			var err error
			if token, err = c.tokens.Get(ctx, ""); err != nil {
				return nil, err
			}
		}
		a, err := c.once(ctx, w, method, target, body, token)
		if c.tokens != nil && try == 1 && fault.ClassOf(err) == fault.Auth {
			c.tokens.Drop(token)
			continue
		}
		return a, err
	}
}

func (c *client) once(ctx context.Context, w call, method string, target *url.URL, body []byte, token string) (*answer, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), reader)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: w.word, Err: errors.New("the address cannot be made")}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "dirsyncd")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.cfg.Headers {
		req.Header.Set(name, value)
	}
	if token != "" {
		req.Header.Set(c.cfg.Auth.Header, c.cfg.Auth.Prefix+token)
	} else {
		login := c.cfg.Auth.User.Reveal() + ":" + c.cfg.Auth.Password.Reveal()
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
	}
	way := c.reads
	if w.writes {
		way = c.writes
	}
	resp, err := way.Do(req)
	if err != nil {
		return nil, rest.Fault(w.word, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		a.body, err = rest.Document(data)
	}
	if err != nil {
		return nil, &fault.Error{Class: fault.Transient, Op: w.word, Where: c.base.Host, Err: errors.New("the answer is not JSON"), Hint: "check url"}
	}
	word, _, _ := strings.Cut(w.word, " ")
	if f := c.place.judge(word, a); f != nil {
		f.Op, f.Where = w.word, c.base.Host
		if f.After == 0 {
			f.After = rest.RetryAfter(resp.Header, c.now())
		}
		return nil, f
	}
	return a, nil
}
