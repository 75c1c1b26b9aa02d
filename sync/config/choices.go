package config

import (
	"strconv"

	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// choiceList are the choices of a mapping in the order of the file.
type choiceList struct {
	specs []mapping.ChoiceSpec
	// broken are those of which not all could be read; unread: of some not even the name.
	broken map[string]bool
	unread bool
}

// lost reports whether a complaint about a choice may be one about us, who could not read it.
func (l *choiceList) lost(name string) bool { return l.unread || l.broken[name] }

// lineKeys are the keys of a line of a choice.
type lineKeys struct {
	When ruleText   `yaml:"when"`
	Is   fieldValue `yaml:"is" strict:"required"`
}

func (l *choiceList) DecodeStrict(v strict.Value) {
	entries, ok := v.Entries()
	l.unread, l.broken = !ok, map[string]bool{}
	for _, e := range entries {
		if !checkWord(e, "choice") {
			l.unread = true
			continue
		}
		spec := mapping.ChoiceSpec{Name: e.Key}
		spec.Pos.Line, spec.Pos.Column = e.Value.KeyPos()
		items, ok := e.Value.Items()
		l.broken[e.Key] = !ok
		for i, item := range items {
			var keys lineKeys
			item = item.In(quoted("choice", e.Key) + ", line " + strconv.Itoa(i+1))
			if !item.Into(&keys) {
				l.broken[e.Key] = true
				continue
			}
			line := mapping.LineSpec{When: mapping.TextSpec(keys.When), Is: mapping.ValueSpec(keys.Is)}
			line.Pos.Line, line.Pos.Column = item.Pos()
			spec.Lines = append(spec.Lines, line)
		}
		if len(spec.Lines) > 0 || !l.broken[e.Key] {
			l.specs = append(l.specs, spec)
		}
	}
}
