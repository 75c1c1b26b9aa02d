package ldap

import (
	"encoding/base64"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
)

// Attribute is an attribute that the operator asks for, to appear as attributes.NAME. In the configuration it is a
// name alone or {name: NAME, content: true}.
type Attribute struct {
	Name string `yaml:"name" strict:"required"`
	// Content asks for what is in the values, in base64, also when that is not text.
	Content bool `yaml:"content"`
}

// DecodeStrict reads a name or a block.
func (a *Attribute) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		a.Name, _ = v.Text()
		return
	}
	type block Attribute // without this method
	v.Into((*block)(a))
}

// requested makes the rules for the attributes that the operator asked for: a text when there is one value, a
// list when there are several.
func requested(r *row, attributes []Attribute) []fieldRule {
	rules := make([]fieldRule, 0, len(attributes))
	for _, a := range attributes {
		slot := r.slot(a.Name)
		rules = append(rules, fieldRule{directory.AttributePrefix + a.Name, func(r *row) (directory.Value, bool) {
			return a.value(r.values[slot])
		}})
	}
	return rules
}

func (a Attribute) value(values []string) (directory.Value, bool) {
	switch len(values) {
	case 0:
		return directory.Value{}, false
	case 1:
		return directory.Text(a.render(values[0])), true
	}
	items := make([]string, len(values))
	for i, v := range values {
		items[i] = a.render(v)
	}
	return directory.List(items...), true
}

// maxContent is the size of the largest value that is carried whole, in bytes: it is stored with every object.
const maxContent = 1 << 20

func (a Attribute) render(value string) string {
	switch {
	case !a.Content:
		return readable(a.Name, value)
	case len(value) > maxContent:
		return reference(value)
	default:
		return base64.StdEncoding.EncodeToString([]byte(value))
	}
}
