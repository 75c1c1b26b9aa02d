package config

import (
	"dirsyncd/sync/config/strict"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// mappingKeys are the keys of a mapping.
type mappingKeys struct {
	Rules   personRules `yaml:"rules"`
	Groups  groupRules  `yaml:"groups"`
	Fields  fieldsKeys  `yaml:"fields"`
	Guard   Guard       `yaml:"guard"`
	Leavers leavers     `yaml:"leavers"`
}

// fieldsKeys are the kinds of record that can have common fields.
type fieldsKeys struct {
	User  fieldList `yaml:"user"`
	Agent fieldList `yaml:"agent"`
	Group fieldList `yaml:"group"`
}

type leavers mapping.Leavers

func (l *leavers) DecodeStrict(v strict.Value) {
	choose(v, l, leavers(mapping.DeactivateLeavers), leavers(mapping.DeleteLeavers), leavers(mapping.KeepLeavers))
}

func (l *loader) readMappings(v strict.Value) map[string]*named {
	all := make(map[string]*named)
	for _, e := range section(v, "mapping") {
		all[e.Key] = &named{value: e.Value}
		l.cfg.Mappings[e.Key] = readMapping(e.Key, e.Value.In(quoted("mapping", e.Key)))
	}
	return all
}

func readMapping(name string, v strict.Value) *Mapping {
	keys := mappingKeys{Leavers: leavers(mapping.DeactivateLeavers)}
	if !v.Into(&keys) && v.Kind() != strict.Block {
		return &Mapping{}
	}
	rules, groups := v.Get("rules"), v.Get("groups")
	if rules.Kind() == strict.None && groups.Kind() == strict.None {
		v.MissingKey("rules", "without a rule nobody gets a record")
		return &Mapping{}
	}
	m := &Mapping{Guard: keys.Guard, Spec: mapping.Spec{
		Name: name, Leavers: mapping.Leavers(keys.Leavers), Fields: keys.Fields.byKind(),
		Rules: keys.Rules.specs, Groups: keys.Groups.specs,
	}}
	compile(m, v, keys.Rules.broken+keys.Groups.broken)
	return m
}

// compile adds the compiler's problems to those of the file. Rules that could not be read are not in the
// mapping: when they were all there was, the compiler's complaint would be about us.
func compile(m *Mapping, v strict.Value, broken int) {
	if broken > 0 && len(m.Spec.Rules)+len(m.Spec.Groups) == 0 {
		return
	}
	rules, problems := mapping.Compile(m.Spec)
	m.Rules = rules
	for _, p := range problems {
		if p.Pos.Line == 0 {
			v.KeyProblem(p.Hint, "%s", p.Message)
			continue
		}
		v.Document().ProblemAt(p.Pos.Line, p.Pos.Column, p.Hint, "%s", p.Message)
	}
}

func (f *fieldsKeys) byKind() map[directory.RecordKind][]mapping.FieldSpec {
	all := make(map[directory.RecordKind][]mapping.FieldSpec)
	for kind, list := range map[directory.RecordKind]fieldList{
		directory.UserRecord: f.User, directory.AgentRecord: f.Agent, directory.GroupRecord: f.Group,
	} {
		if len(list) > 0 {
			all[kind] = list
		}
	}
	return all
}
