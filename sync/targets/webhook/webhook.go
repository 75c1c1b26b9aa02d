// Package webhook is the target that sends events by HTTP POST: CloudEvents in structured mode
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md), signed
// after Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks).
//
// A whole request that fails is an error of the target; an action that the receiver refuses for what it holds
// is an outcome of its own. What tells the two apart is in answer.go.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/event"
)

// Factory makes webhook targets.
func Factory() targets.Factory {
	return targets.New("webhook", "sends CloudEvents by HTTP POST, signed", defaults, open)
}

type target struct {
	url       *url.URL
	where     string // what errors call it: scheme and host
	key       []byte
	former    []byte // signs beside it, while receivers change to the new one
	extra     []byte // attributes of every event
	headers   http.Header
	secrets   *strings.Replacer // hides what a receiver might echo
	batch     int
	parallel  int
	timeout   time.Duration
	now       func() time.Time
	client    *http.Client
	transport rest.Wire
}

func open(c *Config, env targets.Env) (targets.Target, error) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil {
		return nil, errURL // the error of Parse quotes the URL
	}
	key, err := signingKey(c.Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("webhook secret %w", err)
	}
	former, err := signingKey(c.PreviousSecret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("webhook previous_secret %w", err)
	}
	transport, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	t := &target{
		url: u, where: u.Scheme + "://" + u.Host, key: key, former: former, extra: c.Attributes.Extra(), headers: http.Header{},
		batch: c.Batch, parallel: c.Parallel, timeout: c.Timeout.Std(), now: env.Now, transport: transport,
		client: &http.Client{
			Transport: transport,
			// A redirected POST may become a GET and may go to a stranger: it is reported instead.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if t.now == nil {
		t.now = time.Now
	}
	for name, value := range c.Headers {
		t.headers.Set(name, strings.TrimSpace(value.Reveal()))
	}
	t.secrets = echoes(c, u)
	return t, nil
}

func (t *target) Describe() targets.Description {
	return targets.Description{Batch: t.batch, Parallel: t.parallel, AcrossPartitions: true}
}

// Check opens a connection and, for https, agrees on TLS; nothing is sent over it.
func (t *target) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	to, secure := t.url, t.url.Scheme == "https"
	if t.transport.Proxy != nil {
		proxy, err := t.transport.Proxy(&http.Request{URL: t.url})
		if err != nil {
			return t.unreachable(errProxy)
		}
		if proxy != nil {
			to, secure = proxy, proxy.Scheme == "https"
		}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address(to))
	if err != nil {
		return t.unreachable(err)
	}
	defer func() { _ = conn.Close() }()
	if !secure {
		return nil
	}
	settings := t.transport.TLSClientConfig.Clone()
	settings.ServerName = to.Hostname()
	if err := tls.Client(conn, settings).HandshakeContext(ctx); err != nil {
		return t.unreachable(err)
	}
	return nil
}

func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Deliver sends the actions in one request. A batch that is refused for what it holds is sent again one by
// one, to find out which action it was.
func (t *target) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	actions := targets.Actions(work)
	out := make([]targets.Outcome, len(actions))
	a, err := t.post(ctx, actions)
	if err != nil {
		return nil, err
	}
	if a.refused == nil {
		t.apply(a, actions, out)
		return out, nil
	}
	if len(actions) == 1 {
		out[0] = targets.Outcome{Err: a.refused, Doubtful: a.doubtful}
		return out, nil
	}
	for i := range actions {
		a, err := t.post(ctx, actions[i:i+1])
		switch {
		case err != nil && i == 0:
			return nil, err
		case err != nil:
			for j := i; j < len(actions); j++ {
				out[j].Err = retryable(err)
			}
			return out, nil
		case a.refused != nil:
			out[i] = targets.Outcome{Err: a.refused, Doubtful: a.doubtful}
		default:
			t.apply(a, actions[i:i+1], out[i:i+1])
		}
	}
	return out, nil
}

// post makes one request. The error means that nothing is known about the actions; see answer.go.
func (t *target) post(ctx context.Context, actions []directory.Action) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	req, err := t.request(limited, actions)
	if err != nil {
		return answer{}, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
		return answer{}, t.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a, err := t.read(resp, actions)
	if err != nil && ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	return a, err
}

func (t *target) request(ctx context.Context, actions []directory.Action) (*http.Request, error) {
	body, contentType := t.body(actions)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errURL
	}
	for name, values := range t.headers {
		req.Header[name] = values
	}
	id, timestamp := messageID(actions), strconv.FormatInt(t.now().Unix(), 10)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "dirsyncd")
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", timestamp)
	if t.key != nil {
		signature := sign(t.key, id, timestamp, body)
		if t.former != nil {
			signature += " " + sign(t.former, id, timestamp, body)
		}
		req.Header.Set("Webhook-Signature", signature)
	}
	return req, nil
}

func (t *target) body(actions []directory.Action) (body []byte, contentType string) {
	if t.batch == 1 {
		return event.Append(make([]byte, 0, 1024), &actions[0], t.extra), event.ContentType
	}
	body = append(make([]byte, 0, 1024*len(actions)), '[')
	for i := range actions {
		if i > 0 {
			body = append(body, ',')
		}
		body = event.Append(body, &actions[i], t.extra)
	}
	return append(body, ']'), event.BatchContentType
}

// messageID identifies what a request holds: the key of its action, or a digest of several keys. The same
// actions have the same id whenever they are sent.
func messageID(actions []directory.Action) string {
	if len(actions) == 1 {
		return actions[0].Key
	}
	digest := sha256.New()
	for i := range actions {
		_, _ = fmt.Fprintf(digest, "%d:%s", len(actions[i].Key), actions[i].Key)
	}
	sum := digest.Sum(nil)
	return "batch_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// sign makes the symmetric signature of Standard Webhooks: HMAC-SHA256 of "id.timestamp.body".
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(id), []byte(timestamp)} {
		_, _ = mac.Write(part)
		_, _ = mac.Write([]byte{'.'})
	}
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Reopen makes the next request open a new connection: the receiver may have moved.
func (t *target) Reopen() error {
	t.transport.CloseIdleConnections()
	return nil
}

// Close ends idle connections.
func (t *target) Close() error { return t.Reopen() }
