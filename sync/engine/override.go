package engine

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// Override is what one tenant of a connection has in place of what the connection has.
type Override struct {
	Tenant string           // its id, domain or name, in letters of any case
	Rules  *mapping.Ruleset // nil: those of the connection
	Guard  plan.Guard       // nil: that of the connection
	Lists  plan.Lists       // with Guard
	Over   []plan.Over      // with Guard
	// Without are the kinds of object that are not read of it.
	Without []directory.Kind
}

// Of is the connection as it is for one of its tenants.
func (c *Connection) Of(t *connectors.Tenant) *Connection {
	o := c.override(t)
	if o == nil {
		return c
	}
	own := *c
	own.Overrides = nil
	own.without = o.Without
	if o.Rules != nil {
		own.Rules = o.Rules
	}
	if o.Guard != nil {
		own.Guard, own.Lists, own.Over = o.Guard, o.Lists, o.Over
	}
	return &own
}

// override finds what a tenant has of its own: what names it by its id goes before what names it by its domain, and that before
// what names it by its name.
func (c *Connection) override(t *connectors.Tenant) *Override {
	for _, by := range []string{t.ID, t.Domain, t.Name} {
		for i := range c.Overrides {
			if by != "" && strings.EqualFold(c.Overrides[i].Tenant, by) {
				return &c.Overrides[i]
			}
		}
	}
	return nil
}

// Unmet lists the overrides that are for none of some tenants.
func (c *Connection) Unmet(tenants []connectors.Tenant) (names []string) {
	for _, o := range c.Overrides {
		if !slices.ContainsFunc(tenants, func(t connectors.Tenant) bool { return IsTenant(&t, o.Tenant) }) {
			names = append(names, o.Tenant)
		}
	}
	return names
}

// narrowed is a tenant without the streams that list nothing but what is not to be read of it.
func (c *Connection) narrowed(t connectors.Tenant) connectors.Tenant {
	if len(c.without) == 0 {
		return t
	}
	var streams []string
	for _, s := range c.Source.Describe().Streams {
		wanted := func(k directory.Kind) bool { return !slices.Contains(c.without, k) }
		if t.Has(s.Name) && (len(s.Kinds) == 0 || slices.ContainsFunc(s.Kinds, wanted)) {
			streams = append(streams, s.Name)
		}
	}
	t.Streams = streams
	return t
}

// Mixed says which kinds of object a tenant cannot be read without, because a stream lists them together with others; nil when
// there are none.
func (c *Connection) Mixed() error {
	for _, o := range c.Overrides {
		for _, s := range c.Source.Describe().Streams {
			wanted := func(k directory.Kind) bool { return !slices.Contains(o.Without, k) }
			for _, k := range s.Kinds {
				if !wanted(k) && slices.ContainsFunc(s.Kinds, wanted) {
					return fmt.Errorf("tenant %q cannot be read without %ss: the source lists them together with others, as %s", o.Tenant, k, s.Name)
				}
			}
		}
	}
	return nil
}

// SameRules reports whether two connections make the same records of the same objects, in every tenant.
func (c *Connection) SameRules(o *Connection) bool {
	same := func(a, b Override) bool { return a.Tenant == b.Tenant && hashOf(a.Rules) == hashOf(b.Rules) }
	return c.rulesHash() == o.rulesHash() && slices.EqualFunc(c.Overrides, o.Overrides, same)
}

func hashOf(rules *mapping.Ruleset) string {
	if rules == nil {
		return ""
	}
	return rules.Hash()
}
