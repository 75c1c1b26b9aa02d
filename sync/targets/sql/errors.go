package sql

import (
	"context"

	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// fail classifies an error of the database. The end of ctx, which is the caller's, is returned as it is.
func (d *Desk) fail(ctx context.Context, op string, err error) error {
	return d.cfg.Fail(ctx, op, d.cfg.Timeout.Std(), err, func(p database.Problem, _ error) (fault.Class, string) {
		switch p {
		case database.Denied, database.Hidden:
			return fault.Configuration, "GRANT SELECT, INSERT, UPDATE on the tables to this account, and DELETE on the table of members"
		case database.Slow:
			return fault.Transient, "it took longer than timeout: somebody may keep the rows locked"
		case database.ReadOnly:
			return fault.Configuration, "the server, or the account, only reads: point to the primary"
		default:
			d.forget()
			return fault.Configuration, "look at the tables with " + d.cfg.Client() + " as this account"
		}
	})
}

// memberParam is the id of a member as it is bound.
func (t *table) memberParam(id string) any {
	if t.memberOf != nil {
		return t.memberOf.param(t.memberOf.ID, id)
	}
	return id
}
