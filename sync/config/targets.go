package config

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
)

// targetKeys are the keys of a target besides its own block.
type targetKeys struct {
	Target string       `yaml:"target" strict:"required"`
	Kinds  []recordKind `yaml:"kinds"`
	// Workers are the names of those that deliver.
	Workers []string `yaml:"workers"`
}

// recordKind is the word of a kind of record.
type recordKind directory.RecordKind

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *recordKind) UnmarshalText(text []byte) error {
	kind, known := directory.ParseRecordKind(string(text))
	if !known {
		return fmt.Errorf("is not a kind of record; write %s", kindWords())
	}
	*k = recordKind(kind)
	return nil
}

func kindWords() string {
	var words []string
	for _, k := range directory.RecordKinds() {
		words = append(words, k.String())
	}
	return strings.Join(words, ", ")
}

func (l *loader) readTargets(parts []strict.Value) map[string]*named {
	all := make(map[string]*named)
	for _, e := range l.section(parts, "target", checkName) {
		all[e.Key] = &named{value: e.Value}
		l.cfg.Targets = append(l.cfg.Targets, l.readTarget(e.Key, e.Value.In(quoted("target", e.Key))))
	}
	slices.SortFunc(l.cfg.Targets, func(a, b Target) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (l *loader) readTarget(name string, v strict.Value) Target {
	var keys struct {
		targetKeys `yaml:",inline"`
		deskKeys   `yaml:",inline"`
	}
	takes := true
	b := blocks{what: "target", names: l.parts.TargetNames, lookup: l.parts.Target}
	about, isDesk := l.about(v.Get("target").Literal())
	into := any(&keys)
	if !isDesk {
		into = &keys.targetKeys
	}
	own := b.read(v, into, func() string { return keys.Target })
	t := Target{Name: name, Target: keys.Target, Workers: keys.Workers, Block: own}
	l.checkWorkers(v, keys.Workers, own)
	if isDesk && own != nil {
		known := about(own)
		t.Desk = keys.desk(v, known)
		l.needs[name] = known.Needs
		_, takes = known.Keys[directory.TicketRecord]
	}
	for i, k := range keys.Kinds {
		t.Kinds = append(t.Kinds, directory.RecordKind(k))
		if directory.RecordKind(k) == directory.TicketRecord && !takes {
			item, _ := v.Get("kinds").At(fmt.Sprintf("[%d]", i))
			item.Problem("take it out of kinds; "+ticketTypes, "kinds: the target takes no tickets")
		}
	}
	if !takes || len(t.Kinds) > 0 && !slices.Contains(t.Kinds, directory.TicketRecord) {
		l.ticketless[name] = true
	}
	return t
}

// about returns what tells of a target's things; false when it has none.
func (l *loader) about(target string) (func(block any) About, bool) {
	if l.parts.Desk == nil {
		return nil, false
	}
	return l.parts.Desk(target)
}

func quoted(what, name string) string { return what + ` "` + short(name) + `"` }
