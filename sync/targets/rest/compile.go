package rest

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

// place is a description that was checked: paths are parsed, the operator's names are in their places.
type place struct {
	names  values // {names.X} in requests
	order  []directory.RecordKind
	kinds  map[directory.RecordKind]*kind
	errors []errorRule
	self   *request
}

type kind struct {
	about                                          targets.DeskKind
	list                                           []*request
	get, create, update, deactivate, reactivate    *request
	remove, members, addMember, removeMember, busy *request
	find                                           map[string]*request
	id, changed                                    path
	mark                                           *field
	keys                                           []key
	fields                                         []field
	refs                                           []field
	active                                         *test
	protect                                        []test
	required                                       []string
	always                                         map[string]any
	answers                                        bool // what a write answers is the thing
}

// field is where a value stands. read and write are nil where it is not read or written.
type field struct {
	name        string
	read, write path
	as, none    string
	or          []string
	once        bool
}

type key struct {
	targets.DeskKey
	at path
}

type test struct {
	at      path
	is, not []string
	matches *regexp.Regexp
	why     string
}

// request is a Request whose paths are parsed. word is what it does, in errors and ErrorRule.On.
type request struct {
	word            string
	method, address string
	body            any
	into            path
	item, items, id path
	only            *test
	pages           Pages
	active          *bool
	short, fuzzy    bool
	whole           bool
	unless          string
	lookup          *request
	why, found      string
}

type errorRule struct {
	on      []string
	status  []int
	at      path
	is      []string
	text    path // nil: all texts of what is no success
	matches *regexp.Regexp
	class   string
	hint    string
}

// The words of requests.
const (
	wordOfList     = "list"
	wordGet        = "get"
	wordFind       = "find"
	wordCreate     = "create"
	wordUpdate     = "update"
	wordDeactivate = "deactivate"
	wordReactivate = "reactivate"
	wordDelete     = "delete"
	wordMembers    = "members"
	wordAdd        = "add"
	wordRemove     = "remove"
	wordBusy       = "busy"
	wordSelf       = "self"
)

func requestWords() []string {
	return []string{wordOfList, wordGet, wordFind, wordCreate, wordUpdate, wordDeactivate, wordReactivate, wordDelete, wordMembers, wordAdd, wordRemove, wordBusy, wordSelf}
}

// compiler checks a description. Everything that is wrong is reported; what it makes of the rest may be used all the same.
type compiler struct {
	cfg    *Config
	names  values
	report settings.Reporter
}

func compile(cfg *Config, report settings.Reporter) *place {
	c := &compiler{cfg: cfg, names: values{}, report: report}
	for name, value := range cfg.Names {
		c.names[name] = string(value)
	}
	p := &place{kinds: map[directory.RecordKind]*kind{}, names: values{}}
	for name, value := range c.names {
		p.names["names."+name] = value
	}
	for i := range cfg.Errors {
		p.errors = append(p.errors, c.errorRule(at("errors", i), &cfg.Errors[i]))
	}
	p.self = c.request("self", wordSelf, cfg.Self)
	if p.self != nil && p.self.id == nil {
		report("self.id", "write the path of the id", "is missing")
	}
	for _, name := range sortedKeys(cfg.Kinds) {
		if need := cfg.Kinds[name].Needs; need != "" && c.names[need] == "" {
			continue
		}
		if k, known := directory.ParseRecordKind(name); known && !cfg.Kinds[name].none {
			p.kinds[k] = c.kind("kinds."+name, k, cfg.Kinds[name])
			p.order = append(p.order, k)
		}
	}
	slices.SortStableFunc(p.order, func(a, b directory.RecordKind) int {
		return cmp.Or(a.Rank()-b.Rank(), int(a)-int(b))
	})
	for _, k := range p.order {
		for _, field := range slices.Sorted(maps.Keys(p.kinds[k].about.References)) {
			to := p.kinds[k].about.References[field]
			if p.kinds[to] == nil {
				delete(p.kinds[k].about.References, field) // the kind was taken out
				p.kinds[k].refs = slices.DeleteFunc(p.kinds[k].refs, func(f fieldOf) bool { return f.name == field })
			}
		}
	}
	return p
}

// fieldOf is field, where a parameter has its name.
type fieldOf = field

func (c *compiler) kind(label string, of directory.RecordKind, k *Kind) *kind {
	out := &kind{always: k.Always, find: map[string]*request{}, answers: k.Verify == "answer", required: k.Required}
	if k.Verify != "" && k.Verify != "get" && k.Verify != "answer" {
		c.report(label+".verify", "write get or answer", "must be one of two words")
	}
	for i, r := range k.List {
		out.list = append(out.list, c.request(at(label+".list", i), wordOfList, r))
	}
	if out.list = slices.DeleteFunc(out.list, func(r *request) bool { return r == nil }); len(out.list) == 0 {
		c.report(label+".list", "", "is missing: without a list nobody knows who is there")
	}
	for _, r := range []struct {
		word string
		from *Request
		to   **request
		need bool
	}{
		{wordGet, k.Get, &out.get, true}, {wordCreate, k.Create, &out.create, true}, {wordUpdate, k.Update, &out.update, of != directory.TicketRecord},
		{wordDeactivate, k.Deactivate, &out.deactivate, false}, {wordReactivate, k.Reactivate, &out.reactivate, k.Deactivate != nil && !k.Deactivate.none},
		{wordDelete, k.Delete, &out.remove, false}, {wordMembers, k.Members, &out.members, false}, {wordAdd, k.Add, &out.addMember, false},
		{wordRemove, k.Remove, &out.removeMember, k.Add != nil && !k.Add.none}, {wordBusy, k.Busy, &out.busy, false},
	} {
		if *r.to = c.request(label+"."+r.word, r.word, r.from); *r.to == nil && r.need {
			c.report(label+"."+r.word, "", "is missing")
		}
	}
	out.id = c.path(label+".id", cmp.Or(k.ID, "id"))
	out.changed = c.path(label+".changed", k.Changed)
	out.mark = c.field(label+".mark", targets.Mark, k.Mark)
	out.about = targets.DeskKind{
		Kind: of, Title: k.Title, Marked: out.mark != nil && out.mark.write != nil && out.mark.read != nil, Settle: k.Settle.Std(), Members: out.addMember != nil,
	}
	for i := range k.Keys {
		from := &k.Keys[i]
		text, missing := c.names.named(from.At)
		if missing {
			continue
		}
		one := key{at: c.path(at(label+".keys", i)+".at", text), DeskKey: targets.DeskKey{
			Name: from.Name, Folded: !from.Exact, Usual: from.Usual, Anchor: from.Anchor, Within: from.Within, Proposes: from.Proposes,
		}}
		if from.Name == targets.Mark || slices.ContainsFunc(out.keys, func(o key) bool { return o.Name == from.Name }) {
			c.report(at(label+".keys", i)+".name", "give it another name", "%q is taken", from.Name)
			continue
		}
		out.keys = append(out.keys, one)
		out.about.Keys = append(out.about.Keys, one.DeskKey)
	}
	isKey := func(name string) bool {
		return slices.ContainsFunc(k.Keys, func(o Key) bool { return o.Name == name })
	}
	if k.Title != "" && !isKey(k.Title) {
		c.report(label+".title", "name one of keys", "%q is no key", k.Title)
	}
	for _, name := range sortedKeys(k.Find) {
		if !isKey(name) && name != targets.Mark {
			c.report(label+".find."+name, "what is searched for is compared again: give keys its path", "%q is no key", name)
		}
		if r := c.request(label+".find."+name, wordFind, k.Find[name]); r != nil && (name != targets.Mark || out.about.Marked) {
			out.find[name] = r
		}
	}
	if k.Create != nil && k.Create.Found != "" && out.find[k.Create.Found] == nil {
		c.report(label+".create.found", "name a key that find has", "%q cannot be searched for", k.Create.Found)
	}
	for _, name := range sortedKeys(k.Fields) {
		if f := c.field(label+".fields."+name, name, k.Fields[name]); f != nil {
			out.fields = append(out.fields, *f)
		}
	}
	for _, name := range k.Required {
		instead := []string{name}
		if i := slices.IndexFunc(out.fields, func(f field) bool { return f.name == name }); i >= 0 {
			instead = append(instead, out.fields[i].or...)
		}
		out.about.Needs = append(out.about.Needs, instead)
	}
	for _, name := range sortedKeys(k.References) {
		r := k.References[name]
		if r == nil {
			continue // it was told
		}
		to, known := directory.ParseRecordKind(r.Kind)
		if !known {
			c.report(label+".references."+name+".kind", "", "%q is no kind of record", r.Kind)
			continue
		}
		if f := c.field(label+".references."+name, name, &Field{At: r.At, Write: r.Write, As: r.As, None: cmp.Or(r.None, "null")}); f != nil {
			if out.about.References == nil {
				out.about.References = map[string]directory.RecordKind{}
			}
			out.about.References[name] = to
			out.refs = append(out.refs, *f)
		}
	}
	out.active = c.test(label+".active", k.Active)
	for i := range k.Protect {
		if t := c.test(at(label+".protect", i), &k.Protect[i]); t != nil {
			out.protect = append(out.protect, *t)
		}
	}
	if out.deactivate != nil {
		out.about.Ends = append(out.about.Ends, directory.Deactivate)
		if out.active == nil && !slices.ContainsFunc(out.list, func(r *request) bool { return r.active != nil }) {
			c.report(label+".active", "write {at: PATH, is: true}", "is missing: what is out of use could not be told")
		}
	}
	if out.remove != nil {
		out.about.Ends = append(out.about.Ends, directory.Delete)
	}
	return out
}

func at(label string, i int) string { return label + "[" + textOf(int64(i)) + "]" }

func (c *compiler) path(label, text string) path {
	if text == "" {
		return nil
	}
	p, err := parsePath(text)
	if err != nil {
		c.report(label, "", "%s", err)
	}
	return p
}

// field is nil for one that is not kept there.
func (c *compiler) field(label, name string, f *Field) *field {
	if f == nil {
		return nil
	}
	read, missing := c.names.named(f.At)
	write, lacks := c.names.named(cmp.Or(f.Write, f.At))
	if missing || lacks || read == "" && write == "" {
		return nil
	}
	out := &field{name: name, read: c.path(label, read), as: cmp.Or(f.As, "text"), none: cmp.Or(f.None, "empty"), or: f.Or, once: f.Once}
	if write != "none" {
		if out.write = c.path(label, write); len(out.write) > 0 && out.write[len(out.write)-1].key != "" || write == "." {
			c.report(label, "go on to the member that takes the value: "+write+".value", "%q is a whole element, which is not written", write)
		}
	}
	if !slices.Contains([]string{"text", "number", "bool", "list"}, out.as) {
		c.report(label+".as", "write text, number, bool or list", "unknown word %q", out.as)
	}
	if !slices.Contains([]string{"empty", "null", "omit"}, out.none) {
		c.report(label+".none", "write empty, null or omit", "unknown word %q", out.none)
	}
	return out
}

func (c *compiler) test(label string, t *Test) *test {
	if t == nil {
		return nil
	}
	text, missing := c.names.named(t.At)
	if missing {
		return nil
	}
	out := &test{at: c.path(label+".at", text), is: words(t.Is), not: words(t.Not), matches: c.pattern(label+".matches", t.Matches), why: t.Why}
	if len(t.Is)+len(t.Not) == 0 && t.Matches == "" {
		c.report(label, "write is, not or matches", "says not what the value must be")
	}
	return out
}

func (c *compiler) pattern(label, text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	r, err := regexp.Compile("(?is)" + text)
	if err != nil {
		c.report(label, "see the syntax of RE2", "is no regular expression: %s", err)
	}
	return r
}

func words(list wordList) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// request is nil for one that is not there, or that needs a name which was not given.
func (c *compiler) request(label, word string, r *Request) *request {
	if r == nil || r.none {
		return nil
	}
	out := &request{word: word, active: r.Active, short: r.Short, fuzzy: r.Fuzzy || r.All, whole: r.All, unless: r.Unless, why: r.Why, found: r.Found}
	for method, address := range map[string]string{
		http.MethodGet: r.Get, http.MethodPost: r.Post, http.MethodPut: r.Put, http.MethodPatch: r.Patch, http.MethodDelete: r.Delete,
	} {
		if address == "" {
			continue
		}
		if out.method != "" {
			c.report(label, "write one of get, post, put, patch and delete", "has two methods")
		}
		out.method, out.address = method, address
	}
	reads := slices.Contains([]string{wordOfList, wordGet, wordFind, wordMembers, wordBusy, wordSelf}, word)
	switch {
	case out.method == "":
		c.report(label, "write get: /PATH", "has no method")
		return nil
	case !strings.HasPrefix(out.address, "/"):
		c.report(label, "write /PATH", "the address must begin with a slash: it stands behind url")
	case reads && out.method != http.MethodGet && out.method != http.MethodPost:
		c.report(label, "write get, or post for a search", "a %s changes something", out.method)
	}
	out.body = r.Body
	known := map[string][]string{
		wordFind: {"value"}, wordCreate: {"mark", "random"}, wordAdd: {"member", "members"}, wordRemove: {"member", "members", "row"},
	}[word]
	if word != wordOfList && word != wordFind && word != wordCreate && word != wordSelf {
		known = append(known, "id")
	}
	for _, name := range append(names(out.address), names(out.body)...) {
		if own, is := strings.CutPrefix(name, "names."); is {
			if c.names[own] != "" {
				continue
			}
			if word != wordFind {
				c.report(label, "give it under names", "needs the name %q, which is not given", own)
			}
			return nil
		}
		if !slices.Contains(known, name) {
			c.report(label, "known here: {"+strings.Join(known, "}, {")+"}, {names.…}", "{%s} stands for nothing here", name)
		}
	}
	out.into = c.path(label+".into", r.Into)
	out.item = c.path(label+".item", r.Item)
	out.items = c.path(label+".items", r.Items)
	out.id = c.path(label+".id", r.ID)
	out.only = c.test(label+".only", r.Only)
	out.pages = c.cfg.Pages
	if r.Pages != nil {
		out.pages = *r.Pages
		var issues settings.Issues
		out.pages.validate(&issues, label+".pages")
		for _, issue := range issues {
			c.report(issue.Path, issue.Hint, "%s", issue.Message)
		}
	}
	if r.Lookup != nil {
		if word != wordRemove {
			c.report(label+".lookup", "", "goes with remove only")
		}
		out.lookup = c.request(label+".lookup", wordRemove, &Request{Get: r.Lookup.Get, Items: r.Lookup.Items, ID: r.Lookup.ID})
	}
	if word == wordMembers && out.id == nil {
		out.id = path{{name: "id"}}
	}
	return out
}

func (c *compiler) errorRule(label string, r *ErrorRule) errorRule {
	out := errorRule{on: r.On, status: r.Status, is: words(r.Is), class: r.Class, hint: r.Hint, matches: c.pattern(label+".matches", r.Matches)}
	out.at, out.text = c.path(label+".at", r.At), c.path(label+".text", r.Text)
	for _, word := range r.On {
		if !slices.Contains(requestWords(), word) {
			c.report(label+".on", "", "unknown word %q (known: %s)", word, strings.Join(requestWords(), ", "))
		}
	}
	if _, known := classes()[r.Class]; !known {
		c.report(label+".class", "", "unknown word %q (known: %s)", r.Class, strings.Join(sortedKeys(classes()), ", "))
	}
	if (r.At == "") != (len(r.Is) == 0) {
		c.report(label, "write at: PATH, is: VALUE", "at and is go together")
	}
	if r.At == "" && r.Matches == "" && len(r.Status) == 0 {
		c.report(label, "write status, at and is, or matches", "would hold for every answer")
	}
	return out
}
