package config

import (
	"strconv"

	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// choiceList are the choices of a mapping in the order of the file.
type choiceList struct {
	specs  []mapping.ChoiceSpec
	broken bool
}

// lineKeys are the keys of a line of a choice.
type lineKeys struct {
	When ruleText   `yaml:"when"`
	Is   fieldValue `yaml:"is" strict:"required"`
}

func (l *choiceList) DecodeStrict(v strict.Value) {
	entries, ok := v.Entries()
	l.broken = !ok
	for _, e := range entries {
		if !checkWord(e, "choice") {
			l.broken = true
			continue
		}
		spec := mapping.ChoiceSpec{Name: e.Key}
		spec.Pos.Line, spec.Pos.Column = e.Value.KeyPos()
		items, ok := e.Value.Items()
		l.broken = l.broken || !ok
		for i, item := range items {
			var keys lineKeys
			item = item.In(quoted("choice", e.Key) + ", line " + strconv.Itoa(i+1))
			if !item.Into(&keys) {
				l.broken = true
				continue
			}
			line := mapping.LineSpec{When: mapping.TextSpec(keys.When), Is: mapping.ValueSpec(keys.Is)}
			line.Pos.Line, line.Pos.Column = item.Pos()
			spec.Lines = append(spec.Lines, line)
		}
		l.specs = append(l.specs, spec)
	}
}
