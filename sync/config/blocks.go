package config

import (
	"slices"

	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// blocks reads parts of the file that name a kind and hold a block of that name.
type blocks struct {
	what   string // the key that names the kind: connector, target
	names  []string
	lookup func(name string) (func() any, bool)
}

// read decodes the part's keys into keys, and the block of the kind that they name, which it returns. The
// block may stand before the key that names the kind.
func (b blocks) read(v strict.Value, keys any, kind func() string) any {
	if v.Kind() != strict.Block {
		v.Into(keys)
		return nil
	}
	name := v.Get(b.what).Literal()
	fresh, known := b.lookup(name)
	var block strict.Value
	var suggest []string
	if known {
		suggest = []string{name}
	}
	v.IntoWith(keys, func(e strict.Entry) bool {
		switch {
		case e.Key == name && name != "":
			block = e.Value
		case slices.Contains(b.names, e.Key) && known:
			e.Value.KeyProblem("the block of this "+b.what+` is "`+name+`"`,
				`block %q belongs to another %s than %q`, e.Key, b.what, name)
		default:
			return slices.Contains(b.names, e.Key)
		}
		return true
	}, suggest...)
	if !known {
		b.unknown(v.Get(b.what), kind())
		return nil
	}
	return ownBlock(v, block, name, fresh)
}

func (b blocks) unknown(v strict.Value, name string) {
	if v.Kind() == strict.Text {
		v.Problem(spelling.Suggest(name, b.names), "unknown %s %q", b.what, short(name))
	}
}
