package config

import (
	"maps"
	"slices"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Over holds the limits that the operator set on what is done within a time, runs together.
type Over struct {
	Limits Limits
	// Memberships are those of what lists lose; nil when they were not written.
	Memberships *Memberships
	// Fields are those of updates that change a field, by its name.
	Fields FieldLimits
	// Usual is how many times what is usual may be removed, 0: any; nil when it was not written.
	Usual *float64
}

// Overs are limits over time by the word of the time: one of overWords.
type Overs map[string]*Over

// The times over which there are limits.
const (
	Day  = "24h"
	Week = "7d"
)

func overWords() []string { return []string{Day, Week} }

// FieldLimits are limits on the updates that change a field, by its name.
type FieldLimits map[string]FieldLimit

// FieldLimit is how many records may get another value of a field unasked. What is nil was not written.
type FieldLimit struct {
	Count   *int     `yaml:"count"`   // records, at least 0
	Percent *float64 `yaml:"percent"` // of the records of a kind, from 0 to 100
	Minimum *int     `yaml:"minimum"` // records below which Percent is not looked at, at least 0
}

const (
	fieldsKey = "fields"
	usualKey  = "usual"
)

// scope says for whom limits are.
type scope int

const (
	ofTenant scope = iota
	ofMany         // tenants of a connection, or connections
)

// read reads the limits of one time. It reports whether the key is one.
func (o Overs) read(e strict.Entry, of scope) bool {
	if !slices.Contains(overWords(), e.Key) {
		return false
	}
	over := &Over{Limits: Limits{}}
	o[e.Key] = over
	entries, _ := e.Value.Entries()
	known := append(opWords(), membershipsKey, fieldsKey)
	if e.Key == Week {
		known = append(known, usualKey)
	}
	for _, l := range entries {
		switch {
		case l.Key == membershipsKey:
			over.Memberships = readMemberships(l.Value)
			if of == ofMany {
				onlyCount(l.Value)
			}
		case l.Key == fieldsKey:
			over.Fields.read(l.Value)
		case l.Key == usualKey && e.Key == Week:
			var usual float64
			if l.Value.Into(&usual) {
				over.Usual = &usual
				if usual < 0 || usual > 0 && usual < 1 {
					l.Value.Problem("write how many times the usual may be removed, such as 4, or 0 for any", "%s: %v is neither 0 nor at least 1", l.Value.Label(), usual)
				}
			}
		default:
			over.Limits.read(e.Value, l, known)
		}
	}
	return true
}

func onlyCount(v strict.Value) {
	for _, key := range []string{"percent", "few", "list", "minimum"} {
		if at := v.Get(key); at.Kind() != strict.None {
			at.KeyProblem("write a count, or the share among the limits of a tenant", "%s: memberships of several tenants are limited by their count only", at.Label())
		}
	}
}

func readMemberships(v strict.Value) *Memberships {
	var m Memberships
	if v.Into(&m) {
		m.check(v)
	}
	return &m
}

// read reads limits by name of a field.
func (f *FieldLimits) read(v strict.Value) {
	*f = FieldLimits{}
	entries, _ := v.Entries()
	for _, e := range entries {
		var limit FieldLimit
		if e.Value.Into(&limit) {
			notNegative(e.Value, "count", limit.Count, "0 holds every one")
			notNegative(e.Value, "minimum", limit.Minimum, "")
			share(e.Value, "percent", limit.Percent)
			if limit.Count == nil && limit.Percent == nil {
				e.Value.Problem("write {count: 50} or {percent: 10}", "%s: neither count nor percent is given", e.Value.Label())
			}
		}
		(*f)[e.Key] = limit
	}
}

// warnOfFields warns of limits on fields that none of the rules sets: a name that is misspelt would limit nothing, and nobody would
// be told. A guard may be shared by mappings, so it is no mistake.
func warnOfFields(guard strict.Value, rules ...*mapping.Ruleset) {
	var known []string
	for _, r := range rules {
		for _, kind := range directory.RecordKinds() {
			known = append(known, r.FieldsOf(kind)...)
		}
	}
	for _, of := range []strict.Value{guard, guard.Get(connectionKey)} {
		for _, limits := range []strict.Value{of, of.Get(Day), of.Get(Week)} {
			fields := limits.Get(fieldsKey)
			if fields.Kind() != strict.Block {
				continue
			}
			entries, _ := fields.Entries()
			for _, e := range entries {
				if !slices.Contains(known, e.Key) {
					e.Value.KeyWarn(spelling.Suggest(e.Key, known), "guard: no rule sets the field %q, so its limit holds nothing", short(e.Key))
				}
			}
		}
	}
}

// warnOfWhole warns of such limits on all connections together.
func (l *loader) warnOfWhole(guard strict.Value) {
	var rules []*mapping.Ruleset
	for _, m := range l.cfg.Mappings {
		if m.Rules == nil {
			return // what is wrong with it is said there
		}
		rules = append(rules, m.Rules)
	}
	warnOfFields(guard, rules...)
}

// wholeGuard is `guard:` at the top of the file: limits on what all connections do together.
type wholeGuard struct{ over Overs }

// DecodeStrict reads the limits by time.
func (g *wholeGuard) DecodeStrict(v strict.Value) {
	g.over = Overs{}
	entries, _ := v.Entries()
	for _, e := range entries {
		if !g.over.read(e, ofMany) {
			v.UnknownKey(e, overWords())
		}
	}
}

func (p *printer) wholeGuard(all Overs) any {
	if len(all) == 0 {
		return nil
	}
	return p.block(p.overs(all)...)
}

// overs renders limits over time.
func (p *printer) overs(all Overs) (list []pair) {
	for _, word := range overWords() {
		if o := all[word]; o != nil {
			list = append(list, pair{word, p.block(append(p.limits(o.Limits), p.memberships(o.Memberships), p.fieldLimits(o.Fields), given(usualKey, o.Usual))...)})
		}
	}
	return list
}

func (p *printer) memberships(m *Memberships) pair {
	if m == nil {
		return pair{membershipsKey, nil}
	}
	return pair{membershipsKey, p.block(given("count", m.Count), given("percent", m.Percent), given("few", m.Few), given("list", m.List), given("minimum", m.Minimum))}
}

func (p *printer) fieldLimits(all FieldLimits) pair {
	if len(all) == 0 {
		return pair{fieldsKey, nil}
	}
	var list []pair
	for _, name := range slices.Sorted(maps.Keys(all)) {
		l := all[name]
		list = append(list, pair{name, p.block(given("count", l.Count), given("percent", l.Percent), given("minimum", l.Minimum))})
	}
	return pair{fieldsKey, p.block(list...)}
}
