package engine

import (
	"context"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/relations"
	"dirsyncd/sync/settle"
)

// Reason is the answer to `why`: what a target was told of a record, where each field came from, and what the
// present rules make of the object as it was last seen.
type Reason struct {
	Kind       string `json:"kind"`
	Key        string `json:"key"`
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	// Object is the source object's id and fields as last seen.
	ID     string               `json:"id"`
	Object map[string]any       `json:"object,omitempty"`
	Groups []string             `json:"groups,omitempty"`
	Gone   string               `json:"gone,omitempty"` // why it counts as removed
	Record *RecordReason        `json:"record,omitempty"`
	Others []OtherRecord        `json:"others,omitempty"` // of the same object
	Rules  []mapping.RuleTrace  `json:"rules,omitempty"`
	Fields []mapping.FieldTrace `json:"fields,omitempty"`
	// Waiting: something changed that was not settled yet, or is held.
	Waiting bool   `json:"waiting,omitempty"`
	Held    string `json:"held,omitempty"`
	Parked  string `json:"parked,omitempty"`
	Error   string `json:"error,omitempty"` // what the rules failed with
}

// RecordReason is the record as the targets were last told.
type RecordReason struct {
	State   string        `json:"state"`            // active, deactivated or deleted
	Reason  string        `json:"reason,omitempty"` // why it was taken away, in the words of the event
	Rule    string        `json:"rule"`
	Run     string        `json:"run"`
	Changed time.Time     `json:"changed"`
	Fields  []FieldReason `json:"fields"`
	Members int           `json:"members,omitempty"`
}

// OtherRecord is a record of another kind that the same object has, or had.
type OtherRecord struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// FieldReason is one field of the record and the run that set it.
type FieldReason struct {
	Field string    `json:"field"`
	Value any       `json:"value"`
	Run   string    `json:"run"`
	Since time.Time `json:"since"`
}

// Why explains the records of a kind that somebody has: one who has come back as a new object has two. who is a record
// key ("hq-ad/5f1c…"), an object's id, login, mail address or name. Those who are there come first. The error is
// fault.Gone when there is no such object.
func (e *Engine) Why(ctx context.Context, c *Connection, t connectors.Tenant, kind directory.RecordKind, who string) ([]Reason, error) {
	q := &question{conn: c, source: sourceOf(c, &t), origin: originOf(c, &t, c.Name)}
	var reasons []Reason
	err := e.store.View(ctx, store.Partition{Connection: c.Name, Tenant: t.ID}, func(tx store.Reader) error {
		objectKind := mapping.ObjectOf(kind)
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		q.origin.Connection = originName(store.Partition{Connection: c.Name, Tenant: t.ID}, &state)
		nums, err := q.find(tx, objectKind, who)
		if err != nil {
			return err
		}
		reasons = nil
		for _, n := range nums {
			reason, err := q.reason(tx, objectKind, kind, n)
			if err != nil {
				return err
			}
			reasons = append(reasons, *reason)
		}
		return nil
	})
	return reasons, err
}

// question is what a tenant is asked.
type question struct {
	conn   *Connection
	source mapping.Source
	origin directory.Origin // of the tenant's objects, without an id
}

// reason gathers everything that is known about one record.
func (q *question) reason(tx store.Reader, objectKind directory.Kind, kind directory.RecordKind, n store.Num) (*Reason, error) {
	reason := &Reason{Kind: kind.String(), Connection: q.conn.Name, Tenant: q.origin.Tenant}
	rec, told, err := tx.Record(kind, n)
	if err != nil {
		return nil, err
	}
	if told {
		reason.Key, reason.Record = rec.Key, recordReason(&rec)
		reason.ID = q.origin.OfKey(rec.Key).ID
	}
	if err := q.others(tx, reason, objectKind, kind, n); err != nil {
		return nil, err
	}
	objects, err := relations.Load(tx, objectKind, []store.Num{n})
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		reason.Gone = forgotten(reason)
		return reason, nil
	}
	o := &objects[0]
	reason.ID, reason.Key = o.ID, q.origin.Of(o.ID).RecordKey()
	reason.Object = map[string]any{}
	for _, f := range o.Fields {
		reason.Object[f.Name] = f.Value.Any()
	}
	if !o.Here() {
		reason.Gone = o.Gone.String()
	}
	if err := q.explain(tx, reason, kind, o); err != nil {
		return nil, err
	}
	return reason, q.pending(tx, reason, objectKind, n)
}

// forgotten says why an object is gone of which only its records are left. One that had been taken away before tells
// of that instead.
func forgotten(reason *Reason) string {
	if rec := reason.Record; rec != nil {
		switch {
		case rec.State == stateActive:
			return "the object is no longer known; its record was kept (`leavers: keep`)"
		case saysGone(rec.Reason):
			return rec.Reason
		}
	}
	for _, o := range reason.Others {
		if saysGone(o.Reason) {
			return o.Reason
		}
	}
	return "the object is no longer known"
}

func saysGone(reason string) bool {
	return slices.ContainsFunc([]store.GoneCause{store.NamedRemoved, store.Absent, store.OutOfScope, store.EmptyListing, store.NotRead},
		func(g store.GoneCause) bool { return reason == g.String() })
}

// others adds the records of other kinds that the object has: somebody who asks for a user may have to ask for an agent.
func (q *question) others(tx store.Reader, reason *Reason, object directory.Kind, but directory.RecordKind, n store.Num) error {
	for _, kind := range mapping.RecordsOf(object) {
		if kind == but {
			continue
		}
		rec, ok, err := tx.Record(kind, n)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if reason.Key == "" {
			reason.Key, reason.ID = rec.Key, q.origin.OfKey(rec.Key).ID
		}
		reason.Others = append(reason.Others, OtherRecord{kind.String(), rec.Key, recordState(&rec), rec.Reason})
	}
	return nil
}

// The states of a record in words.
const (
	stateActive      = "active"
	stateDeactivated = "deactivated"
	stateDeleted     = "deleted"
)

func recordState(rec *directory.Record) string {
	switch {
	case rec.Deleted:
		return stateDeleted
	case rec.Active:
		return stateActive
	default:
		return stateDeactivated
	}
}

func recordReason(rec *directory.Record) *RecordReason {
	rr := &RecordReason{State: recordState(rec), Reason: rec.Reason, Rule: rec.Rule, Run: rec.Changed.Run, Changed: rec.Changed.Time, Members: len(rec.Members)}
	for _, f := range rec.Fields {
		rr.Fields = append(rr.Fields, FieldReason{Field: f.Name, Value: f.Value.Any(), Run: f.Since.Run, Since: f.Since.Time})
	}
	return rr
}

// explain applies the present rules and keeps what they say about the record's kind.
func (q *question) explain(tx store.Reader, reason *Reason, kind directory.RecordKind, o *relations.Object) error {
	// The operator wants to see everything, whether the rules look at it or not.
	related, err := new(relations.Groups).Of(tx, []relations.Object{*o}, relations.Wanted{Groups: true, Manager: true, Licences: true, Owner: true})
	if err != nil {
		return err
	}
	var x mapping.Explanation
	if o.Kind != directory.Person {
		_, x = q.conn.Rules.ExplainObject(settle.ObjectView(q.source, o, &related[0]))
	} else {
		for _, g := range related[0].Groups {
			reason.Groups = append(reason.Groups, g.Name)
		}
		_, x = q.conn.Rules.ExplainPerson(settle.PersonView(q.source, o, &related[0]))
	}
	reason.Rules = x.Rules
	for _, f := range x.Fields {
		if f.Record == kind.String() {
			reason.Fields = append(reason.Fields, f)
		}
	}
	if x.Err != nil {
		reason.Error = x.Err.Error()
	}
	return nil
}

// pending says whether something about the object waits.
func (q *question) pending(tx store.Reader, reason *Reason, kind directory.Kind, n store.Num) error {
	err := tx.Dirty(kind, n-1, func(m store.Num, _ store.DirtyReason) bool {
		reason.Waiting = m == n
		return false
	})
	if err != nil {
		return err
	}
	state, err := tx.Tenant()
	if err != nil {
		return err
	}
	if state.Held != nil && reason.Waiting {
		reason.Held = state.Held.Hash
	}
	p, ok, err := tx.ParkedObject(kind, reason.ID)
	if ok {
		reason.Parked = p.Reason
	}
	return err
}
