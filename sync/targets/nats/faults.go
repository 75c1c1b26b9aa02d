package nats

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"dirsyncd/sync/fault"
)

// Error codes of JetStream (nats-server, server/errors.json) that the library has no name for.
const (
	codeMessageTooLarge     = 10054 // message size exceeds maximum allowed
	codeOtherStream         = 10060 // expected stream does not match
	codeAccountNotPermitted = 10035
	codeNoJetStream         = 10039 // JetStream not enabled for account
)

// outcome classifies what became of one message.
func (t *target) outcome(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.fault("publish", err)
}

// fault classifies an error of the library.
func (t *target) fault(op string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	f := &fault.Error{Class: fault.Transient, Op: op, Where: t.where, Err: err}
	var api *jetstream.APIError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		f.Class, f.Hint = fault.Auth, "check credentials, token, or user and password, and whether they have run out"
	case errors.Is(err, nats.ErrMaxPayload):
		f.Class, f.Hint = fault.Invalid, "raise the server's max_payload"
	case errors.As(err, &authority):
		f.Class, f.Hint = fault.Configuration, "give the authority that signed the server's certificate as ca_file"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		f.Class, f.Hint = fault.Configuration, "the server and the address differ on TLS: write tls:// or nats://"
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrStreamNotFound):
		f.Class = fault.Configuration
		f.Hint = fmt.Sprintf("make it: nats stream add %s --subjects '%s.>'", t.cfg.Stream, t.cfg.Prefix)
		f.Err = fmt.Errorf("there is no stream that takes %s.>: %w", t.cfg.Prefix, err)
	case errors.As(err, &api):
		classify(f, api)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		f.Class = fault.Configuration
	case t.refused.Load() != nil && (errors.Is(err, errNoAck) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrAsyncPublishTimeout)):
		f.Class, f.Err = fault.Forbidden, *t.refused.Load()
		f.Hint = fmt.Sprintf("allow the user to publish to %s.> and to $JS.API.>, and to subscribe to _INBOX.>", t.cfg.Prefix)
	}
	return f
}

func classify(f *fault.Error, api *jetstream.APIError) {
	switch api.ErrorCode {
	case codeMessageTooLarge:
		f.Class, f.Hint = fault.Invalid, "raise the stream's maximum message size"
	case codeOtherStream:
		f.Class, f.Hint = fault.Configuration, "another stream takes these subjects: check stream and prefix"
	case codeAccountNotPermitted, codeNoJetStream:
		f.Class, f.Hint = fault.Configuration, "the account must be allowed to use JetStream"
	default: // no space, no leader, a limit of the account: what waits goes out when that is over
	}
}
