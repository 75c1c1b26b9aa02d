package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/fault"
)

// step is what the network does with one request.
type step struct {
	code   int
	body   string
	header http.Header
	cut    bool  // the body breaks off
	err    error // there is no answer
	note   func(*http.Request)
}

func (s step) answer(r *http.Request) (*http.Response, error) {
	if s.note != nil {
		s.note(r)
	}
	if s.err != nil {
		return nil, s.err
	}
	body := io.Reader(strings.NewReader(s.body))
	if s.cut {
		body = io.MultiReader(body, failing{})
	}
	return &http.Response{StatusCode: s.code, Header: s.header, Request: r, Body: io.NopCloser(body)}, nil
}

func status(code int, body string, header ...string) step {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return step{code: code, body: body, header: h}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answers makes a transport whose network takes the steps in turn, the last one for ever. Waits are noted instead of
// waited.
func answers(o Options, steps ...step) (*Transport, *int, *[]time.Duration) {
	sent, waits := 0, []time.Duration(nil)
	o.Base = roundTrip(func(r *http.Request) (*http.Response, error) {
		next := steps[min(sent, len(steps)-1)]
		sent++
		return next.answer(r)
	})
	if o.Hosts == nil {
		o.Hosts = []string{"graph.test"}
	}
	if o.Sleep == nil {
		o.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	}
	return NewTransport(o), &sent, &waits
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func get(t *testing.T, tr *Transport, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), nil
}

func TestRepeats(t *testing.T) {
	good := status(200, `{"value":[]}`)
	type network = []step
	cut := status(200, `{"value":[`)
	cut.cut = true
	for name, tc := range map[string]struct {
		network network
		sent    int
		class   fault.Class
	}{
		"an answer":                   {network{good}, 1, ""},
		"a throttled one":             {network{status(429, "{}"), good}, 2, ""},
		"every kind of server error":  {network{status(500, ""), status(502, "<html>", "Content-Type", "text/html"), status(503, ""), status(504, ""), good}, 5, ""},
		"a closed connection":         {network{{err: io.EOF}, good}, 2, ""},
		"a cut body":                  {network{cut, good}, 2, ""},
		"an empty 200":                {network{status(200, ""), good}, 2, ""},
		"a portal's page":             {network{status(200, "<html>", "Content-Type", "text/html"), good}, 2, ""},
		"an empty 200 that stays":     {network{status(200, "")}, 5, fault.Transient},
		"a cut body that stays":       {network{cut}, 5, fault.Transient},
		"throttled for good":          {network{status(429, "{}")}, 5, fault.Throttled},
		"a wait beyond the patience":  {network{status(429, "{}", "Retry-After", "150")}, 1, fault.Throttled},
		"credentials":                 {network{status(401, "{}")}, 1, fault.Auth},
		"a permission":                {network{status(403, "{}")}, 1, fault.Forbidden},
		"nothing there":               {network{status(404, "{}")}, 1, fault.Gone},
		"a bad request":               {network{status(400, "{}")}, 1, fault.Invalid},
		"not implemented":             {network{status(501, "{}")}, 1, fault.Invalid},
		"a redirect is not followed":  {network{status(302, "", "Location", "https://evil.test/")}, 1, fault.Configuration},
		"no content is no empty list": {network{status(204, "")}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr, sent, _ := answers(Options{}, tc.network...)
			_, err := get(t, tr, "https://graph.test/v1.0/users")
			if got := fault.ClassOf(err); got != tc.class {
				t.Errorf("class %q, want %q: %v", got, tc.class, err)
			}
			if *sent != tc.sent {
				t.Errorf("%d requests, want %d", *sent, tc.sent)
			}
		})
	}
}

func TestWaitsAsTold(t *testing.T) {
	now := time.Now()
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "-3": 0, "NaN": 0, "soon": 0, "1e300": 30 * 24 * time.Hour,
		now.Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
	} {
		got := RetryAfter(http.Header{"Retry-After": {text}}, now)
		if (got-want).Abs() > time.Second && text != "0.5" || text == "0.5" && got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	tr, _, waits := answers(Options{}, status(429, "{}", "Retry-After", "3"), status(503, "", "Retry-After", "0.5"), status(500, ""), status(200, "{}"))
	if _, err := get(t, tr, "https://graph.test/"); err != nil {
		t.Fatal(err)
	}
	if w := *waits; len(w) != 3 || w[0] != 3*time.Second || w[1] != 500*time.Millisecond || w[2] < time.Second || w[2] > 2*time.Second {
		t.Errorf("waited %v", w)
	}
}

func TestForeignHost(t *testing.T) {
	tr, sent, _ := answers(Options{}, status(200, "{}"))
	for _, url := range []string{"https://evil.test/v1.0/users?$skiptoken=x", "https://graph.test:444/", "https://graph.test.evil.test/"} {
		_, err := get(t, tr, url)
		if fault.ClassOf(err) != fault.Invalid || *sent != 0 {
			t.Errorf("%s: %v after %d requests", url, err, *sent)
		}
		if err != nil && strings.Contains(err.Error(), "skiptoken") {
			t.Errorf("the error quotes the link: %v", err)
		}
	}
}

func TestBodyIsSentAgain(t *testing.T) {
	var got []string
	note := func(next step) step {
		next.note = func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = append(got, string(body))
		}
		return next
	}
	tr, _, _ := answers(Options{}, note(status(503, "")), note(status(200, "{}")))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://graph.test/token", strings.NewReader("grant_type=x"))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if fmt.Sprint(got) != "[grant_type=x grant_type=x]" {
		t.Errorf("sent %q", got)
	}
}

// rewound is the one reader of a request's body; GetBody goes back to its beginning, as those of SDKs do.
type rewound struct{ *bytes.Reader }

func (rewound) Close() error { return nil }

// late reads the bodies of all attempts after the last one was made, as package http may.
type late struct{ bodies []io.Reader }

func (l *late) RoundTrip(req *http.Request) (*http.Response, error) {
	l.bodies = append(l.bodies, req.Body)
	if len(l.bodies) < 3 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// TestAttemptsShareNoBody: an attempt that failed may still be sending when the next one begins.
func TestAttemptsShareNoBody(t *testing.T) {
	const text = "grant_type=client_credentials"
	base := &late{}
	tr := NewTransport(Options{Base: base, Hosts: []string{"service.test"}, Sleep: func(context.Context, time.Duration) error { return nil }})
	one := rewound{bytes.NewReader([]byte(text))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://service.test/token", one)
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = func() (io.ReadCloser, error) {
		_, err := one.Seek(0, io.SeekStart)
		return one, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for i, body := range base.bodies {
		if sent, err := io.ReadAll(body); string(sent) != text || err != nil {
			t.Errorf("attempt %d sent %q, %v", i+1, sent, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = w.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}))
	defer server.Close()
	base, err := NewBase(Network{})
	if err != nil {
		t.Fatal(err)
	}
	defer base.CloseIdleConnections()
	tr := NewTransport(Options{Base: base, Hosts: []string{strings.TrimPrefix(server.URL, "http://")}, MaxBody: 1 << 16})
	if _, err := get(t, tr, server.URL); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("larger than the limit once it is unpacked: %v", err)
	}
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: status(200, "").header, Request: r, Body: io.NopCloser(hanging{r.Context()})}, nil
		})
		tr := NewTransport(Options{Base: base, Hosts: []string{"graph.test"}, Attempts: 2})
		began := time.Now()
		_, err := get(t, tr, "https://graph.test/")
		if fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), "stopped in the middle") {
			t.Errorf("a body that hangs: %v", err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("gave up after %s", took)
		}
	})
}

type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr, sent, _ := answers(Options{Sleep: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return context.Cause(ctx)
	}}, status(503, ""))
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://graph.test/", nil)
	resp, err := tr.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || *sent != 1 {
		t.Errorf("%v after %d requests", err, *sent)
	}
}

func TestObservesEveryRequest(t *testing.T) {
	var seen atomic.Int32
	requested := func(_ context.Context, request string, _ time.Time, _ error) {
		if request == "GET /v1.0/users" {
			seen.Add(1)
		}
	}
	tr, sent, _ := answers(Options{Requested: requested}, status(503, ""), status(200, "{}"))
	if _, err := get(t, tr, "https://graph.test/v1.0/users?secret=1"); err != nil || int(seen.Load()) != *sent || *sent != 2 {
		t.Errorf("saw %d of %d requests: %v", seen.Load(), *sent, err)
	}
}

func TestFaultThroughAClient(t *testing.T) {
	tr, _, _ := answers(Options{Explain: func(a *Answer) *fault.Error {
		return &fault.Error{Class: fault.Auth, Err: errors.New(string(a.Body)), Hint: "renew the secret"}
	}}, status(400, "AADSTS7000222"))
	client := &http.Client{Transport: tr}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.test/token?client_assertion=SECRET", nil)
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("no error")
	}
	err = Fault("sign in", fault.Transient, fmt.Errorf("the SDK says: %w", err))
	if want := "GET /token: graph.test: AADSTS7000222 (renew the secret)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	plain := Fault("sign in", fault.Transient, errors.New("odd"))
	if fault.ClassOf(plain) != fault.Transient || plain.Error() != "sign in: odd" {
		t.Errorf("an unclassified error: %v", plain)
	}
	if Fault("x", fault.Internal, nil) != nil {
		t.Error("no error became one")
	}
}
