package connectors

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Selective is a configuration (Factory.NewConfig) that decides what is read, so that rules which look at something else
// can be refused before they take its absence for an answer. Every connector's is one.
type Selective interface {
	// Unread reports whether the configuration has nothing read that rules for objects of a kind find under a name, and
	// says what to write to change that. The name is a common field, "groups", "licences", "manager", "owner",
	// "customer", "site", "tenant", an attribute ("attributes.costCentre"), or empty for objects of the kind as such. It does no I/O.
	Unread(kind directory.Kind, name string) (hint string, unread bool)
}

// Domained is a configuration that can have the mail domains of tenants read (Page.Domains). Rules that look at them are refused
// for any other connection.
type Domained interface {
	// ReadsDomains reports whether they are read, and says what to write to change that. It does no I/O.
	ReadsDomains() (hint string, read bool)
}

// OfTenant is a configuration that reads one tenant whose objects have ids that count in that tenant alone.
type OfTenant interface {
	// TenantID is the tenant as the configuration names it: by its id, or by another name. It does no I/O.
	TenantID() string
}

// UnreadPlace is the answer of Selective.Unread of a source that knows no sites and does not say to which customer and site
// somebody belongs; anything else is read.
func UnreadPlace(kind directory.Kind, name string) (hint string, unread bool) {
	if kind == directory.Site || name == "customer" || name == "site" {
		return "a directory does not say that: use company or office (tenant.name where a source has tenants), or give this connection a mapping of its own", true
	}
	return "", false
}

// UnreadTenant is the answer of Selective.Unread of a source that is no tenant of anything: names of tenants are blank there.
func UnreadTenant(name string) (hint string, unread bool) {
	return `write connection == "NAME" where connections are to be told apart, or give this one a mapping of its own`, name == "tenant"
}

// UnreadAttribute is the answer of Selective.Unread for an attribute of which the configuration has a list, under a key;
// any other name is read. Names of attributes are told apart by case, as rules do.
func UnreadAttribute(key string, list []string, name string) (hint string, unread bool) {
	attribute, ok := strings.CutPrefix(name, directory.AttributePrefix)
	if !ok || slices.Contains(list, attribute) {
		return "", false
	}
	for _, known := range list {
		if strings.EqualFold(known, attribute) {
			return "write it as the configuration does: " + directory.AttributePrefix + known, true
		}
	}
	return "add " + attribute + " to " + key, true
}
