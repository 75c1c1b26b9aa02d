package entra

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// reading is one read of a stream that tracks changes.
//
// A first round lists everything and ends with the link for the changes after it. It is a listing and a piece of
// history in one: who leaves while it goes on is listed, and named as removed on a later page. A full read cannot
// pass that on, so the reading remembers it: removed objects for the next delta, groups that lost a member for a
// second look at the end.
type reading struct {
	r     *Reader
	op    string
	kind  directory.Kind
	req   connectors.Request
	emit  func(*connectors.Page) error
	built *pageBuilder
	// mayBeShort: the list is one without change tracking, which can lack entries and say nothing of it.
	mayBeShort bool
	// size is where the service is asked how many objects a first round has to list; nil where it is not.
	size func() (*url.URL, error)
	// one is where a single object of the list is; nil where there is no such address.
	one func(id string) (*url.URL, error)
	// resumed: the beginning of the round was read in another life, so nothing is known of it.
	resumed bool
	at      cursor

	seed  maphash.Seed
	seen  map[uint64]struct{} // objects on earlier pages of a first round
	count int                 // entries so far
	// listed are the objects that a first round has listed so far, those that it removed later among them.
	listed int
	gone   map[string]struct{}
	again  map[string]struct{}
	owned  map[string]struct{} // as in cursor
	// last: the page is the round's last one.
	last bool
}

func (r *Reader) newReading(op string, kind directory.Kind, req connectors.Request, emit func(*connectors.Page) error) *reading {
	return &reading{
		r: r, op: op, kind: kind, req: req, emit: emit, built: newPageBuilder(kind),
		seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, gone: map[string]struct{}{}, again: map[string]struct{}{}, owned: map[string]struct{}{},
	}
}

func (g *reading) full() bool { return g.req.Mode == connectors.Full }

// seenBefore reports whether an earlier page may have had the object.
func (g *reading) seenBefore(id string) bool {
	if g.resumed {
		return true
	}
	_, ok := g.seen[maphash.String(g.seed, id)]
	return ok
}

// begin returns where to begin. What is wrong with a cursor is told here, before anything is asked.
func (g *reading) begin(first func() (*url.URL, error)) (*url.URL, error) {
	settings := g.r.sel.settings(g.r.client.graph.String(), g.req.Stream)
	if g.full() && len(g.req.Cursor) == 0 {
		g.at = cursor{Settings: settings, First: true}
		return first()
	}
	c, err := parseCursor(g.op, settings, g.full(), g.req.Cursor, g.r.client.now())
	if err != nil {
		return nil, err
	}
	link, err := rest.Link(g.r.client.graph, g.op, c.Link)
	if err != nil {
		return nil, &fault.Error{Class: fault.CursorExpired, Op: g.op, Err: errors.New("the stored cursor leads to another service")}
	}
	g.at, g.resumed, g.listed = c, g.full(), c.Listed
	for _, id := range c.Gone {
		g.gone[id] = struct{}{}
	}
	for _, id := range c.Again {
		g.again[id] = struct{}{}
	}
	for _, id := range c.Owned {
		g.owned[id] = struct{}{}
	}
	return link, nil
}

// round reads from begin to the end of the round. take puts one element of a page into the page; complete fetches
// what the page's objects lack.
func (g *reading) round(ctx context.Context, begin *url.URL, prefer string, take func(jsonscan.Value) error, complete func(context.Context) error) error {
	stored := len(g.req.Cursor) > 0
	if !g.full() {
		for id := range g.gone {
			g.built.remove(id) // what the first round could not say; a page that knows better replaces it
		}
	}
	n := g.r.client.pager(g.op, begin, true, prefer)
	for first := true; ; first = false {
		list, err := n.next(ctx)
		if err != nil {
			if first && stored {
				err = asExpired(g.op, err)
			}
			return err
		}
		if err := g.page(list, take); err != nil {
			return err
		}
		last := n.last()
		g.last = last
		if err := complete(ctx); err != nil {
			return err
		}
		if last && g.full() && len(g.again) > 0 {
			if err := g.send(ctx, nil, false, false); err != nil {
				return err
			}
			if err := g.lookAgain(ctx); err != nil {
				return err
			}
		}
		if last {
			return g.send(ctx, &cursor{Settings: g.at.Settings, At: g.r.client.now(), Link: n.delta, Gone: g.goneList()}, false, true)
		}
		var c *cursor
		if g.full() {
			c = &cursor{
				Settings: g.at.Settings, At: g.r.client.now(), Link: n.at.String(), First: true,
				Gone: g.goneList(), Again: slices.Sorted(maps.Keys(g.again)), Owned: slices.Sorted(maps.Keys(g.owned)),
			}
		}
		if err := g.send(ctx, c, true, false); err != nil {
			return err
		}
	}
}

func (g *reading) goneList() []string {
	if !g.full() {
		return nil
	}
	return slices.Sorted(maps.Keys(g.gone))
}

// page puts the elements of a list into the page.
func (g *reading) page(list jsonscan.Value, take func(jsonscan.Value) error) error {
	for w := jsonscan.Enter(list); w.More(); {
		g.count++
		if err := take(w.Value()); err != nil {
			return err
		}
	}
	return nil
}

// refuse takes an element that cannot be translated.
func (g *reading) refuse(id string, err error) {
	where := fmt.Sprintf("%s, entry %d", g.req.Stream, g.count)
	if id != "" {
		where = g.req.Stream + "/" + id
	}
	g.built.invalid = append(g.built.invalid, invalid(g.kind, g.op, where, id, err))
}

// remove takes the word that an object is gone.
func (g *reading) remove(id string) {
	if !g.full() {
		g.built.remove(id)
		return
	}
	g.built.drop(id)
	delete(g.again, id)
	delete(g.owned, id)
	if g.seenBefore(id) {
		g.gone[strings.Clone(id)] = struct{}{} // an id is a part of its page, and would keep all of it
	}
}

// object takes an object that is there.
func (g *reading) object(o directory.Object) {
	g.built.object(o)
	if g.full() {
		delete(g.gone, o.ID)
	}
}

// send emits what was built.
func (g *reading) send(ctx context.Context, c *cursor, resumable, last bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	p := g.built.page(g.full())
	if g.full() {
		for i := range p.Objects {
			mark := maphash.String(g.seed, p.Objects[i].ID)
			if _, before := g.seen[mark]; !before {
				g.listed++
			}
			g.seen[mark] = struct{}{}
		}
		g.listed += len(p.Invalid)
	}
	if c != nil {
		if c.First {
			c.Listed = g.listed
		}
		p.Cursor, p.Resumable = c.bytes(), resumable
	}
	if last {
		more := 0
		if g.full() && g.size != nil {
			n, err := g.r.client.size(ctx, g.op, g.size)
			if err != nil {
				return err
			}
			more = max(0, n-(g.listed-len(g.gone)))
		}
		p.Proof = &connectors.Proof{
			Scope: g.r.scope(g.req.Stream), Count: -1, Reads: g.r.sel.says(g.req.Stream), MayBeShort: g.mayBeShort || more > 0, CountedMore: more,
		}
		if g.one != nil && p.Proof.MayBeShort {
			p.Look, p.Definite = g.look, true
		}
		if g.full() && g.kind == directory.Group && !g.mayBeShort {
			p.LookMembers = func(ctx context.Context, id string) ([]string, error) { return g.r.membersOf(ctx, g.op, id) }
		}
	}
	if err := g.emit(p); err != nil {
		return err
	}
	g.built.reset()
	return nil
}

// lookAgain lists the members of groups that lost one in the middle of a first round: twice, because a list that has lost its end looks whole, and
// whom it lacks would leave.
func (g *reading) lookAgain(ctx context.Context) error {
	for i, id := range slices.Sorted(maps.Keys(g.again)) {
		if i > 0 && i%20 == 0 {
			if err := g.send(ctx, nil, false, false); err != nil {
				return err
			}
		}
		members, err := g.r.membersOf(ctx, g.op, id)
		if err == nil {
			var more []string
			more, err = g.r.membersOf(ctx, g.op, id)
			members = append(members, more...)
			slices.Sort(members)
			members = slices.Compact(members)
		}
		if fault.ClassOf(err) == fault.Gone {
			continue // its removal is in the next delta
		}
		if aboutOne(err) {
			g.built.invalid = append(g.built.invalid, unread(g.op, id, "group "+id, err))
			continue
		}
		if err != nil {
			return err
		}
		g.built.whole(id, members)
	}
	clear(g.again)
	return nil
}
