package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settle"
)

// undoOf finds the run that is meant, and the connection that it is of. done must be called.
func (s *Service) undoOf(ctx context.Context, run, record string) (of ranIn, conn *connection, undo engine.Undo, done func(), err error) {
	if of, err = s.runCalled(ctx, run); err != nil {
		return of, nil, undo, nil, err
	}
	if !s.configured(of.part.Connection) {
		return of, nil, undo, nil, &fault.Error{Class: fault.Configuration, Op: "undo " + of.run.ID,
			Err: fmt.Errorf("connection %s is not configured any more", of.part.Connection), Hint: "what it did follows rules that nobody has"}
	}
	conn, done, err = s.use(of.part.Connection)
	return of, conn, engine.Undo{Run: of.run.ID, Record: record}, done, err
}

func (r *ranIn) tenant() connectors.Tenant {
	return connectors.Tenant{ID: r.part.Tenant, Name: r.state.Name, Domain: r.state.Domain}
}

// PlanUndo implements api.Operations.
func (s *Service) PlanUndo(ctx context.Context, req api.UndoRequest) (api.UndoPlan, error) {
	of, conn, undo, done, err := s.undoOf(ctx, req.Run, req.Record)
	if err != nil {
		return api.UndoPlan{}, err
	}
	defer done()
	t := of.tenant()
	answer := api.UndoPlan{Run: runAnswer(of.part, of.state.Name, &of.run), Record: req.Record}
	limit, from := pageSize(req.Limit), req.From
	wanted := wantedActions(&api.HeldRequest{Kind: req.Kind, Who: req.Who})
	p, err := s.engine.UndoPlan(engine.WithUser(ctx, api.UserOf(ctx)), &conn.Connection, t, undo, func(d *settle.Undone) {
		about := &directory.Action{Kind: d.Of.Kind, Record: d.Of.Key, Fields: []directory.Field{{Name: directory.FieldName, Value: directory.Text(d.Of.Name)}}}
		switch {
		case d.Action == nil && len(d.Kept) == 0 || !wanted(about):
		case from > 0:
			from--
		case len(answer.Actions) == limit:
			answer.More = true
		default:
			answer.Actions = append(answer.Actions, undoAnswer(of.part, &t, d))
		}
	})
	if err != nil {
		return api.UndoPlan{}, err
	}
	answer.Hash, answer.Counts, answer.Cannot, answer.Forgotten = p.Hash, p.Counts.Words(), p.Cannot, p.Forgotten
	if p.Seen == 0 { // nothing says where the run's actions would begin
		for _, ops := range answer.Run.Counts {
			for _, n := range ops {
				answer.Forgotten += n
			}
		}
	}
	for _, b := range p.Breaches {
		answer.Reasons = append(answer.Reasons, b.Text)
	}
	return answer, s.undoAtTargets(ctx, &answer)
}

func undoAnswer(p store.Partition, t *connectors.Tenant, d *settle.Undone) (answer api.UndoAction) {
	if d.Action != nil {
		answer.PlannedAction = plannedAnswer(t, d.Action)
		answer.Connection, answer.Tenant = p.Connection, p.Tenant
	} else {
		answer.PlannedAction = api.PlannedAction{Connection: p.Connection, Tenant: p.Tenant, TenantName: t.Name, Kind: d.Of.Kind.String(), Key: d.Of.Key}
	}
	if answer.Name == "" {
		answer.Name = d.Of.Name
	}
	for _, k := range d.Kept {
		answer.Kept = append(answer.Kept, api.UndoKept(k))
	}
	return answer
}

// undoAtTargets says of the records of a page which targets have no such thing, or wait with it.
func (s *Service) undoAtTargets(ctx context.Context, plan *api.UndoPlan) error {
	reasons := make([]api.Reason, len(plan.Actions))
	for i := range plan.Actions {
		a := &plan.Actions[i]
		reasons[i] = api.Reason{Kind: a.Kind, Key: a.Key, Connection: a.Connection, Tenant: a.Tenant}
	}
	if err := s.atTargets(ctx, reasons); err != nil {
		return err
	}
	for i := range reasons {
		for _, at := range reasons[i].Targets {
			if at.State != store.Linked.String() || at.Cause != "" {
				plan.Actions[i].Targets = append(plan.Actions[i].Targets, at)
			}
		}
	}
	return nil
}

// Undo implements api.Operations.
func (s *Service) Undo(ctx context.Context, req api.UndoApproval) (api.SyncResult, error) {
	of, _, undo, done, err := s.undoOf(ctx, req.Run, req.Record)
	if err != nil {
		return api.SyncResult{}, err
	}
	done()
	return s.runAndDeliver(ctx, []chosen{{connection: of.part.Connection}}, api.FewActions+1, func(c chosen) ([]engine.Result, error) {
		conn, done, err := s.use(c.connection) // for as long as the run takes, which may be longer than its asker waits
		if err != nil {
			return nil, err
		}
		defer done()
		r := s.engine.Run(s.runContext(ctx), &conn.Connection, of.tenant(), engine.Job{Offline: true, Undo: &undo, Approve: req.Approve, Trigger: engine.Operator})
		if errors.Is(r.Err, settle.ErrPlanChanged) {
			return nil, r.Err
		}
		s.metrics.ran(conn.Connector, &r)
		s.triggerMade(c.connection, []engine.Result{r})
		return []engine.Result{r}, nil
	})
}

// WhyAt implements api.Operations.
func (s *Service) WhyAt(ctx context.Context, req api.WhyAtRequest) (list []api.Past, err error) {
	kind, err := explained(req.Kind)
	if err != nil {
		return nil, err
	}
	var missing error
	for _, name := range s.current().names() {
		if head, _, ok := strings.Cut(req.Who, "/"); ok && head != name && s.current().connections[head] != nil {
			continue
		}
		conn, done, err := s.use(name)
		if err != nil {
			return nil, err
		}
		found, err := s.whyAtIn(ctx, conn, kind, req)
		done()
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		}
		list = append(list, found...)
	}
	switch {
	case len(list) > 0:
		return list, nil
	case missing == nil:
		missing = nothingRead()
	case len(s.current().names()) > 1:
		missing = nowhere(missing, len(s.current().names()))
	}
	return nil, missing
}

func (s *Service) whyAtIn(ctx context.Context, conn *connection, kind directory.RecordKind, req api.WhyAtRequest) (list []api.Past, missing error) {
	tenants, err := s.engine.StoredTenants(ctx, conn.Name)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		found, err := s.engine.WhyAt(ctx, &conn.Connection, t, kind, req.Who, req.At)
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		}
		list = append(list, each(found, pastAnswer)...)
	}
	if len(list) > 0 {
		missing = nil
	}
	return list, missing
}
