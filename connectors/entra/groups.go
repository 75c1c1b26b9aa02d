package entra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// groupsReading reads groups and their members by rounds of changes.
//
// First rounds are asked for in the default form, which makes complete objects. Later rounds are asked for in the
// short decoder: besides being short, it is the only one that tells a group that came back from the deleted items
// from one that changed, because only a new or restored group mentions when it was created. The members of a
// restored group are listed, since nothing promises that the round names all of them.
type groupsReading struct {
	*reading
	decoder *groupDecoder
	// restored and halves are groups of this page that need a look: at their members, at their properties.
	restored, halves map[string]struct{}
	// owners are those that a first round has named so far, by group; nil where nobody asks for them.
	owners map[string]map[string]struct{}
	// filled are groups that earlier pages of a first round gave members.
	filled map[string]struct{}
}

const minimal = "return=minimal"

func (r *Reader) readGroups(ctx context.Context, op string, req connectors.Request, emit func(*connectors.Page) error) error {
	g := &groupsReading{
		reading: r.newReading(op, directory.Group, req, emit), decoder: newGroupDecoder(),
		restored: map[string]struct{}{}, halves: map[string]struct{}{}, filled: map[string]struct{}{},
	}
	if r.sel.GroupOwners {
		g.owners = map[string]map[string]struct{}{}
	}
	g.size, g.one = r.client.requests.groupSize, r.client.requests.groupThere
	begin, err := g.begin(func() (*url.URL, error) { return r.client.requests.groupsDelta(r.sel.groupChanges()) })
	if err != nil {
		return err
	}
	prefer := minimal
	if g.full() {
		prefer = ""
	}
	return g.round(ctx, begin, prefer, g.take, g.complete)
}

func (g *groupsReading) take(v jsonscan.Value) error {
	e := g.decoder.entry
	if err := e.load(v); err != nil {
		g.refuse(e.id, err)
		return nil
	}
	if e.removed {
		g.remove(e.id)
		return nil
	}
	// Members first: those of a group that cannot be translated are there all the same.
	err := g.members(e.id)
	if err == nil {
		err = g.ownersOf(e.id)
	}
	if err != nil {
		return &fault.Error{Class: fault.Transient, Op: g.op, Where: g.r.client.graph.Host, Err: err, Hint: oddAnswer}
	}
	_, half := g.halves[e.id]
	switch {
	case !g.full() && half && !g.decoder.mentionsProperties():
		g.object(directory.Object{Kind: directory.Group, ID: strings.Clone(e.id), Partial: true}) // for complete to fill in
		return nil
	case !g.full() && !g.decoder.mentionsProperties():
		return nil
	case !g.full() || !g.decoder.nameless():
	case g.listed(e.id) && !half:
		return nil // a further part of the members
	default:
		g.halves[e.id] = struct{}{}
	}
	o, err := g.decoder.translate(!g.full())
	if err != nil {
		g.refuse(e.id, err)
		return nil
	}
	if g.full() {
		o.Links = ownedBy(slices.Collect(maps.Keys(g.owners[o.ID])))
	}
	g.object(o)
	if g.full() {
		return nil
	}
	if g.decoder.halfKnown() {
		g.halves[e.id] = struct{}{}
	}
	if created, err := timeOf("createdDateTime", e.values[g.decoder.created]); err == nil && created.Type() == directory.TimeType &&
		created.Time().Before(g.at.At.Add(5*time.Minute)) {
		g.restored[e.id] = struct{}{}
		if g.owners != nil {
			g.halves[e.id] = struct{}{}
		}
	}
	return nil
}

// listed reports whether this first round has listed the group for certain.
func (g *groupsReading) listed(id string) bool {
	if _, here := g.built.at[id]; here {
		return true
	}
	return !g.resumed && g.seenBefore(id)
}

// members takes what the entry says of members. In a first round the last word about a member is not always on
// the page where it was added.
func (g *groupsReading) members(id string) error {
	_, filled := g.filled[id]
	filled = filled || g.resumed
	return g.decoder.eachMember(func(handle string, removed bool) {
		g.built.member(id, handle, !removed)
		if removed && g.full() && filled {
			g.again[strings.Clone(id)] = struct{}{}
		}
	})
}

// ownersOf takes what the entry says of owners. A first round names all of them, on one page or on several; a later one names those
// who came and went, which a partial object cannot say, so that the whole group is asked for. So it is after an
// interruption, when nothing is known of the pages before.
func (g *groupsReading) ownersOf(id string) error {
	if g.owners == nil {
		return nil
	}
	if g.resumed || g.decoder.mentionsOwners() && (!g.full() || g.decoder.nameless()) {
		g.halves[strings.Clone(id)] = struct{}{}
	}
	if !g.full() || g.resumed {
		return nil
	}
	return g.decoder.eachOwner(func(handle string, removed bool) {
		of := g.owners[id]
		switch {
		case removed:
			delete(of, handle)
			return
		case of == nil:
			of = map[string]struct{}{}
			g.owners[strings.Clone(id)] = of
		}
		of[handle] = struct{}{}
	})
}

// complete fetches what the page's groups lack, and closes the page for what follows.
func (g *groupsReading) complete(ctx context.Context) error {
	if err := g.keepOwners(ctx); err != nil {
		return err
	}
	for id := range g.halves {
		if _, still := g.built.at[id]; !still {
			continue
		}
		o, err := g.r.groupByID(ctx, g.op, id)
		if fault.ClassOf(err) == fault.Gone {
			if g.full() {
				g.built.drop(id)
			}
			continue
		}
		if aboutOne(err) {
			g.built.dropObject(id) // who came and went is said once only
			g.built.invalid = append(g.built.invalid, unread(g.op, strings.Clone(id), "group "+id, err))
			continue
		}
		if err != nil {
			return err
		}
		g.built.object(o)
	}
	for id := range g.restored {
		if _, still := g.built.at[id]; !still {
			continue
		}
		if err := g.rejoin(ctx, id); err != nil && fault.ClassOf(err) != fault.Gone {
			return err
		}
	}
	for id := range g.built.groups {
		g.filled[strings.Clone(id)] = struct{}{} // an id is a part of its page, and would keep all of it
	}
	clear(g.halves)
	clear(g.restored)
	return nil
}

// aboutOne reports whether an error is about the one object that was asked for, as far as an answer can tell.
func aboutOne(err error) bool {
	g, ok := asGraph(err)
	if !ok {
		return errors.Is(err, errNoMember)
	}
	switch fault.ClassOf(err) {
	case fault.Forbidden, fault.Invalid, fault.Gone:
		return g.Status == http.StatusForbidden || g.Status == http.StatusBadRequest || g.Status == http.StatusNotFound
	default:
		return false
	}
}

// errNoMember is an entry of a list of members that names nobody. Left out, somebody would seem to have left.
var errNoMember = errors.New("a member without an id")

// groupByID reads one group, with its owners where they are asked for.
func (r *Reader) groupByID(ctx context.Context, op, id string) (directory.Object, error) {
	u, err := r.client.requests.group(id, groupProperties())
	if err != nil {
		return directory.Object{}, err
	}
	body, err := r.client.get(ctx, u, "")
	if err != nil {
		return directory.Object{}, err
	}
	decoder := newGroupDecoder()
	v, err := oneObject(op, body)
	if err == nil {
		err = decoder.entry.load(v)
	}
	var o directory.Object
	if err == nil {
		o, err = decoder.translate(false)
	}
	if err == nil && decoder.entry.id != id {
		err = errors.New("the service answered with another group")
	}
	if err != nil {
		return o, &fault.Error{Class: fault.Transient, Op: op, Where: r.client.graph.Host, Err: err, Hint: oddAnswer}
	}
	if r.sel.GroupOwners {
		if u, err = r.client.requests.owners(id, most); err != nil {
			return o, err
		}
		owners, err := r.idsOf(ctx, op, u)
		if err != nil {
			return o, err
		}
		o.Links = ownedBy(owners)
	}
	return o, nil
}

// most is the largest page that a list gives.
const most = 999

// membersOf lists the handles of a group's direct members. A group that is not there is a Gone error.
func (r *Reader) membersOf(ctx context.Context, op, id string) ([]string, error) {
	first, err := r.client.requests.members(id, most)
	if err != nil {
		return nil, err
	}
	return r.idsOf(ctx, op, first)
}

// idsOf lists the handles of all that a list has.
func (r *Reader) idsOf(ctx context.Context, op string, first *url.URL) (list []string, err error) {
	err = r.eachID(ctx, op, first, func(id, _ string) { list = append(list, directory.IDHandle(id)) })
	return list, err
}

// eachID calls f for the id and the type of every object of a list.
func (r *Reader) eachID(ctx context.Context, op string, first *url.URL, each func(id, kind string)) error {
	l := &schema{}
	kind := l.slot("@odata.type")
	e := newEntry(l)
	n := r.client.pager(op, first, false, "")
	for {
		page, err := n.next(ctx)
		if err != nil {
			return err
		}
		for w := jsonscan.Enter(page); w.More(); {
			if err := e.load(w.Value()); err != nil {
				return n.odd(fmt.Errorf("%w: %w", errNoMember, err))
			}
			name, _ := e.values[kind].Text()
			each(e.id, name)
		}
		if n.last() {
			return nil
		}
	}
}
