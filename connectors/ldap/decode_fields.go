package ldap

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// fieldRule fills one field from the row of an entry. It reports false when the entry has nothing for it.
type fieldRule struct {
	name string
	read func(*row) (directory.Value, bool)
}

// personRules makes the rules for people: the preset's, with the operator's own attributes in place of them
// where there are any, the state of the account, and the attributes that were asked for.
func personRules(r *row, p preset, cfg *Config) []fieldRule {
	var rules []fieldRule
	// In order, so that attributes are asked for in the same order each time: a server may answer in that.
	for _, name := range slices.Sorted(maps.Keys(p.person)) {
		attributes := p.person[name]
		if own, ok := cfg.Fields[name]; ok {
			attributes = own
		}
		rules = appendCommon(rules, r, name, attributes)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Fields)) {
		if _, ok := p.person[name]; !ok {
			rules = appendCommon(rules, r, name, cfg.Fields[name])
		}
	}
	state, expiry := openLDAPState(r), openLDAPExpiry(r)
	if p.name == presetActiveDirectory {
		state, expiry = activeDirectoryState(r), activeDirectoryExpiry(r)
	}
	state = append(state, expiry, pathRule())
	if search, ok := searchRule(p, cfg); ok {
		state = append(state, search)
	}
	for _, rule := range state {
		if _, own := cfg.Fields[rule.name]; !own {
			rules = append(rules, rule)
		}
	}
	return sorted(append(rules, requested(r, cfg.Attributes)...))
}

// groupRules makes the rules for groups.
func groupRules(r *row, p preset, cfg *Config) []fieldRule {
	rules := []fieldRule{
		{directory.FieldName, groupName(r.slots([]string{"cn"}))},
		{directory.FieldDescription, text(r, r.slots([]string{"description"}))},
		{directory.FieldEmail, text(r, r.slots([]string{"mail"}))},
		{directory.FieldCreated, moment(r.slots(p.person[directory.FieldCreated]))},
		pathRule(),
	}
	if p.name == presetActiveDirectory {
		rules = append(rules, fieldRule{directory.FieldGroupType, activeDirectoryGroupType(r.slot("groupType"))})
	} else {
		rules = append(rules, fieldRule{directory.FieldGroupType, posixGroupType(r.slot("gidNumber"))})
	}
	return sorted(append(rules, requested(r, cfg.Attributes)...))
}

func sorted(rules []fieldRule) []fieldRule {
	slices.SortFunc(rules, func(a, b fieldRule) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(rules, func(a, b fieldRule) bool { return a.name == b.name })
}

// appendCommon adds the rule of a common field, by the field's type.
func appendCommon(rules []fieldRule, r *row, name string, attributes Names) []fieldRule {
	field, ok := directory.LookupCommonField(name)
	if !ok {
		return rules
	}
	slots := r.slots(attributes)
	rule := fieldRule{name: name}
	switch {
	case name == directory.FieldEmail:
		rule.read = email(slots)
	case name == directory.FieldLogin:
		rule.read = login(r, slots)
	case name == directory.FieldEmails:
		rule.read = emails(slots)
	case field.Type == directory.ListType:
		rule.read = list(r, slots)
	case field.Type == directory.TimeType:
		rule.read = moment(slots)
	case field.Type == directory.BoolType:
		rule.read = truth(slots)
	default:
		rule.read = text(r, slots)
	}
	return append(rules, rule)
}

// renderers are what render the values of slots, in their order.
func renderers(r *row, slots []int) []func(string) string {
	list := make([]func(string) string, len(slots))
	for i, slot := range slots {
		list[i] = renderer(r.names[slot])
	}
	return list
}

func text(r *row, slots []int) func(*row) (directory.Value, bool) {
	render := renderers(r, slots)
	return func(r *row) (directory.Value, bool) {
		for i, slot := range slots {
			if s := r.first(slot); s != "" {
				return directory.Text(render[i](s)), true
			}
		}
		return directory.Value{}, false
	}
}

// login prefers, among several values, the one in the entry's name: the order of values means nothing (RFC 4511 section
// 4.1.7), and a name that an entry had before a rename may be among them.
func login(r *row, slots []int) func(*row) (directory.Value, bool) {
	first := text(r, slots)
	return func(r *row) (directory.Value, bool) {
		for _, slot := range slots {
			values := r.values[slot]
			if len(values) == 0 {
				continue
			}
			if len(values) == 1 {
				break
			}
			for _, part := range r.rdn() {
				i := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, part.Value) })
				if i >= 0 && r.schema.same(part.Type, r.names[slot]) {
					return directory.Text(values[i]), true
				}
			}
			break
		}
		return first(r)
	}
}

// groupName falls back on the name by which a group stands in the tree: some are named by ou and have no cn.
func groupName(slots []int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		if name := r.first(slots...); name != "" {
			return directory.Text(name), true
		}
		for _, part := range r.rdn() {
			if part.Value != "" && validText(part.Value) {
				return directory.Text(part.Value), true
			}
		}
		return directory.Value{}, false
	}
}

func list(r *row, slots []int) func(*row) (directory.Value, bool) {
	render := renderers(r, slots)
	return func(r *row) (directory.Value, bool) {
		var items []string
		for i, slot := range slots {
			for _, v := range r.values[slot] {
				items = append(items, render[i](v))
			}
		}
		return directory.List(items...), len(items) > 0
	}
}

func moment(slots []int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		t, ok := parseTime(r.first(slots...))
		return directory.Time(t), ok
	}
}

func truth(slots []int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		switch strings.ToLower(r.first(slots...)) {
		case "true", "yes", "1":
			return directory.Bool(true), true
		case "false", "no", "0":
			return directory.Bool(false), true
		default:
			return directory.Value{}, false
		}
	}
}

// email takes the first address. Among values of proxyAddresses, which name their kind first, the primary
// address is the one with SMTP: in capitals.
func email(slots []int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		for _, slot := range slots {
			for _, v := range r.values[slot] {
				address, primary := strings.CutPrefix(v, "SMTP:")
				if address != "" && (primary || !strings.Contains(v, ":")) {
					return directory.Text(address), true
				}
			}
		}
		return directory.Value{}, false
	}
}

// emails collects mail addresses. Values of proxyAddresses name their kind first; only smtp: is mail.
func emails(slots []int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		var items []string
		for _, slot := range slots {
			for _, v := range r.values[slot] {
				kind, address, found := strings.Cut(v, ":")
				switch {
				case !found && v != "":
					items = append(items, v)
				case strings.EqualFold(kind, "smtp") && address != "":
					items = append(items, address)
				}
			}
		}
		return directory.List(items...), len(items) > 0
	}
}

func pathRule() fieldRule {
	return fieldRule{directory.FieldPath, func(r *row) (directory.Value, bool) {
		parent := dn.Parent(r.dn)
		return directory.Text(parent), parent != ""
	}}
}

func activeDirectoryGroupType(slot int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		n, err := strconv.ParseInt(r.first(slot), 10, 64)
		if err != nil {
			return directory.Value{}, false
		}
		// GROUP_TYPE_SECURITY_ENABLED (MS-ADTS 2.2.12) is the sign bit.
		if uint32(n)&0x80000000 != 0 {
			return directory.Text("security"), true
		}
		return directory.Text("distribution"), true
	}
}

func posixGroupType(gid int) func(*row) (directory.Value, bool) {
	return func(r *row) (directory.Value, bool) {
		return directory.Text("posix"), r.first(gid) != ""
	}
}
