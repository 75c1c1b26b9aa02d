// Package nats is the target that publishes events to a NATS JetStream stream: CloudEvents in structured mode
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md), one message an event, under
// the header Nats-Msg-Id, by which the stream drops a repetition for as long as its window lasts.
package nats

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/event"
)

// Factory makes nats targets.
func Factory() targets.Factory {
	return targets.New("nats", "publishes CloudEvents to a NATS JetStream stream", defaults, open)
}

// Batches are large where the acknowledgements of many messages are awaited at a time, and small where each record is
// looked at first.
const (
	allBatch     = 256
	lastBatch    = 16
	lastParallel = 4
)

type target struct {
	cfg     Config
	options []nats.Option
	where   string
	extra   []byte // attributes of every event

	mu   sync.Mutex // guards what follows: it is held while connecting
	conn *nats.Conn
	js   jetstream.JetStream

	// refused is the newest word of a server that it does not allow something, since it last took something: it comes without naming
	// the message.
	refused atomic.Pointer[error]
}

func open(cfg *Config, _ targets.Env) (targets.Target, error) {
	t := &target{cfg: *cfg, where: strings.Join(cfg.Servers, ","), extra: cfg.Attributes.Extra()}
	secure, err := tlsOf(cfg)
	if err != nil {
		return nil, err
	}
	t.options = []nats.Option{
		nats.Name("dirsyncd"), nats.Timeout(cfg.Timeout.Std()),
		// When to try again is for the delivery, which knows of the other targets and tells the operator.
		nats.NoReconnect(), nats.ErrorHandler(t.heard),
	}
	if secure != nil {
		t.options = append(t.options, nats.Secure(secure))
	}
	switch {
	case cfg.Credentials != "":
		t.options = append(t.options, nats.UserCredentials(string(cfg.Credentials)))
	case !cfg.Token.IsZero():
		t.options = append(t.options, nats.Token(cfg.Token.Reveal()))
	case cfg.User != "":
		t.options = append(t.options, nats.UserInfo(cfg.User, cfg.Password.Reveal()))
	}
	return t, nil
}

// tlsOf is nil where the library's own settings will do, which insist on TLS with tls:// only.
func tlsOf(cfg *Config) (*tls.Config, error) {
	if cfg.CAFile == "" && cfg.ClientCert == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(string(cfg.CAFile))
		if err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Err: err}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Where: string(cfg.CAFile), Err: errors.New("no certificate in it"), Hint: "the file must be PEM"}
		}
	}
	if cfg.ClientCert != "" {
		certFile, keyFile := string(cfg.ClientCert), string(cfg.ClientKey)
		if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read client_cert", Where: certFile, Err: err}
		}
		// Read for every handshake: short-lived certificates are renewed while we run.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &cert, err
		}
	}
	return c, nil
}

// Describe implements targets.Target.
func (t *target) Describe() targets.Description {
	if t.cfg.Keep == keepLast {
		return targets.Description{Batch: lastBatch, Parallel: lastParallel, AcrossPartitions: true}
	}
	return targets.Description{Batch: allBatch, Parallel: 1, AcrossPartitions: true}
}

// Check implements targets.Target: the stream is there, takes our subjects, and keeps what it is meant to keep.
func (t *target) Check(ctx context.Context) error {
	const op = "look at the stream"
	js, err := t.connected()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout.Std())
	defer cancel()
	stream, err := js.Stream(ctx, t.cfg.Stream)
	if err != nil {
		return t.fault(op, err)
	}
	cfg := stream.CachedInfo().Config
	wrong := func(hint, format string, args ...any) error {
		return &fault.Error{Class: fault.Configuration, Op: op, Where: t.where, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	switch {
	case !slices.ContainsFunc(cfg.Subjects, func(s string) bool { return covers(s, t.cfg.Prefix) }):
		return wrong("give the stream the subject "+t.cfg.Prefix+".>, or write its prefix", "the stream %s does not take %s.>", t.cfg.Stream, t.cfg.Prefix)
	case t.cfg.Keep == keepLast && cfg.MaxMsgsPerSubject != 1:
		return wrong("set the stream's messages per subject to 1, or write keep: all", "keep is last, and the stream keeps %s of a record", many(cfg.MaxMsgsPerSubject))
	case t.cfg.Keep == keepAll && cfg.MaxMsgsPerSubject > 0:
		return wrong("lift the stream's limit of messages per subject, or write keep: last", "keep is all, and the stream keeps %s of a record", many(cfg.MaxMsgsPerSubject))
	case cfg.NoAck:
		return wrong("let the stream acknowledge", "the stream does not acknowledge what it takes")
	default:
		return nil
	}
}

func many(n int64) string {
	if n <= 0 {
		return "all messages"
	}
	return fmt.Sprintf("%d messages", n)
}

// Deliver implements targets.Target.
func (t *target) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	js, err := t.connected()
	if err != nil {
		return nil, err
	}
	out := make([]targets.Outcome, len(work))
	if t.cfg.Keep == keepLast {
		for i := range work {
			if err := t.replace(ctx, js, &work[i].Action); err != nil {
				if out[i].Err = t.outcome(ctx, err); wide(out[i].Err) {
					return nil, out[i].Err
				}
			}
		}
		return out, ctx.Err()
	}
	acks := make([]jetstream.PubAckFuture, len(work))
	for i := range work {
		acks[i], err = js.PublishMsgAsync(t.message(&work[i].Action), jetstream.WithMsgID(work[i].Action.Key), jetstream.WithExpectStream(t.cfg.Stream))
		if err != nil {
			out[i].Err = t.outcome(ctx, err)
		}
	}
	timer := time.NewTimer(t.cfg.Timeout.Std())
	defer timer.Stop()
	for i, ack := range acks {
		if ack == nil {
			continue
		}
		select {
		case <-ack.Ok():
			t.allowed()
		case err := <-ack.Err():
			out[i].Err = t.outcome(ctx, err)
		case <-timer.C:
			return nil, t.fault("publish", errNoAck)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for _, o := range out {
		if wide(o.Err) {
			return nil, o.Err
		}
	}
	return out, nil
}

// wide reports whether an error says nothing about one action.
func wide(err error) bool { return err != nil && fault.ClassOf(err) != fault.Invalid }

var errNoAck = errors.New("the stream did not acknowledge")

func (t *target) message(a *directory.Action) *nats.Msg {
	m := nats.NewMsg(subjectOf(t.cfg.Prefix, a))
	m.Header.Set("Content-Type", event.ContentType)
	m.Data = event.Append(nil, a, t.extra)
	return m
}

// mostTurns is how often a record's message is looked at anew because somebody else published there.
const mostTurns = 3

// replace publishes the newest event of a record. The window in which the stream drops repetitions ends; after it an
// event that is sent again would replace a newer one. So what is there is looked at, and replaced only as long as it is that.
func (t *target) replace(ctx context.Context, js jetstream.JetStream, a *directory.Action) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout.Std())
	defer cancel()
	stream, err := js.Stream(ctx, t.cfg.Stream)
	if err != nil {
		return err
	}
	m := t.message(a)
	for range mostTurns {
		last, err := stream.GetLastMsgForSubject(ctx, m.Subject)
		var seq uint64
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return err
		case last.Header.Get(jetstream.MsgIDHeader) == a.Key:
			return nil
		default:
			seq = last.Sequence
		}
		_, err = js.PublishMsg(ctx, m, jetstream.WithMsgID(a.Key), jetstream.WithExpectStream(t.cfg.Stream), jetstream.WithExpectLastSequencePerSubject(seq))
		if err == nil {
			t.allowed()
		}
		if !overtaken(err) {
			return err
		}
	}
	return &fault.Error{Class: fault.Conflict, Op: "publish", Where: t.where, Err: errors.New("somebody else publishes under the same subject")}
}

// overtaken: another message came first. The code is another one in a stream with replicas.
func overtaken(err error) bool {
	var e *jetstream.APIError
	return errors.As(err, &e) && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Reopen implements targets.Target: there is nothing to open anew.
func (t *target) Reopen() error { return nil }

// Close implements targets.Target.
func (t *target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		t.conn.Close()
	}
	t.conn = nil
	return nil
}

// connected returns the connection, a new one when the last one has ended.
func (t *target) connected() (jetstream.JetStream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil && t.conn.IsConnected() {
		return t.js, nil
	}
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
	conn, err := nats.Connect(strings.Join(t.cfg.Servers, ","), t.options...)
	if err != nil {
		return nil, t.fault("connect", err)
	}
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(t.cfg.Timeout.Std()))
	if err != nil {
		conn.Close()
		return nil, t.fault("connect", err)
	}
	t.conn, t.js = conn, js
	return js, nil
}

// allowed forgets an earlier refusal: the server has taken something since. Where it refuses only some subjects, it says so again with
// the next of these.
func (t *target) allowed() { t.refused.Store(nil) }

// heard takes what a server says without being asked.
func (t *target) heard(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		t.refused.Store(&err)
	}
}
