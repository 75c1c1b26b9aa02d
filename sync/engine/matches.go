package engine

import (
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settle"
)

// ruleCounts is for how many of the objects that were looked at which rule decided; nil when none was.
func ruleCounts(matches settle.Matches) map[string]map[string]int {
	if len(matches) == 0 {
		return nil
	}
	counts := make(map[string]map[string]int, len(matches))
	for kind, rules := range matches {
		counts[kind.String()] = rules
	}
	return counts
}

// decided keeps which rules decided about anybody: all that ever did, while the rules are the same.
func decided(matches settle.Matches, sameRules bool) transition {
	return func(s *store.TenantState) {
		var names []string
		if sameRules {
			names = slices.Clone(s.Decided)
		}
		for kind, rules := range matches {
			for rule := range rules {
				if rule != "" {
					names = append(names, ruleOf(kind, rule))
				}
			}
		}
		slices.Sort(names)
		s.Decided = slices.Compact(names)
	}
}

// Undecided lists the rules of a connection, as "person/NAME", that decided about nobody in any tenant since they are in
// force; none while one of the tenants that have these rules is not yet settled by them. states are those of tenants, which are
// all that were ever read.
func (c *Connection) Undecided(tenants []connectors.Tenant, states []store.TenantState) (rules []string) {
	decided, settled := map[string]bool{}, false
	for i := range tenants {
		own := c.Of(&tenants[i])
		if own.Rules != c.Rules {
			continue
		}
		if own.settledHash(&states[i]) != states[i].RulesHash {
			return nil
		}
		settled = true
		for _, rule := range states[i].Decided {
			decided[rule] = true
		}
	}
	for _, kind := range directory.Kinds() {
		for _, name := range c.Rules.RuleNames(kind) {
			if rule := ruleOf(kind, name); settled && !decided[rule] {
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// ruleOf names a rule for objects of a kind.
func ruleOf(kind directory.Kind, rule string) string { return kind.String() + "/" + rule }
