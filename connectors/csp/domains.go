package csp

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

// withDomains asks Partner Center for the customer's domains when a stream has come to its end, and tells them with the last page.
// A customer that buys nothing from the partner has none there, and one for whom the request fails keeps those of before: neither is
// a reason to leave its people unread.
func (t *tenantClient) withDomains(ctx context.Context, id string, emit func(*connectors.Page) error) func(*connectors.Page) error {
	return func(p *connectors.Page) error {
		if p.Proof == nil {
			return emit(p)
		}
		last := *p
		d, err := t.center.customer(ctx, id)
		switch {
		case err == nil:
			last.Domains = d.domains()
		case !noCommerce(err) && fault.ClassOf(err) != fault.Gone:
			last.Notes = append(last.Notes[:len(last.Notes):len(last.Notes)],
				"Partner Center did not tell the customer's domains, so rules go by those that it told last: "+err.Error())
		}
		return emit(&last)
	}
}

// domains are the main domain of a customer and all others.
func (p *partnerCustomer) domains() (list []string) {
	if p.Company.Domain != "" {
		list = append(list, p.Company.Domain)
	}
	return append(list, p.Domains...)
}
