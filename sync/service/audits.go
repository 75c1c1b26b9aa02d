package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/desk"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/schedule"
)

// mostDifferences bounds the answer of an audit.
const mostDifferences = 1000

// Audit implements api.Operations.
func (s *Service) Audit(ctx context.Context, req api.AuditRequest) (api.AuditResult, error) {
	out := api.AuditResult{Target: req.Target}
	list, err := s.desks(req.Target)
	if err != nil {
		return out, err
	}
	if len(list) != 1 {
		return out, &fault.Error{Class: fault.Invalid, Op: "audit", Err: errors.New("name one target"), Hint: "`dirsyncd status` names the targets"}
	}
	kinds, err := recordKinds("audit", req.Kinds)
	if err != nil {
		return out, err
	}
	var repair desk.Repair
	if req.Repair {
		if repair = s.repair(list[0]); repair.Again == nil {
			return out, &fault.Error{Class: fault.Configuration, Op: "audit", Err: fmt.Errorf("nothing is to be put right at target %q", req.Target),
				Hint: "audit: {repair: [missing, active, members], fields: [title]} of the target says what"}
		}
	}
	out, err = s.audit(ctx, list[0], kinds, repair)
	return out, atPlace(list[0], err)
}

// recordKinds reads words of kinds of record.
func recordKinds(op string, words []string) (kinds []directory.RecordKind, err error) {
	for _, word := range words {
		kind, ok := directory.ParseRecordKind(word)
		if !ok {
			return nil, &fault.Error{Class: fault.Invalid, Op: op, Err: fmt.Errorf("%q is not a kind of record", word)}
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

func (s *Service) audit(ctx context.Context, t *target, kinds []directory.RecordKind, repair desk.Repair) (api.AuditResult, error) {
	out := api.AuditResult{Target: t.settings.Name}
	audited, err := t.desk.Audit(ctx, kinds, repair, func(d desk.Difference) error {
		if len(out.Differences) == mostDifferences {
			out.More++
			return nil
		}
		out.Differences = append(out.Differences, api.AuditDifference{Finding: string(d.Finding), Subject: d.Subject, Kind: d.Kind.String(), ID: d.ID,
			Fields: slices.Clone(d.Fields), Repaired: d.Repair})
		return nil
	})
	out.Counts, out.Doubts, out.Held, out.Repaired = audited.Counts, audited.Doubts, audited.Held, audited.Repaired
	if err == nil && audited.Repaired > 0 {
		_, err = t.worker.Drain(ctx)
	}
	return out, err
}

// repair says what an audit of a target puts right, as its configuration has it.
func (s *Service) repair(t *target) (r desk.Repair) {
	if t.settings.Desk == nil || t.settings.Desk.Audit == nil {
		return r
	}
	a := t.settings.Desk.Audit
	r.Missing, r.Active, r.Members = slices.Contains(a.Repair, "missing"), slices.Contains(a.Repair, "active"), slices.Contains(a.Repair, "members")
	r.Fields = a.Fields
	if len(a.Repair)+len(a.Fields) == 0 {
		return r
	}
	seed := "audit-" + s.now().UTC().Format("20060102T150405")
	r.Again = func(ctx context.Context, from store.Partition, kind directory.RecordKind, key string) (bool, error) {
		conn, done, err := s.use(from.Connection)
		if err != nil {
			return false, nil //nolint:nilerr // it is not configured any more: nobody speaks for the record
		}
		defer done()
		if !slices.Contains(conn.Targets, t.settings.Name) {
			return false, nil
		}
		return s.engine.Again(ctx, &conn.Connection, from.Tenant, t.settings.Name, seed, kind, key)
	}
	return r
}

// audited is what the schedule of audits calls.
func (d *daemon) audited(ctx context.Context, name string, _ schedule.Trigger) {
	list, err := d.service.desks(name)
	if err != nil || len(list) != 1 {
		return // a reload took it away
	}
	r, err := d.service.audit(ctx, list[0], nil, d.service.repair(list[0]))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.Log.Error("audit failed", "target", name, "err", err)
	case len(r.Held) > 0:
		d.Log.Warn("what an audit would put right waits for approval", "target", name, "held", r.Held, "hint", "`dirsyncd adopt "+name+"` shows it")
	default:
		differ := len(r.Differences) + r.More
		fought := 0
		for _, findings := range r.Counts {
			fought += findings[string(desk.FoundFought)]
		}
		if fought > 0 {
			d.Log.Warn("somebody undoes what audits put right; it is left alone", "target", name, "things", fought, "hint", "`dirsyncd audit "+name+"` names them")
		}
		d.Log.Info("audited", "target", name, "differ", differ, "repaired", r.Repaired)
	}
}
