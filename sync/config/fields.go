package config

import (
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings/strict"
)

// fieldList are the fields of a record in the order of the file. `true` stands for none of its own.
type fieldList []mapping.FieldSpec

func (l *fieldList) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Bool {
		if yes, _ := v.Bool(); !yes {
			v.Problem("remove the key", "%s: false means nothing here", v.Label())
		}
		*l = fieldList{}
		return
	}
	entries, _ := v.Entries()
	list := make(fieldList, 0, len(entries))
	for _, e := range entries {
		line, column := e.Value.KeyPos()
		field := mapping.FieldSpec{
			Name: e.Key, Pos: mapping.Pos{Line: line, Column: column},
			On: mapping.OnAlways, Blank: mapping.KeepBlank,
		}
		readField(&field, e.Value)
		if field.Value.Value != nil {
			list = append(list, field)
		}
	}
	*l = list
}

// longField is the long form of a field.
type longField struct {
	Value fieldValue `yaml:"value" strict:"required"`
	On    onWord     `yaml:"on"`
	Blank blankWord  `yaml:"blank"`
}

func readField(field *mapping.FieldSpec, v strict.Value) {
	if v.Kind() != strict.Block {
		var value fieldValue
		v.Into(&value)
		field.Value = mapping.ValueSpec(value)
		return
	}
	long := longField{On: onWord(field.On), Blank: blankWord(field.Blank)}
	v.Into(&long)
	field.Value, field.On, field.Blank = mapping.ValueSpec(long.Value), mapping.On(long.On), mapping.Blank(long.Blank)
}

type onWord mapping.On

func (o *onWord) DecodeStrict(v strict.Value) {
	choose(v, o, onWord(mapping.OnAlways), onWord(mapping.OnCreate))
}

type blankWord mapping.Blank

func (b *blankWord) DecodeStrict(v strict.Value) {
	choose(v, b, blankWord(mapping.KeepBlank), blankWord(mapping.ClearBlank))
}

// fieldValue is a text, truth value, whole number or list of texts, and where it stands.
type fieldValue mapping.ValueSpec

func (f *fieldValue) DecodeStrict(v strict.Value) {
	f.Pos.Line, f.Pos.Column = v.TextPos()
	switch v.Kind() {
	case strict.Bool:
		f.Value, _ = v.Bool()
	case strict.Int:
		f.Value, _ = v.Int()
	case strict.List:
		var texts []string
		v.Into(&texts)
		f.Value = texts
	case strict.Text:
		f.Value = v.Literal()
	default:
		v.Problem("put it in quotes to make it a text",
			"%s: expected a text, a whole number, true, false or a list of texts, found %s", v.Label(), v.Kind())
	}
}
