package config

import (
	"slices"
	"strings"

	"dirsyncd/sync/settings/strict"
)

// targetKeys are the keys of a target besides its own block.
type targetKeys struct {
	Target string `yaml:"target" strict:"required"`
}

func (l *loader) readTargets(v strict.Value) map[string]*named {
	all := make(map[string]*named)
	for _, e := range section(v, "target") {
		all[e.Key] = &named{value: e.Value}
		l.cfg.Targets = append(l.cfg.Targets, l.readTarget(e.Key, e.Value.In(quoted("target", e.Key))))
	}
	slices.SortFunc(l.cfg.Targets, func(a, b Target) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (l *loader) readTarget(name string, v strict.Value) Target {
	var keys targetKeys
	b := blocks{what: "target", names: l.parts.TargetNames, lookup: l.parts.Target}
	own := b.read(v, &keys, func() string { return keys.Target })
	return Target{Name: name, Target: keys.Target, Block: own}
}

func quoted(what, name string) string { return what + ` "` + short(name) + `"` }
