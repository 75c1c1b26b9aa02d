package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
)

// target renders a target. Of what is wanted of one that has things of its own it has what was written.
func (p *printer) target(t *Target) *yaml.Node {
	var kinds []string
	for _, k := range t.Kinds {
		kinds = append(kinds, k.String())
	}
	pairs := []pair{{"target", t.Target}, {"kinds", notNone(kinds)}, {workersKey, notNone(t.Workers)}}
	if d := t.Desk; d != nil {
		pairs = append(pairs, p.desk(d)...)
	}
	return p.block(append(pairs, pair{t.Target, p.own(t.Block)})...)
}

func (p *printer) desk(d *Desk) []pair {
	var match, leavers []pair
	for _, kind := range directory.RecordKinds() {
		if keys, written := d.Match[kind]; written {
			match = append(match, pair{kind.String(), p.matchKeys(keys)})
		}
		if l, written := d.Leavers[kind]; written {
			leavers = append(leavers, pair{kind.String(), p.block(pair{"do", notEmpty(l.Do)}, pair{"open_tickets", notEmpty(l.OpenTickets)})})
		}
	}
	var references, protect, guard []pair
	for _, field := range slices.Sorted(maps.Keys(d.References)) {
		r := d.References[field]
		references = append(references, pair{field, p.block(pair{"alias", notNil(r.Alias)}, pair{"default", notEmpty(r.Default)}, pair{"create", r.Create})})
	}
	for _, field := range slices.Sorted(maps.Keys(d.Protect)) {
		protect = append(protect, pair{field, []string(d.Protect[field])})
	}
	for _, class := range slices.Sorted(maps.Keys(d.Guard)) {
		guard = append(guard, pair{class, p.block(given("count", d.Guard[class].Count), given("percent", d.Guard[class].Percent))})
	}
	var settle, audit any
	if d.Settle != 0 {
		settle = d.Settle
	}
	if a := d.Audit; a != nil {
		audit = p.block(pair{"schedule", notEmpty(a.Schedule)}, pair{"repair", notNone(a.Repair)}, pair{"fields", notNone(a.Fields)})
	}
	return []pair{
		p.section("match", match), {"blanks", notNone(d.Blanks)}, {"first", notEmpty(d.First)}, {"after", notEmpty(d.After)}, {"adopt", notEmpty(d.Adopt)}, {"own", notEmpty(d.Own)},
		{"missing", notEmpty(d.Missing)}, {"members", notEmpty(d.Members)}, {"look", notEmpty(d.Look)}, p.section("references", references), p.section("protect", protect), p.section("leavers", leavers),
		{"reactivate", notEmpty(d.Reactivate)}, p.section("guard", guard), {"settle", settle}, {"audit", audit}, {"interim", notNil(d.Interim)},
	}
}

func (p *printer) matchKeys(keys []MatchKey) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, m := range keys {
		pairs := []pair{{m.Key, "= " + strings.Join(m.Of, " ?? ")}}
		if m.Within {
			pairs = append(pairs, pair{"within", "customer"})
		}
		if m.Ask {
			pairs = append(pairs, pair{"ask", true})
		}
		list.Content = append(list.Content, p.block(pairs...))
	}
	return list
}

// tenants renders what tenants of a connection have of their own.
func (p *printer) tenants(list []Tenant) pair {
	var all []pair
	for i := range list {
		t := &list[i]
		var without []string
		for _, k := range t.Without {
			without = append(without, k.String())
		}
		guard := pair{"guard", nil}
		if t.Guard != nil {
			guard.value = p.guard(t.Guard)
		}
		all = append(all, pair{t.Tenant, p.block(pair{"mapping", notEmpty(t.Mapping)}, guard, pair{"without", notNone(without)})})
	}
	return p.section("tenants", all)
}

// section is a key with a block; without one where that would be empty.
func (p *printer) section(key string, pairs []pair) pair {
	if len(pairs) == 0 {
		return pair{key, nil}
	}
	return pair{key, p.block(pairs...)}
}

func notNil(texts map[string]string) any {
	if len(texts) == 0 {
		return nil
	}
	return texts
}
