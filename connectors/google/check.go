package google

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"dirsyncd/connectors"
)

// Check implements connectors.Connector. For every customer it signs in, looks at the customer, and tries every list
// that the configuration needs with a page of one entry. When a set of scopes is refused, each scope is tried alone,
// so that the missing one has a name.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings []connectors.Finding
	for _, p := range c.cfg.parties() {
		tenant := p.tenant(len(c.cfg.Customers) > 0)
		a, err := c.account(tenant.ID)
		if err != nil {
			findings = append(findings, connectors.Failed("customer "+p.customer, err))
			continue
		}
		found := a.check(ctx)
		if tenant.ID != "" {
			for i := range found {
				found[i].Subject = tenant.ID + ": " + found[i].Subject
			}
		}
		findings = append(findings, found...)
	}
	if c.cfg.Reseller {
		found, err := c.checkReseller(ctx)
		if err != nil {
			found = append(found, connectors.Failed(resellerTenant, err))
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

func (c *Connector) checkReseller(ctx context.Context) ([]connectors.Finding, error) {
	a, err := c.account(resellerTenant)
	if err != nil {
		return nil, err
	}
	r := &reading{account: a, connector: c, op: "check", began: c.env.Now()}
	found := a.tryOut(ctx, []trialOf{r.trialOfReseller()})
	for i := range found {
		found[i].Subject = resellerTenant + ": " + found[i].Subject
	}
	return found, nil
}

func (a *account) check(ctx context.Context) []connectors.Finding {
	var findings []connectors.Finding
	who, err := a.askCustomer(ctx)
	if err != nil {
		if scopeMissing(err) {
			findings = a.scopes(ctx, userScopes()...)
		}
		return append(findings, connectors.Failed("customer "+a.customer, err))
	}
	detail := who.ID
	if who.Domain != "" {
		detail += ", " + who.Domain
	}
	findings = append(findings, connectors.Finding{Subject: "customer " + a.customer, OK: true, Detail: detail})
	r := &reading{account: a, connector: a.connector, op: "check", customer: who.ID, began: a.connector.env.Now()}
	return append(findings, a.tryOut(ctx, a.trials(r))...)
}

// tryOut tries lists one after the other.
func (a *account) tryOut(ctx context.Context, trials []trialOf) []connectors.Finding {
	var findings []connectors.Finding
	for _, t := range trials {
		n, err := t.try(ctx)
		switch {
		case err != nil:
			if scopeMissing(err) && !t.optional {
				findings = append(findings, a.scopes(ctx, t.scopes...)...)
			}
			f := connectors.Failed(t.subject, err)
			f.OK = t.optional && scopeMissing(err)
			if f.OK {
				f.Detail = "every read is a full one: " + f.Detail
			}
			findings = append(findings, f)
		case n == 0 && t.hint != "":
			findings = append(findings, connectors.Finding{Subject: t.subject, Detail: "none visible", Hint: t.hint})
		case n == 0:
			findings = append(findings, connectors.Finding{Subject: t.subject, OK: true, Detail: "may be listed; none there"})
		default:
			findings = append(findings, connectors.Finding{Subject: t.subject, OK: true, Detail: "may be listed"})
		}
	}
	return findings
}

// trialOf is one list to be tried.
type trialOf struct {
	subject  string
	scopes   []string
	optional bool
	hint     string // what it means when nothing is listed; empty: nothing
	try      func(ctx context.Context) (int, error)
}

func (a *account) trials(r *reading) []trialOf {
	cfg := &a.connector.cfg
	count := func(entries func(*listPage) []json.RawMessage, fetch func(ctx context.Context) ([]byte, error)) func(ctx context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			body, err := fetch(ctx)
			if err != nil {
				return 0, err
			}
			d, err := parseListPage("check", body)
			if err != nil {
				return 0, err
			}
			return len(entries(d)), nil
		}
	}
	l := &userListing{reading: r}
	var list []trialOf
	for _, query := range r.userQueries() {
		subject, hint := "users", "the subject may not see people: give it the privilege Users > Read"
		if query != "" {
			subject, hint = "users matching "+query, "no account matches: see users.org_units and users.query"
		}
		list = append(list, trialOf{subject: subject, scopes: userScopes(), hint: hint, try: count(
			func(d *listPage) []json.RawMessage { return d.Users },
			func(ctx context.Context) ([]byte, error) { return l.askUsers(ctx, query, "", 1, "ASCENDING") })})
	}
	if cfg.Groups.Read {
		g := &groupReading{reading: r}
		list = append(list, trialOf{subject: "groups", scopes: groupScopes(), try: func(ctx context.Context) (int, error) {
			// A few of them: one can be somebody else's, and is parked by a read.
			body, err := g.askGroups(ctx, "", 3, "ASCENDING")
			if err != nil {
				return 0, err
			}
			d, err := parseListPage("check", body)
			if err != nil {
				return 0, err
			}
			var bad error
			for _, raw := range d.Groups {
				x, err := parseGroup(raw)
				if err != nil {
					continue
				}
				one, err := r.roster(ctx, x)
				if err != nil || one.bad == nil {
					return len(d.Groups), err
				}
				bad = one.bad
			}
			return len(d.Groups), bad
		}})
	}
	if cfg.Events != eventsOff {
		list = append(list, trialOf{subject: "audit log", scopes: eventScopes(), optional: cfg.Events != eventsOn, try: count(
			func(d *listPage) []json.RawMessage { return d.Items },
			func(ctx context.Context) ([]byte, error) { return r.askLog(ctx, r.began.Add(-24*time.Hour), "", 1) })})
	}
	for _, product := range cfg.Licences.Products {
		list = append(list, trialOf{
			subject: "licences of " + product, scopes: licenceScopes(),
			try: func(ctx context.Context) (n int, err error) {
				enough := errors.New("one is enough")
				err = r.assignments(ctx, product, nil, func(json.RawMessage, *assignment, error) error { n++; return enough })
				if errors.Is(err, enough) {
					err = nil
				}
				return n, err
			},
		})
	}
	return append(list, a.deviceTrials(r)...)
}

func (a *account) deviceTrials(r *reading) []trialOf {
	var list []trialOf
	cfg := &a.connector.cfg.Devices
	try := func(op string, call func(ctx context.Context) error) func(ctx context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			body, err := ask(ctx, op, call)
			if err != nil {
				return 0, err
			}
			d, err := parseListPage("check", body)
			if err != nil {
				return 0, err
			}
			return len(d.ChromeOS) + len(d.Mobile), nil
		}
	}
	if cfg.ChromeOS {
		list = append(list, trialOf{subject: "ChromeOS devices", scopes: chromeScopes(), try: try("list ChromeOS devices", func(ctx context.Context) error {
			_, err := a.chrome.Chromeosdevices.List(r.customer).Context(ctx).MaxResults(1).Fields("kind,etag,chromeosdevices(deviceId)").Do()
			return err
		})})
	}
	if cfg.Mobile {
		list = append(list, trialOf{subject: "mobile devices", scopes: mobileScopes(), try: try("list mobile devices", func(ctx context.Context) error {
			_, err := a.mobile.Mobiledevices.List(r.customer).Context(ctx).MaxResults(1).Fields("kind,etag,mobiledevices(resourceId)").Do()
			return err
		})})
	}
	return list
}

// scopes tries scopes one by one and names those that are refused.
func (a *account) scopes(ctx context.Context, scopes ...string) []connectors.Finding {
	var findings []connectors.Finding
	for _, s := range scopes {
		g, err := newGrant(a.party, a.tokenURI, a.base, s)
		if err == nil {
			_, err = g.fetch(ctx, "")
		}
		if scopeMissing(err) {
			findings = append(findings, connectors.Failed("scope "+scopePrefix+s, err))
		}
	}
	return findings
}
