package config

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// mappingKeys are the keys of a mapping.
type mappingKeys struct {
	Choices   choiceList    `yaml:"choices"`
	Rules     personRules   `yaml:"rules"`
	Groups    groupRules    `yaml:"groups"`
	Licences  licenceRules  `yaml:"licences"`
	Devices   deviceRules   `yaml:"devices"`
	Customers customerRules `yaml:"customers"`
	Sites     siteRules     `yaml:"sites"`
	Fields    fieldsKeys    `yaml:"fields"`
	Guard     Guard         `yaml:"guard"`
	Leavers   leavers       `yaml:"leavers"`
	Keep      keepList      `yaml:"keep"`
	Seats     seatList      `yaml:"seats"`
	Tickets   ticketList    `yaml:"tickets"`
}

// fieldsKeys are the kinds of record that can have common fields.
type fieldsKeys struct {
	User     fieldList `yaml:"user"`
	Agent    fieldList `yaml:"agent"`
	Group    fieldList `yaml:"group"`
	Licence  fieldList `yaml:"licence"`
	Asset    fieldList `yaml:"asset"`
	Customer fieldList `yaml:"customer"`
	Site     fieldList `yaml:"site"`
}

// readMappings reads the mappings.
func (l *loader) readMappings(parts []strict.Value) map[string]*named {
	all := make(map[string]*named)
	for _, e := range l.section(parts, "mapping", checkName) {
		all[e.Key] = &named{value: e.Value}
		l.cfg.Mappings[e.Key] = l.readMapping(e.Key, e.Value.In(quoted("mapping", e.Key)))
	}
	return all
}

func (l *loader) readMapping(name string, v strict.Value) *Mapping {
	keys := mappingKeys{Leavers: leavers{Leaver: mapping.Leaver{Do: mapping.DeactivateLeavers}}}
	if !v.Into(&keys) && v.Kind() != strict.Block {
		return &Mapping{}
	}
	sets := []*ruleSet{&keys.Rules.ruleSet, &keys.Groups.ruleSet, &keys.Licences.ruleSet, &keys.Devices.ruleSet, &keys.Customers.ruleSet, &keys.Sites.ruleSet}
	written, broken := 0, 0
	for i, key := range []string{"rules", "groups", "licences", "devices", "customers", "sites"} {
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
		Name: name, Leavers: keys.Leavers.Do, DeleteAfter: keys.Leavers.DeleteAfter, LeaversOf: keys.Leavers.of, Keep: keys.Keep, Seats: keys.Seats.byKind(),
		Fields: keys.Fields.byKind(),
		Rules:  keys.Rules.specs, Groups: keys.Groups.specs, Licences: keys.Licences.specs,
		Choices: keys.Choices.specs, Tables: l.tableRows(),
		Tickets: keys.Tickets.specs,
		Devices: keys.Devices.specs, Customers: keys.Customers.specs, Sites: keys.Sites.specs,
	}}
	l.compile(m, v, broken, &keys.Choices)
	return m
}

// compile adds the compiler's problems to those of the file. Rules that could not be read are not in the
// mapping: when they were all there was, the compiler's complaint would be about us, as one about a table or a choice that could not be
// read.
func (l *loader) compile(m *Mapping, v strict.Value, broken int, choices *choiceList) {
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
		if p.Table != "" && l.lost(p.Table) || p.Choice != "" && choices.lost(p.Choice) {
			continue
		}
		if p.Pos.Line == 0 {
			v.KeyProblem(p.Hint, "%s", p.Message)
			continue
		}
		v.Document().ProblemAt(p.Pos.Line, p.Pos.Column, p.Hint, "%s", p.Message)
	}
	if rules == nil {
		return
	}
	for _, p := range rules.Unused() {
		v.Document().WarnAt(p.Pos.Line, p.Pos.Column, p.Hint, "%s", p.Message)
	}
	warnOfFields(v.Get("guard"), rules)
}

func (f *fieldsKeys) byKind() map[directory.RecordKind][]mapping.FieldSpec {
	all := make(map[directory.RecordKind][]mapping.FieldSpec)
	for kind, list := range map[directory.RecordKind]fieldList{
		directory.UserRecord: f.User, directory.AgentRecord: f.Agent, directory.GroupRecord: f.Group,
		directory.LicenceRecord: f.Licence, directory.AssetRecord: f.Asset, directory.CustomerRecord: f.Customer,
		directory.SiteRecord: f.Site,
	} {
		if len(list) > 0 {
			all[kind] = list
		}
	}
	return all
}
