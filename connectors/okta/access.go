package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"dirsyncd/sync/fault"
)

// accessLasts is how long incremental reads rely on what was found out about the org.
const accessLasts = time.Hour

// nameEveryone is the name of the group that Okta keeps by itself and that holds everybody.
const nameEveryone = "Everyone"

// orgAccess is what a read stands on: which org answers, and how much of it the credentials show.
type orgAccess struct {
	org string
	// everyone: the group Everyone is visible. Administrators of some groups only do not see it, and see a part
	// of everything else, with no word from the org that it is a part.
	everyone bool
	// reader names whose rights apply.
	reader string
}

// rememberedAccess is the last one, for incremental reads.
type rememberedAccess struct {
	mu    sync.Mutex
	known orgAccess
	at    time.Time
}

// orgAccess finds out on what a read stands. A full read always asks.
func (c *Connector) orgAccess(ctx context.Context, fresh bool) (orgAccess, error) {
	c.lastAccess.mu.Lock()
	known, at := c.lastAccess.known, c.lastAccess.at
	c.lastAccess.mu.Unlock()
	if age := c.clock.local().Sub(at); !fresh && !at.IsZero() && age >= 0 && age < accessLasts {
		return known, nil
	}
	var a orgAccess
	var err error
	if a.org, err = c.orgID(ctx); err != nil {
		return a, err
	}
	if a.reader, err = c.reader(ctx); err != nil {
		return a, err
	}
	if a.everyone, err = c.seesEveryone(ctx); err != nil {
		return a, err
	}
	c.lastAccess.mu.Lock()
	defer c.lastAccess.mu.Unlock()
	c.lastAccess.known, c.lastAccess.at = a, c.clock.local()
	return a, nil
}

// orgID asks for the org's immutable id.
func (c *Connector) orgID(ctx context.Context) (string, error) {
	a, err := c.get(ctx, organizationPath)
	if err != nil {
		if fault.ClassOf(err) == fault.Gone || fault.ClassOf(err) == fault.Invalid {
			return "", c.noOrg(err)
		}
		return "", err
	}
	var org struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(a.body, &org) != nil || org.ID == "" {
		return "", c.noOrg(errors.New("the answer does not name an org"))
	}
	return org.ID, nil
}

func (c *Connector) noOrg(err error) error {
	return &fault.Error{
		Class: fault.Configuration, Op: "find the org", Where: c.host, Err: err,
		Hint: "url must be the address of an Okta org, such as https://example.okta.com",
	}
}

// reader says whose rights apply. The account behind an API token stays the same when the token is renewed.
func (c *Connector) reader(ctx context.Context) (string, error) {
	if c.tokens != nil {
		return "app " + c.cfg.ClientID, nil
	}
	a, err := c.get(ctx, apiRoot+"users/me")
	switch fault.ClassOf(err) {
	case "":
	case fault.Forbidden, fault.Gone:
		return "an account that does not show itself", nil
	default:
		return "", err
	}
	var me struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(a.body, &me) != nil || me.ID == "" {
		return "", c.invalid("read users/me", "the answer does not name the account")
	}
	return "account " + me.ID, nil
}

// seesEveryone asks whether the group Everyone is visible.
func (c *Connector) seesEveryone(ctx context.Context) (bool, error) {
	seen := false
	_, err := c.list(ctx, query(apiRoot+"groups", "filter", `type eq "`+typeBuiltIn+`"`, "limit", "200"), func(entries []json.RawMessage, _ string) error {
		for _, e := range entries {
			var g groupEntry
			if json.Unmarshal(e, &g) == nil && g.isEveryone() {
				seen = true
			}
		}
		return nil
	})
	return seen, err
}

// emptyOrg is the error for a listing of people or groups that is empty although every org has some.
func (c *Connector) emptyOrg(op, what string) error {
	return &fault.Error{
		Class: fault.Forbidden, Op: op, Where: c.host,
		Err: fmt.Errorf("the org lists no %s and does not show the group Everyone, which every org has", what),
		Hint: "the credentials work and show nothing: an administrator of the org must assign the role Read-only Administrator " +
			"(service app: Admin roles; API token: the account that made it)",
	}
}
