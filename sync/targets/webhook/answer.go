package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

const (
	refusalBytes = 64 << 10  // of a refusal are read
	drainBytes   = 256 << 10 // of any answer are thrown away to keep the connection
	reasonBytes  = 200       // of an answer are kept as the reason of a refusal
	longestAfter = time.Hour // that a receiver may ask to be left alone
)

var errURL = errors.New("the URL cannot be used")

// answer is what a receiver said to a request that it understood.
type answer struct {
	// refused is set when the receiver does not want what the request holds.
	refused error
	results map[string]result // of single actions by their ids, as far as the receiver told
}

// read judges a response. What concerns the receiver as a whole is an error: delivery waits and goes on later,
// however long that takes, and nothing is parked.
func (t *target) read(resp *http.Response, actions []directory.Action) (answer, error) {
	defer func() { _, _ = io.CopyN(io.Discard, resp.Body, drainBytes) }()
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300:
		told, err := t.results(resp, actions)
		return answer{results: told}, err
	case status >= 300 && status < 400:
		return answer{}, t.redirected(resp)
	case status == http.StatusConflict:
		// The receiver is still busy with an earlier attempt at the same key
		// (draft-ietf-httpapi-idempotency-key-header, section 2.7).
		return answer{refused: t.fault(fault.Conflict, status, "", resp)}, nil
	case refusal(status):
		body, err := io.ReadAll(io.LimitReader(resp.Body, refusalBytes))
		if err != nil {
			body = nil
		}
		return answer{refused: t.refusal(status, t.printable(string(body)))}, nil
	default:
		return answer{}, t.failed(resp)
	}
}

// refusal reports whether a status is about what was sent, not about where it was sent.
func refusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}

// refusal is an outcome; text is printable.
func (t *target) refusal(status int, text string) error {
	e := &fault.Error{Class: fault.Invalid, Op: "deliver event", Where: t.where, Err: fmt.Errorf("answered %d", status)}
	if text != "" {
		e.Err = fmt.Errorf("answered %d: %s", status, text)
	}
	return e
}

// failed classifies a status that concerns the receiver as a whole. It never quotes the body: the error is
// logged.
func (t *target) failed(resp *http.Response) error {
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		return t.fault(fault.Throttled, status, "", resp)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return t.fault(fault.Transient, status, "", resp)
	case status == http.StatusNotImplemented:
		return t.fault(fault.Configuration, status, "the receiver does not take POST there: check url", resp)
	case status >= 500:
		return t.fault(fault.Transient, status, "", resp)
	case status == http.StatusUnauthorized:
		return t.fault(fault.Auth, status, "check secret and headers, and what the receiver expects", resp)
	case status == http.StatusForbidden:
		return t.fault(fault.Forbidden, status, "the receiver must allow what headers and secret identify", resp)
	case status == http.StatusProxyAuthRequired:
		return t.fault(fault.Auth, status, "the proxy wants a user and password: check proxy", resp)
	case status == http.StatusUnsupportedMediaType:
		return t.fault(fault.Configuration, status, "the receiver must take CloudEvents in JSON; check batch", resp)
	default:
		return t.fault(fault.Configuration, status, "check url: nothing takes events there", resp)
	}
}

func (t *target) fault(class fault.Class, status int, hint string, resp *http.Response) error {
	return &fault.Error{
		Class: class, Op: "deliver events", Where: t.where, Hint: hint, Err: fmt.Errorf("answered %d %s", status, http.StatusText(status)),
		After: retryAfter(resp.Header, t.now()),
	}
}

func (t *target) redirected(resp *http.Response) error {
	to := "somewhere else"
	if u, err := resp.Location(); err == nil {
		to = u.Scheme + "://" + u.Host
	}
	return &fault.Error{
		Class: fault.Configuration, Op: "deliver events", Where: t.where, Hint: "set url to where the events shall go",
		Err: fmt.Errorf("answered %d, a redirect to %s, which is not followed", resp.StatusCode, to),
	}
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds, or a date, which is compared with the
// receiver's own clock where it tells it. Nonsense counts as nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return time.Duration(min(n, uint64(longestAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), longestAfter)
}

// unreachable classifies a request that got no answer.
func (t *target) unreachable(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // it quotes the URL, which may hold a token
	}
	e := &fault.Error{Class: fault.Transient, Op: "deliver events", Where: t.where, Err: err}
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errProxy):
		e.Class, e.Hint = fault.Configuration, "check proxy"
	case errors.As(err, &unknown):
		e.Class, e.Hint = fault.Configuration, "give the authority that signed the receiver's certificate as ca_file"
	case errors.As(err, &cert):
		e.Class, e.Hint = fault.Configuration, "the receiver's certificate must be valid for the host in url"
	case errors.As(err, &record):
		e.Class, e.Hint = fault.Configuration, "the receiver does not speak TLS there: check url"
	case errors.As(err, &alert):
		e.Class, e.Hint = fault.Configuration, "the receiver refused the TLS connection: check client_cert and client_key"
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Hint = "check the host in url"
	case errors.As(err, &dns):
		e.Hint = "the name in url cannot be looked up: check the machine's DNS server"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Hint = "nothing listens there: is the receiver running, and are host and port in url right?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Hint = "there is no way to that address: check url, proxy, routes and firewalls"
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("no answer within %s", t.timeout)
		e.Hint = "if it goes on: does a firewall drop packets on the way? A receiver that is only slow needs a longer timeout"
	default:
		e.Hint = "if it goes on: see the receiver's own log for why it closed the connection"
	}
	return e
}

// apply turns an accepted request into outcomes. What the receiver does not mention, it has taken.
func (t *target) apply(a answer, actions []directory.Action, out []targets.Outcome) {
	for i := range actions {
		r, ok := a.results[actions[i].Key]
		switch {
		case !ok, r.Status == 0, r.Status >= 200 && r.Status < 300:
		case r.Status == http.StatusConflict:
			out[i].Err = t.single(fault.Conflict, r.Status)
		case r.Status == http.StatusTooManyRequests:
			out[i].Err = t.single(fault.Throttled, r.Status)
		case r.Status >= 500, r.Status == http.StatusRequestTimeout, r.Status == http.StatusTooEarly:
			out[i].Err = t.single(fault.Transient, r.Status)
		default:
			out[i].Err = t.refusal(r.Status, r.Error)
		}
	}
}

func (t *target) single(class fault.Class, status int) error {
	return &fault.Error{Class: class, Op: "deliver event", Where: t.where, Err: fmt.Errorf("answered %d", status)}
}

// retryable makes an outcome of an error that stopped the search for a bad action: those after it were not
// tried and must not be parked.
func retryable(err error) error {
	if fault.ClassOf(err).Retryable() || errors.Is(err, context.Canceled) {
		return err
	}
	return &fault.Error{Class: fault.Transient, Op: "deliver event", Err: err, After: fault.After(err)}
}

// printable makes the beginning of an answer fit for a terminal, without what it may echo of our secrets.
func (t *target) printable(text string) string {
	text = t.secrets.Replace(strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		default:
			return r
		}
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > reasonBytes {
		text = strings.ToValidUTF8(text[:reasonBytes], "") + "…"
	}
	return text
}
