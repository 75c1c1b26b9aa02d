package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
)

// Shown is what is known of one person: what the source says, what the targets were told, what of it waits, and what was
// done last.
type Shown struct {
	Tenant store.TenantState
	ID     string
	Key    string // of the records
	// Object are the fields as last seen at the source; nil when the object was forgotten.
	Object             map[string]any
	Groups, GroupPaths []string
	Licences           []string
	Manager            string // by name
	Gone               string // why the person counts as removed
	Records            []ShownRecord
	Waiting            bool   // for the next run, or with a held plan
	Held               string // the plan's hash
	Queued             []ShownAction
	Parked             []store.Parked
	Changes            []ShownChange // newest first
}

// ShownRecord is one of the person's records.
type ShownRecord struct {
	Kind directory.RecordKind
	RecordReason
}

// ShownAction is an action that a target has not taken yet.
type ShownAction struct {
	Target string
	Since  time.Time
	Op     directory.Op
	Kind   directory.RecordKind
}

// ShownChange is what a run did to one of the person's records.
type ShownChange struct {
	Run     string
	Started time.Time
	directory.RunAction
}

// shownChanges is how many changes are looked for: what somebody reads at a glance.
const shownChanges = 10

// Show says what is known of the people who are called so, as Why finds them. The error is fault.Gone when there is nobody.
func (e *Engine) Show(ctx context.Context, c *Connection, t connectors.Tenant, who string) ([]Shown, error) {
	c = c.Of(&t)
	q := &question{conn: c, origin: originOf(c, &t, c.Name), op: "show", at: e.opts.Now().UTC()}
	var list []Shown
	p := store.Partition{Connection: c.Name, Tenant: t.ID}
	err := e.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		q.origin.Connection, q.source = originName(p, &state), sourceOf(c, &t, &state)
		nums, err := q.find(tx, directory.Person, who)
		if err != nil {
			return err
		}
		list = nil
		for _, n := range nums {
			shown, err := q.show(tx, &state, n)
			if err != nil {
				return err
			}
			list = append(list, *shown)
		}
		return nil
	})
	return list, err
}

func (q *question) show(tx store.Reader, state *store.TenantState, n store.Num) (*Shown, error) {
	shown := &Shown{Tenant: *state}
	for _, kind := range mapping.RecordsOf(directory.Person) {
		rec, ok, err := tx.Record(kind, n)
		if err != nil {
			return nil, err
		}
		if ok {
			shown.Key, shown.ID = rec.Key, q.origin.OfKey(rec.Key).ID
			shown.Records = append(shown.Records, ShownRecord{kind, *recordReason(&rec)})
		}
	}
	for _, fill := range []func(store.Reader, *Shown, store.Num) error{q.showObject, q.showPending, q.showQueued, q.showChanges} {
		if err := fill(tx, shown, n); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// showObject says what the source says.
func (q *question) showObject(tx store.Reader, shown *Shown, n store.Num) error {
	objects, err := relations.Load(tx, directory.Person, []store.Num{n})
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		shown.Gone = "the object is no longer known"
		for i := range shown.Records {
			if reason := shown.Records[i].Reason; saysGone(reason) {
				shown.Gone = reason
			}
		}
		return nil
	}
	o := &objects[0]
	shown.ID, shown.Key, shown.Object = o.ID, q.origin.Of(o.ID).RecordKey(), map[string]any{}
	for _, f := range o.Fields {
		shown.Object[f.Name] = f.Value.Any()
	}
	if !o.Here() {
		shown.Gone = o.Gone.String()
	}
	var groups relations.Groups
	related, err := groups.Of(tx, objects[:1], relations.Wanted{Groups: true, Manager: true, Licences: true})
	if err != nil {
		return err
	}
	shown.Groups, shown.GroupPaths = groupsOf(&groups, &related[0])
	for _, l := range related[0].Licences {
		name, _ := l.Get(directory.FieldName)
		shown.Licences = append(shown.Licences, name.Text())
	}
	if boss := related[0].Manager; boss != nil {
		name, _ := boss.Get(directory.FieldName)
		shown.Manager = name.Text()
	}
	return nil
}

// showPending says what stands between the object and its records, and what was parked.
func (q *question) showPending(tx store.Reader, shown *Shown, n store.Num) error {
	err := tx.Dirty(directory.Person, n-1, func(m store.Num, _ store.DirtyReason) bool {
		shown.Waiting = m == n
		return false
	})
	if err != nil {
		return err
	}
	if shown.Waiting && shown.Tenant.Held != nil {
		shown.Held = shown.Tenant.Held.Hash
	}
	p, ok, err := tx.ParkedObject(directory.Person, shown.ID)
	if err != nil {
		return err
	}
	if ok {
		shown.Parked = append(shown.Parked, p)
	}
	targets, err := tx.Targets()
	if err != nil {
		return err
	}
	for _, target := range targets {
		for _, kind := range mapping.RecordsOf(directory.Person) {
			p, ok, err := tx.ParkedAction(target, directory.Subject(kind, shown.Key))
			if err != nil {
				return err
			}
			if ok {
				shown.Parked = append(shown.Parked, p)
			}
		}
	}
	return nil
}

// showQueued says what targets have not taken yet.
func (q *question) showQueued(tx store.Reader, shown *Shown, _ store.Num) error {
	targets, err := tx.Targets()
	if err != nil {
		return err
	}
	key := []byte(shown.Key)
	for _, target := range targets {
		var bad error
		err := tx.Outbox(target, 0, func(queued store.Queued) bool {
			if !bytes.Contains(queued.Data, key) {
				return true
			}
			var a directory.Action
			if a, bad = directory.ParseAction(queued.Data); bad == nil && a.Record == shown.Key && mapping.ObjectOf(a.Kind) == directory.Person {
				shown.Queued = append(shown.Queued, ShownAction{target, queued.Queued, a.Op, a.Kind})
			}
			return bad == nil
		})
		if err != nil || bad != nil {
			return errors.Join(err, bad)
		}
	}
	return nil
}

// showChanges says what the runs of which actions are kept did to the person's records.
func (q *question) showChanges(tx store.Reader, shown *Shown, _ store.Num) error {
	err := tx.ActionsOf(shown.Key, func(run string, a directory.RunAction) bool {
		n, began := len(shown.Changes), runBegan(run)
		if n >= shownChanges && !shown.Changes[n-1].Started.Equal(began) {
			return false
		}
		if mapping.ObjectOf(a.Kind) == directory.Person {
			shown.Changes = append(shown.Changes, ShownChange{run, began, a})
		}
		return true
	})
	// Names of runs do not tell which of one second was first.
	slices.SortStableFunc(shown.Changes, func(a, b ShownChange) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Revision, a.Revision))
	})
	shown.Changes = shown.Changes[:min(len(shown.Changes), shownChanges)]
	return err
}
