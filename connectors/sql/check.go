package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
)

// mostSampled is how many rows of each query Check looks at.
const mostSampled = 20

// errEnough ends a query of Check.
var errEnough = errors.New("enough rows")

// Check implements connectors.Connector. It asks every query for its first rows.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings []connectors.Finding
	err := c.within(ctx, "check", func(limited context.Context, tx *stdsql.Tx) error {
		server, err := c.dialect.server(limited, tx)
		if err != nil {
			return c.fail(ctx, "check", err)
		}
		findings = append(findings, connectors.Finding{Subject: "server", OK: true, Detail: server + " at " + c.cfg.Address()})
		what, hint, err := c.dialect.writable(limited, tx)
		switch {
		case err != nil:
			findings = append(findings, connectors.Failed("account", c.fail(ctx, "check", err)))
		case what != "":
			findings = append(findings, connectors.Finding{Subject: "account", Detail: what, Hint: hint})
		default:
			findings = append(findings, connectors.Finding{Subject: "account", OK: true, Detail: "it may not write"})
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return append(findings, connectors.Failed("server", err)), nil
	}
	for _, s := range c.cfg.sources() {
		findings = append(findings, c.try(ctx, s)...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return findings, nil
}

// try asks the queries of a stream, each in a transaction of its own: an error ends one.
func (c *Connector) try(ctx context.Context, s source) []connectors.Finding {
	r := &reading{Connector: c, source: s, op: "check " + s.stream}
	query := connectors.Finding{Subject: "query of " + s.word, OK: true}
	sampled, bad := 0, []columns.Problem(nil)
	var o directory.Object
	err := c.within(ctx, r.op, func(limited context.Context, tx *stdsql.Tx) error {
		if err := r.ask(ctx, limited, tx); err != nil {
			return err
		}
		if c.dialect.partOfAnother(s.query.Query) {
			if err := r.findTwins(ctx, limited, tx); err != nil {
				return err
			}
		}
		if s.query.Changed != nil {
			if _, err := r.now(ctx, limited, tx); err != nil {
				return err
			}
		}
		return r.rows(ctx, limited, tx, s.query.Query, nil, r.prepare, func(res *result) error {
			if sampled++; sampled > mostSampled {
				return errEnough
			}
			if problems := r.layout.Object(res.cells, &o); len(problems) > 0 && bad == nil {
				bad = append(bad, problems...)
			}
			return nil
		})
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		query = connectors.Failed(query.Subject, err)
	case len(bad) > 0:
		query.OK, query.Detail, query.Hint = false, "a row cannot be read: "+bad[0].String(), bad[0].Hint
	case len(r.twins) > 0:
		query.OK, query.Detail = false, fmt.Sprintf("keys stand in several rows (%d)", len(r.twins))
		query.Hint = "nobody can tell which row is meant: choose another key, or list each row once"
	case sampled == 0:
		query.OK, query.Detail, query.Hint = false, "it returns no row", "look at the query, and at what the account may see"
	default:
		query.Detail = understood(r.layout)
		if r.count >= 0 {
			query.Detail = fmt.Sprintf("%d rows by its count; ", r.count) + query.Detail
		}
	}
	findings := []connectors.Finding{query}
	if s.members != nil {
		findings = append(findings, c.tryMembers(ctx, s))
	}
	return findings
}

func (c *Connector) tryMembers(ctx context.Context, s source) connectors.Finding {
	r := &reading{Connector: c, source: s, op: "check members", emit: func(*connectors.Page) error { return errEnough }}
	err := c.within(ctx, r.op, func(limited context.Context, tx *stdsql.Tx) error { return r.members(ctx, limited, tx) })
	if err != nil && !errors.Is(err, errEnough) {
		return connectors.Failed("query of members", err)
	}
	return connectors.Finding{Subject: "query of members", OK: true}
}

// understood says what each column is taken for.
func understood(l *columns.Layout) string {
	var used []string
	unused := 0
	for _, u := range l.Uses() {
		if len(u.As) == 0 {
			unused++
			continue
		}
		used = append(used, u.Column+" is "+strings.Join(u.As, " and "))
	}
	text := strings.Join(used, ", ")
	if unused > 0 {
		text += fmt.Sprintf("; columns that nothing uses: %d", unused)
	}
	return text
}
