package config

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
)

// Guard holds the limits that the operator set.
type Guard struct {
	// Tenant are those of each tenant, Connection those of all tenants of a connection together.
	Tenant, Connection Limits
	// Memberships are those of what groups and licences lose; nil when they were not written.
	Memberships *Memberships
	// Fields are those of updates that change a field in a run.
	Fields FieldLimits
	// Over are those of each tenant over time, and ConnectionOver those of all tenants of a connection together.
	Over, ConnectionOver Overs
}

// Limits are limits by operation.
type Limits map[directory.Op]Limit

// Limit is how much of an operation a run may do unasked. What is nil was not written.
type Limit struct {
	Count   *int     `yaml:"count"`   // actions, at least 0
	Percent *float64 `yaml:"percent"` // of the records, from 0 to 100
	Minimum *int     `yaml:"minimum"` // records below which Percent says little, at least 0
	Few     *int     `yaml:"few"`     // removals of fewer records than Minimum, at least 0
}

// Memberships is how many members lists may lose in a run unasked. What is nil was not written.
type Memberships struct {
	Count   *int     `yaml:"count"`   // memberships, at least 0
	Percent *float64 `yaml:"percent"` // of all memberships, from 0 to 100
	Few     *int     `yaml:"few"`     // memberships up to which Percent is not looked at, at least 0
	List    *float64 `yaml:"list"`    // of the members of one list, from 0 to 100
	Minimum *int     `yaml:"minimum"` // members of a list below which List is not looked at, at least 0
}

const (
	membershipsKey = "memberships"
	connectionKey  = "connection"
)

// DecodeStrict reads the limits by operation, and what stands beside them.
func (g *Guard) DecodeStrict(v strict.Value) {
	*g = Guard{Tenant: Limits{}, Over: Overs{}}
	entries, _ := v.Entries()
	for _, e := range entries {
		switch e.Key {
		case membershipsKey:
			g.Memberships = readMemberships(e.Value)
		case fieldsKey:
			g.Fields.read(e.Value)
		case connectionKey:
			g.Connection, g.ConnectionOver = Limits{}, Overs{}
			limits, _ := e.Value.Entries()
			for _, l := range limits {
				if !g.ConnectionOver.read(l, ofMany) {
					g.Connection.read(e.Value, l, append(opWords(), overWords()...))
				}
			}
		default:
			if !g.Over.read(e, ofTenant) {
				g.Tenant.read(v, e, append(append(opWords(), overWords()...), membershipsKey, fieldsKey, connectionKey))
			}
		}
	}
}

// read reads the limit of one operation; known are the keys that may stand where it does.
func (l Limits) read(v strict.Value, e strict.Entry, known []string) {
	op, ok := directory.ParseOp(e.Key)
	if !ok {
		v.UnknownKey(e, known)
		return
	}
	var limit Limit
	if e.Value.Into(&limit) {
		limit.check(op, e.Value)
	}
	l[op] = limit
}

func opWords() []string {
	var words []string
	for _, op := range directory.Ops() {
		words = append(words, op.String())
	}
	return words
}

func (l *Limit) check(op directory.Op, v strict.Value) {
	notNegative(v, "count", l.Count, "0 holds every one")
	notNegative(v, "minimum", l.Minimum, "")
	notNegative(v, "few", l.Few, "0 holds every one")
	if l.Few != nil && !op.Removes() {
		at := v.Get("few")
		at.Problem("it is for deactivate and delete", "%s: nothing is taken away by %s", at.Label(), op)
	}
	share(v, "percent", l.Percent)
	if l.Count == nil && l.Percent == nil {
		v.Problem("write {count: 50} or {percent: 10}", "%s: neither count nor percent is given", v.Label())
	}
}

func (m *Memberships) check(v strict.Value) {
	notNegative(v, "count", m.Count, "0 holds every one")
	notNegative(v, "few", m.Few, "")
	notNegative(v, "minimum", m.Minimum, "")
	share(v, "percent", m.Percent)
	share(v, "list", m.List)
}

func notNegative(v strict.Value, key string, n *int, hint string) {
	if n != nil && *n < 0 {
		at := v.Get(key)
		at.Problem(hint, "%s: %d is negative", at.Label(), *n)
	}
}

func share(v strict.Value, key string, p *float64) {
	if p != nil && (*p < 0 || *p > 100) {
		at := v.Get(key)
		at.Problem("", "%s: %v is not between 0 and 100", at.Label(), *p)
	}
}
