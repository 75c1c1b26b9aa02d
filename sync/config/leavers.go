package config

import (
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// leavers are what becomes of records that nobody wants any longer: one word for all kinds, or a block by kind.
type leavers struct {
	mapping.Leaver
	of map[directory.RecordKind]mapping.Leaver
}

// defaultKey says it of the kinds that a block does not name.
const defaultKey = "default"

// leaverKinds are the kinds of record that rules make.
func leaverKinds() (words []string) {
	for _, kind := range directory.RecordKinds() {
		if mapping.ObjectOf(kind) != 0 {
			words = append(words, kind.String())
		}
	}
	return words
}

// DecodeStrict reads the word or the block.
func (l *leavers) DecodeStrict(v strict.Value) {
	if v.Kind() != strict.Block {
		l.Leaver = leaver(v)
		return
	}
	entries, _ := v.Entries()
	for _, e := range entries {
		kind, ok := directory.ParseRecordKind(e.Key)
		switch {
		case e.Key == defaultKey:
			l.Leaver = leaver(e.Value)
		case !ok || mapping.ObjectOf(kind) == 0:
			v.UnknownKey(e, append(leaverKinds(), defaultKey))
		default:
			if l.of == nil {
				l.of = map[directory.RecordKind]mapping.Leaver{}
			}
			l.of[kind] = leaver(e.Value)
		}
	}
}

// leaver reads a word, or what to do and for how long before a record is deleted.
func leaver(v strict.Value) mapping.Leaver {
	l := mapping.Leaver{Do: mapping.DeactivateLeavers}
	if v.Kind() != strict.Block {
		choose(v, &l.Do, mapping.DeactivateLeavers, mapping.DeleteLeavers, mapping.KeepLeavers)
		return l
	}
	var keys struct {
		Do          leaverWord         `yaml:"do"`
		DeleteAfter *settings.Duration `yaml:"delete_after"`
	}
	v.Into(&keys)
	if keys.Do != "" {
		l.Do = mapping.Leavers(keys.Do)
	}
	if keys.DeleteAfter == nil || v.Get("delete_after").HasProblem() {
		return l
	}
	at := v.Get("delete_after")
	switch {
	case l.Do != mapping.DeactivateLeavers:
		at.Problem("write do: deactivate, or leave one of the two out", "%s: it is for records that are deactivated first", at.Label())
	case *keys.DeleteAfter == 0:
		at.Problem("to delete at once write do: delete", "%s: it must be more than 0", at.Label())
	default:
		l.DeleteAfter = keys.DeleteAfter.Std()
	}
	return l
}

type leaverWord mapping.Leavers

// DecodeStrict reads the word.
func (w *leaverWord) DecodeStrict(v strict.Value) {
	choose(v, w, leaverWord(mapping.DeactivateLeavers), leaverWord(mapping.DeleteLeavers), leaverWord(mapping.KeepLeavers))
}

// leavers renders leavers as they are written.
func (p *printer) leavers(s *mapping.Spec) any {
	one := func(l mapping.Leaver) any {
		if l.DeleteAfter == 0 {
			return string(l.Do)
		}
		return p.block(pair{"do", string(l.Do)}, pair{"delete_after", settings.Duration(l.DeleteAfter).String()})
	}
	common := mapping.Leaver{Do: s.Leavers, DeleteAfter: s.DeleteAfter}
	if len(s.LeaversOf) == 0 && common.DeleteAfter == 0 {
		return one(common)
	}
	var pairs []pair
	for _, kind := range directory.RecordKinds() {
		if l, ok := s.LeaversOf[kind]; ok {
			pairs = append(pairs, pair{kind.String(), one(l)})
		}
	}
	return p.block(append(pairs, pair{defaultKey, one(common)})...)
}

// keepList is the list of records that are neither deactivated nor deleted.
type keepList []mapping.KeepSpec

type keepKeys struct {
	Name    ruleText   `yaml:"name" strict:"required"`
	When    ruleText   `yaml:"when"`
	Keys    []string   `yaml:"keys"`
	Records recordList `yaml:"records"`
}

// recordList are kinds of record.
type recordList []directory.RecordKind

// DecodeStrict reads the kinds.
func (l *recordList) DecodeStrict(v strict.Value) {
	items, _ := v.Items()
	for _, item := range items {
		var word string
		choose(item, &word, leaverKinds()...)
		if kind, ok := directory.ParseRecordKind(word); ok && !slices.Contains(*l, kind) {
			*l = append(*l, kind)
		}
	}
}

// DecodeStrict reads the entries; those with a problem are left out.
func (l *keepList) DecodeStrict(v strict.Value) {
	items, _ := v.Items()
	for i, item := range items {
		what := "keep " + strconv.Itoa(i+1)
		if name := item.Get("name").Literal(); name != "" {
			what = quoted("keep", name)
		}
		var keys keepKeys
		item = item.In(what)
		if !item.Into(&keys) {
			continue
		}
		line, column := item.Pos()
		*l = append(*l, mapping.KeepSpec{Name: keys.Name.Text, When: mapping.TextSpec(keys.When), Keys: keys.Keys,
			Records: keys.Records, Pos: mapping.Pos{Line: line, Column: column}})
	}
}

// keep renders the list as it is written; nil when it is empty.
func (p *printer) keep(specs []mapping.KeepSpec) any {
	if len(specs) == 0 {
		return nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range specs {
		pairs := []pair{{"name", specs[i].Name}, {"when", notEmpty(specs[i].When.Text)}}
		if len(specs[i].Keys) > 0 {
			pairs = append(pairs, pair{"keys", specs[i].Keys})
		}
		if kinds := specs[i].Records; len(kinds) > 0 {
			words := make([]string, len(kinds))
			for j, kind := range kinds {
				words[j] = kind.String()
			}
			pairs = append(pairs, pair{"records", words})
		}
		list.Content = append(list.Content, p.block(pairs...))
	}
	return list
}

// seatList are the limits of records that take one of the desk's own licences.
type seatList struct {
	User  *seatKeys `yaml:"user"`
	Agent *seatKeys `yaml:"agent"`
}

// seatKeys is a number, or what is limited by a field's values.
type seatKeys struct {
	Total *int           `yaml:"total"`
	Field string         `yaml:"field"`
	Of    map[string]int `yaml:"of"`
}

// DecodeStrict reads the number or the block.
func (k *seatKeys) DecodeStrict(v strict.Value) {
	if v.Kind() != strict.Block {
		if n, ok := v.Int(); ok {
			total := int(n)
			k.Total = &total
			if n < 0 {
				v.Problem("", "%s: %d is negative", v.Label(), n)
			}
		}
		return
	}
	type plain seatKeys
	if !v.Into((*plain)(k)) {
		return
	}
	notNegative(v, "total", k.Total, "")
	for _, value := range slices.Sorted(maps.Keys(k.Of)) {
		n := k.Of[value]
		notNegative(v.Get("of"), value, &n, "")
	}
	switch {
	case k.Total == nil && len(k.Of) == 0:
		v.Problem("write 25, or {field: licence, of: {Full: 20, Light: 5}}", "%s: nothing is limited", v.Label())
	case (k.Field == "") != (len(k.Of) == 0):
		v.Problem("field names a field of the record, of how many there may be with each value", "%s: field and of go together", v.Label())
	}
}

func (l *seatList) byKind() map[directory.RecordKind]mapping.Seats {
	all := map[directory.RecordKind]mapping.Seats{}
	for kind, keys := range map[directory.RecordKind]*seatKeys{directory.UserRecord: l.User, directory.AgentRecord: l.Agent} {
		if keys != nil {
			all[kind] = mapping.Seats{Total: keys.Total, Field: keys.Field, Of: keys.Of}
		}
	}
	return all
}

// seats renders the limits as they are written.
func (p *printer) seats(all map[directory.RecordKind]mapping.Seats) *yaml.Node {
	var pairs []pair
	for _, kind := range directory.RecordKinds() {
		s, ok := all[kind]
		if !ok {
			continue
		}
		of := make([]pair, 0, len(s.Of))
		for _, value := range slices.Sorted(maps.Keys(s.Of)) {
			of = append(of, pair{value, s.Of[value]})
		}
		if len(of) == 0 {
			pairs = append(pairs, pair{kind.String(), *s.Total})
			continue
		}
		pairs = append(pairs, pair{kind.String(), p.block(given("total", s.Total), pair{"field", s.Field}, pair{"of", p.block(of...)})})
	}
	return p.block(pairs...)
}
