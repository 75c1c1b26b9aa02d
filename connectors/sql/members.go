package sql

import (
	"context"
	stdsql "database/sql"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/fault"
)

// members reads who is in which group, in pages of their own: every page has parts of the lists.
func (r *reading) members(ctx, limited context.Context, tx *stdsql.Tx) error {
	var pairs *columns.Pairs
	at := map[string]int{} // where a group's list is in the page
	n := 0
	prepare := func(res *result) error {
		var problems []columns.Problem
		if pairs, problems = columns.CompilePairs(r.source.members.pairs(), r.cfg.keyParts(), res.header); len(problems) > 0 {
			return columns.Fault(fault.Configuration, r.op, "query of members", problems)
		}
		return nil
	}
	take := func(res *result) error {
		group, member, problems := pairs.Pair(res.cells)
		switch {
		case len(problems) > 0 || group == "" && member != "":
			r.badPairs++
			return nil
		case group == "" || member == "":
			return nil // how an outer join spells a group without members
		}
		if n >= r.pageSize {
			if err := r.flush(); err != nil {
				return err
			}
			clear(at)
			n = 0
		}
		i, ok := at[group]
		if !ok {
			i = len(r.page.Members)
			at[group] = i
			r.page.Members = append(r.page.Members, connectors.Members{Group: group})
		}
		r.page.Members[i].Add = append(r.page.Members[i].Add, member)
		n++
		return nil
	}
	return r.rows(ctx, limited, tx, r.source.members.Query, nil, prepare, take)
}
