package google

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// byID reads some people by their ids; Google takes an address in place of one, too. Whom it does not have is gone, and so is
// somebody whom the configuration does not ask for, by Google's own word about state and org unit. Who may not be looked at may be there.
func (r *reading) byID(ctx context.Context, ids []string) error {
	held, err := r.holdings(ctx)
	if err != nil {
		return err
	}
	p := &connectors.Page{MayLack: r.mayLack(true)}
	for _, id := range ids {
		u, raw, err := r.getUser(ctx, id)
		switch {
		case outside(err):
		case err != nil:
			return err
		case u == nil || u.Deleted != "" && u.ID == id:
			p.Removed = append(p.Removed, removal{Kind: directory.Person, ID: id})
		case !r.connector.selected(u):
			if u.OrgUnitPath != "" && (u.CustomerID == "" || u.CustomerID == r.customer) {
				p.Removed = append(p.Removed, removal{Kind: directory.Person, ID: u.ID})
			}
		default:
			if err := r.addPerson(p, u, raw, held); err != nil {
				return err
			}
		}
	}
	p.Proof = &connectors.Proof{Scope: r.scope(), Count: -1, Reads: r.connector.cfg.says(r.stream.Name)}
	return r.emit(p)
}
