package config

import (
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// ruleKeys are the keys that all rules have.
type ruleKeys struct {
	Name   ruleText `yaml:"name" strict:"required"`
	When   ruleText `yaml:"when"`
	Ignore bool     `yaml:"ignore"`
	// NewOnly: of those who have a record already, nothing is changed.
	NewOnly bool `yaml:"new_only"`
	// UpdateOnly: the targets are told to make nothing that they do not have.
	UpdateOnly bool `yaml:"update_only"`
	// Always is what rules for groups have as `always`.
	Always []string `yaml:"-"`
}

// personRuleKeys are the keys of a rule for people.
type personRuleKeys struct {
	ruleKeys `yaml:",inline"`
	User     *fieldList `yaml:"user"`
	Agent    *fieldList `yaml:"agent"`
}

// The keys of a rule for the other kinds of object.
type (
	groupRuleKeys struct {
		ruleKeys `yaml:",inline"`
		Group    *fieldList     `yaml:"group"`
		Members  settings.Names `yaml:"always"`
	}
	licenceRuleKeys struct {
		ruleKeys `yaml:",inline"`
		Licence  *fieldList `yaml:"licence"`
	}
	deviceRuleKeys struct {
		ruleKeys `yaml:",inline"`
		Asset    *fieldList `yaml:"asset"`
	}
	customerRuleKeys struct {
		ruleKeys `yaml:",inline"`
		Customer *fieldList `yaml:"customer"`
	}
	siteRuleKeys struct {
		ruleKeys `yaml:",inline"`
		Site     *fieldList `yaml:"site"`
	}
)

// ruleText is a text and where it stands. An expression that is only true or false needs no quotes.
type ruleText mapping.TextSpec

func (t *ruleText) DecodeStrict(v strict.Value) {
	if v.Kind() != strict.Bool && !v.Expect(strict.Text) {
		return
	}
	t.Text = v.Literal()
	t.Pos.Line, t.Pos.Column = v.TextPos()
	if strings.TrimSpace(t.Text) == "" {
		v.Problem("give it a value or remove the key", "%s: the text is empty", v.Label())
	}
}

// ruleSet are rules in their order, without those that could not be read.
type ruleSet struct {
	specs  []mapping.RuleSpec
	broken int
}

type (
	personRules   struct{ ruleSet }
	groupRules    struct{ ruleSet }
	licenceRules  struct{ ruleSet }
	deviceRules   struct{ ruleSet }
	customerRules struct{ ruleSet }
	siteRules     struct{ ruleSet }
)

// records are the record blocks of a rule, by kind.
type records = map[directory.RecordKind]*fieldList

func (r *personRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *personRuleKeys) (*ruleKeys, records) {
		return &keys.ruleKeys, records{directory.UserRecord: keys.User, directory.AgentRecord: keys.Agent}
	})
}

func (r *groupRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *groupRuleKeys) (*ruleKeys, records) {
		keys.Always = keys.Members
		return &keys.ruleKeys, records{directory.GroupRecord: keys.Group}
	})
}

func (r *licenceRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *licenceRuleKeys) (*ruleKeys, records) {
		return &keys.ruleKeys, records{directory.LicenceRecord: keys.Licence}
	})
}

func (r *deviceRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *deviceRuleKeys) (*ruleKeys, records) {
		return &keys.ruleKeys, records{directory.AssetRecord: keys.Asset}
	})
}

func (r *customerRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *customerRuleKeys) (*ruleKeys, records) {
		return &keys.ruleKeys, records{directory.CustomerRecord: keys.Customer}
	})
}

func (r *siteRules) DecodeStrict(v strict.Value) {
	read(&r.ruleSet, v, func(keys *siteRuleKeys) (*ruleKeys, records) {
		return &keys.ruleKeys, records{directory.SiteRecord: keys.Site}
	})
}

// read decodes rules whose keys are those of K; parts takes the keys apart.
func read[K any](r *ruleSet, v strict.Value, parts func(*K) (*ruleKeys, records)) {
	items, _ := v.Items()
	for i, item := range items {
		what := "rule " + strconv.Itoa(i+1)
		if name := item.Get("name").Literal(); name != "" {
			what = quoted("rule", name)
		}
		var keys K
		item = item.In(what)
		ok := item.Into(&keys)
		common, made := parts(&keys)
		spec := common.spec(item)
		spec.Records = recordsOf(made)
		if ok {
			r.specs = append(r.specs, spec)
		} else {
			r.broken++
		}
	}
}

func (k *ruleKeys) spec(v strict.Value) mapping.RuleSpec {
	line, column := v.Pos()
	return mapping.RuleSpec{
		Name: k.Name.Text, When: mapping.TextSpec(k.When), Ignore: k.Ignore, NewOnly: k.NewOnly, UpdateOnly: k.UpdateOnly, Always: k.Always,
		Pos: mapping.Pos{Line: line, Column: column},
	}
}

func recordsOf(lists records) map[directory.RecordKind][]mapping.FieldSpec {
	made := make(map[directory.RecordKind][]mapping.FieldSpec)
	for kind, list := range lists {
		if list != nil {
			made[kind] = *list
		}
	}
	return made
}
