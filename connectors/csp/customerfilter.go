package csp

import (
	"cmp"
	"slices"
	"strings"
)

// customerFilter says which customers belong to the connection, and what the operator calls them. Names are compared whole, never in part.
type customerFilter struct {
	include, exclude map[string]bool
	named            map[string]string // lower-case tenant id to name
	newTenants       bool
}

func newCustomerFilter(c *Config) customerFilter {
	set := func(list []string) map[string]bool {
		m := make(map[string]bool, len(list))
		for _, name := range list {
			m[strings.ToLower(name)] = true
		}
		return m
	}
	named := make(map[string]string, len(c.Customers))
	for id, name := range c.Customers {
		named[strings.ToLower(id)] = strings.TrimSpace(name)
	}
	return customerFilter{set(c.Include), set(c.Exclude), named, c.NewTenants}
}

// in reports whether a list names a customer by its id or one of its domains.
func (c *customer) in(list map[string]bool) bool {
	return list[c.id] || slices.ContainsFunc(c.domains, func(d string) bool { return list[strings.ToLower(d)] })
}

// belongs reports whether a customer belongs to the connection.
func (f *customerFilter) belongs(c *customer) bool {
	_, named := f.named[c.id]
	switch {
	case c.in(f.exclude):
		return false
	case named || c.in(f.include):
		return true
	default:
		return f.newTenants && len(f.include) == 0
	}
}

// pick returns the customers that belong to the connection, by name.
func (f *customerFilter) pick(all map[string]*customer) []*customer {
	var list []*customer
	for _, c := range all {
		if f.belongs(c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *customer) int {
		return cmp.Or(strings.Compare(strings.ToLower(f.nameOf(a)), strings.ToLower(f.nameOf(b))), strings.Compare(a.id, b.id))
	})
	return list
}

// nameOf is the operator's name for a customer, or the sources'.
func (f *customerFilter) nameOf(c *customer) string { return cmp.Or(f.named[c.id], c.name) }
