package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
)

// twins are ids that several entries have, where the anchor is an attribute that the server does not keep unique. The entry
// that had the id when it was last read keeps it, or else the one that was made first, for the others are copies more often
// than not. Those have the id and what the server itself tells them by, so that none is taken for another, and no record is
// two people in turn.
type twins struct {
	// keepers are the entries that keep an id that several have, by the id in its folded form.
	keepers map[string]string
	// first are the entries that had an id first in this listing.
	first map[string]string
	// known are all entries of a shared id, for the operator: the id and the DNs.
	known []twinIDs
}

type twinIDs struct {
	id  string
	dns []string
}

func newTwins() *twins {
	return &twins{keepers: make(map[string]string), first: make(map[string]string)}
}

// twin is an entry as far as it tells who keeps an id.
type twin struct {
	key, dn, id, created string
	handle               string // of its DN
	was                  string // the id under which its DN is stored; empty when it is not
}

// key tells the loaded entry from others: what the server tells it by, or its DN.
func (t *translator) key() string {
	if own := t.ownID(); own != "" {
		return own
	}
	return t.dnHandle()
}

// dnHandle is the handle of the loaded entry's DN.
func (t *translator) dnHandle() string { return dnHandle + string(t.preset.form.Append(nil, t.row.dn)) }

func (t *translator) twin(id string) twin {
	return twin{key: t.key(), dn: strings.Clone(t.row.dn), id: id, created: strings.Clone(t.row.first(t.created)), handle: t.dnHandle()}
}

// recall looks up the ids under which twins are stored.
func (r *reading) recall(ctx context.Context, list []twin) error {
	if r.owners == nil || len(list) == 0 {
		return nil
	}
	handles := make([]string, len(list))
	for i := range list {
		handles[i] = list[i].handle
	}
	ids, err := r.owners(ctx, handles)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].was = ids[i]
	}
	return nil
}

// keeper is the entry that had the id before. Otherwise it is the one that was made first, of those that had no other id;
// of several of one moment, or where that is not seen, the first by what tells them apart.
func keeper(list []twin) twin {
	if i := slices.IndexFunc(list, func(t twin) bool { return foldID(t.was) == foldID(t.id) }); i >= 0 {
		return list[i]
	}
	if others := slices.DeleteFunc(slices.Clone(list), func(t twin) bool { return t.was != "" }); len(others) > 0 {
		list = others
	}
	return slices.MinFunc(list, func(a, b twin) int {
		if at, ok := parseTime(a.created); ok {
			if other, ok := parseTime(b.created); ok && !at.Equal(other) {
				return at.Compare(other)
			}
		}
		return strings.Compare(a.key, b.key)
	})
}

// add notes that several entries have one id, unless they are one entry that was seen twice.
func (t *twins) add(list []twin) {
	keep := keeper(list)
	if !slices.ContainsFunc(list, func(other twin) bool { return other.key != keep.key }) {
		return
	}
	t.keepers[foldID(keep.id)] = keep.key
	ids := twinIDs{id: keep.id}
	for _, other := range list {
		if !slices.Contains(ids.dns, other.dn) {
			ids.dns = append(ids.dns, other.dn)
		}
	}
	t.known = append(t.known, ids)
}

// settle returns the id of the loaded entry among its twins, and false when it cannot have one.
func (t *twins) settle(tr *translator, id string) (string, bool) {
	key, folded := tr.key(), foldID(id)
	keep, shared := t.keepers[folded]
	if !shared {
		if keep = t.first[folded]; keep == "" {
			t.first[folded] = strings.Clone(key)
			return id, true
		}
	}
	switch {
	case keep == key:
		return id, true
	case strings.HasPrefix(key, "dn:"), !shared: // nothing else tells it, or it came while everybody was read
		return id + "+" + key, false
	}
	return id + "+" + key, true
}

// note tells of twins without naming them.
func (t *twins) note(attribute string) string {
	return fmt.Sprintf("%s is not unique: %s; the entry that had it first keeps it as its id, and `dirsyncd check --probe` names them", attribute,
		map[bool]string{true: "several entries have the same value", false: fmt.Sprintf("%d values are each that of several entries", len(t.known))}[len(t.known) == 1])
}

// notUnique is the error of an entry whose id another one has.
func (t *translator) notUnique() error {
	return &fault.Error{
		Class: fault.Invalid, Op: "translate entry", Err: errors.New(t.anchorName + " is not unique: another entry has the same value"),
		Hint: "give each entry a value of its own, or set anchor to an attribute that is unique",
	}
}

// findTwins lists the anchors of everything that is read, before it is read. It returns nil where the server keeps the
// anchor unique.
func (r *reading) findTwins(ctx context.Context) (*twins, error) {
	if r.tr.anchors[0].unique {
		return nil, nil
	}
	s, err := r.connector.connect(ctx, r.op, r.session.server)
	if err != nil {
		return nil, err
	}
	defer s.close()
	conn, err := s.stream(r.op)
	if err != nil {
		return nil, err
	}
	d := r.newDelta(conn, nil)
	attributes := []string{r.tr.row.names[r.tr.created]}
	for _, a := range r.tr.anchors {
		attributes = append(attributes, a.name)
	}
	for _, slot := range r.tr.own {
		attributes = append(attributes, r.tr.row.names[slot])
	}
	found, order := make(map[string][]twin), []string(nil)
	for _, l := range r.query.lines {
		search := wire.Search{Base: l.base, Scope: l.scope, Filter: l.filter, Attributes: attributes}
		err := d.pages(ctx, search, func() error {
			r.tr.row.load(&d.entry)
			if id, a, ok := r.tr.identify(); ok && !a.unique {
				folded := foldID(id)
				if found[folded] == nil {
					order = append(order, folded)
				}
				found[folded] = append(found[folded], r.tr.twin(strings.Clone(id)))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var list []twin
	for _, folded := range order {
		if len(found[folded]) > 1 {
			list = append(list, found[folded]...)
		}
	}
	if err := r.recall(ctx, list); err != nil {
		return nil, err
	}
	t := newTwins()
	for len(list) > 0 {
		same := list[:len(found[foldID(list[0].id)])]
		t.add(same)
		list = list[len(same):]
	}
	return t, nil
}

// takeTwins takes the loaded entry of a delta, and with it all that have the same id: nothing else would name them.
func (d *delta) takeTwins(ctx context.Context, uuid string) error {
	id, a, ok := d.tr.identify()
	if !ok || a.unique {
		return d.translated(uuid)
	}
	value := d.tr.row.first(a.slot)
	if err := d.ranges.open(ctx); err != nil {
		return err
	}
	var list []twin
	var entries []*ldap.Entry
	for _, l := range d.query.lines {
		filter := "(&" + l.filter + "(" + a.name + "=" + ldap.EscapeFilter(value) + "))"
		found, err := d.ranges.session.search(d.op+": look for other entries with the same "+a.name,
			ldap.NewSearchRequest(l.base, l.scope, ldap.NeverDerefAliases, 0, 0, false, filter, d.tr.row.names, d.tr.extendedControls()))
		if errors.Is(err, wire.ErrTooLong) {
			return d.expired("an entry is too large to look for others with its %s", a.name)
		}
		if err != nil {
			return err
		}
		for _, e := range found {
			d.tr.row.load(entryOf(e))
			if same, _, ok := d.tr.identify(); ok && foldID(same) == foldID(id) {
				list, entries = append(list, d.tr.twin(same)), append(entries, e)
			}
		}
	}
	if d.tr.twins == nil {
		d.tr.twins = newTwins()
	}
	delete(d.tr.twins.first, foldID(id)) // that it came before means nothing in a delta
	before := len(d.tr.twins.known)
	if len(list) > 1 && d.tr.twins.keepers[foldID(id)] == "" {
		if err := d.recall(ctx, list); err != nil {
			return err
		}
		d.tr.twins.add(list)
	}
	if len(d.tr.twins.known) == before {
		d.tr.row.load(&d.entry)
		return d.translated(uuid)
	}
	d.batch.page.Notes = append(d.batch.page.Notes, d.tr.twins.note(a.name))
	for _, e := range entries {
		d.tr.row.load(entryOf(e))
		if len(d.tr.row.partial) > 0 {
			if err := d.ranges.complete(ctx, d.tr); err != nil {
				return err
			}
		}
		if err := d.translated(""); err != nil {
			return err
		}
	}
	return nil
}

// entryOf is an entry in the form of the other half of the connector.
func entryOf(e *ldap.Entry) *wire.Entry {
	entry := &wire.Entry{DN: e.DN}
	for _, a := range e.Attributes {
		entry.Attributes = append(entry.Attributes, wire.Attribute{Name: a.Name, Values: a.Values})
	}
	return entry
}

// checkTwins names entries that have the same id.
func (r *reading) checkTwins(ctx context.Context, word string) []connectors.Finding {
	found, err := r.findTwins(ctx)
	subject := "anchor of " + word
	switch {
	case err != nil:
		return []connectors.Finding{r.connector.failed(subject, err)}
	case found == nil:
		return nil
	case len(found.known) == 0:
		return []connectors.Finding{{Subject: subject, OK: true, Detail: r.tr.anchorName + ", no value twice"}}
	}
	const shown = 3
	var who []string
	for i, ids := range found.known {
		if i == shown {
			who = append(who, fmt.Sprintf("and %d more", len(found.known)-shown))
			break
		}
		who = append(who, fmt.Sprintf("%s is that of %s", ids.id, strings.Join(ids.dns, " and of ")))
	}
	return []connectors.Finding{{
		Subject: subject, Detail: r.tr.anchorName + " is not unique: " + strings.Join(who, "; "),
		Hint: "give each entry a value of its own, or set anchor to an attribute that is unique; until then the entry that had it first keeps the id, " +
			"and the others have one that is made of it and of their own",
	}}
}
