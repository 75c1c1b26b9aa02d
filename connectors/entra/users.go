package entra

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// usersReading reads people by rounds of changes.
//
// The answers are asked for in their default decoder: whoever changed comes with every property that was ever set, so
// the objects are complete. The short form (Prefer: return=minimal) would leave open whether somebody who lost the
// last licence still holds it, since a partial object cannot state that it links to nothing. The one thing that
// the default form leaves out is a manager who has not changed; managers are then asked for.
type usersReading struct {
	*reading
	decoder *userDecoder
	// stated are the managers that this page has named, by user.
	stated map[string]string
	// unknown are users of this page whose managers it does not name.
	unknown map[string]struct{}
	// halves are users of this page of whom it does not say enough.
	halves map[string]struct{}
}

func (r *Reader) readUsers(ctx context.Context, op string, req connectors.Request, emit func(*connectors.Page) error) error {
	u := &usersReading{
		reading: r.newReading(op, directory.Person, req, emit), decoder: newUserDecoder(&r.sel),
		stated: map[string]string{}, unknown: map[string]struct{}{}, halves: map[string]struct{}{},
	}
	u.size, u.one = r.client.requests.userSize, r.client.requests.user
	begin, err := u.begin(func() (*url.URL, error) {
		properties := r.sel.userProperties()
		if r.sel.Manager {
			properties = append(properties, "manager")
		}
		return r.client.requests.usersDelta(properties)
	})
	if err != nil {
		return err
	}
	if err := u.round(ctx, begin, "", u.take, u.complete); err != nil {
		return err
	}
	if u.full() && !u.resumed && r.client.pace != nil {
		r.client.pace.SetTenantSize(u.count)
	}
	return nil
}

func (u *usersReading) take(v jsonscan.Value) error {
	e := u.decoder.entry
	if err := e.load(v); err != nil {
		u.refuse(e.id, err)
		return nil
	}
	if e.removed {
		u.remove(e.id)
		return nil
	}
	o, err := u.decoder.translate()
	if err == nil && u.decoder.manager {
		err = u.manager(e.id)
	}
	if err != nil {
		u.refuse(e.id, err)
		return nil
	}
	if u.decoder.incomplete() {
		u.halves[e.id] = struct{}{}
	} else {
		delete(u.halves, e.id)
	}
	u.object(o)
	return nil
}

// manager notes what the entry says about the user's manager.
func (u *usersReading) manager(id string) error {
	manager, stated, err := u.decoder.managerOf()
	if err != nil {
		return err
	}
	_, before := u.stated[id]
	switch {
	case stated:
		u.stated[id] = manager
		delete(u.unknown, id)
	case !before && (!u.full() || u.seenBefore(id)):
		u.unknown[id] = struct{}{}
	}
	return nil
}

// complete adds to the page's people what the page does not say of them: photos and managers.
func (u *usersReading) complete(ctx context.Context) error {
	defer u.decoder.reset()
	if err := u.fill(ctx); err != nil {
		return err
	}
	if err := u.photos(ctx); err != nil || !u.decoder.manager {
		return err
	}
	if err := u.r.managersOf(ctx, u.op, u.unknown, u.stated); err != nil {
		return err
	}
	for i := range u.built.objects {
		o := &u.built.objects[i]
		o.Links = withManager(o.Links, u.stated[o.ID])
	}
	clear(u.unknown)
	clear(u.stated)
	return nil
}

// errNoLogin is an entry that lacks what every user has, of a user who cannot be found by id either.
var errNoLogin = errors.New("an entry without userPrincipalName")

// fill asks for the users of whom the page does not say enough. Who is not in the answer cannot be translated.
func (u *usersReading) fill(ctx context.Context) error {
	defer clear(u.halves)
	for id := range u.halves {
		if _, still := u.built.at[id]; !still {
			delete(u.halves, id)
		}
	}
	if len(u.halves) == 0 {
		return nil
	}
	err := u.r.eachUserOf(ctx, u.op, u.halves, u.r.sel.userProperties(), &u.r.sel, func(decoder *userDecoder) error {
		o, err := decoder.translate()
		if err == nil && decoder.manager {
			u.stated[o.ID], _, err = decoder.managerOf()
			delete(u.unknown, o.ID)
		}
		if err == nil && decoder.incomplete() {
			err = errNoLogin
		}
		delete(u.halves, o.ID)
		if err != nil {
			u.built.drop(o.ID)
			u.refuse(o.ID, err)
			return nil
		}
		u.object(o)
		return nil
	})
	if err != nil {
		return err
	}
	for id := range u.halves {
		u.built.drop(id)
		u.refuse(id, errNoLogin)
	}
	return nil
}

// idsPerFilter is how many values the service takes in one filter.
const idsPerFilter = 15

// managersOf asks for the managers of users and adds them to found. Who is not in the answer is too new to have
// lost anything, or gone.
func (r *Reader) managersOf(ctx context.Context, op string, ids map[string]struct{}, found map[string]string) error {
	return r.eachUserOf(ctx, op, ids, []string{"id"}, &Selection{Manager: true}, func(decoder *userDecoder) error {
		manager, _, err := decoder.managerOf()
		found[decoder.entry.id] = manager
		return err
	})
}

// eachUserOf lists users by their ids and calls each with every one of them that there is. Who an error is about
// is not told: it is the answer that is odd.
func (r *Reader) eachUserOf(ctx context.Context, op string, ids map[string]struct{}, properties []string, sel *Selection, each func(*userDecoder) error) error {
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(ids)), idsPerFilter) {
		for i := range chunk {
			chunk[i] = strings.ReplaceAll(chunk[i], "'", "''")
		}
		first, err := r.client.requests.userList(properties, sel.Manager, 0, "id in ('"+strings.Join(chunk, "','")+"')")
		if err != nil {
			return err
		}
		n := r.client.pager(op, first, false, "")
		decoder := newUserDecoder(sel)
		for more := true; more; more = !n.last() {
			list, err := n.next(ctx)
			if err != nil {
				return err
			}
			for w := jsonscan.Enter(list); w.More(); {
				err := decoder.entry.load(w.Value())
				if err == nil {
					err = each(decoder)
				}
				if err != nil {
					return n.odd(err)
				}
			}
		}
	}
	return nil
}
