package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

// Check implements connectors.Connector. It asks each endpoint that is needed for one entry.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings connectors.Findings
	org, err := c.orgID(ctx)
	if !findings.Add("org at "+c.host, "org "+org, err) {
		return findings, nil
	}
	reader, err := c.reader(ctx)
	if !findings.Add("credentials", reader, err) {
		return findings, nil
	}
	users, err := c.sample(ctx, query(apiRoot+"users", "limit", "1"))
	if err == nil && users == 0 {
		err = c.emptyList("users")
	}
	findings.Add("permission okta.users.read", "users are listed", err)

	everyone, err := c.seesEveryone(ctx)
	if err == nil && !everyone {
		err = &fault.Error{
			Class: fault.Forbidden, Err: errors.New("the group Everyone is not visible: the administrator's role covers a part of the org only"),
			Hint: "assign the role Read-only Administrator over the whole org; with the part, whoever is outside of it is not read, and nothing says so",
		}
	}
	findings.Add("permission okta.groups.read", "the group Everyone is visible", err)
	if c.cfg.Log {
		_, err := c.sample(ctx, query(logPath, "since", stamp(c.clock.now().Add(-time.Hour)), "limit", "1"))
		findings.Add("permission okta.logs.read", "the System Log is read for deletions", err)
	}
	if c.cfg.Apps {
		_, err := c.sample(ctx, query(apiRoot+"apps", "limit", "1"))
		findings.Add("permission okta.apps.read", "applications are listed", err)
	}
	return findings, nil
}

// sample asks for a list and returns how many entries its first page has.
func (c *Connector) sample(ctx context.Context, path string) (int, error) {
	a, err := c.get(ctx, path)
	if err != nil {
		return 0, err
	}
	entries, problem := entriesOf(a.body)
	switch {
	case problem != "":
		return 0, c.invalid("check", "%s", problem)
	case !a.linked:
		return 0, c.invalid("check", "the answer came without the header Link, which says whether more follows")
	case len(entries) > 0 && json.Valid(entries[0]) && string(entries[0]) == "null":
		return 0, c.invalid("check", "an entry is null")
	}
	return len(entries), nil
}

func (c *Connector) emptyList(what string) error {
	return &fault.Error{
		Class: fault.Forbidden, Where: c.host, Err: fmt.Errorf("the org lists no %s at all", what),
		Hint: "the credentials work and show nothing: assign the role Read-only Administrator",
	}
}
