package delinea

import (
	"context"
	"fmt"

	"dirsyncd/connectors"
)

// Check implements connectors.Connector. It asks for a token and for one row of everything that is needed.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings connectors.Findings
	_, err := c.tokens.Get(ctx, "")
	if err != nil {
		err = signInFault(err)
	}
	if !findings.Add("credentials at "+c.host, "the tenant gives "+c.cfg.ClientID+" a token", err) {
		return findings, nil
	}
	n, _, err := c.sample(ctx, c.people.script())
	if err == nil && n == 0 {
		err = c.nothing("check", "people", "table "+c.people.name)
	}
	findings.Add("query of "+c.people.name, fmt.Sprintf("%d people", n), err)
	if !c.cfg.Roles {
		return findings, nil
	}
	n, rows, err := c.sample(ctx, scriptRoles)
	if err == nil && n == 0 {
		err = c.nothing("check", "roles", "table Role")
	}
	if !findings.Add("query of Role", fmt.Sprintf("%d roles", n), err) {
		return findings, nil
	}
	_, ids := c.rolesOf(rows)
	if len(ids) == 0 {
		return findings, nil
	}
	_, err = c.call(ctx, callMembers, membersOf(ids[0])(c.cfg.args(1)))
	findings.Add("members of roles", "those of one role are listed", err)
	return findings, nil
}

// sample asks for the first page of a list and returns how many rows there are.
func (c *Connector) sample(ctx context.Context, script string) (int, []row, error) {
	result, err := c.call(ctx, callQuery, query(script)(c.cfg.args(1)))
	if err != nil {
		return 0, nil, err
	}
	rows, n, problem := rowsOf(result)
	if problem != "" {
		return 0, nil, c.invalid("check", "%s", problem)
	}
	return n, rows, nil
}
