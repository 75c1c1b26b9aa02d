package postgres

import (
	"context"
	"encoding/json"

	"dirsyncd/sync/fleet"
)

// wanting is the part of an update of unit u that adds a request to what is wanted: the only way in which anything is.
func wanting(want, cause, prio, args, operator string) string {
	return `want = u.want | ` + want + `,
  cause = case when u.want = 0 or (` + want + ` & 2) > (u.want & 2) then ` + cause + ` else u.cause end,
  prio = case when u.want = 0 then ` + prio + ` else least(u.prio, ` + prio + `) end,
  args = case when u.want = 0 then ` + args + ` else coalesce(u.args, '{}') || coalesce(` + args + `, '{}') end,
  wanted = coalesce(u.wanted, clock_timestamp()),
  not_before = case when ` + operator + ` then null else u.not_before end`
}

// Want implements fleet.Fleet.
func (f *Fleet) Want(ctx context.Context, of fleet.Selector, r fleet.Request) (int, error) {
	args, err := arguments(r.Args)
	if err != nil {
		return 0, err
	}
	tag, err := f.pool.Exec(ctx, f.sql(`
update fleet.unit u set `+wanting("$5::int2", "$6", "$7::int2", "$8::jsonb", "$9::bool")+`
where u.id in (select id from fleet.unit u where `+selected+` order by kind, connection, tenant, target for update)`),
		of.Kind, of.Connection, of.Tenant, of.Target, r.Want, r.Cause, r.Rank(), args, r.Operator)
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	m := f.member
	f.mu.Unlock()
	if m != nil {
		m.lookNow()
	}
	return int(tag.RowsAffected()), nil
}

// selected is whether a unit u is one of a selector's, whose fields are the first four parameters.
const selected = `($1 = 0 or u.kind = $1) and ($2 = '' or u.connection = $2) and ($3 = '' or u.tenant = $3) and ($4 = '' or u.target = $4)`

// arguments are stored as an object, even when there are none. It is text, since a pooler's sessions know no type of a map.
func arguments(args map[string]string) (string, error) {
	if args == nil {
		return "{}", nil
	}
	text, err := json.Marshal(args)
	return string(text), err
}
