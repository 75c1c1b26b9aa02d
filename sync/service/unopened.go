package service

import (
	"context"
	"errors"

	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Without secrets (config.Parts.Blind) what is stored can be looked at, and nobody else is asked: a source or target that
// cannot be opened then is left unopened.

// unopened is a source or target that was left unopened.
type unopened struct{ err error }

func leftUnopened(name string) unopened {
	return unopened{&fault.Error{Class: fault.Configuration, Op: "open", Where: name, Err: errors.New("a secret of it cannot be read by this command"),
		Hint: "`dirsyncd check` says which; run the command where it can be read, or while the daemon runs"}}
}

// blind returns why nobody may be asked who needs a secret, or nil when all of them were read.
func blind(op string, cfg *config.Config) error {
	if len(cfg.Unseen) == 0 {
		return nil
	}
	p := cfg.Unseen[0]
	return &fault.Error{Class: fault.Configuration, Op: op, Where: cfg.File, Err: errors.New(p.Message), Hint: p.Hint}
}

type unopenedSource struct{ unopened }

// Describe implements connectors.Connector.
func (unopenedSource) Describe() connectors.Description { return connectors.Description{} }

// Check implements connectors.Connector.
func (s unopenedSource) Check(context.Context) ([]connectors.Finding, error) { return nil, s.err }

// Tenants implements connectors.Connector.
func (s unopenedSource) Tenants(context.Context) ([]connectors.Tenant, error) { return nil, s.err }

// Read implements connectors.Connector.
func (s unopenedSource) Read(context.Context, connectors.Request, func(*connectors.Page) error) error {
	return s.err
}

// Close implements connectors.Connector.
func (unopenedSource) Close() error { return nil }

type unopenedTarget struct{ unopened }

// Describe implements targets.Target.
func (unopenedTarget) Describe() targets.Description { return targets.Description{Batch: 1} }

// Check implements targets.Target.
func (t unopenedTarget) Check(context.Context) error { return t.err }

// Deliver implements targets.Target.
func (t unopenedTarget) Deliver(context.Context, []targets.Delivery) ([]targets.Outcome, error) {
	return nil, t.err
}

// Reopen implements targets.Target.
func (unopenedTarget) Reopen() error { return nil }

// Close implements targets.Target.
func (unopenedTarget) Close() error { return nil }
