package csp

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// readLicences reads what a customer has bought. The customer's directory knows products, seats and who holds them;
// Partner Center knows the terms. The two are joined by the number of the subscription, which both have. What is
// sold through Partner Center and is no product with seats (Azure plans, software, reservations) comes as a licence
// of its own, so that nothing that is sold is missing.
func (c *Connector) readLicences(ctx context.Context, one *tenantClient, req connectors.Request, emit func(*connectors.Page) error) error {
	terms, err := c.terms(ctx, one, req.Tenant.ID)
	if err != nil {
		return err
	}
	return one.reader.Read(ctx, req, func(p *connectors.Page) error {
		for i := range p.Objects {
			terms.describe(&p.Objects[i])
		}
		if p.Proof != nil {
			p.Objects = append(p.Objects, terms.rest()...)
			for _, err := range terms.invalid {
				p.Invalid = append(p.Invalid, connectors.Invalid{
					Kind: directory.Licence, Where: "subscriptions", Err: &fault.Error{Class: fault.Invalid, Op: "read " + req.Stream, Err: err},
				})
			}
			p.Proof.Scope += ", with subscriptions of " + terms.from
		}
		return emit(p)
	})
}

// terms are the subscriptions of one customer.
type terms struct {
	from  string
	bySKU map[string][]term
	loose []*partnerSubscription // without a product of the directory
	// invalid is what is wrong with subscriptions that could not be read.
	invalid []error
}

// term is what one subscription says about a product.
type term struct {
	status string
	length string
	cycle  string
	trial  bool
	ends   time.Time
	// renews is whether it is renewed by itself; nil where Partner Center does not know the subscription.
	renews *bool
}

// terms reads the subscriptions of a customer from both places.
func (c *Connector) terms(ctx context.Context, one *tenantClient, tenant string) (*terms, error) {
	own, invalid, err := companySubscriptions(ctx, one.graph)
	if err != nil {
		return nil, err
	}
	t := &terms{bySKU: map[string][]term{}, from: "the directory", invalid: invalid}
	var sold []*partnerSubscription
	if c.cfg.has(sourcePartnerCenter) {
		t.from = "the directory and Partner Center"
		sold, invalid, err = one.center.subscriptions(ctx, strings.ToLower(tenant))
		if noCommerce(err) {
			err = nil // a customer of others, who is only looked after
		}
		if err != nil {
			return nil, sourceFault(sourcePartnerCenter, err)
		}
		t.invalid = append(t.invalid, invalid...)
	}
	byID := map[string]*partnerSubscription{}
	for _, s := range sold {
		byID[strings.ToLower(s.ID)] = s
	}
	for _, s := range own {
		if s.SKU == "" {
			continue
		}
		e := term{status: s.Status, trial: s.Trial, ends: parseTime(s.Next)}
		if p := byID[s.Commerce]; p != nil {
			e.length, e.cycle, e.renews = p.Term, p.Cycle, p.Renews
			if !p.ends.IsZero() {
				e.ends = p.ends
			}
			delete(byID, s.Commerce)
		}
		t.bySKU[s.SKU] = append(t.bySKU[s.SKU], e)
	}
	for _, s := range sold {
		if byID[strings.ToLower(s.ID)] == s {
			t.loose = append(t.loose, s)
		}
	}
	return t, nil
}

// counts reports whether a subscription still gives what was bought.
func (e *term) counts() bool {
	return !strings.EqualFold(e.status, "Deleted") && !strings.EqualFold(e.status, "Suspended") && !strings.EqualFold(e.status, "LockedOut")
}

// describe adds the terms to a product. Of several subscriptions the one that ends first says when, and whether it is renewed
// then; those that do not count any more say nothing as long as others do.
func (t *terms) describe(o *directory.Object) {
	list := t.bySKU[strings.ToLower(o.ID)]
	if alive := slices.DeleteFunc(slices.Clone(list), func(e term) bool { return !e.counts() }); len(alive) > 0 {
		list = alive
	}
	var ends time.Time
	var words []string
	var renews *bool
	for i, e := range list {
		switch first := !e.ends.IsZero() && (ends.IsZero() || e.ends.Before(ends)); {
		case first || i == 0:
			ends, renews = e.ends, e.renews
		case e.ends.Equal(ends) && e.renews != nil && (renews == nil || !*e.renews):
			renews = e.renews
		}
		if word := termWord(e.length, e.cycle, e.trial); word != "" {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	o.SetText(directory.FieldTerm, strings.Join(slices.Compact(words), ", "))
	if renews != nil {
		o.Set(directory.FieldAutoRenew, directory.Bool(*renews))
	}
	if !ends.IsZero() {
		o.Set(directory.FieldExpires, directory.Time(ends))
	}
}

// termWord says how something is paid for: "P1Y, monthly".
func termWord(length, cycle string, trial bool) string {
	parts := slices.DeleteFunc([]string{length, strings.ToLower(cycle)}, func(s string) bool { return s == "" || s == "none" || s == "unknown" })
	if trial {
		parts = append(parts, "trial")
	}
	return strings.Join(parts, " ")
}

// rest are the subscriptions without a product, as licences of their own.
func (t *terms) rest() []directory.Object {
	list := make([]directory.Object, 0, len(t.loose))
	for _, s := range t.loose {
		o := directory.Object{Kind: directory.Licence, ID: strings.ToLower(s.ID)}
		o.SetText(directory.FieldName, cmp.Or(s.Name, s.Offer, s.OfferID))
		o.SetText(directory.FieldSKU, s.OfferID)
		o.SetText(directory.FieldStatus, s.Status)
		o.SetText(directory.FieldTerm, termWord(s.Term, s.Cycle, s.Trial))
		o.Set(directory.FieldQuantity, directory.Number(s.Quantity))
		if s.Renews != nil {
			o.Set(directory.FieldAutoRenew, directory.Bool(*s.Renews))
		}
		if !s.ends.IsZero() {
			o.Set(directory.FieldExpires, directory.Time(s.ends))
		}
		if created := parseTime(s.Created); !created.IsZero() {
			o.Set(directory.FieldCreated, directory.Time(created))
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b directory.Object) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b directory.Object) bool { return a.ID == b.ID })
}
