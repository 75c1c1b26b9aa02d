package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// made is the block of a connection that is made of others.
type made interface{ Contributors() []string }

// madeOfRecords is the block of one that is made of what the rules of the others make: of fields of some kinds of record.
type madeOfRecords interface {
	MadeOfRecords() (kinds []directory.RecordKind, fields []string)
}

// Contributors lists the connections of whose stored objects this one is made; none for a connection with a source of its own.
func (c *Connection) Contributors() []string {
	if m, ok := c.Block.(made); ok {
		return m.Contributors()
	}
	return nil
}

// MadeOf lists the connections that are made of one, in order.
func (c *Config) MadeOf(connection string) (names []string) {
	for i := range c.Connections {
		if slices.Contains(c.Connections[i].Contributors(), connection) {
			names = append(names, c.Connections[i].Name)
		}
	}
	return names
}

// RecordFieldsOf lists the fields of a connection's records of which others are made, in order.
func (c *Config) RecordFieldsOf(connection string) (fields []string) {
	for i := range c.Connections {
		of, ok := c.Connections[i].Block.(madeOfRecords)
		if ok && slices.Contains(c.Connections[i].Contributors(), connection) {
			_, of := of.MadeOfRecords()
			fields = append(fields, of...)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// checkContributors looks at the connections that are made of others, and at those that have no target: they must be good for
// one of these.
func (l *loader) checkContributors(entries []strict.Entry) {
	var names []string
	for i := range l.cfg.Connections {
		names = append(names, l.cfg.Connections[i].Name)
	}
	for i := range l.cfg.Connections {
		c := &l.cfg.Connections[i]
		written := entries[i].Value.In(quoted("connection", c.Name))
		from := written.Get(c.Connector).Get("from")
		_, ofRecords := c.Block.(madeOfRecords)
		for _, name := range c.Contributors() {
			at := slices.Index(names, name)
			if at < 0 && l.partial {
				continue
			}
			if at < 0 {
				from.Problem(spelling.Suggest(name, names), "from: there is no connection %q", short(name))
				continue
			}
			other := &l.cfg.Connections[at]
			_, records := other.Block.(madeOfRecords)
			switch {
			case len(other.Contributors()) > 0 && (!ofRecords || records):
				from.Problem("name the connections of which that one is made", "from: %q is made of others itself", short(name))
			case ofRecords && other.Mapping == "" && !l.broken[name]:
				from.Problem("give it a mapping: its records are looked at", "from: %q makes no records", short(name))
			}
		}
		if targets := written.Get("targets"); targets.Kind() == strict.List && len(c.Targets) == 0 && len(l.cfg.MadeOf(c.Name)) == 0 && !l.partial {
			targets.Problem("name at least one; a connection that others are made of (merge, distinct) can do without", "targets: there is none")
		}
	}
}

// checkRecordFields refuses connections that are made of fields which no rule sets: nothing would ever come of them.
func (l *loader) checkRecordFields(entries []strict.Entry) {
	for i := range l.cfg.Connections {
		c := &l.cfg.Connections[i]
		of, ok := c.Block.(madeOfRecords)
		if !ok || l.broken[c.Name] {
			continue
		}
		kinds, fields := of.MadeOfRecords()
		var known []string
		mapped := false
		for j := range l.cfg.Connections {
			other := &l.cfg.Connections[j]
			if !slices.Contains(c.Contributors(), other.Name) {
				continue
			}
			for _, m := range other.mappings() {
				mapped = true
				mapping := l.cfg.Mappings[m]
				if mapping == nil || mapping.Rules == nil {
					return // what is wrong with it is said elsewhere
				}
				rules := mapping.Rules
				for _, kind := range kinds {
					known = append(known, rules.FieldsOf(kind)...)
				}
			}
		}
		block := entries[i].Value.In(quoted("connection", c.Name)).Get(c.Connector)
		for _, field := range fields {
			if mapped && field != "" && !slices.Contains(known, field) {
				block.Get("make").Problem(spelling.Suggest(field, known), "make: no rule of %s sets the field %q", strings.Join(c.Contributors(), ", "), short(field))
			}
		}
	}
}

// mappings are those by which a connection and its tenants go.
func (c *Connection) mappings() (names []string) {
	if c.Mapping != "" {
		names = append(names, c.Mapping)
	}
	for i := range c.Tenants {
		if m := c.Tenants[i].Mapping; m != "" {
			names = append(names, m)
		}
	}
	return names
}
