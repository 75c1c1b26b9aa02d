package postgres

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// put is an object that was put.
type put struct {
	key     objectKey
	gone    store.GoneCause
	handles []string
	links   []directory.Link
	match   []store.MatchKey
	data    []byte
}

// link is a directory.Link with the number of the handle that it points to.
type link struct {
	kind directory.LinkType
	to   store.Num
}

// resolve does for all objects that were put what has to be known before it can be written: who had their handles, and which handles and
// links they had themselves. It asks twice at most, whatever their number.
func (t *tx) resolve() error {
	puts := t.objects.puts
	if len(puts) == 0 {
		return t.failed
	}
	t.objects.puts = nil
	if err := t.learnPuts(puts); err != nil {
		return err
	}
	for i := range puts {
		if err := t.store(&puts[i]); err != nil {
			return err
		}
	}
	return nil
}

// learnPuts makes everything known that storing objects needs.
func (t *tx) learnPuts(puts []put) error {
	var texts []string
	byKind := map[directory.Kind][]store.Num{}
	for i := range puts {
		p := &puts[i]
		texts = append(texts, p.handles...)
		for _, l := range p.links {
			texts = append(texts, l.To)
		}
		byKind[p.key.kind] = append(byKind[p.key.kind], p.key.num)
	}
	questions := []*question{t.learnNames(hashesOf(texts))}
	for kind, nums := range byKind {
		questions = append(questions, t.learnObjects(kind, nums))
	}
	if err := t.ask(questions...); err != nil {
		return err
	}
	return t.learnBefore(puts)
}

// learnBefore makes known what objects of known rows and names had before, and who has what they claim.
func (t *tx) learnBefore(puts []put) error {
	var (
		handles []store.Num
		former  []string // what they pointed to
		lost    []objectKey
	)
	for i := range puts {
		p := &puts[i]
		now := make([]store.Num, 0, len(p.handles))
		for _, handle := range p.handles {
			if n := t.names.known[hashName(handle)]; n != 0 {
				now = append(now, n)
			}
		}
		handles = append(handles, now...)
		old := t.objects.known[p.key]
		if !old.exists {
			continue
		}
		handles = append(handles, old.row.Handles...)
		o, err := directory.ParseObject(old.row.Data)
		if err != nil {
			return t.s.corrupt("object")
		}
		same := slices.Equal(o.Links, p.links)
		if !same {
			for _, l := range o.Links {
				former = append(former, l.To)
			}
		}
		if !same || len(now) != len(p.handles) || !slices.Equal(now, old.row.Handles) {
			lost = append(lost, p.key)
		}
	}
	questions := []*question{t.learnOwners(handles), t.learnContestants(handles), t.learnNames(hashesOf(former))}
	questions = append(questions, t.learnTwins(lost)...)
	return t.ask(questions...)
}

// learnTwins makes known which objects of other kinds have the ids, hence the numbers, of some.
func (t *tx) learnTwins(keys []objectKey) (questions []*question) {
	if len(keys) == 0 {
		return nil
	}
	for _, kind := range directory.Kinds() {
		var nums []store.Num
		for _, key := range keys {
			if key.kind != kind {
				nums = append(nums, key.num)
			}
		}
		questions = append(questions, t.learnObjects(kind, nums))
	}
	return questions
}

// state is what is derived from an object.
type state struct {
	exists  bool
	present bool
	handles []store.Num
	links   []link
	match   []store.MatchKey
}

// store stores an object about which everything is known.
func (t *tx) store(p *put) error {
	o := t.objects.known[p.key]
	old, err := t.stateOf(p.key, true)
	if err != nil {
		return err
	}
	now := state{exists: true, present: p.gone == store.Here, match: p.match}
	for _, handle := range p.handles {
		h, err := t.number(hashName(handle))
		if err != nil {
			return err
		}
		if err := t.ask(t.learnOwners([]store.Num{h}), t.learnContestants([]store.Num{h})); err != nil { // known but for fresh ones, which costs nothing
			return err
		}
		now.handles = append(now.handles, h)
		t.takeOver(p.key.num, h)
	}
	if now.links, err = t.linksOf(p.links); err != nil {
		return err
	}
	if err := t.replace(p.key, old, now); err != nil {
		return err
	}
	o.exists = true
	o.row = store.Row{Num: p.key.num, Gone: p.gone, Handles: now.handles, Data: p.data}
	t.change(p.key, o, stored)
	return nil
}

func (t *tx) linksOf(links []directory.Link) (list []link, err error) {
	for _, l := range links {
		to, err := t.number(hashName(l.To))
		if err != nil {
			return nil, err
		}
		list = append(list, link{l.Type, to})
	}
	return list, nil
}

// stateOf returns what is derived from an object that is known. The keys by which a person is found are asked for where they matter.
func (t *tx) stateOf(key objectKey, match bool) (state, error) {
	known := t.objects.known[key]
	if known == nil || !known.exists {
		return state{}, nil
	}
	o, err := directory.ParseObject(known.row.Data)
	if err != nil {
		return state{}, t.s.corrupt("object")
	}
	s := state{exists: true, present: known.row.Gone == store.Here, handles: known.row.Handles}
	var texts []string
	for _, l := range o.Links {
		texts = append(texts, l.To)
	}
	if err := t.ask(t.learnNames(hashesOf(texts))); err != nil {
		return state{}, err
	}
	if s.links, err = t.linksOf(o.Links); err != nil {
		return state{}, err
	}
	if match {
		s.match, err = t.matchKeys(&o)
	}
	return s, err
}

// replace gives up the handles and links that an object has no longer, and notes new links. New handles were claimed before.
func (t *tx) replace(key objectKey, old, now state) error {
	t.countPresent(key.kind, old.present, now.present)
	if len(old.match)+len(now.match) > 0 {
		if err := t.replaceMatch(key.num, old.match, now.match); err != nil {
			return err
		}
	}
	for _, l := range now.links {
		if !slices.Contains(old.links, l) {
			t.links[referrer{l, key.num}] = true
		}
	}
	if !old.exists || slices.Equal(old.handles, now.handles) && slices.Equal(old.links, now.links) {
		return nil
	}
	shared, err := t.sharedState(key)
	if err != nil {
		return err
	}
	for _, l := range old.links {
		if !slices.Contains(now.links, l) && !slices.Contains(shared.links, l) {
			t.links[referrer{l, key.num}] = false
		}
	}
	for _, h := range old.handles {
		if !slices.Contains(now.handles, h) && !slices.Contains(shared.handles, h) {
			t.unclaim(key.num, h)
		}
	}
	return nil
}

// sharedState collects the handles and links of objects of other kinds that have the same id, hence the same
// number: what one of them gives up may still be another one's. Only objects that nothing points to may
// share an id, so that this is rare.
func (t *tx) sharedState(key objectKey) (state, error) {
	if err := t.ask(t.learnTwins([]objectKey{key})...); err != nil {
		return state{}, err
	}
	var all state
	for _, other := range directory.Kinds() {
		if other == key.kind {
			continue
		}
		s, err := t.stateOf(objectKey{other, key.num}, false)
		if err != nil {
			return state{}, err
		}
		all.handles = append(all.handles, s.handles...)
		all.links = append(all.links, s.links...)
	}
	return all, nil
}

// deleteObject forgets an object that is known.
func (t *tx) deleteObject(key objectKey) error {
	o := t.objects.known[key]
	if err := t.ask(append(t.learnTwins([]objectKey{key}), t.learnOwners(o.row.Handles), t.learnContestants(o.row.Handles))...); err != nil {
		return err
	}
	old, err := t.stateOf(key, true)
	if err != nil {
		return err
	}
	if err := t.replace(key, old, state{}); err != nil {
		return err
	}
	o.exists, o.row = false, store.Row{}
	t.change(key, o, deleted)
	return nil
}
