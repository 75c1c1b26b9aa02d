package ldap

import (
	"maps"
	"slices"
	"strings"
)

// InForce returns the block with what the preset says wherever it says nothing itself. Where the server decides on the
// preset, the remark shows what each of them says.
func (c *Config) InForce() (block any, remark string) {
	if c.Preset != "" {
		return c.filled(presetFor(c.Preset, rootDSE{})), ""
	}
	var b strings.Builder
	b.WriteString("the server decides on the preset (`check --probe` shows which), and the preset on what is not written above:")
	for _, name := range presetNames() {
		own := *c
		own.Preset = name
		full := own.filled(presetFor(name, rootDSE{}))
		b.WriteString("\npreset: " + name)
		line := func(key, value string, written bool) {
			if !written && value != "" {
				b.WriteString("\n  " + key + ": " + value)
			}
		}
		line("anchor", full.Anchor.Users, c.Anchor != Anchor{})
		line("users.filter", full.Users.Filter, c.Users.Filter != "")
		line("groups.filter", full.Groups.Filter, c.Groups.Filter != "")
		line("groups.members", "["+strings.Join(full.Groups.Members, ", ")+"]", len(c.Groups.Members) > 0)
		line("groups.manager", full.Groups.Manager, c.Groups.Manager != "")
		for _, field := range slices.Sorted(maps.Keys(full.Fields)) {
			_, written := c.Fields[field]
			line("fields."+field, "["+strings.Join(full.Fields[field], ", ")+"]", written)
		}
	}
	return c, b.String()
}

// filled returns the configuration with all that a preset says.
func (c *Config) filled(p preset) *Config {
	full := *c
	if full.Users.Filter == "" {
		full.Users.Filter = p.userFilter
	}
	if full.Groups.Filter == "" {
		full.Groups.Filter = p.groupFilter
	}
	if (full.Anchor == Anchor{}) {
		full.Anchor.Users = p.anchor
	}
	if len(full.Groups.Members) == 0 {
		for _, m := range p.members {
			full.Groups.Members = append(full.Groups.Members, m.name)
		}
	}
	full.Groups.Manager = p.groupManagerAttribute(c)
	full.Fields = maps.Clone(p.person)
	maps.Copy(full.Fields, c.Fields)
	return &full
}
