package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/read"
	"dirsyncd/sync/relations"
)

// readOne reads one person, by the id that is stored or, of somebody who is not known, that was given. What follows is settled as
// after every read.
func (r *run) readOne(ctx context.Context) error {
	if err := r.mayReadOne(); err != nil {
		return err
	}
	id, known, err := r.engine.personID(ctx, r.conn, &r.tenant, r.job.User)
	if err != nil {
		return err
	}
	task := r.readTask()
	task.Streams, task.Full = r.streams(), false
	task.State = stage{r.state, []transition{halfRead}}
	var found read.Result
	said, err := read.One(ctx, task, &found, id)
	r.tell(found)
	if err != nil {
		return err
	}
	switch {
	case known && found.Spared:
		r.note("the source says that the person is gone, and here only a full read takes people away (remove_in_full): `dirsyncd sync " + r.conn.Name + " --full`")
	case said && (known || found.Read > 0):
	case known:
		r.note("the source does not name the person now, and does not say that they are gone either: nobody is removed for that; a full read can tell")
	default:
		return r.refused(fault.Gone, "nobody is known here by that name, and the source knows no such id", "give the key, id, login, any mail address or the name; who is new is found by the id that the source has for them, or by `dirsyncd sync "+r.conn.Name+"`")
	}
	return r.state.update(ctx, nil, whole)
}

// mayReadOne refuses what would not stay with one person.
func (r *run) mayReadOne() error {
	all := "`dirsyncd sync " + r.conn.Name + "` reads and maps everybody"
	switch {
	case r.state.RulesHash == "" || r.state.Initial:
		return r.refused(fault.Conflict, "the first sync is not over", all)
	case r.conn.settledHash(&r.state.TenantState) != r.state.RulesHash:
		return r.refused(fault.Conflict, "the rules were edited since the last sync, so everybody is to be mapped anew", all)
	case r.state.HalfRead:
		return r.refused(fault.Conflict, "the last read broke off half-way, so what is stored is of two times", all)
	case r.state.WantFull && (r.state.Why == read.NotListed || r.state.Why == notAllMarked):
		return r.refused(fault.Conflict, "the source no longer lists the tenant", all)
	}
	return nil
}

func (r *run) refused(class fault.Class, why, hint string) error {
	return &fault.Error{Class: class, Op: "read one person", Where: r.part.String(), Err: errors.New(why), Hint: hint}
}

// personID finds the one person who is called so, and says whether anybody is. Of nobody, who may be new, the name is taken for the
// id.
func (e *Engine) personID(ctx context.Context, c *Connection, t *connectors.Tenant, who string) (id string, known bool, err error) {
	p := store.Partition{Connection: c.Name, Tenant: t.ID}
	q := &question{conn: c, origin: originOf(c, t, c.Name), op: "read one person", at: e.opts.Now().UTC()}
	err = e.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		q.origin.Connection, q.source = originName(p, &state), sourceOf(c, t, &state)
		id, known = strings.TrimPrefix(who, q.origin.RecordKey()), false
		nums, err := q.find(tx, directory.Person, who)
		switch {
		case fault.ClassOf(err) == fault.Gone:
			return nil
		case err != nil:
			return err
		case len(nums) > 1:
			return &fault.Error{Class: fault.Conflict, Op: q.op, Where: p.String(), Err: fmt.Errorf("%d people are called so", len(nums)),
				Hint: "give the key or id of one; `dirsyncd show` lists them"}
		}
		known = true
		objects, err := relations.Load(tx, directory.Person, nums)
		if err != nil {
			return err
		}
		if len(objects) > 0 {
			id = objects[0].ID
			return nil
		}
		shown, err := q.show(tx, &state, nums[0]) // only records are left
		if err == nil {
			id = shown.ID
		}
		return err
	})
	return id, known, err
}

// tenantsWith are those of some tenants that know a person: one alone is asked, whether or not it does.
func (e *Engine) tenantsWith(ctx context.Context, c *Connection, tenants []connectors.Tenant, who string) (with []connectors.Tenant, err error) {
	if len(tenants) == 1 {
		return tenants, nil
	}
	for _, t := range tenants {
		_, known, err := e.personID(ctx, c.Of(&t), &t, who)
		if err != nil {
			return nil, err
		}
		if known {
			with = append(with, t)
		}
	}
	if len(with) == 0 {
		why, hint := "no tenant knows anybody by that name", "who is new is found in a tenant that is named: `dirsyncd sync "+c.Name+"/TENANT --user ID`"
		if len(tenants) == 0 {
			why, hint = "nothing was read yet", "`dirsyncd sync "+c.Name+"` reads everybody"
		}
		return nil, &fault.Error{Class: fault.Gone, Op: "read one person", Where: c.Name, Err: errors.New(why), Hint: hint}
	}
	return with, nil
}
