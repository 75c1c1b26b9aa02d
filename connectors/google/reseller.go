package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/api/googleapi"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// resellerTenant is the tenant that holds a reseller's customers and what they have bought. Ids of customers begin
// with a C, so that it is nobody's.
const resellerTenant = "reseller"

const (
	streamCustomers = "customers"
	opSubscriptions = "list subscriptions"
	opResold        = "get a reseller's customer"
	hostReseller    = "reseller.googleapis.com"
	// subscriptionPage is the most that Google puts on a page.
	subscriptionPage = 100
	// customerBatch is how many customers, each a request of its own, make a page for the engine.
	customerBatch = 100
)

// resellerScopes has the form of the Reseller API's scope that only reads.
func resellerScopes() []string { return []string{"apps.order.readonly"} }

// reseller is who signs in as the reseller.
func (c *Config) reseller() party { return c.party(CustomerConfig{Customer: resellerTenant}) }

// resellerStreams are those of the reseller's tenant. Changes of neither are tracked anywhere.
func resellerStreams() []connectors.Stream {
	return []connectors.Stream{
		{Name: streamLicences, Kinds: []directory.Kind{directory.Licence}},
		{Name: streamCustomers, Kinds: []directory.Kind{directory.Customer}},
	}
}

// readReseller reads a stream of the reseller's tenant.
func (r *reading) readReseller(ctx context.Context) error {
	if r.stream.Name == streamCustomers {
		return r.fullCustomers(ctx)
	}
	return r.fullSubscriptions(ctx)
}

// subscriptions lists everything that the reseller has sold. restart is told that everything comes again.
func (r *reading) subscriptions(ctx context.Context, restart func(), take func(entries []json.RawMessage) error) error {
	c := &pager{
		op: r.op, restart: restart, take: take, entries: func(d *listPage) []json.RawMessage { return d.Subscriptions },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return r.askSubscriptions(ctx, token, subscriptionPage)
		},
	}
	return c.follow(ctx)
}

func (r *reading) askSubscriptions(ctx context.Context, token string, size int64) ([]byte, error) {
	return ask(ctx, opSubscriptions, func(ctx context.Context) error {
		call := r.sold.Subscriptions.List().Context(ctx).MaxResults(size)
		call.Fields(googleapi.Field("kind,nextPageToken,subscriptions(" + subscriptionMask + ")"))
		if token != "" {
			call.PageToken(token)
		}
		_, err := call.Do()
		return err
	})
}

// fullSubscriptions lists what the customers have bought, as licences. A customer has at most one subscription of an
// SKU that counts; of those that it had before, what counts most is taken, in whatever order they come.
func (r *reading) fullSubscriptions(ctx context.Context) error {
	best := map[string]rank{}
	pages := 0
	restart := func() { clear(best) }
	err := r.subscriptions(ctx, restart, func(entries []json.RawMessage) error {
		pages++
		p := &connectors.Page{}
		for i, raw := range entries {
			s, err := parseSubscription(raw)
			if err != nil {
				p.Invalid = append(p.Invalid, invalidSubscription(raw, err, fmt.Sprintf("subscriptions, page %d, entry %d", pages, i+1)))
				continue
			}
			if has, ok := best[s.key()]; ok && s.rank().below(has) {
				continue
			}
			best[s.key()] = s.rank()
			p.Objects = append(p.Objects, s.licence())
		}
		if len(p.Objects)+len(p.Invalid) == 0 {
			return nil
		}
		return r.emit(p)
	})
	if err != nil {
		return err
	}
	return r.emit(r.closing())
}

// resold is what the subscriptions say of a customer.
type resold struct {
	id, domain string
	statuses   map[string]bool
}

// status is that of the customer as a whole: it is active as long as one of its subscriptions is.
func (c *resold) status() string {
	for _, word := range []string{"ACTIVE", "SUSPENDED"} {
		if c.statuses[word] {
			return word
		}
	}
	least := ""
	for word := range c.statuses {
		if least == "" || word < least {
			least = word
		}
	}
	return least
}

// customers lists the customers of the subscriptions by id: Google has no list of them. bad are entries that name
// none.
func (r *reading) customers(ctx context.Context) (byID map[string]*resold, bad []connectors.Invalid, err error) {
	byID = map[string]*resold{}
	pages := 0
	restart := func() {
		clear(byID)
		bad = nil
	}
	err = r.subscriptions(ctx, restart, func(entries []json.RawMessage) error {
		pages++
		for i, raw := range entries {
			var s struct {
				ID     string `json:"customerId"`
				Domain string `json:"customerDomain"`
				Status string `json:"status"`
			}
			err := json.Unmarshal(raw, &s)
			if err == nil && s.ID == "" {
				err = errors.New("it names no customer")
			}
			if err != nil {
				bad = append(bad, invalid(directory.Customer, raw, "customerId", shapeOnly(err), fmt.Sprintf("subscriptions, page %d, entry %d", pages, i+1)))
				continue
			}
			if byID[s.ID] == nil {
				byID[s.ID] = &resold{id: s.ID, statuses: map[string]bool{}}
			}
			if s.Domain != "" {
				byID[s.ID].domain = s.Domain
			}
			if s.Status != "" {
				byID[s.ID].statuses[s.Status] = true
			}
		}
		return nil
	})
	return byID, bad, err
}

// fullCustomers lists the customers, each with what the reseller knows of it.
func (r *reading) fullCustomers(ctx context.Context) error {
	byID, bad, err := r.customers(ctx)
	if err != nil {
		return err
	}
	ids := sortedKeys(byID)
	page := &connectors.Page{Invalid: bad}
	flush := func(least int) error {
		if len(page.Objects)+len(page.Invalid) < least {
			return nil
		}
		full := page
		page = &connectors.Page{}
		return r.emit(full)
	}
	err = orderedParallel(ctx, len(ids), r.connector.cfg.Parallel, func(ctx context.Context, i int) (answered, error) {
		body, err := r.askResold(ctx, ids[i])
		if unreadable(err) {
			return answered{refused: err}, nil
		}
		return answered{body: body}, err
	}, func(i int, a answered) error {
		where := "customer " + ids[i]
		o, err := a.object(r.op, byID[ids[i]])
		switch {
		case err != nil && fault.ClassOf(err) == fault.Transient:
			return err
		case err != nil:
			page.Invalid = append(page.Invalid, connectors.Invalid{
				Kind: directory.Customer, ID: ids[i], Where: where,
				Err: &fault.Error{Class: fault.Invalid, Op: "read a customer", Where: where, Err: err, Hint: "look at it in the Partner Sales Console"},
			})
		default:
			page.Objects = append(page.Objects, o)
		}
		return flush(r.connector.batch)
	})
	if err == nil {
		err = flush(1)
	}
	if err != nil {
		return err
	}
	return r.emit(r.closing())
}

// unreadable reports whether Google refuses one customer alone: one that left between two requests, or that is kept
// from the reseller. Who may not read any was refused the list.
func unreadable(err error) bool {
	return gone(err) || statusOf(err) == http.StatusForbidden && fault.ClassOf(err) == fault.Forbidden
}

func (r *reading) askResold(ctx context.Context, id string) ([]byte, error) {
	return ask(ctx, opResold, func(ctx context.Context) error {
		_, err := r.sold.Customers.Get(id).Context(ctx).Fields(resoldMask).Do()
		return err
	})
}

// trialOfReseller tries the list of subscriptions.
func (r *reading) trialOfReseller() trialOf {
	return trialOf{
		subject: "subscriptions", scopes: resellerScopes(), hint: "the subject sees no subscription: see that it is an administrator of the reseller",
		try: func(ctx context.Context) (int, error) {
			body, err := r.askSubscriptions(ctx, "", 1)
			if err != nil {
				return 0, err
			}
			d, err := parseListPage("check", body)
			if err != nil {
				return 0, err
			}
			return len(d.Subscriptions), nil
		},
	}
}
