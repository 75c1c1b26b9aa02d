package rest

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Kinds are the kinds of record that the place knows, by their words.
type Kinds map[string]*Kind

// DecodeStrict reads kinds over those that are there: of a kind that is, only the keys that are written change. `none` takes it away.
func (k *Kinds) DecodeStrict(v strict.Value) {
	entries, _ := v.Entries()
	all := Kinds{}
	for name, kind := range *k {
		all[name] = kind
	}
	for _, e := range entries {
		if _, known := directory.ParseRecordKind(e.Key); !known {
			e.Value.KeyProblem("", "%s: is no kind of record", e.Value.Label())
			continue
		}
		kind := &Kind{}
		if none(e.Value) {
			kind.none = true
			all[e.Key] = kind
			continue
		}
		if all[e.Key] != nil {
			*kind = *all[e.Key]
		}
		e.Value.Into(kind)
		all[e.Key] = kind
	}
	*k = all
}

// none reports whether a value takes away what a preset has.
func none(v strict.Value) bool { return v.Kind() == strict.Text && v.Literal() == noneWord }

const noneWord = "none"

// Kind is how things of a kind are read and written.
type Kind struct {
	none bool // takes away what a preset has

	// Needs is one of names: without it the kind does not go there.
	Needs string `yaml:"needs"`
	// List answers everything; several requests where it takes several.
	List Requests `yaml:"list"`
	Get  *Request `yaml:"get"`
	// Find answers those with a key's value, or the mark.
	Find       requestMap `yaml:"find"`
	Create     *Request   `yaml:"create"`
	Update     *Request   `yaml:"update"`
	Deactivate *Request   `yaml:"deactivate"`
	Reactivate *Request   `yaml:"reactivate"`
	Delete     *Request   `yaml:"delete"`
	// Members answers the members of a thing, Add and Remove change them.
	Members *Request `yaml:"members"`
	Add     *Request `yaml:"add"`
	Remove  *Request `yaml:"remove"`
	// Busy answers what keeps a thing from being taken out of use: open tickets.
	Busy *Request `yaml:"busy"`

	// ID is the path of the id that never changes.
	ID   string `yaml:"id"`
	Mark *Field `yaml:"mark"`
	// Keys are what things are recognised by, the strongest first; Title is the one by which people name them.
	Keys  []Key  `yaml:"keys"`
	Title string `yaml:"title"`
	// Fields say where the place keeps the fields of records.
	Fields     fieldMap     `yaml:"fields"`
	References referenceMap `yaml:"references"`
	// Active says how a thing looks that is in use; without it all are.
	Active *Test `yaml:"active"`
	// Protect say what is never adopted or taken out of use.
	Protect []Test `yaml:"protect"`
	// Required are fields of the record without which nothing can be made.
	Required settings.Names `yaml:"required"`
	// Always goes along with whatever is written.
	Always map[string]any `yaml:"always"`
	// Changed is the path of when the thing was last changed: RFC 3339, or 2006-01-02 15:04:05 in UTC.
	Changed string `yaml:"changed"`
	// Verify is how it is seen what a write has done: get, which is the default, or answer.
	Verify string            `yaml:"verify"`
	Settle settings.Duration `yaml:"settle"`
}

// MarshalYAML writes what DecodeStrict reads.
func (k *Kind) MarshalYAML() (any, error) {
	if k.none {
		return noneWord, nil
	}
	return (*plainKind)(k), nil
}

type plainKind Kind

// Request is one request.
type Request struct {
	none bool // takes away what a preset has

	Get    string `yaml:"get"`
	Post   string `yaml:"post"`
	Put    string `yaml:"put"`
	Patch  string `yaml:"patch"`
	Delete string `yaml:"delete"`

	// Body is what is sent, Into the path in it where fields go.
	Body any    `yaml:"body"`
	Into string `yaml:"into"`

	// Item is the path of the thing in the answer, Items that of the list of things.
	Item  string `yaml:"item"`
	Items string `yaml:"items"`
	// Only keeps those of a list for which it holds.
	Only *Test `yaml:"only"`
	// Pages in place of the place's.
	Pages *Pages `yaml:"pages"`
	// Active: whatever is listed is in use, or is not.
	Active *bool `yaml:"active"`
	// Short: what is listed leaves fields out.
	Short bool `yaml:"short"`
	// Fuzzy: a search answers others, too.
	Fuzzy bool `yaml:"fuzzy"`
	// All: it is no search, but a list that is read to its end.
	All bool `yaml:"all"`
	// Unless are characters that a value must not have to be searched for.
	Unless string `yaml:"unless"`
	// ID is the path of the id in rows that are no things of the kind: of a member, of our own account, of a row to be removed.
	ID string `yaml:"id"`
	// Lookup answers rows; the request is made for each, with {row} for its id.
	Lookup *Lookup `yaml:"lookup"`
	// Why says what a thing is busy with.
	Why string `yaml:"why"`
	// Found is the key by which what was made is looked for, where the answer names no id that lasts.
	Found string `yaml:"found"`
}

// Lookup is a request that answers rows; ID is the path of theirs.
type Lookup struct {
	Get   string `yaml:"get" strict:"required"`
	Items string `yaml:"items"`
	ID    string `yaml:"id" strict:"required"`
}

// DecodeStrict reads a request, or `none`.
func (r *Request) DecodeStrict(v strict.Value) {
	if none(v) {
		*r = Request{none: true}
		return
	}
	*r = Request{}
	v.Into((*plainRequest)(r))
}

// MarshalYAML writes what DecodeStrict reads.
func (r *Request) MarshalYAML() (any, error) {
	if r.none {
		return noneWord, nil
	}
	return (*plainRequest)(r), nil
}

type plainRequest Request

// Requests is one request or a list of them.
type Requests []*Request

// DecodeStrict reads one request or a list.
func (l *Requests) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.List {
		var list []*Request
		v.Into(&list)
		*l = list
		return
	}
	r := &Request{}
	v.Into(r)
	*l = Requests{r}
}

// merged are entries of a map over those of a preset.
func merged[V any](v strict.Value, into map[string]V) map[string]V {
	all := map[string]V{}
	for name, x := range into {
		all[name] = x
	}
	entries, _ := v.Entries()
	for _, e := range entries {
		var x V
		e.Value.Into(&x)
		all[e.Key] = x
	}
	return all
}

type requestMap map[string]*Request

// DecodeStrict reads requests over those that are there.
func (m *requestMap) DecodeStrict(v strict.Value) { *m = merged(v, *m) }

type fieldMap map[string]*Field

// DecodeStrict reads fields over those that are there.
func (m *fieldMap) DecodeStrict(v strict.Value) { *m = merged(v, *m) }

type referenceMap map[string]*Reference

// DecodeStrict reads references over those that are there.
func (m *referenceMap) DecodeStrict(v strict.Value) { *m = merged(v, *m) }

// Field says where the place keeps a value.
type Field struct {
	// At is the path where it is read, Write where it is written, when that is another. Without At it is not read; Write: none
	// is not written.
	At    string `yaml:"at"`
	Write string `yaml:"write"`
	// As is the form in which it is written: text, which is the default, number, bool or list.
	As string `yaml:"as"`
	// None is how "no value" is written: empty, which is the default, null, or omit, where the place cannot take it away.
	None string `yaml:"none"`
	// Or are fields of the record of which the first that has a value is taken when something is made and the record has none.
	Or settings.Names `yaml:"or"`
	// Once: it is written when a thing is made, and never again.
	Once bool `yaml:"once"`
}

// DecodeStrict reads a path, the long form, or `none`.
func (f *Field) DecodeStrict(v strict.Value) {
	*f = Field{}
	switch {
	case none(v):
	case v.Kind() == strict.Text:
		f.At = v.Literal()
	default:
		v.Into((*plainField)(f))
	}
}

// MarshalYAML writes what DecodeStrict reads.
func (f *Field) MarshalYAML() (any, error) {
	if f.At == "" && f.Write == "" {
		return noneWord, nil
	}
	return (*plainField)(f), nil
}

type plainField Field

// Reference says where the place keeps the id of something else.
type Reference struct {
	Kind  string `yaml:"kind" strict:"required"`
	At    string `yaml:"at"`
	Write string `yaml:"write"`
	As    string `yaml:"as"`
	None  string `yaml:"none"`
}

// Key is a value by which things are recognised.
type Key struct {
	Name     string         `yaml:"name" strict:"required"`
	At       string         `yaml:"at" strict:"required"`
	Exact    bool           `yaml:"exact"` // two values that differ in case only are not the same
	Usual    settings.Names `yaml:"usual"`
	Anchor   bool           `yaml:"anchor"`
	Within   bool           `yaml:"within"`
	Proposes bool           `yaml:"proposes"`
}

// Test looks at one value of a thing or an answer. It holds when the value, or one of a list, is one of Is, is none of Not, and
// matches.
type Test struct {
	At      string   `yaml:"at" strict:"required"`
	Is      wordList `yaml:"is"`
	Not     wordList `yaml:"not"`
	Matches string   `yaml:"matches"`
	Why     string   `yaml:"why"`
}

// wordList is one word or a list of words.
type wordList []word

// DecodeStrict reads one word or a list.
func (l *wordList) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.List {
		var list []word
		v.Into(&list)
		*l = list
		return
	}
	var w word
	w.DecodeStrict(v)
	*l = wordList{w}
}

// ErrorRule says what an answer means.
type ErrorRule struct {
	// On are the words of requests: list, get, find, create, update, deactivate, reactivate, delete, members, add, remove, self.
	On     settings.Names `yaml:"on"`
	Status []int          `yaml:"status"`
	// At is a path whose value is one of Is.
	At string   `yaml:"at"`
	Is wordList `yaml:"is"`
	// Text is the path of the texts, of which one must match; without it all texts of an answer that is no success.
	Text    string `yaml:"text"`
	Matches string `yaml:"matches"`
	// Class says what it means: exists, gone, conflict, busy, throttled, invalid, transient, auth, forbidden, or done, where what was
	// asked for is so already.
	Class string `yaml:"class" strict:"required"`
	// Hint tells the operator what to do.
	Hint string `yaml:"hint"`
}
