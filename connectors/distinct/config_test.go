package distinct

import (
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

var _ connectors.Selective = (*Config)(nil)

func valid() *Config {
	c := Defaults()
	c.From = settings.Names{"ad"}
	c.Make = map[string]Make{"customer": {Value: "customer"}, "site": {Value: "site", Within: "customer"}, "group": {Value: "department"}}
	return c
}

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"valid":          {func(*Config) {}, ""},
		"of nobody":      {func(c *Config) { c.From = nil }, "from"},
		"of no records":  {func(c *Config) { c.Of = nil }, "of"},
		"of sites":       {func(c *Config) { c.Of = settings.Names{"site"} }, "of"},
		"of strangers":   {func(c *Config) { c.Of = settings.Names{"users"} }, "of"},
		"nothing":        {func(c *Config) { c.Make = nil }, "make"},
		"a person":       {func(c *Config) { c.Make["person"] = Make{Value: "name"} }, "make.person"},
		"of no field":    {func(c *Config) { c.Make["site"] = Make{Within: "customer"} }, "make.site.value"},
		"within itself":  {func(c *Config) { c.Make["site"] = Make{Value: "site", Within: "site"} }, "make.site.within"},
		"several kinds":  {func(c *Config) { c.Of = settings.Names{"user", "agent", "asset"} }, ""},
		"within nothing": {func(c *Config) { c.Make["site"] = Make{Value: "site"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			test.change(c)
			var paths []string
			for _, issue := range c.Validate() {
				paths = append(paths, issue.Path)
			}
			if test.path == "" && len(paths) > 0 || test.path != "" && !slices.Contains(paths, test.path) {
				t.Errorf("issues at %q, want %q", paths, test.path)
			}
		})
	}
}

func TestUnread(t *testing.T) {
	c := valid()
	for _, test := range []struct {
		kind   directory.Kind
		name   string
		unread bool
	}{
		{directory.Site, "", false}, {directory.Site, "name", false}, {directory.Site, "customer", false}, {directory.Site, "attributes.customer", false},
		{directory.Site, "street", true}, {directory.Site, "attributes.company", true}, {directory.Customer, "name", false}, {directory.Customer, "domain", true},
		{directory.Group, "name", false}, {directory.Group, "customer", true}, {directory.Person, "", true}, {directory.Device, "name", true},
	} {
		hint, unread := c.Unread(test.kind, test.name)
		if unread != test.unread || unread && hint == "" {
			t.Errorf("%s %q: unread %t, hint %q", test.kind, test.name, unread, hint)
		}
	}
	if kinds, fields := c.MadeOfRecords(); !slices.Equal(kinds, []directory.RecordKind{directory.UserRecord}) || !slices.Equal(fields, []string{"customer", "department", "site"}) {
		t.Errorf("made of %v, %q", kinds, fields)
	}
}
