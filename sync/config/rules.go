package config

import (
	"strconv"
	"strings"

	"dirsyncd/sync/config/strict"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// ruleKeys are the keys that all rules have.
type ruleKeys struct {
	Name   ruleText `yaml:"name" strict:"required"`
	When   ruleText `yaml:"when"`
	Ignore bool     `yaml:"ignore"`
}

// personRuleKeys are the keys of a rule for people.
type personRuleKeys struct {
	ruleKeys `yaml:",inline"`
	User     *fieldList `yaml:"user"`
	Agent    *fieldList `yaml:"agent"`
}

// groupRuleKeys are the keys of a rule for groups.
type groupRuleKeys struct {
	ruleKeys `yaml:",inline"`
	Group    *fieldList `yaml:"group"`
}

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
	personRules struct{ ruleSet }
	groupRules  struct{ ruleSet }
)

func (r *personRules) DecodeStrict(v strict.Value) {
	r.read(v, func(item strict.Value) (mapping.RuleSpec, bool) {
		var keys personRuleKeys
		ok := item.Into(&keys)
		spec := keys.spec(item)
		spec.Records = recordsOf(map[directory.RecordKind]*fieldList{
			directory.UserRecord: keys.User, directory.AgentRecord: keys.Agent,
		})
		return spec, ok
	})
}

func (r *groupRules) DecodeStrict(v strict.Value) {
	r.read(v, func(item strict.Value) (mapping.RuleSpec, bool) {
		var keys groupRuleKeys
		ok := item.Into(&keys)
		spec := keys.spec(item)
		spec.Records = recordsOf(map[directory.RecordKind]*fieldList{directory.GroupRecord: keys.Group})
		return spec, ok
	})
}

func (r *ruleSet) read(v strict.Value, one func(strict.Value) (mapping.RuleSpec, bool)) {
	items, _ := v.Items()
	for i, item := range items {
		what := "rule " + strconv.Itoa(i+1)
		if name := item.Get("name").Literal(); name != "" {
			what = quoted("rule", name)
		}
		if spec, ok := one(item.In(what)); ok {
			r.specs = append(r.specs, spec)
		} else {
			r.broken++
		}
	}
}

func (k *ruleKeys) spec(v strict.Value) mapping.RuleSpec {
	line, column := v.Pos()
	return mapping.RuleSpec{
		Name: k.Name.Text, When: mapping.TextSpec(k.When), Ignore: k.Ignore,
		Pos: mapping.Pos{Line: line, Column: column},
	}
}

func recordsOf(lists map[directory.RecordKind]*fieldList) map[directory.RecordKind][]mapping.FieldSpec {
	records := make(map[directory.RecordKind][]mapping.FieldSpec)
	for kind, list := range lists {
		if list != nil {
			records[kind] = *list
		}
	}
	return records
}
