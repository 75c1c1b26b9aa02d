// Package rest is the one HTTP transport of connectors and targets that speak to REST services. It stands under the vendors'
// SDKs, as the http.RoundTripper of their clients, and takes from them what each does in its own way: retrying,
// waiting, and saying what went wrong.
//
// What comes out of it is either a whole answer of the service or a *fault.Error. An SDK never sees an answer
// that was throttled, cut short, empty, or written by something that is not the service (a portal's HTML page);
// the ways in which the SDKs lose people over those answers are closed here, once.
//
// # Brakes
//
// Three things hold requests back, each with one owner: fairness between tenants is the engine's (its tenant queue),
// the pace of a service is a Pace (Bucket where the service has no better word for what is left), and trying again is
// Retries. A request meets them in this order:
//
//	tenant queue > Retries > Pace > the Base: a tenant's transport > the limit of requests at a time > the wire
//
// Every attempt takes from the pace, also one that repeats a request, because services count them all. An answer that
// says "too much" is heard once, by the Pace that its request took from; Retries only wait as long as it asks. What
// waited for that long finds the pace refilled, so that no wait is taken twice; a wait that is given up gives back what
// it was for. Waits hold no place on the wire, and Sleep tells the tenant queue of them: a tenant that waits keeps no
// other waiting, and its wait is not taken for slowness. A Base may refuse to send (ErrNotSent: csp's breaker, for a
// tenant that hangs); then nothing is tried again and no request is counted.
package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

// Options say how a Transport works. Base and Hosts are needed.
type Options struct {
	// Base sends the requests; see NewBase.
	Base http.RoundTripper
	// Requested is told of every request on the wire: its word, when it began, and how it ended. Nil: nobody listens.
	Requested func(ctx context.Context, request string, began time.Time, err error)
	// Hosts are those that requests may go to, as in URL.Host (with the port when the address has one). A
	// link that leads elsewhere is refused before anything is sent: it would carry the credentials away.
	Hosts []string
	// Name is a request's word in metrics and errors, such as "GET users". It must hold no id and no secret.
	// Nil: the method and the path.
	Name func(*http.Request) string
	// Explain classifies an answer that is not 2xx. It returns nil for what it does not know better than
	// Classify. The error's Op and Where are filled in by the transport when they are empty.
	Explain func(*Answer) *fault.Error
	// Pace is asked before every request on the wire and told of every answer; nil sends at once.
	Pace Pace
	// MaxBody is the size in bytes, after decompression, beyond which an answer is refused; 0 is 64 MiB.
	MaxBody int64
	// Attempts and Patience are those of the Retries of each request.
	Attempts int
	Patience time.Duration
	// Empty: a success of PUT, PATCH and DELETE may have no body.
	Empty bool
	// Silence is how long an answer may pause in the middle before it counts as cut short; 0 is a minute.
	Silence time.Duration
	// Sleep waits between attempts; nil is a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Pace holds requests back so that a service's quota is not used up. It is used by many goroutines.
type Pace interface {
	// Wait returns when the request may be sent, or with the context's error.
	Wait(ctx context.Context, req *http.Request) error
	// Learn looks at an answer of any status. It must not keep the header.
	Learn(req *http.Request, status int, header http.Header)
}

// Answer is what a service answered when it did not do what was asked.
type Answer struct {
	Op     string // the request's word
	Host   string
	Status int
	Header http.Header
	Body   []byte // as far as it could be read
}

// Transport is an http.RoundTripper that sends, paces, repeats and judges. Each request may be sent more than once: one that
// changes something goes through a transport with one attempt. It may be used by many goroutines.
type Transport struct{ o Options }

// NewTransport makes a transport.
func NewTransport(o Options) *Transport {
	if o.Name == nil {
		o.Name = func(r *http.Request) string { return r.Method + " " + r.URL.Path }
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Silence == 0 {
		o.Silence = time.Minute
	}
	return &Transport{o}
}

// RoundTrip sends a request until it has a whole answer or an error that repeating cannot mend. The answer's
// body is in memory. Every error is a *fault.Error or the context's own.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	op := t.o.Name(req)
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if !slices.Contains(t.o.Hosts, req.URL.Host) {
		return nil, &fault.Error{
			Class: fault.Invalid, Op: op, Where: req.URL.Host,
			Err:  fmt.Errorf("a link of the service leads to this host, which is not among the configured (%s)", strings.Join(t.o.Hosts, ", ")),
			Hint: "nothing was sent there; if the service has really moved, change the address in the configuration",
		}
	}
	body, err := bodyOf(req)
	if err != nil {
		return nil, &fault.Error{Class: fault.Internal, Op: op, Where: req.URL.Host, Err: err}
	}
	retries := Retries{Attempts: t.o.Attempts, Patience: t.o.Patience, Sleep: t.o.Sleep}
	for {
		resp, err := t.attempt(req, op, body)
		if err == nil {
			return resp, nil
		}
		if err := retries.Wait(req.Context(), err); err != nil {
			return nil, err
		}
	}
}

// bodyOf reads what goes with a request, nil when nothing does. It is small. Each attempt has a reader of its own:
// package http may still be sending the body of an attempt that has failed, and the GetBody of an SDK rewinds the one
// reader that it has.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	return io.ReadAll(req.Body)
}

// attempt sends once.
func (t *Transport) attempt(req *http.Request, op string, body []byte) (*http.Response, error) {
	ctx := req.Context()
	if t.o.Pace != nil {
		if err := t.o.Pace.Wait(ctx, req); err != nil {
			return nil, err
		}
	}
	once := req.Clone(ctx)
	if body != nil {
		// Package http itself sends once more on a fresh connection when the one that it took had been closed.
		once.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		once.Body, _ = once.GetBody()
	}
	began := time.Now()
	resp, err := t.exchange(once, op)
	if t.o.Requested != nil && !errors.Is(err, ErrNotSent) {
		t.o.Requested(ctx, op, began, err)
	}
	return resp, err
}

// exchange is one request and its whole answer.
func (t *Transport) exchange(req *http.Request, op string) (*http.Response, error) {
	ctx, hangUp := context.WithCancelCause(req.Context())
	defer hangUp(nil)
	resp, err := t.o.Base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, unreachable(op, req, err)
	}
	silent := fmt.Errorf("the answer stopped in the middle for %s", t.o.Silence)
	watch := time.AfterFunc(t.o.Silence, func() { hangUp(silent) })
	body, err := io.ReadAll(io.LimitReader(&attentive{resp.Body, watch, t.o.Silence}, t.o.MaxBody+1))
	watch.Stop()
	if err != nil && errors.Is(context.Cause(ctx), silent) {
		err = silent
	}
	_ = resp.Body.Close() // it was read to its end or is given up; the connection is reused only when it was read
	if t.o.Pace != nil {
		t.o.Pace.Learn(req, resp.StatusCode, resp.Header)
	}
	answer := &Answer{Op: op, Host: req.URL.Host, Status: resp.StatusCode, Header: resp.Header, Body: body}
	switch {
	case resp.StatusCode/100 != 2:
		return nil, t.judge(answer)
	case err != nil:
		return nil, unreachable(op, req, fmt.Errorf("the answer was cut short: %w", err))
	case int64(len(body)) > t.o.MaxBody:
		return nil, &fault.Error{
			Class: fault.Invalid, Op: op, Where: req.URL.Host,
			Err: fmt.Errorf("the answer is larger than %d MiB", t.o.MaxBody>>20), Hint: "ask for smaller pages",
		}
	}
	if f := foreign(answer); f != nil && !(t.o.Empty && len(body) == 0 && mayBeEmpty(req.Method)) {
		return nil, f
	}
	resp.Body, resp.ContentLength = &memory{data: body}, int64(len(body))
	return resp, nil
}

// judge classifies an answer that is not a success.
func (t *Transport) judge(a *Answer) *fault.Error {
	var f *fault.Error
	if t.o.Explain != nil {
		f = t.o.Explain(a)
	}
	if f == nil {
		f = Classify(a)
	}
	if f.Op == "" {
		f.Op = a.Op
	}
	if f.Where == "" {
		f.Where = a.Host
	}
	return f
}

// foreign returns an error for a 2xx answer that is not the service's: an empty one where there must be a
// document, or one in another format. The SDKs take the first for an empty list.
func foreign(a *Answer) *fault.Error {
	if a.Status == http.StatusNoContent {
		return nil
	}
	var cause string
	switch kind := a.Header.Get("Content-Type"); {
	case len(a.Body) == 0:
		cause = fmt.Sprintf("the answer %d is empty", a.Status)
	case !strings.Contains(kind, "json"):
		cause = fmt.Sprintf("the answer %d is %q, not JSON", a.Status, kind)
	default:
		return nil
	}
	return &fault.Error{
		Class: fault.Transient, Op: a.Op, Where: a.Host, Err: errors.New(cause),
		Hint: "if it stays so, look for a proxy, portal or firewall that answers in the service's place",
	}
}

func mayBeEmpty(method string) bool {
	return method == http.MethodPut || method == http.MethodPatch || method == http.MethodDelete
}

// unreachable classifies a failure of the connection.
func unreachable(op string, req *http.Request, err error) error {
	if req.Context().Err() != nil {
		return context.Cause(req.Context())
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	return &fault.Error{Class: fault.Transient, Op: op, Where: req.URL.Host, Err: err, Hint: certificateHint(err)}
}

// Fault returns the classified error inside what an SDK made of it, without the address that package http wraps
// around it: an address can carry a token. The end of the context comes back as it is; what nobody classified
// becomes an error of the given class and operation. It returns nil for nil.
func Fault(op string, class fault.Class, err error) error {
	var f *fault.Error
	var u *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &u):
		err = u.Err
	}
	return &fault.Error{Class: class, Op: op, Err: err}
}

// attentive puts the alarm off with every piece that arrives.
type attentive struct {
	from    io.Reader
	alarm   *time.Timer
	silence time.Duration
}

func (a *attentive) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	a.alarm.Reset(a.silence)
	return n, err
}

// memory is a body that was read already.
type memory struct {
	data []byte
	at   int
}

func (m *memory) Read(p []byte) (int, error) {
	if m.at == len(m.data) {
		return 0, io.EOF
	}
	n := copy(p, m.data[m.at:])
	m.at += n
	return n, nil
}

func (m *memory) Close() error { return nil }

// Bytes returns the whole body of an answer of a Transport without copying it. It belongs to the caller.
func Bytes(resp *http.Response) []byte {
	if m, ok := resp.Body.(*memory); ok {
		return m.data
	}
	body, _ := io.ReadAll(resp.Body) // only a foreign transport's answer comes here
	return body
}
