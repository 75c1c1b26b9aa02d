package csp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors"
)

// checkFilter compares the customers that the configuration names with those that there are.
func (c *Connector) checkFilter(all map[string]*customer, list []*customer) []connectors.Finding {
	count := connectors.Finding{Subject: "customers", OK: len(list) > 0, Detail: fmt.Sprintf("%d of %d are read", len(list), len(all))}
	if !count.OK {
		count.Hint = "look at sources, include, exclude and new_tenants"
	}
	findings := []connectors.Finding{count}
	for _, given := range []struct {
		key   string
		names []string
	}{{"include", c.cfg.Include}, {"exclude", c.cfg.Exclude}, {"customers", slices.Sorted(maps.Keys(c.cfg.Customers))}} {
		unknown := slices.DeleteFunc(slices.Clone(given.names), func(name string) bool {
			want := map[string]bool{strings.ToLower(name): true}
			for _, one := range all {
				if one.in(want) {
					return true
				}
			}
			return false
		})
		if len(unknown) > 0 {
			findings = append(findings, connectors.Finding{
				Subject: given.key, Detail: "no source lists " + some(unknown),
				Hint: "correct or remove them: ids and domains are compared whole, and of a customer that only gdap lists no domain is known",
			})
		}
	}
	if double := c.sameName(list); len(double) > 0 {
		findings = append(findings, connectors.Finding{
			Subject: "names", Detail: "several tenants have the same name: " + some(double),
			Hint: "if they are one customer this is right; otherwise tell them apart under customers, by tenant id",
		})
	}
	if unmapped := c.unmapped(list); len(unmapped) > 0 {
		findings = append(findings, connectors.Finding{
			Subject: "customers", OK: true, Detail: fmt.Sprintf("%d of them have the source's name, since customers does not name them: %s", len(unmapped), some(unmapped)),
		})
	}
	return findings
}

// sameName lists the names that several tenants have.
func (c *Connector) sameName(list []*customer) []string {
	times, spelling := map[string]int{}, map[string]string{}
	for _, one := range list {
		key := strings.ToLower(c.filter.nameOf(one))
		times[key]++
		spelling[key] = c.filter.nameOf(one)
	}
	var double []string
	for _, key := range slices.Sorted(maps.Keys(times)) {
		if times[key] > 1 {
			double = append(double, spelling[key])
		}
	}
	return double
}

// unmapped lists the customers without a name of the operator's, when the operator has begun to name them.
func (c *Connector) unmapped(list []*customer) []string {
	if len(c.filter.named) == 0 {
		return nil
	}
	var names []string
	for _, one := range list {
		if _, ok := c.filter.named[one.id]; !ok {
			names = append(names, one.name+" ("+one.id+")")
		}
	}
	return names
}

// some shows the first few of a list.
func some(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}
