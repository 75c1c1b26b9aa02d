package entra

import (
	"context"
	"regexp"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// objectID is the form of the ids of objects.
var objectID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// readUsersByID reads some users by their ids. Whom the list does not have is asked for alone: the service says of somebody who is not
// there that there is no such object.
func (r *Reader) readUsersByID(ctx context.Context, op string, req connectors.Request, emit func(*connectors.Page) error) error {
	u := &usersReading{
		reading: r.newReading(op, directory.Person, req, emit), decoder: newUserDecoder(&r.sel),
		stated: map[string]string{}, unknown: map[string]struct{}{}, halves: map[string]struct{}{},
	}
	u.one = r.client.requests.user
	missing := map[string]struct{}{}
	for _, id := range req.IDs {
		if objectID.MatchString(id) { // the service refuses a list that names anything else
			missing[id] = struct{}{}
		}
	}
	err := r.eachUserOf(ctx, op, missing, r.sel.userProperties(), &r.sel, func(decoder *userDecoder) error {
		id := decoder.entry.id
		delete(missing, id)
		o, err := decoder.translate()
		if err == nil && decoder.manager {
			u.stated[o.ID], _, err = decoder.managerOf()
		}
		if err == nil && decoder.incomplete() {
			err = errNoLogin
		}
		if err != nil {
			u.refuse(id, err)
			return nil
		}
		u.object(o)
		return nil
	})
	if err != nil {
		return err
	}
	for id := range missing {
		there, err := u.look(ctx, []string{id})
		switch {
		case err != nil:
			return err
		case len(there) == 0:
			u.remove(id)
		}
	}
	if err := u.complete(ctx); err != nil {
		return err
	}
	return u.send(ctx, nil, false, true)
}
