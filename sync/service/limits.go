package service

import (
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/plan"
)

// overrides are what some tenants of a connection have of their own.
func overrides(cfg *config.Config, c *config.Connection) (list []engine.Override) {
	for _, t := range c.Tenants {
		o := engine.Override{Tenant: t.Tenant, Without: t.Without}
		guard := t.Guard
		if t.Mapping != "" {
			m := cfg.Mappings[t.Mapping]
			o.Rules = m.Rules
			if guard == nil {
				guard = &m.Guard
			}
		}
		if guard != nil {
			o.Guard, o.Lists, o.Over = limits(*guard).tenant(), limits(*guard).lists(), limits(*guard).over()
		}
		list = append(list, o)
	}
	return list
}

// limits lays what the operator wrote over the defaults: who limits one operation keeps the protection of the others.
type limits config.Guard

func (l limits) tenant() plan.Guard {
	return over(plan.DefaultGuard(), l.Tenant, plan.DefaultMinimum, nil)
}

func (l limits) shared() plan.Shared {
	shared := plan.DefaultShared()
	few := plan.DefaultFewShared
	shared.Guard, shared.Written = over(shared.Guard, l.Connection, plan.DefaultSharedMinimum, &few), map[directory.Op]bool{}
	for op := range l.Connection {
		shared.Written[op] = true
	}
	return shared
}

// over replaces limits by those that were written. minimum and few are those of a share that was written without them.
func over(guard plan.Guard, written config.Limits, minimum int, few *int) plan.Guard {
	for op, w := range written {
		limit := plan.Limit{Count: w.Count, Percent: w.Percent, Minimum: minimum, Few: w.Few}
		if w.Minimum != nil {
			limit.Minimum = *w.Minimum
		}
		if w.Few == nil {
			limit.Few = few
		}
		guard[op] = limit
	}
	return guard
}

func (l limits) lists() plan.Lists {
	lists, w := plan.DefaultLists(), l.Memberships
	if w == nil {
		return lists
	}
	lists.Count = w.Count
	if w.Percent != nil {
		lists.Percent = w.Percent
	}
	if w.List != nil {
		lists.List = w.List
	}
	if w.Few != nil {
		lists.Few = *w.Few
	}
	if w.Minimum != nil {
		lists.Minimum = *w.Minimum
	}
	return lists
}
