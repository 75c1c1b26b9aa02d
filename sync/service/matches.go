package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/desk"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// desks are the targets that have things of their own: all, or the one that is named.
func (s *Service) desks(name string) ([]*target, error) {
	gen := s.current()
	var list []*target
	for _, t := range gen.cfg.Targets {
		if at := gen.targets[t.Name]; at != nil && at.desk != nil && (name == "" || t.Name == name) {
			list = append(list, at)
		}
	}
	if name != "" && len(list) == 0 {
		return nil, &fault.Error{Class: fault.Configuration, Op: "find target", Err: fmt.Errorf("no target %q has things of its own", name),
			Hint: "`dirsyncd status` names the targets"}
	}
	return list, nil
}

func matchID(target string, number uint64) string {
	return target + ":" + strconv.FormatUint(number, 10)
}

// Matches implements api.Operations.
func (s *Service) Matches(ctx context.Context, name string) ([]api.Match, error) {
	out, err := s.questions(ctx, name)
	if err != nil {
		return nil, err
	}
	list, err := s.desks(name)
	if err != nil {
		if s.asks(name) {
			return out, nil
		}
		return nil, err
	}
	for _, t := range list {
		reviews, err := t.desk.Reviews(ctx)
		if err != nil {
			return nil, err
		}
		names, err := s.waitingNames(ctx, t.settings.Name, reviews)
		if err != nil {
			return nil, err
		}
		for i := range reviews {
			r := &reviews[i]
			m := api.Match{ID: matchID(t.settings.Name, r.Number), Target: t.settings.Name, Subject: r.Subject, Name: names[r.Subject], Kind: r.Kind.String(), Cause: r.Cause, Reason: r.Text,
				Since: r.Since, Fingerprint: r.Fingerprint}
			for _, c := range r.Candidates {
				m.Candidates = append(m.Candidates, api.Candidate{ID: c.ID, Name: c.Name, Parent: c.Parent, Key: c.Key, Differ: c.Differ, Against: c.Why, Inactive: c.Inactive})
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// waitingNames are how people know the records about which a human decides, by subject: what waits says so.
func (s *Service) waitingNames(ctx context.Context, target string, reviews []store.Review) (map[string]string, error) {
	of := map[store.Partition][]string{}
	for i := range reviews {
		of[reviews[i].Contributor] = append(of[reviews[i].Contributor], reviews[i].Subject)
	}
	names := map[string]string{}
	for p, subjects := range of {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			waits, err := tx.WaitsOf(target, subjects)
			for i := range waits {
				if a, bad := directory.ParseAction(waits[i].Action); bad == nil {
					names[waits[i].Subject] = nameOf(a.Fields)
				}
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read who waits at target %s: %w", target, err)
		}
	}
	return names, nil
}

// Decide implements api.Operations.
func (s *Service) Decide(ctx context.Context, by api.MatchDecision) (string, error) {
	if connection, subject := s.decideOf(&by); connection != "" {
		return s.decideAt(ctx, connection, subject, by)
	}
	name, number := by.Target, uint64(0)
	if by.Verdict != "undo" {
		at := strings.LastIndexByte(by.ID, ':')
		if at < 0 {
			return "", &fault.Error{Class: fault.Invalid, Op: "decide", Err: fmt.Errorf("%q names no match", by.ID), Hint: "`dirsyncd match list` shows the ids"}
		}
		n, err := strconv.ParseUint(by.ID[at+1:], 10, 64)
		if err != nil {
			return "", &fault.Error{Class: fault.Invalid, Op: "decide", Err: fmt.Errorf("%q names no match", by.ID), Hint: "`dirsyncd match list` shows the ids"}
		}
		name, number = by.ID[:at], n
	}
	list, err := s.desks(name)
	if err != nil {
		return "", err
	}
	if len(list) != 1 {
		return "", &fault.Error{Class: fault.Invalid, Op: "decide", Err: errors.New("the decision names no target"), Hint: "add --target NAME"}
	}
	t := list[0]
	d := desk.Decision{Number: number, Fingerprint: by.Fingerprint, ID: by.Candidate}
	switch by.Verdict {
	case "undo":
		return by.Subject, t.desk.Undo(ctx, by.Subject)
	case "accept":
		d.Accept = true
	case "new":
		d.Accept, d.New = true, true
	case "reject":
	default:
		return "", &fault.Error{Class: fault.Invalid, Op: "decide", Err: fmt.Errorf("unknown verdict %q", by.Verdict), Hint: "accept, new, reject or undo"}
	}
	subject, err := t.desk.Decide(ctx, d)
	if err != nil {
		return "", err
	}
	_, err = t.worker.Drain(ctx)
	return subject, err
}

// Adopt implements api.Operations.
func (s *Service) Adopt(ctx context.Context, req api.AdoptRequest) ([]api.HeldAtTarget, error) {
	list, err := s.desks(req.Target)
	if err != nil {
		return nil, err
	}
	kinds, err := recordKinds("adopt", req.Kinds)
	if err != nil {
		return nil, err
	}
	var out []api.HeldAtTarget
	var mistakes []error // of who asks, at a target each
	for _, t := range list {
		held, err := lookAt(ctx, t, kinds, req.Key)
		switch {
		case err == nil:
			out = append(out, held...)
		case req.Target != "" || ctx.Err() != nil, fault.ClassOf(err) == fault.Configuration && len(list) == 1:
			return nil, atPlace(t, err)
		default: // the others can be looked at
			if fault.ClassOf(err) == fault.Configuration {
				mistakes = append(mistakes, atPlace(t, err))
			}
			out = append(out, api.HeldAtTarget{Target: t.settings.Name, Error: fault.Text(err), Hint: fault.Hint(err)})
		}
	}
	if len(mistakes) > 0 && len(mistakes) == len(list) {
		return nil, mistakes[0] // no target knows what was asked for
	}
	return out, nil
}

// lookAt looks at what is at a target, or at a part of the adoptions there, and returns what waits.
func lookAt(ctx context.Context, t *target, kinds []directory.RecordKind, key string) ([]api.HeldAtTarget, error) {
	if len(kinds) == 0 && key == "" {
		return meet(ctx, t)
	}
	p, err := t.desk.Offer(ctx, kinds, key)
	if err != nil {
		return nil, err
	}
	return []api.HeldAtTarget{{
		Target: t.settings.Name, Hash: p.Hash, Part: &api.AdoptPart{Kinds: p.Kinds, Key: p.Key}, Since: p.Since, Counts: p.Counts, Fields: p.Fields,
	}}, nil
}

// meet looks at what is at a target, and returns what waits there.
func meet(ctx context.Context, t *target) ([]api.HeldAtTarget, error) {
	if err := t.desk.Meet(ctx); err != nil {
		return nil, err
	}
	held, err := heldAt(ctx, t)
	if err != nil || !held[0].First {
		return held, err
	}
	examples, err := t.desk.Examples(ctx)
	if err != nil {
		return nil, err
	}
	held[0].Examples = each(examples, fieldExample)
	return held, nil
}

// atPlace says at which target something failed.
func atPlace(t *target, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("target %s: %w", t.settings.Name, err)
}

// heldAt is what waits at a target; one entry without a hash when nothing does.
func heldAt(ctx context.Context, t *target) ([]api.HeldAtTarget, error) {
	first, held, err := t.desk.Held(ctx)
	if err != nil {
		return nil, err
	}
	var out []api.HeldAtTarget
	if first != nil {
		out = append(out, api.HeldAtTarget{Target: t.settings.Name, Hash: first.Hash, First: true, Since: first.Since, Counts: first.Counts, Fields: first.Fields})
	}
	if held != nil {
		out = append(out, api.HeldAtTarget{Target: t.settings.Name, Hash: held.Hash, Since: held.Since, Counts: held.Counts, Reasons: held.Reasons})
	}
	if len(out) == 0 {
		out = append(out, api.HeldAtTarget{Target: t.settings.Name})
	}
	return out, nil
}

func fieldExample(x *desk.FieldExample) api.FieldExample {
	return api.FieldExample{Subject: x.Subject, Kind: x.Kind.String(), ID: x.ID, Field: x.Field, What: x.What, Ours: x.Ours, Theirs: x.Theirs}
}

// discardAtTarget throws away what is held under a hash at a target. It reports whether there is such a thing.
func (s *Service) discardAtTarget(ctx context.Context, hash string) (bool, error) {
	list, err := s.desks("")
	if err != nil {
		return false, err
	}
	for _, t := range list {
		if found, err := t.desk.Discard(ctx, hash); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// PlanAt implements api.Operations.
func (s *Service) PlanAt(ctx context.Context, req api.PlanAtRequest) (api.PlanAtResult, error) {
	out := api.PlanAtResult{Target: req.Target}
	list, err := s.desks(req.Target)
	if err != nil {
		return out, err
	}
	if len(list) != 1 {
		return out, &fault.Error{Class: fault.Invalid, Op: "plan", Err: errors.New("name one target"), Hint: "`dirsyncd status` names the targets"}
	}
	t := list[0]
	var more []directory.Action
	plan := api.PlanRequest{Connections: req.Connections, Offline: req.Offline}
	if len(plan.Connections) == 0 {
		for _, name := range s.current().names() {
			if slices.Contains(s.current().connections[name].Targets, req.Target) {
				plan.Connections = append(plan.Connections, name)
			}
		}
	}
	planned, err := s.planned(ctx, plan, func(_ *connection, _ *connectors.Tenant, a *directory.Action) { more = append(more, a.Keep()) })
	if err != nil {
		return out, err
	}
	out.Runs = planned.Runs
	f, err := t.desk.Foresee(ctx, more, req.Limit)
	out.Counts, out.Fields, out.Doubts = f.Counts, f.Fields, f.Doubts
	for _, a := range f.Actions {
		out.Actions = append(out.Actions, api.ForeseenAction{What: a.What, Kind: a.Kind.String(), Subject: a.Subject, ID: a.ID, Key: a.Key, Cause: string(a.Cause)})
	}
	return out, atPlace(t, err)
}

// approveAtTarget approves what is held under a hash at a target, and delivers. It reports whether there is such a thing.
func (s *Service) approveAtTarget(ctx context.Context, hash string) (result api.SyncResult, found bool, err error) {
	list, err := s.desks("")
	if err != nil {
		return result, false, err
	}
	for _, t := range list {
		ok, err := t.desk.Approve(ctx, hash)
		if err != nil {
			return result, ok, err
		}
		if !ok {
			continue
		}
		before := t.worker.Counts()
		sum, err := t.worker.Drain(ctx)
		if err != nil {
			return result, true, err
		}
		done := t.worker.Counts().Minus(before)
		d, err := s.delivery(ctx, t.settings.Name, t.worker, done, sum)
		if err != nil {
			return result, true, err
		}
		result.Delivered = append(result.Delivered, d)
		return result, true, nil
	}
	return result, false, nil
}
