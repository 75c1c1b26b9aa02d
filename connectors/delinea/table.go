package delinea

import (
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// The tables of people (Delinea, table reference).
const (
	tableUser        = "User"
	tableDirectories = "DSUsers"
)

// table says what is asked of a table of people.
type table struct {
	name      string
	id        string                    // the column with the immutable id, by which rows are ordered
	status    string                    // a word that no language changes
	enabled   string                    // a truth value; blank: the status says it
	lastLogin string                    // blank: it is not asked for
	fields    map[string]settings.Names // columns of common fields
	columns   []string                  // all that are asked for, each once, sorted
}

func (c *Config) people() table {
	t := table{name: c.Table, id: "ID", status: "StatusEnum", fields: map[string]settings.Names{
		directory.FieldLogin: {"Username"}, directory.FieldName: {"DisplayName"}, directory.FieldEmail: {"Email"}, directory.FieldEmails: {"Email"},
	}}
	switch {
	case c.Table == tableDirectories:
		t.id, t.enabled = "InternalName", "Enabled"
		t.fields = map[string]settings.Names{
			directory.FieldLogin: {"SystemName"}, directory.FieldName: {"DisplayName"}, directory.FieldEmail: {"EMail"}, directory.FieldEmails: {"EMail"},
			directory.FieldDescription: {"Description"},
		}
	case c.LastLogin:
		t.lastLogin = "LastLogin"
	}
	maps.Copy(t.fields, c.Fields)
	for _, names := range t.fields {
		t.columns = append(t.columns, names...)
	}
	t.columns = append(append(t.columns, c.Attributes...), t.id, t.status, t.enabled, t.lastLogin)
	slices.Sort(t.columns)
	t.columns = slices.DeleteFunc(slices.Compact(t.columns), func(name string) bool { return name == "" })
	return t
}

// script selects the rows of a table. Everything in it is a column that Validate has seen, or a name of ours: scripts have no parameters.
func (t *table) script() string {
	return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name + " ORDER BY " + t.id
}

// scriptFor selects one row by its id; false for an id that could be more than a value.
func (t *table) scriptFor(id string) (string, bool) {
	if !isID(id) {
		return "", false
	}
	return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name + " WHERE " + t.id + " = '" + id + "' ORDER BY " + t.id, true
}

// isID reports whether a text looks like an id of the service: a GUID, or a name of letters, digits and few signs.
func isID(id string) bool {
	const signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_."
	return id != "" && len(id) <= 128 && strings.Trim(id, signs) == ""
}
