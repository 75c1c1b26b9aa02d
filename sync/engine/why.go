package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
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
	State   string        `json:"state"` // active, deactivated or deleted
	Rule    string        `json:"rule"`
	Run     string        `json:"run"`
	Changed time.Time     `json:"changed"`
	Fields  []FieldReason `json:"fields"`
	Members int           `json:"members,omitempty"`
}

// FieldReason is one field of the record and the run that set it.
type FieldReason struct {
	Field string    `json:"field"`
	Value any       `json:"value"`
	Run   string    `json:"run"`
	Since time.Time `json:"since"`
}

// Why explains a record. who is a record key ("hq-ad/5f1c…"), an object's id, login or mail address; a login
// or address is looked for among all objects. The error is fault.Gone when there is no such object.
func (e *Engine) Why(ctx context.Context, c *Connection, t connectors.Tenant, kind directory.RecordKind, who string) (*Reason, error) {
	r := &run{Engine: e, conn: c, tenant: t, part: store.Partition{Connection: c.Name, Tenant: t.ID}, log: e.opts.Log}
	var reason *Reason
	err := r.view(ctx, func(tx store.Reader) error {
		objectKind := mapping.ObjectOf(kind)
		n, err := r.find(tx, objectKind, who)
		if err != nil {
			return err
		}
		reason, err = r.reason(tx, objectKind, kind, n)
		return err
	})
	return reason, err
}

// find looks for an object by key and id first, then by what people call it.
func (r *run) find(tx store.Reader, kind directory.Kind, who string) (store.Num, error) {
	id := strings.TrimPrefix(who, r.origin("").RecordKey())
	nums, err := tx.Lookup([]string{directory.IDHandle(id)}, nil)
	if err != nil {
		return 0, err
	}
	if _, ok, err := tx.Row(kind, nums[0]); err != nil || (ok && nums[0] != 0) {
		return nums[0], err
	}
	for _, rk := range mapping.RecordsOf(kind) {
		if _, ok, err := tx.Record(rk, nums[0]); err != nil || (ok && nums[0] != 0) {
			return nums[0], err
		}
	}
	var found store.Num
	err = tx.Rows(kind, 0, func(row store.Row) bool {
		o, err := directory.ParseObject(row.Data)
		if err != nil {
			return true
		}
		for _, name := range []string{directory.FieldLogin, directory.FieldEmail, directory.FieldName} {
			if v, ok := o.Get(name); ok && strings.EqualFold(v.Text(), who) {
				found = row.Num
			}
		}
		return found == 0
	})
	if err == nil && found == 0 {
		found, err = findRecord(tx, kind, who)
	}
	if err == nil && found == 0 {
		err = &fault.Error{Class: fault.Gone, Op: "why", Where: r.part.String(), Err: fmt.Errorf("no %s is known as %q", kind, who),
			Hint: "give the record's key, or the id, login, mail address or name as the source has it"}
	}
	return found, err
}

// findRecord looks for somebody who has left among the records.
func findRecord(tx store.Reader, object directory.Kind, who string) (found store.Num, err error) {
	for _, kind := range mapping.RecordsOf(object) {
		err := tx.Records(kind, 0, func(n store.Num, rec directory.Record) bool {
			for _, f := range rec.Fields {
				if strings.EqualFold(f.Value.Text(), who) && (f.Name == directory.FieldName || f.Name == directory.FieldEmail || f.Name == directory.FieldLogin) {
					found = n
				}
			}
			return found == 0
		})
		if err != nil || found != 0 {
			return found, err
		}
	}
	return 0, nil
}

// reason gathers everything that is known about one record.
func (r *run) reason(tx store.Reader, objectKind directory.Kind, kind directory.RecordKind, n store.Num) (*Reason, error) {
	reason := &Reason{Kind: kind.String(), Connection: r.conn.Name, Tenant: r.tenant.ID}
	rec, told, err := tx.Record(kind, n)
	if err != nil {
		return nil, err
	}
	if told {
		reason.Key, reason.Record = rec.Key, recordReason(&rec)
		reason.ID = r.originOf(&rec).ID
	}
	row, ok, err := tx.Row(objectKind, n)
	if err != nil {
		return nil, err
	}
	if !ok {
		reason.Gone = "the object is no longer known"
		return reason, nil
	}
	o, err := directory.ParseObject(row.Data)
	if err != nil {
		return nil, damaged("why", err)
	}
	reason.ID, reason.Key = o.ID, r.origin(o.ID).RecordKey()
	reason.Object = map[string]any{}
	for _, f := range o.Fields {
		reason.Object[f.Name] = f.Value.Any()
	}
	if row.Gone != store.Here {
		reason.Gone = row.Gone.String()
	}
	if err := r.explain(tx, reason, kind, n, &row, &o); err != nil {
		return nil, err
	}
	return reason, r.pending(tx, reason, objectKind, n)
}

func recordReason(rec *directory.Record) *RecordReason {
	rr := &RecordReason{State: "active", Rule: rec.Rule, Run: rec.Changed.Run, Changed: rec.Changed.Time, Members: len(rec.Members)}
	switch {
	case rec.Deleted:
		rr.State = "deleted"
	case !rec.Active:
		rr.State = "deactivated"
	}
	for _, f := range rec.Fields {
		rr.Fields = append(rr.Fields, FieldReason{Field: f.Name, Value: f.Value.Any(), Run: f.Since.Run, Since: f.Since.Time})
	}
	return rr
}

// explain applies the present rules and keeps what they say about the record's kind.
func (r *run) explain(tx store.Reader, reason *Reason, kind directory.RecordKind, n store.Num, row *store.Row, o *directory.Object) error {
	// The operator wants to see everything, whether the rules look at it or not.
	s := newSurroundings(r, mapping.Uses{Groups: true, Manager: true, Licences: true, Owner: true})
	var x mapping.Explanation
	if o.Kind != directory.Person {
		v, err := s.object(tx, o)
		if err != nil {
			return err
		}
		_, x = r.conn.Rules.ExplainObject(v)
	} else {
		p, err := s.person(tx, n, row, o)
		if err != nil {
			return err
		}
		for _, g := range p.Groups {
			reason.Groups = append(reason.Groups, g.Name)
		}
		_, x = r.conn.Rules.ExplainPerson(p)
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
func (r *run) pending(tx store.Reader, reason *Reason, kind directory.Kind, n store.Num) error {
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
