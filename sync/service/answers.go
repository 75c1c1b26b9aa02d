package service

import (
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
)

// What is stored, and what the engine and the rules say, in the words of the API. An absent list stays absent.

func runAnswer(p store.Partition, tenantName string, r *store.Run) api.Run {
	return api.Run{
		Connection: p.Connection, Tenant: p.Tenant, TenantName: tenantName,
		ID: r.ID, Trigger: r.Trigger, By: r.By, Approved: r.Approved, Undid: r.Undid, Told: r.Told, Mode: r.Mode, Started: r.Started, Ended: r.Ended,
		Outcome: r.Outcome, Error: r.Error, Class: r.Class, Notes: r.Notes,
		Read: r.Read, Changed: r.Changed, Removed: r.Removed, Requests: r.Requests,
		Counts: r.Counts, Parked: r.Parked, Held: r.Held, HeldCounts: r.HeldCounts, Rules: r.Rules, Records: r.Records, Queued: r.Queued,
	}
}

func failureAnswer(f *store.Failure) *api.Failure {
	if f == nil {
		return nil
	}
	return &api.Failure{Class: f.Class, Text: f.Text, Since: f.Since, Runs: f.Runs, Retry: f.Retry}
}

func heldAnswer(h *store.HeldPlan) *api.HeldPlan {
	if h == nil {
		return nil
	}
	return &api.HeldPlan{Hash: h.Hash, Run: h.Run, Since: h.Since, Reasons: h.Reasons, Counts: h.Counts, RemovalsOnly: h.RemovalsOnly}
}

func progressAnswer(p engine.Progress) api.Progress {
	return api.Progress{
		Connection: p.Partition.Connection, Tenant: p.Partition.Tenant, Stage: p.Stage, Stream: p.Stream, Done: p.Done, Total: p.Total,
	}
}

func plannedAnswer(t *connectors.Tenant, a *directory.Action) api.PlannedAction {
	p := api.PlannedAction{
		Connection: a.Origin.Connection, Tenant: a.Origin.Tenant, TenantName: t.Name, Op: a.Op.String(), Kind: a.Kind.String(),
		Key: a.Record, Rule: a.Rule, Reason: a.Reason,
	}
	p.Name = a.Name()
	for _, f := range a.Fields {
		if a.Op == directory.Create {
			p.Changes = append(p.Changes, api.PlannedChange{Field: f.Name, To: f.Value.Any()})
		}
	}
	for _, c := range a.Changes {
		p.Changes = append(p.Changes, api.PlannedChange{Field: c.Name, From: c.From.Any(), To: c.To.Any()})
	}
	for _, s := range a.Sets {
		p.Added += len(s.Added)
		p.Removed += len(s.Removed)
	}
	return p
}

func actedAnswer(p store.Partition, tenantName string, a *directory.RunAction) api.PlannedAction {
	answer := api.PlannedAction{
		Connection: p.Connection, Tenant: p.Tenant, TenantName: tenantName, Op: a.Op.String(), Kind: a.Kind.String(), Key: a.Key, Name: a.Name,
		Rule: a.Rule, Reason: a.Reason, Added: a.Added, Removed: a.Removed,
	}
	for _, c := range a.Changes {
		answer.Changes = append(answer.Changes, api.PlannedChange{Field: c.Name, From: c.From.Any(), To: c.To.Any()})
	}
	return answer
}

func pastAnswer(p *engine.Past) api.Past {
	return api.Past{
		Kind: p.Kind, Key: p.Key, Connection: p.Connection, Tenant: p.Tenant, Name: p.Name, At: p.At, State: p.State, Rule: p.Rule, Run: p.Run,
		Since: p.Since, Fields: each(p.Fields, func(f *engine.PastField) api.PastField { return api.PastField(*f) }), Reaches: p.Reaches,
	}
}

func parkedAnswer(p store.Partition, tenantName string, item *store.Parked) api.ParkedItem {
	answer := api.ParkedItem{
		ID: parkedID(p, item.ID), Connection: p.Connection, Tenant: p.Tenant, TenantName: tenantName, Since: item.Since, Stage: item.Stage,
		Target: item.Target, Subject: item.Subject, Class: item.Class, Reason: item.Reason, Where: item.Where,
	}
	if item.Target == "" {
		answer.Subject = item.Kind.String() + " " + item.Object
	} else if a, err := directory.ParseAction(item.Action); err == nil {
		answer.Op, answer.Name = a.Op.String(), a.Name()
	}
	return answer
}

func reasonAnswer(r *engine.Reason) api.Reason {
	answer := api.Reason{
		Kind: r.Kind, Key: r.Key, Connection: r.Connection, Tenant: r.Tenant,
		ID: r.ID, Object: r.Object, Groups: r.Groups, GroupPaths: r.GroupPaths, Strangers: r.Strangers, Gone: r.Gone,
		Record: recordAnswer(r.Record), Others: each(r.Others, otherAnswer),
		Rules: each(r.Rules, ruleAnswer), Fields: each(r.Fields, fieldAnswer),
		Waiting: r.Waiting, Held: r.Held, Parked: r.Parked, Error: r.Error, Import: r.Import, Choices: each(r.Choices, choiceAnswer),
		Kept: r.Kept, SignedIn: r.SignedIn, DeleteAt: r.DeleteAt, Next: r.Next, Seats: r.Seats,
		Tickets: each(r.Tickets, func(t *engine.TicketReason) api.TicketReason { return api.TicketReason(*t) }),
	}
	nameContributors(&answer)
	return answer
}

// nameContributors says of the fields of somebody who is made of several which connection each value is from.
func nameContributors(r *api.Reason) {
	list, _ := r.Object[connectors.AttributeFrom].([]string)
	from := map[string]string{}
	for _, text := range list {
		if field, connection, ok := strings.Cut(text, ": "); ok {
			from[field] = connection
		}
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		for source := range f.Sources {
			field := source
			if strings.HasPrefix(source, "manager.") {
				field = "manager"
			}
			if by := from[field]; by != "" {
				if f.Contributors == nil {
					f.Contributors = map[string]string{}
				}
				f.Contributors[source] = by
			}
		}
	}
}

func choiceAnswer(c *mapping.ChoiceTrace) api.ChoiceReason {
	return api.ChoiceReason{Choice: c.Choice, Value: c.Value, Line: c.Line, When: c.When, Is: c.Is, Sources: c.Sources, Error: c.Error}
}

func seatsAnswer(s *engine.SeatCount) api.Seats {
	return api.Seats{Kind: s.Kind, Value: s.Value, Limit: s.Limit, Taken: s.Taken, Waiting: s.Waiting}
}

func recordAnswer(r *engine.RecordReason) *api.RecordReason {
	if r == nil {
		return nil
	}
	return &api.RecordReason{
		State: r.State, Reason: r.Reason, Rule: r.Rule, Run: r.Run, Changed: r.Changed,
		Fields: each(r.Fields, recordFieldAnswer), Members: r.Members, Undone: r.Undone,
	}
}

func recordFieldAnswer(f *engine.FieldReason) api.RecordField {
	return api.RecordField{Field: f.Field, Value: f.Value, Run: f.Run, Since: f.Since}
}

func otherAnswer(o *engine.OtherRecord) api.OtherRecord {
	return api.OtherRecord{Kind: o.Kind, Key: o.Key, State: o.State, Reason: o.Reason}
}

func ruleAnswer(r *mapping.RuleTrace) api.RuleReason {
	return api.RuleReason{Rule: r.Rule, When: r.When, Outcome: r.Outcome, Sources: r.Sources}
}

func fieldAnswer(f *mapping.FieldTrace) api.FieldReason {
	return api.FieldReason{
		Record: f.Record, Field: f.Field, Expression: f.Expression, From: f.From, Sources: f.Sources,
		Value: f.Value, On: string(f.On), Blank: string(f.Blank), Error: f.Error,
	}
}

func findingAnswer(f *connectors.Finding) api.Finding {
	return api.Finding{Subject: f.Subject, OK: f.OK, Detail: f.Detail, Hint: f.Hint}
}

// each returns what fn makes of every item of a list; nil stays nil.
func each[From, To any](list []From, fn func(*From) To) []To {
	if list == nil {
		return nil
	}
	made := make([]To, len(list))
	for i := range list {
		made[i] = fn(&list[i])
	}
	return made
}
