package okta

import (
	"context"
	"encoding/json"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// byID reads some people by their ids; the org takes a login in place of one, too. Whom the org does not have is gone: it says so in
// words that it has for nothing else. Where an expression chooses the people, they are asked for by that as well, and who is not
// found may merely not be chosen any more.
func (r *reading) byID(ctx context.Context, ids []string) (err error) {
	if r.access, err = r.Connector.orgAccess(ctx, false); err != nil {
		return err
	}
	var removed []directory.Ref
	for _, id := range ids {
		if r.narrowed() {
			if _, err := r.listUsers(ctx, r.usersWhere("id eq "+quoted(id))); err != nil {
				return err
			}
			continue
		}
		a, err := r.get(ctx, apiRoot+"users/"+pathID(id))
		switch {
		case fault.ClassOf(err) == fault.Gone:
			removed = append(removed, directory.Ref{Kind: directory.Person, ID: id})
		case err != nil:
			return err
		default:
			if err := r.emitUsers([]json.RawMessage{a.body}, nil); err != nil {
				return err
			}
		}
	}
	return r.emit(&connectors.Page{
		Removed: removed, Proof: &connectors.Proof{Scope: r.scope(r.access, r.stream), Count: -1, Reads: r.cfg.says(r.stream)},
	})
}

// quoted makes an id a value in an expression.
func quoted(id string) string {
	text, _ := json.Marshal(id) // of a text, never an error
	return string(text)
}
