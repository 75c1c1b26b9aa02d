package entra

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// listReading is one read of a list that tracks no changes: everything, every time.
type listReading struct {
	*reading
	pager *pager
	// untracked: the stream promises changes, and the tenant has none. The cursor says so.
	untracked bool
}

func (r *Reader) newListReading(op string, kind directory.Kind, req connectors.Request, emit func(*connectors.Page) error) *listReading {
	p := &listReading{reading: r.newReading(op, kind, req, emit)}
	p.mayBeShort = true
	return p
}

// look asks for objects one by one and returns the ids of those that are there.
func (g *reading) look(ctx context.Context, ids []string) (there []string, err error) {
	for _, id := range ids {
		u, err := g.one(id)
		if err != nil {
			return there, err
		}
		switch _, err := g.r.client.get(ctx, u, ""); {
		case err == nil:
			there = append(there, id)
		case fault.ClassOf(err) != fault.Gone:
			return there, err
		}
	}
	return there, nil
}

// list reads the list from its first page. take puts an element into the page; after, when there is one, is
// called at the end of each page.
func (p *listReading) list(ctx context.Context, first *url.URL, take func(jsonscan.Value) error, after func(context.Context) error) error {
	p.pager = p.r.client.pager(p.op, first, false, "")
	for {
		list, err := p.pager.next(ctx)
		if err != nil {
			return err
		}
		if err := p.page(list, take); err != nil {
			return err
		}
		if after != nil {
			if err := after(ctx); err != nil {
				return err
			}
		}
		if !p.pager.last() {
			if err := p.send(ctx, nil, false, false); err != nil {
				return err
			}
			continue
		}
		var c *cursor
		if p.untracked {
			c = &cursor{Settings: p.r.sel.settings(p.r.client.graph.String(), p.req.Stream), At: p.r.client.now(), Untracked: true}
		}
		return p.send(ctx, c, false, true)
	}
}

// pageOfSignIns is the largest page that shows when people signed in.
const pageOfSignIns = 120

// listUsers lists people where changes are not tracked, or with what is no part of change tracking.
func (r *Reader) listUsers(ctx context.Context, p *listReading) error {
	top := int32(most)
	if r.sel.SignInActivity {
		top = pageOfSignIns
	}
	first, err := r.client.requests.userList(r.sel.userProperties(), r.sel.Manager, top, "")
	if err != nil {
		return err
	}
	p.one = r.client.requests.user
	decoder := newUserDecoder(&r.sel)
	err = p.list(ctx, first, func(v jsonscan.Value) error {
		if err := decoder.entry.load(v); err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		o, err := decoder.translate()
		if err == nil && decoder.manager {
			var manager string
			manager, _, err = decoder.managerOf()
			o.Links = withManager(o.Links, manager)
		}
		if err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		p.object(o)
		return nil
	}, func(ctx context.Context) error {
		defer decoder.reset()
		return p.photos(ctx)
	})
	if err == nil && r.client.pace != nil {
		r.client.pace.SetTenantSize(p.count)
	}
	return err
}

// groupsPerPage is how many groups are emitted at once where each one's members cost a request.
const groupsPerPage = 50

// listGroups lists groups, and the members of each, where changes are not tracked.
func (r *Reader) listGroups(ctx context.Context, p *listReading) error {
	first, err := r.client.requests.groupList(groupProperties(), r.sel.GroupOwners, groupsPerPage)
	if err != nil {
		return err
	}
	p.one = r.client.requests.groupThere
	decoder := newGroupDecoder()
	var ids, names []string
	var unreadable connectors.Unreadable
	return p.list(ctx, first, func(v jsonscan.Value) error {
		if err := decoder.entry.load(v); err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		o, err := decoder.translate(false)
		if err == nil && r.sel.GroupOwners {
			var owners []string
			owners, err = decoder.expandedOwners()
			o.Links = ownedBy(owners)
		}
		if err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		ids = append(ids, decoder.entry.id)
		name, _ := o.Get(directory.FieldName)
		names = append(names, name.Text())
		p.object(o)
		return nil
	}, func(ctx context.Context) error {
		for i, id := range ids {
			members, err := r.membersOf(ctx, p.op, id)
			switch {
			case err == nil:
				unreadable.Read()
				p.built.doubtful(id, members)
			case aboutOne(err):
				// A group that was deleted since the list was made is one of these, too: the next read does not list it.
				p.built.drop(id)
				if err := unreadable.Add(unread(p.op, strings.Clone(id), fmt.Sprintf("group %q", names[i]), err)); err != nil {
					return err
				}
			default:
				return err
			}
		}
		ids, names = ids[:0], names[:0]
		if !p.pager.last() {
			return nil
		}
		bad, err := unreadable.All()
		p.built.invalid = append(p.built.invalid, bad...)
		return err
	})
}
