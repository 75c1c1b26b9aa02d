package config

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings/strict"
)

// DecodeStrict reads the limits by operation.
func (g *Guard) DecodeStrict(v strict.Value) {
	entries, _ := v.Entries()
	*g = make(Guard, len(entries))
	for _, e := range entries {
		op, ok := directory.ParseOp(e.Key)
		if !ok {
			v.UnknownKey(e, opWords())
			continue
		}
		var limit Limit
		if e.Value.Into(&limit) {
			limit.check(op, e.Value)
		}
		(*g)[op] = limit
	}
}

func opWords() []string {
	var words []string
	for _, op := range directory.Ops() {
		words = append(words, op.String())
	}
	return words
}

func (l *Limit) check(op directory.Op, v strict.Value) {
	if l.Count != nil && *l.Count < 0 {
		at := v.Get("count")
		at.Problem("0 holds every one", "%s: %d is negative", at.Label(), *l.Count)
	}
	if l.Minimum != nil && *l.Minimum < 0 {
		at := v.Get("minimum")
		at.Problem("", "%s: %d is negative", at.Label(), *l.Minimum)
	}
	if l.Few != nil {
		at := v.Get("few")
		switch {
		case *l.Few < 0:
			at.Problem("0 holds every one", "%s: %d is negative", at.Label(), *l.Few)
		case !op.Removes():
			at.Problem("it is for deactivate and delete", "%s: nothing is taken away by %s", at.Label(), op)
		}
	}
	if l.Percent != nil && (*l.Percent < 0 || *l.Percent > 100) {
		at := v.Get("percent")
		at.Problem("", "%s: %v is not between 0 and 100", at.Label(), *l.Percent)
	}
	if l.Count == nil && l.Percent == nil {
		v.Problem("write {count: 50} or {percent: 10}", "%s: neither count nor percent is given", v.Label())
	}
}
