package mapping

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// semantics is raised with every change, here or in package expression, that makes other records of the same rules.
// All customers are then mapped again, as with another expression.Version; a test asks for a line in the changelog.
const semantics = "2"

// hasher writes texts so that no two sequences of texts have the same bytes.
type hasher struct{ sum hash.Hash }

func (h hasher) text(texts ...string) {
	for _, s := range texts {
		h.count(len(s))
		h.sum.Write([]byte(s))
	}
}

func (h hasher) count(n int) {
	h.sum.Write(binary.AppendUvarint(nil, uint64(n)))
}

// computeHash renders what the rules do: what each rule makes after the mapping's fields were laid under its own.
// Positions, the order of fields and the mapping's name have no part in it.
func (r *Ruleset) computeHash() string {
	h := hasher{sha256.New()}
	h.text(semantics, expression.Version)
	h.leavers(r.leavers)
	h.keeps(r.keeps.list)
	for kind := range r.rules {
		l := &r.rules[kind]
		// What rules do that say nothing of kinds which came later has the hash that it had before.
		if directory.Kind(kind) > directory.Customer {
			if len(l.rules) == 0 {
				continue
			}
			h.text(directory.Kind(kind).String())
		}
		for _, c := range l.choices {
			h.choice(c.Choice, c.spec)
		}
		h.count(len(l.rules))
		for _, rule := range l.rules {
			h.rule(rule)
		}
	}
	for _, t := range r.Tables() {
		h.table(t)
	}
	return hex.EncodeToString(h.sum.Sum(nil))
}

func (h hasher) rule(r *rule) {
	h.text(r.name, r.whenText)
	if r.ignore {
		h.text("ignore")
	}
	if r.newOnly {
		h.text("new only")
	}
	if r.updateOnly {
		h.text("update only")
	}
	if len(r.always) > 0 {
		h.text("always")
		h.text(r.always...)
	}
	h.count(len(r.records))
	for i := range r.records {
		rec := &r.records[i]
		h.text(rec.kind.String())
		h.count(len(rec.fields))
		for _, f := range rec.fields {
			h.text(f.name, string(f.on), string(f.blank))
			if f.expr != nil {
				h.text("expression", f.text)
				continue
			}
			h.text("literal")
			// The canonical form of a record's field, so that a new type of value cannot be forgotten here.
			field := directory.Field{Name: f.name, Value: f.literal}
			h.text(string(directory.AppendObject(nil, &directory.Object{Fields: []directory.Field{field}})))
		}
	}
}
