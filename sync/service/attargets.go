package service

import (
	"context"
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// atTargets adds to explained records what they are at targets that have things of their own.
func (s *Service) atTargets(ctx context.Context, reasons []api.Reason) error {
	for _, t := range s.current().cfg.Targets {
		if t.Desk == nil {
			continue
		}
		for i := range reasons {
			at, known, err := s.atTarget(ctx, t.Name, &reasons[i])
			if err != nil {
				return fmt.Errorf("read what is known of target %s: %w", t.Name, err)
			}
			if known {
				reasons[i].Targets = append(reasons[i].Targets, at)
			}
		}
	}
	return nil
}

func (s *Service) atTarget(ctx context.Context, name string, r *api.Reason) (at api.AtTarget, known bool, err error) {
	subject := []string{r.Kind + "/" + r.Key}
	at.Target = name
	err = s.store.View(ctx, store.TargetPartition(name), func(tx store.Reader) error {
		links, err := tx.LinksOf(subject)
		if err != nil || links[0].State == 0 {
			return err
		}
		l := &links[0]
		known = true
		at.ID, at.State, at.Owner, at.Inactive, at.Written = l.ID, l.State.String(), l.Owner.String(), l.State == store.Linked && !l.Active, l.Changed
		return nil
	})
	if err != nil {
		return at, false, err
	}
	err = s.store.View(ctx, store.Partition{Connection: r.Connection, Tenant: r.Tenant}, func(tx store.Reader) error {
		waits, err := tx.WaitsOf(name, subject)
		if err == nil && len(waits) > 0 {
			known = true
			at.Cause, at.Waits = waits[0].Cause, waits[0].Text
			if a, bad := directory.ParseAction(waits[0].Action); bad == nil {
				at.Initial = a.Initial
			}
		}
		return err
	})
	return at, known, err
}

// deskStatus adds what is known of the place of a target that has things of its own.
func (s *Service) deskStatus(ctx context.Context, t *target, st *api.TargetStatus) error {
	state, err := t.desk.State(ctx)
	if err != nil {
		return err
	}
	if s.host != nil && s.host.nextAudit != nil {
		st.NextAudit = s.host.nextAudit(t.settings.Name)
	}
	st.Audited, st.Audit = state.Audited, state.Audit
	first, held, err := t.desk.Held(ctx)
	if first != nil {
		st.Held = append(st.Held, first.Hash)
	}
	if held != nil {
		st.Held = append(st.Held, held.Hash)
	}
	return err
}
