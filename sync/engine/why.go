package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
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
	ID     string         `json:"id"`
	Object map[string]any `json:"object,omitempty"`
	Groups []string       `json:"groups,omitempty"`
	// GroupPaths say of each of Groups through which others somebody is in it: "Service Desk > 1st Line".
	GroupPaths []string `json:"group_paths,omitempty"`
	// Strangers are those whom a group, or one below it, lists and who are nobody that is read.
	Strangers int                  `json:"strangers,omitempty"`
	Gone      string               `json:"gone,omitempty"` // why it counts as removed
	Record    *RecordReason        `json:"record,omitempty"`
	Others    []OtherRecord        `json:"others,omitempty"` // of the same object
	Rules     []mapping.RuleTrace  `json:"rules,omitempty"`
	Fields    []mapping.FieldTrace `json:"fields,omitempty"`
	// Waiting: something changed that was not settled yet, or is held.
	Waiting bool   `json:"waiting,omitempty"`
	Held    string `json:"held,omitempty"`
	Parked  string `json:"parked,omitempty"`
	Error   string `json:"error,omitempty"` // what the rules failed with
	// Import is the connection's, when it is an import.
	Import string `json:"import,omitempty"`
	// Choices are what the choices of the mapping came to.
	Choices []mapping.ChoiceTrace `json:"choices,omitempty"`
	// Kept names the entry of the mapping's `keep` by which the record is neither deactivated nor deleted.
	Kept string `json:"kept,omitempty"`
	// SignedIn is the provider of identity by which the object came, as long as its source has not named it.
	SignedIn string `json:"signed_in,omitempty"`
	// DeleteAt is when the record, which is deactivated, is deleted if nothing comes back.
	DeleteAt time.Time `json:"delete_at,omitzero"`
	// Next is when it is looked at again although nothing changes: the answer of a rule about a date may be another one then.
	Next time.Time `json:"next,omitzero"`
	// Seats: it waits for one of so many seats of the desk.
	Seats int `json:"seats,omitempty"`
	// Tickets are those that the mapping opens for such records, and others that were opened.
	Tickets []TicketReason `json:"tickets,omitempty"`
}

// TicketReason is a ticket that is opened when the person joins or leaves.
type TicketReason struct {
	Ticket string `json:"ticket"`
	On     string `json:"on,omitempty"` // join or leave; empty: the mapping has it no longer
	// Key is that of the last one that was opened, Opened when, and Run by which run; empty for none.
	Key    string    `json:"key,omitempty"`
	Opened time.Time `json:"opened,omitzero"`
	Run    string    `json:"run,omitempty"`
	// Not says why the last occasion, at Since, opened none.
	Not   string    `json:"not,omitempty"`
	Since time.Time `json:"since,omitzero"`
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
	// Undone says what was undone of it and waits, by whom, when and of which run.
	Undone string `json:"undone,omitempty"`
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
	c = c.Of(&t)
	q := &question{conn: c, origin: originOf(c, &t, c.Name), op: "why", at: e.opts.Now().UTC()}
	var reasons []Reason
	err := e.store.View(ctx, store.Partition{Connection: c.Name, Tenant: t.ID}, func(tx store.Reader) error {
		objectKind := mapping.ObjectOf(kind)
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		q.origin.Connection, q.source = originName(store.Partition{Connection: c.Name, Tenant: t.ID}, &state), sourceOf(c, &t, &state)
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
	op     string // "why", or what else asks
	conn   *Connection
	source mapping.Source
	origin directory.Origin // of the tenant's objects, without an id
	at     time.Time        // for which rules are asked about time
}

// reason gathers everything that is known about one record.
func (q *question) reason(tx store.Reader, objectKind directory.Kind, kind directory.RecordKind, n store.Num) (*Reason, error) {
	reason := &Reason{Kind: kind.String(), Connection: q.conn.Name, Tenant: q.origin.Tenant, Import: string(q.origin.Import)}
	rec, told, err := tx.Record(kind, n)
	if err != nil {
		return nil, err
	}
	if told {
		reason.Key, reason.Record = rec.Key, recordReason(&rec)
		reason.ID = q.origin.OfKey(rec.Key).ID
		if rec.UpdateOnly || q.conn.Rules.UpdatesOnly(rec.Kind, rec.Rule) {
			reason.Import = string(directory.ImportUpdateOnly)
		}
	}
	if err := q.others(tx, reason, objectKind, kind, n); err != nil {
		return nil, err
	}
	if err := q.times(tx, reason, objectKind, &rec, n); err != nil {
		return nil, err
	}
	if err := q.tickets(tx, reason, kind, n); err != nil {
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
	by, _ := o.Get(directory.FieldSignedInBy)
	reason.SignedIn = by.Text()
	if !o.Here() {
		reason.Gone = o.Gone.String()
	}
	if err := q.explain(tx, reason, kind, o); err != nil {
		return nil, err
	}
	return reason, q.pending(tx, reason, objectKind, n)
}

// tickets says which tickets were opened for the record, and why others were not.
func (q *question) tickets(tx store.Reader, reason *Reason, kind directory.RecordKind, n store.Num) error {
	if mapping.ObjectOf(kind) != directory.Person {
		return nil
	}
	stays, _, err := tx.Record(directory.TicketRecord, n)
	if err != nil {
		return err
	}
	known := plan.Stays(&stays)
	for _, name := range q.conn.Rules.TicketNames(kind) {
		if !slices.ContainsFunc(known, func(s plan.Stay) bool { return s.Ticket == name }) {
			known = append(known, plan.Stay{Ticket: name})
		}
	}
	of := q.conn.Rules.TicketNames(kind)
	for _, s := range known {
		on := q.conn.Rules.TicketOn(s.Ticket)
		if on != "" && !slices.Contains(of, s.Ticket) {
			continue // it is for the other kind
		}
		t := TicketReason{Ticket: s.Ticket, On: string(on), Opened: s.Opened.Time, Run: s.Opened.Run, Not: s.Not, Since: s.Since.Time}
		if s.Number > 0 {
			t.Key = plan.TicketKey(stays.Key, s.Ticket, s.Number)
		}
		reason.Tickets = append(reason.Tickets, t)
	}
	return nil
}

// times says what keeps a record, and when it is to be looked at again or deleted.
func (q *question) times(tx store.Reader, reason *Reason, object directory.Kind, rec *directory.Record, n store.Num) error {
	if reason.Record != nil && !rec.Deleted {
		reason.Kept, _ = q.conn.Rules.Kept(rec, q.at)
	}
	due, err := tx.DueOf(object, []store.Num{n}, nil)
	if err != nil {
		return err
	}
	reason.Next = due[0]
	if after := q.conn.Rules.Leaver(rec.Kind).DeleteAfter; reason.Record != nil && reason.Kept == "" && after > 0 {
		var all []*directory.Record
		err := tx.RecordsOf(nil, mapping.RecordsOf(object), []store.Num{n}, func(_ store.Num, rec directory.Record) bool {
			all = append(all, &rec)
			return true
		})
		if since, gone := plan.Lost(all, nil); err == nil && gone && !rec.Deleted {
			reason.DeleteAt = since.Add(after)
		}
		if err != nil {
			return err
		}
	}
	state, err := tx.Tenant()
	for _, s := range state.Seats {
		if slices.Contains(s.Waiting, n) {
			reason.Seats, reason.Waiting = s.Limit, true
		}
	}
	return err
}

// forgotten says why an object is gone of which only its records are left. One that had been taken away before tells
// of that instead.
func forgotten(reason *Reason) string {
	if rec := reason.Record; rec != nil {
		switch {
		case rec.State == stateActive && reason.Import == string(directory.ImportCreateOnly):
			return "the object is no longer known; its record was kept (`import: {mode: create_only}`)"
		case rec.State == stateActive && reason.Kept != "":
			return "the object is no longer known; its record was kept (`keep: " + reason.Kept + "`)"
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
	if u := rec.Undone; u != nil {
		rr.Undone = waitingOf(u) + ": " + plan.Undid(u)
	}
	return rr
}

// waitingOf says what waits of a record because it was undone.
func waitingOf(u *directory.Undone) string {
	var parts []string
	switch {
	case u.Op.Removes():
		parts = append(parts, "its end")
	case u.Op != 0:
		parts = append(parts, "its being in use")
	}
	for _, f := range u.Fields {
		parts = append(parts, f.Name)
	}
	if n := len(u.Entered) + len(u.Left); n > 0 {
		parts = append(parts, fmt.Sprintf("members (%d)", n))
	}
	return strings.Join(parts, ", ")
}

// explain applies the present rules and keeps what they say about the record's kind.
func (q *question) explain(tx store.Reader, reason *Reason, kind directory.RecordKind, o *relations.Object) error {
	// The operator wants to see everything, whether the rules look at it or not.
	var groups relations.Groups
	related, err := groups.Of(tx, []relations.Object{*o}, relations.Wanted{Groups: true, Manager: true, Licences: true, Owner: true, OwnerGroups: true, Customer: true, Site: true})
	if err != nil {
		return err
	}
	state, err := tx.Tenant()
	if err != nil {
		return err
	}
	references := settle.References{Rules: q.conn.Rules, Source: q.source, Origin: q.origin, At: q.at, Waiting: relations.Set(state.SeatQueue)}
	keys, err := references.Keys(tx, related)
	if err != nil {
		return err
	}
	var x mapping.Explanation
	if o.Kind != directory.Person {
		if o.Kind == directory.Group {
			if reason.Strangers, err = relations.Strangers(tx, o.Num); err != nil {
				return err
			}
		}
		view := settle.ObjectView(q.source, q.at, o, &related[0])
		view.Keys = keys[0]
		_, x = q.conn.Rules.ExplainObject(view)
	} else {
		reason.Groups, reason.GroupPaths = groupsOf(&groups, &related[0])
		view := settle.PersonView(q.source, q.at, o, &related[0])
		view.Keys = keys[0]
		_, x = q.conn.Rules.ExplainPerson(view)
	}
	reason.Rules, reason.Choices = x.Rules, x.Choices
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

// groupsOf names the groups that somebody is in, and how they are.
func groupsOf(groups *relations.Groups, related *relations.Related) (names, paths []string) {
	for i, path := range groups.Paths(related.Groups) {
		names, paths = append(names, related.Groups[i].Name), append(paths, strings.Join(path, " > "))
	}
	return names, paths
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
