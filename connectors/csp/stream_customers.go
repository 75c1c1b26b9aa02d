package csp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// readCustomers lists the customers as objects, in the partner's own tenant.
func (c *Connector) readCustomers(ctx context.Context, op string, emit func(*connectors.Page) error) error {
	got, err := c.sources.complete(ctx)
	if err != nil {
		return err
	}
	list := c.filter.pick(c.reconciled(got))
	for begin := true; begin || len(list) > 0; begin = false {
		part := list[:min(len(list), c.tune.customersPage)]
		list = list[len(part):]
		page := &connectors.Page{MayLack: &connectors.MayLack{Made: attributeSources}}
		for _, one := range part {
			if err := c.addDetail(ctx, one); err != nil {
				return err
			}
			page.Objects = append(page.Objects, one.object(c.filter.nameOf(one)))
		}
		if len(list) == 0 {
			page.Invalid = got.unreadable(op)
			page.Proof = &connectors.Proof{Scope: c.scopeOfCustomers(), Count: -1, Reads: c.cfg.saysOfCustomers(), MayBeShort: true}
		}
		if err := emit(page); err != nil {
			return err
		}
	}
	return nil
}

// unreadable lists the entries that could not be read. Nobody knows whose they are, so the listing proves no
// absence.
func (a *answers) unreadable(op string) (list []connectors.Invalid) {
	for _, name := range slices.Sorted(maps.Keys(a.invalid)) {
		for _, err := range a.invalid[name] {
			list = append(list, connectors.Invalid{
				Kind: directory.Customer, Where: sourceWord + name, Err: &fault.Error{Class: fault.Invalid, Op: op, Where: sourceWord + name, Err: err},
			})
		}
	}
	return list
}

// addDetail asks Partner Center for a customer's domains and address, when the configuration wants them. A customer
// that buys nothing from the partner has none there.
func (c *Connector) addDetail(ctx context.Context, one *customer) error {
	if !c.cfg.CustomerDetails || !slices.Contains(one.sources, sourcePartnerCenter) {
		return nil
	}
	client, err := c.client(one.id)
	if err != nil {
		return err
	}
	d, err := client.center.customer(ctx, one.id)
	if noCommerce(err) || fault.ClassOf(err) == fault.Gone {
		return nil // gone since the list was made
	}
	if err != nil {
		return sourceFault(sourcePartnerCenter, err)
	}
	one.detail = d
	one.domains = append(one.domains, d.Domains...)
	return nil
}

// scopeOfCustomers says in words which customers are listed.
func (c *Connector) scopeOfCustomers() string {
	list := slices.Sorted(slices.Values(c.cfg.Sources))
	text := fmt.Sprintf("customers of partner %s at %s and %s, as %s, from %s",
		strings.ToLower(c.cfg.Tenant), c.sources.center.root.Host, c.sources.graph.root.Host, c.cfg.partnerApp().ClientID, strings.Join(list, ", "))
	lower := func(names []string) string {
		low := make([]string, len(names))
		for i, n := range names {
			low[i] = strings.ToLower(n)
		}
		slices.Sort(low)
		return strings.Join(low, " ")
	}
	if len(c.cfg.Include) > 0 {
		text += "; only " + lower(c.cfg.Include)
	}
	if len(c.cfg.Exclude) > 0 {
		text += "; without " + lower(c.cfg.Exclude)
	}
	if !c.cfg.NewTenants {
		text += "; no others than " + lower(slices.Collect(maps.Keys(c.cfg.Customers)))
	}
	return text
}
