package distinct

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// Config is the block `distinct:` of a connection.
type Config struct {
	// From are the connections whose records are looked at.
	From settings.Names `yaml:"from"`
	// Of are the kinds of record that are looked at: user, agent, asset.
	Of settings.Names `yaml:"of"`
	// Make says of a kind of object what it is made of: customer, site or group.
	Make map[string]Make `yaml:"make"`
	// Blank are values that say nothing, besides the usual ones ("-", "n/a", "none", "unknown").
	Blank []string `yaml:"blank"`
}

// Make says of what objects of a kind are made.
type Make struct {
	// Value is the field of the records whose texts become objects.
	Value string `yaml:"value"`
	// Within is a field that keeps equal texts apart: the offices of two customers are two. Empty: nothing does.
	Within string `yaml:"within"`
}

// Defaults returns a configuration without connections.
func Defaults() *Config { return &Config{Of: settings.Names{directory.UserRecord.String()}} }

// Contributors lists the connections of whose records this one is made.
func (c *Config) Contributors() []string { return c.From }

// MadeOfRecords says of which records, and of which of their fields, in order, it is made.
func (c *Config) MadeOfRecords() (kinds []directory.RecordKind, fields []string) {
	for _, m := range c.Make {
		fields = append(fields, m.Value)
		if m.Within != "" {
			fields = append(fields, m.Within)
		}
	}
	slices.Sort(fields)
	return c.kinds(), slices.Compact(fields)
}

// kinds are those of Of, in order.
func (c *Config) kinds() (kinds []directory.RecordKind) {
	for _, word := range c.Of {
		if kind, ok := directory.ParseRecordKind(word); ok {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// made is a kind of object with what it is made of.
type made struct {
	Make
	kind directory.Kind
	// customer: objects belong to the customers that are made of the field Within.
	customer bool
}

// made lists what is made, customers first.
func (c *Config) made() (list []made) {
	for _, kind := range []directory.Kind{directory.Customer, directory.Site, directory.Group} {
		if m, ok := c.Make[kind.String()]; ok {
			customer := kind != directory.Customer && m.Within != "" && c.Make[directory.Customer.String()].Value == m.Within
			list = append(list, made{m, kind, customer})
		}
	}
	return list
}

// Unread implements connectors.Selective: what is made has a name, and that within which it counts.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	var of *made
	for _, m := range c.made() {
		if m.kind == kind {
			of = &m
		}
	}
	if of == nil {
		return "add `" + kind.String() + ": {value: FIELD}` to make, if it is one of customer, site and group", true
	}
	switch name {
	case "", directory.FieldName:
		return "", false
	case directory.Customer.String():
		return "say within which field of make.customer it counts", !of.customer
	}
	if of.Within != "" && name == directory.AttributePrefix+of.Within {
		return "", false
	}
	known := "what is made of texts has a name"
	if of.Within != "" {
		known += " and " + directory.AttributePrefix + of.Within
	}
	return known, true
}

// Validate implements settings.Validator.
func (c *Config) Validate() []settings.Issue {
	var l settings.Issues
	if len(c.From) == 0 {
		l.Report("from", "name the connections whose records are looked at", "there is none")
	}
	if len(c.Of) == 0 {
		l.Report("of", "user, agent, asset", "no kind of record is looked at")
	}
	for _, word := range c.Of {
		switch kind, _ := directory.ParseRecordKind(word); kind {
		case directory.UserRecord, directory.AgentRecord, directory.AssetRecord:
		default:
			l.Report("of", "user, agent, asset", "%q is no kind of record that is looked at", word)
		}
	}
	if len(c.Make) == 0 {
		l.Report("make", "write what becomes of which field: `site: {value: site, within: customer}`", "nothing is made")
	}
	for kind, m := range c.Make {
		switch kind {
		case directory.Customer.String(), directory.Site.String(), directory.Group.String():
		default:
			l.Report("make."+kind, "customer, site, group", "%q is no kind of object that is made of texts", kind)
		}
		if m.Value == "" {
			l.Report("make."+kind+".value", "name the field of the records: `value: site`", "it is made of nothing")
		} else if m.Value == m.Within {
			l.Report("make."+kind+".within", "", "%q is within itself", m.Value)
		}
	}
	return l
}

// scope says what is listed.
func (c *Config) scope() string {
	var list []string
	for _, m := range c.made() {
		text := m.kind.String() + " of " + m.Value
		if m.Within != "" {
			text += " within " + m.Within
		}
		list = append(list, text)
	}
	return "made of records (" + strings.Join(c.Of, ", ") + ") of " + strings.Join(c.From, ", ") + ": " + strings.Join(list, "; ")
}
