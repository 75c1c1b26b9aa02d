package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// roster is our side: every record that the target has heard of or is about to hear of, with digests of what it can be
// recognised by. It is read from the links and from what waits, and kept up to date while the process lives.
type roster struct {
	of     map[string]*known
	keys   map[keyAt][]*known
	titles map[keyAt][]*known
	linked map[directory.RecordKind][]string // who was linked when it was put there, in that order
	// waiting are those of which something waits to be done, and have counts those that are linked, by kind.
	waiting map[directory.RecordKind]map[string]*known
	have    map[directory.RecordKind]int
	// generation counts the changes of who waits for a thing, for what is derived of it. Who got one was foreseen.
	generation int
}

// known is a record.
type known struct {
	subject  string
	kind     directory.RecordKind
	keys     []store.Digest // by the kind's keys; zero for none
	customer store.Digest   // of the text of its customer, folded
	title    store.Digest   // of its name, folded
	mark     string
	id       string // of its thing, when it is linked
	parent   string // of its thing: the id of the customer
	state    store.LinkState
	idle     bool         // its thing is out of use
	pending  directory.Op // what waits to be done; zero for nothing
	updates  bool         // what waits makes nothing where it is not there
}

type keyAt struct {
	kind  directory.RecordKind
	key   int // of the kind's keys; titles have titleKey
	value store.Digest
}

const titleKey = -2

// Names under which the digests of keys stand among a link's Sent: no field has such a name.
const (
	keyPrefix    = "@key."
	customerName = "@customer"
	titleName    = "@title"
	chosenName   = "@chosen" // what a human saw when choosing
)

func newRoster() *roster {
	return &roster{
		of: map[string]*known{}, keys: map[keyAt][]*known{}, titles: map[keyAt][]*known{}, linked: map[directory.RecordKind][]string{},
		waiting: map[directory.RecordKind]map[string]*known{}, have: map[directory.RecordKind]int{},
	}
}

// done notes that nothing waits for a record any more.
func (r *roster) done(k *known) {
	k.pending = 0
	delete(r.waiting[k.kind], k.subject)
}

func (r *roster) put(k *known) {
	old := r.of[k.subject]
	if old != nil {
		r.drop(old)
	}
	r.of[k.subject] = k
	if k.id != "" {
		r.have[k.kind]++
	}
	if k.pending != 0 {
		if r.waiting[k.kind] == nil {
			r.waiting[k.kind] = map[string]*known{}
		}
		r.waiting[k.kind][k.subject] = k
	}
	if k.id != "" && (old == nil || old.id == "") {
		r.linked[k.kind] = append(r.linked[k.kind], k.subject)
	}
	for i, v := range k.keys {
		if v != (store.Digest{}) {
			at := keyAt{k.kind, i, v}
			r.keys[at] = append(r.keys[at], k)
		}
	}
	for _, v := range k.names() {
		at := keyAt{k.kind, titleKey, v}
		r.titles[at] = append(r.titles[at], k)
	}
}

// names are those by which records name this one: its title, and the key of what others are within. All records are found by their keys
// in roster.of.
func (k *known) names() (list []store.Digest) {
	if k.title != (store.Digest{}) {
		list = append(list, k.title)
	}
	if k.kind == directory.CustomerRecord || k.kind == directory.SiteRecord {
		_, key, _ := strings.Cut(k.subject, "/")
		if by := store.DigestOf(fold(trim(key))); by != k.title {
			list = append(list, by)
		}
	}
	return list
}

func (r *roster) drop(k *known) {
	delete(r.of, k.subject)
	delete(r.waiting[k.kind], k.subject)
	if k.id != "" {
		r.have[k.kind]--
	}
	self := func(o *known) bool { return o == k }
	for i, v := range k.keys {
		at := keyAt{k.kind, i, v}
		if list := slices.DeleteFunc(r.keys[at], self); len(list) > 0 {
			r.keys[at] = list
		} else {
			delete(r.keys, at)
		}
	}
	for _, v := range k.names() {
		at := keyAt{k.kind, titleKey, v}
		if list := slices.DeleteFunc(r.titles[at], self); len(list) > 0 {
			r.titles[at] = list
		} else {
			delete(r.titles, at)
		}
	}
}

// values are an action's values by the keys of its kind.
func (d *Desk) values(k *kind, a *directory.Action) []Value {
	list := make([]Value, len(k.keys))
	for i, value := range k.values {
		list[i] = d.read.Value(value(a))
	}
	return list
}

// knownOf makes the roster's entry of an action.
func (d *Desk) knownOf(k *kind, a *directory.Action) *known {
	e := &known{subject: directory.Subject(a.Kind, a.Record), kind: a.Kind, pending: a.Op, updates: updatesOnly(a), mark: strings.Clone(d.opts.Mark(a))} // a part of the action's text would keep all of it
	for i, v := range d.values(k, a) {
		e.keys = append(e.keys, v.by(&k.keys[i]))
	}
	e.customer = d.digest(d.named("customer", text(a, "customer")))
	e.title = d.digest(a.Name())
	return e
}

// digest is that of a name as people compare it; zero for none.
func (d *Desk) digest(name string) store.Digest { return d.read.Value(name).fold }

func text(a *directory.Action, field string) string {
	v, _ := fieldOf(a.Fields, field)
	return v.String()
}

func fieldOf(fields []directory.Field, name string) (directory.Value, bool) {
	i, ok := slices.BinarySearchFunc(fields, name, func(f directory.Field, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return directory.Value{}, false
	}
	return fields[i].Value, true
}

// fromLink makes the roster's entry of a link.
func (d *Desk) fromLink(l *store.Link) *known {
	e := &known{subject: l.Subject, kind: l.Kind, customer: l.Sent[customerName], title: l.Sent[titleName], mark: l.Mark, parent: l.Parent, state: l.State}
	if l.State == store.Linked {
		e.id, e.idle = l.ID, !l.Active
	}
	if k := d.kind(l.Kind); k != nil {
		for _, key := range k.keys {
			e.keys = append(e.keys, l.Sent[keyPrefix+key.Name])
		}
	}
	return e
}

// know brings the roster up to date with what is handed over: what waits is read when something is handed over that the
// roster does not know as it is.
func (d *Desk) know(ctx context.Context, todo []*work) error {
	if d.roster == nil {
		r := newRoster()
		var state store.DeskState
		err := d.store.View(ctx, d.part, func(tx store.Reader) (err error) {
			if state, err = tx.Desk(); err != nil {
				return err
			}
			return tx.Links("", func(l store.Link) bool {
				r.put(d.fromLink(&l))
				return true
			})
		})
		if err != nil {
			return fmt.Errorf("read the links: %w", err)
		}
		d.roster, d.state, d.edits = r, state, editsOf(&state).Count
	}
	fresh := true
	for _, w := range todo {
		e := d.knownOf(w.kind, w.Action)
		have := d.roster.of[w.subject]
		fresh = fresh && have != nil && have.pending == w.Op && slices.Equal(have.keys, e.keys) && have.customer == e.customer
	}
	if fresh {
		return nil
	}
	if err := d.scan(ctx); err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	for _, w := range todo { // what is folded with something parked is nowhere else
		d.expect(w.kind, w.Action)
	}
	return nil
}

// expect puts an action that waits into the roster.
func (d *Desk) expect(k *kind, a *directory.Action) {
	e := d.knownOf(k, a)
	if have := d.roster.of[e.subject]; have != nil {
		if have.pending == e.pending && have.updates == e.updates && slices.Equal(have.keys, e.keys) && have.customer == e.customer && have.title == e.title {
			return
		}
		e.id, e.parent, e.state, e.idle = have.id, have.parent, have.state, have.idle
	}
	d.roster.put(e)
	d.roster.generation++
}

// scan reads what waits for the target in all partitions. A roster of which only some were read is forgotten: the guard would count less than
// waits, and nobody would see the rivals of the others.
func (d *Desk) scan(ctx context.Context) error {
	for _, waiting := range d.roster.waiting {
		for _, e := range waiting {
			d.roster.done(e)
		}
	}
	err := d.eachPending(ctx, d.expect)
	if err != nil {
		d.forget()
	}
	return err
}

// eachPending goes over what waits for the target in all partitions: of a record the oldest first.
func (d *Desk) eachPending(ctx context.Context, fn func(*kind, *directory.Action)) error {
	parts, err := d.store.Waiting(ctx, d.name)
	if err != nil {
		return err
	}
	more, err := d.store.Awaiting(ctx, d.name)
	if err != nil {
		return err
	}
	parts = append(parts, more...)
	slices.SortFunc(parts, store.Partition.Compare)
	parts = slices.Compact(parts)
	for _, p := range parts {
		err := d.store.View(ctx, p, func(tx store.Reader) error {
			see := func(data []byte) bool {
				if a, err := directory.ParseAction(data); err == nil {
					if k := d.kind(a.Kind); k != nil {
						fn(k, &a)
					}
				}
				return true // what cannot be read is set aside by the delivery
			}
			if err := tx.Parked(func(p store.Parked) bool { return p.Target != d.name || see(p.Action) }); err != nil {
				return err
			}
			if err := tx.Waits(d.name, 0, func(w store.Wait) bool { return see(w.Action) }); err != nil {
				return err
			}
			return tx.Outbox(d.name, 0, func(q store.Queued) bool { return see(q.Data) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads the links of what is handed over, and what humans said. The roster is as new as that.
func (d *Desk) load(ctx context.Context, todo []*work) error {
	edited, err := d.loadOnce(ctx, todo)
	if err != nil || !edited {
		return err
	}
	d.forget()
	if err := d.know(ctx, d.under); err != nil {
		return err
	}
	_, err = d.loadOnce(ctx, todo) // what is edited all the time, as by an audit, is looked at when it is stored
	return err
}

func (d *Desk) loadOnce(ctx context.Context, todo []*work) (edited bool, err error) {
	subjects := make([]string, len(todo))
	by := map[string]*work{}
	for i, w := range todo {
		subjects[i] = w.subject
		by[w.subject] = w
	}
	err = d.store.View(ctx, d.part, func(tx store.Reader) error {
		if d.opts.Shared && d.under != nil { // who only looks has read our side just now
			state, err := tx.Desk()
			if err != nil {
				return err
			}
			edited, _ = d.editedElsewhere(&state)
		}
		links, err := tx.LinksOf(subjects)
		if err != nil {
			return err
		}
		for i := range links {
			todo[i].link, todo[i].not, todo[i].review = links[i], nil, nil
		}
		rejected, err := tx.Rejected(subjects)
		if err != nil {
			return err
		}
		for _, r := range rejected {
			by[r.Subject].not = append(by[r.Subject].not, r.ID)
		}
		reviews, err := tx.ReviewsOf(subjects)
		if err != nil {
			return err
		}
		for i := range reviews {
			by[reviews[i].Subject].review = &reviews[i]
		}
		for _, w := range todo {
			w.read = stampOf(&w.link, w.review)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the links: %w", err)
	}
	return edited, nil
}
