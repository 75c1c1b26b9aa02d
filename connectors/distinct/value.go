package distinct

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"dirsyncd/sync/directory"
)

// tidy is a text without blanks at its ends and with one where there are several, in the form in which texts that look the same are
// the same (NFKC).
func tidy(text string) string { return strings.Join(strings.Fields(norm.NFKC.String(text)), " ") }

func fold(text string) string { return norm.NFKC.String(cases.Fold().String(text)) }

// longest is up to how many bytes of a text stand in an id.
const longest = 200

// part is what an id says of a text: the text as it is compared. A slash divides parts, so it is none here.
func part(text string) string {
	text = fold(text)
	if len(text) > longest {
		sum := sha256.Sum256([]byte(text))
		return "#" + hex.EncodeToString(sum[:16])
	}
	return strings.NewReplacer("%", "%25", "/", "%2F", "#", "%23").Replace(text)
}

// idOf is the id of what is made of a text: the same for all spellings, and for nothing else.
func (m *made) idOf(value, within string) string {
	if m.Within == "" {
		return m.kind.String() + ":" + part(value)
	}
	return m.kind.String() + ":" + part(within) + "/" + part(value)
}

// says reports whether a text is more than a way to say nothing.
func (c *Config) says(text string) bool {
	switch fold(text) {
	case "", "-", "--", "n/a", "none", "null", "unknown":
		return false
	}
	return !slices.ContainsFunc(c.Blank, func(blank string) bool { return fold(tidy(blank)) == fold(text) })
}

// texts are those that a value is, as they are written.
func (c *Config) texts(v directory.Value) []string {
	list := v.List()
	if v.Type() != directory.ListType {
		list = []string{v.String()}
	}
	var texts []string
	for _, text := range list {
		if text = tidy(text); c.says(text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// tally counts the records that name something, by spelling.
type tally struct {
	Value  map[string]int `json:"v"`
	Within map[string]int `json:"w,omitempty"`
}

// tallies are those of everything that is named, by its id.
type tallies map[string]*tally

// count adds what a record names, or takes it away when by is -1, and notes in touched what that is about.
func (t tallies) count(c *Config, get func(field string) directory.Value, by int, touched map[string]made) {
	for _, m := range c.made() {
		within := ""
		if m.Within != "" {
			if texts := c.texts(get(m.Within)); len(texts) > 0 {
				within = texts[0]
			}
		}
		for _, value := range c.texts(get(m.Value)) {
			id := m.idOf(value, within)
			touched[id] = m
			if t[id] == nil {
				t[id] = &tally{Value: map[string]int{}, Within: map[string]int{}}
			}
			add(t[id].Value, value, by)
			if within != "" {
				add(t[id].Within, within, by)
			}
			if len(t[id].Value) == 0 {
				delete(t, id)
			}
		}
	}
}

func add(counts map[string]int, text string, by int) {
	if counts[text] += by; counts[text] == 0 {
		delete(counts, text)
	}
}

// sound reports whether nothing was taken away that was not there.
func (t *tally) sound() bool {
	for _, counts := range []map[string]int{t.Value, t.Within} {
		for _, n := range counts {
			if n < 0 {
				return false
			}
		}
	}
	return true
}

// usual is the spelling that most use; of several the first in the order of texts. It depends on what there is and not on what came first.
func usual(counts map[string]int) string {
	return slices.MinFunc(slices.Collect(maps.Keys(counts)), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}

// object is what becomes of a text.
func (m *made) object(id string, t *tally) directory.Object {
	o := directory.Object{Kind: m.kind, ID: id}
	o.SetText(directory.FieldName, usual(t.Value))
	if len(t.Within) == 0 {
		return o
	}
	within := usual(t.Within)
	o.SetText(directory.AttributePrefix+m.Within, within)
	if m.customer {
		customer := made{kind: directory.Customer}
		o.Links = []directory.Link{{Type: directory.OfCustomer, To: directory.IDHandle(customer.idOf(within, ""))}}
	}
	return o
}
