package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Resident is a partition that the state holds, whether or not its connection is configured.
type Resident struct {
	Partition store.Partition
	// Name is the tenant's.
	Name string
	// Origin is the connection's name in the keys of its records.
	Origin string
	// Active is how many active records it has.
	Active int
	// Settled: its records were made by rules, if only to find that there are none.
	Settled bool
}

// Residents lists the partitions of a state, in order.
func Residents(ctx context.Context, st store.Store) ([]Resident, error) {
	parts, err := st.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Resident, 0, len(parts))
	for _, p := range parts {
		var r Resident
		err := st.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			r = Resident{Partition: p, Name: state.Name, Origin: originName(p, &state), Settled: state.RulesHash != ""}
			for _, kind := range directory.RecordKinds() {
				if err != nil {
					return err
				}
				var n int
				n, err = tx.ActiveRecords(kind)
				r.Active += n
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// originName is the connection's name in the keys of a partition's records: the one that it had when they were made.
func originName(p store.Partition, state *store.TenantState) string {
	if state.Origin != "" {
		return state.Origin
	}
	return p.Connection
}

// newcomer looks at a tenant that has no records yet: whether it may be one that is known under another name. Then what it
// would create waits, and the reason says for what. An error says that its name is taken.
func (r *run) newcomer(ctx context.Context) (reasons []string, err error) {
	if r.state.RulesHash != "" || r.job.unlisted {
		return nil, nil
	}
	all, err := r.job.residents(ctx)
	if err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(all, func(o Resident) bool { return o.Settled && o.Partition.Connection == r.part.Connection })
	left := map[string]int{}
	for _, o := range all {
		switch same := o.Partition.Connection == r.part.Connection; {
		case !same && o.Origin == r.part.Connection:
			return nil, &fault.Error{Class: fault.Configuration, Op: "settle", Where: r.part.String(),
				Err:  fmt.Errorf("connection %s had this name, and the keys of its records still do", o.Partition.Connection),
				Hint: "give the new connection another name"}
		case o.Active == 0:
		case same && (o.Partition.Tenant == "") != (r.part.Tenant == ""):
			if o.Partition.Tenant == "" {
				left["the connection as it was before it was divided into tenants"] += o.Active
			} else {
				left["the tenants that the connection was divided into"] += o.Active
			}
		case !same && !known && !r.engine.configured(o.Partition.Connection):
			left["connection "+o.Partition.Connection+", which is not configured"] += o.Active
		}
	}
	words := make([]string, 0, len(left))
	for what, n := range left {
		words = append(words, fmt.Sprintf("%d active records of %s", n, what))
	}
	if len(words) == 0 {
		return nil, nil
	}
	slices.Sort(words)
	return []string{"create the records of a connection that is new, while the state holds " + strings.Join(words, ", and ")}, nil
}

func (e *Engine) configured(connection string) bool {
	return e.opts.Configured == nil || e.opts.Configured(connection)
}

// ErrNotRenamed is wrapped by the error of a Rename that is not possible as things are.
var ErrNotRenamed = errors.New("the connection cannot be renamed")

// Rename moves everything that the state holds of a connection to another name. The keys of its records stay as the targets
// know them. What a connection of the new name has read so far is dropped; it must not have settled anything yet. Nobody may
// be running or delivering for either. A rename that was cut goes on when it is asked for again.
func (e *Engine) Rename(ctx context.Context, from, to string) error {
	all, err := Residents(ctx, e.store)
	if err != nil {
		return err
	}
	refuse := func(hint, format string, args ...any) error {
		return &fault.Error{Class: fault.Configuration, Op: "rename " + from, Where: to,
			Err: fmt.Errorf("%w: %s", ErrNotRenamed, fmt.Sprintf(format, args...)), Hint: hint}
	}
	var moving []Resident
	for _, r := range all {
		switch {
		case r.Partition.Connection == from:
			moving = append(moving, r)
		case r.Partition.Connection == to && (r.Settled || r.Active > 0) && (r.Origin != from || slices.ContainsFunc(all, func(o Resident) bool {
			return o.Partition == store.Partition{Connection: from, Tenant: r.Partition.Tenant}
		})):
			return refuse("`dirsyncd state retire` takes one of the two away", "%s has %d active records of its own", to, r.Active)
		}
	}
	if len(moving) == 0 {
		return refuse("`dirsyncd status` names the connections that the state holds", "the state holds nothing of %s", from)
	}
	// First, so that a rename that is cut before its last partition goes on with the links, too.
	if err := store.RenameLinks(ctx, e.store, from, to); err != nil {
		return err
	}
	for _, r := range moving {
		if err := e.move(ctx, r.Partition, store.Partition{Connection: to, Tenant: r.Partition.Tenant}); err != nil {
			return err
		}
	}
	return nil
}

// move gives a partition another connection's name, its origin first: should that be all that is stored, nothing has changed.
func (e *Engine) move(ctx context.Context, from, to store.Partition) error {
	held, release, err := e.lease(ctx, from)
	if err != nil {
		return err
	}
	defer release()
	state := e.stateOf(from)
	if err := state.load(held); err != nil {
		return err
	}
	if err := state.update(held, nil, renamed(from.Connection, to.Connection)); err != nil {
		return err
	}
	if err := e.store.DropPartition(held, to); err != nil {
		return err
	}
	return e.store.MovePartition(held, from, to)
}
