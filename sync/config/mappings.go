package config

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// mappingKeys are the keys of a mapping.
type mappingKeys struct {
	Rules     personRules   `yaml:"rules"`
	Groups    groupRules    `yaml:"groups"`
	Licences  licenceRules  `yaml:"licences"`
	Devices   deviceRules   `yaml:"devices"`
	Customers customerRules `yaml:"customers"`
	Fields    fieldsKeys    `yaml:"fields"`
	Guard     Guard         `yaml:"guard"`
	Leavers   leavers       `yaml:"leavers"`
}

// fieldsKeys are the kinds of record that can have common fields.
type fieldsKeys struct {
	User     fieldList `yaml:"user"`
	Agent    fieldList `yaml:"agent"`
	Group    fieldList `yaml:"group"`
	Licence  fieldList `yaml:"licence"`
	Asset    fieldList `yaml:"asset"`
	Customer fieldList `yaml:"customer"`
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
	sets := []*ruleSet{&keys.Rules.ruleSet, &keys.Groups.ruleSet, &keys.Licences.ruleSet, &keys.Devices.ruleSet, &keys.Customers.ruleSet}
	written, broken := 0, 0
	for i, key := range []string{"rules", "groups", "licences", "devices", "customers"} {
		if v.Get(key).Kind() != strict.None {
			written++
		}
		broken += sets[i].broken
	}
	if written == 0 {
		v.MissingKey("rules", "without a rule nobody gets a record")
		return &Mapping{}
	}
	m := &Mapping{Guard: keys.Guard, Spec: mapping.Spec{
		Name: name, Leavers: mapping.Leavers(keys.Leavers), Fields: keys.Fields.byKind(),
		Rules: keys.Rules.specs, Groups: keys.Groups.specs, Licences: keys.Licences.specs,
		Devices: keys.Devices.specs, Customers: keys.Customers.specs,
	}}
	compile(m, v, broken)
	return m
}

// compile adds the compiler's problems to those of the file. Rules that could not be read are not in the
// mapping: when they were all there was, the compiler's complaint would be about us.
func compile(m *Mapping, v strict.Value, broken int) {
	left := 0
	for _, kind := range directory.Kinds() {
		left += len(m.Spec.Of(kind))
	}
	if broken > 0 && left == 0 {
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
		directory.LicenceRecord: f.Licence, directory.AssetRecord: f.Asset, directory.CustomerRecord: f.Customer,
	} {
		if len(list) > 0 {
			all[kind] = list
		}
	}
	return all
}
