package config

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
)

// Tenant is what one tenant of a connection has of its own, in place of what the connection has.
type Tenant struct {
	Tenant  string // its id, domain or name
	Mapping string // empty: the connection's
	// Guard are its limits; nil: those of its mapping.
	Guard *Guard
	// Without are the kinds of object that are not read of it.
	Without []directory.Kind
}

// tenantsBlock is the block of a connection that readTenants reads.
type tenantsBlock struct{ strict.Value }

// DecodeStrict keeps the block for later.
func (b *tenantsBlock) DecodeStrict(v strict.Value) { b.Value = v }

// tenantKeys are the keys of a tenant.
type tenantKeys struct {
	Mapping string       `yaml:"mapping"`
	Guard   *Guard       `yaml:"guard"`
	Without []leftUnread `yaml:"without"`
}

// leftUnread is a kind of object that a tenant may be read without: those that nobody else leads to.
type leftUnread directory.Kind

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *leftUnread) UnmarshalText(text []byte) error {
	for _, kind := range []directory.Kind{directory.Group, directory.Licence, directory.Device} {
		if kind.String() == string(text) {
			*k = leftUnread(kind)
			return nil
		}
	}
	return fmt.Errorf("is none of group, licence, device")
}

// readTenants reads what the tenants of a connection have of their own, sorted by tenant.
func (l *loader) readTenants(v strict.Value) (list []Tenant) {
	if v.Kind() == strict.None {
		return nil
	}
	entries, _ := v.Entries()
	for i, e := range entries {
		at := e.Value.In(quoted("tenant", e.Key))
		var keys tenantKeys
		at.Into(&keys)
		if same := func(o strict.Entry) bool { return strings.EqualFold(o.Key, e.Key) }; slices.ContainsFunc(entries[:i], same) {
			e.Value.KeyProblem("join the two", "tenant %q is there twice, in letters of another case", short(e.Key))
		}
		t := Tenant{Tenant: e.Key, Mapping: keys.Mapping, Guard: keys.Guard}
		for _, k := range keys.Without {
			t.Without = append(t.Without, directory.Kind(k))
		}
		if keys.Guard != nil && keys.Guard.Connection != nil {
			limits := at.Get("guard").Get(connectionKey)
			limits.KeyProblem("they stand in the guard of the connection's mapping", "%s: these limits are for all tenants together", limits.Label())
		}
		l.refer(at.Get("mapping"), "mapping", l.mappings)
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Tenant) int { return strings.Compare(a.Tenant, b.Tenant) })
	return list
}

// mapping is the name of the mapping of a tenant of a connection.
func (t *Tenant) mapping(c *Connection) string {
	if t.Mapping == "" {
		return c.Mapping
	}
	return t.Mapping
}
