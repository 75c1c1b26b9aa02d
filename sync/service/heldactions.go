package service

import (
	"context"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
)

// mostHeld is how many actions of a held plan or of a run are returned at most.
const mostHeld = 1000

// Held implements api.Operations.
func (s *Service) Held(ctx context.Context, req api.HeldRequest) (api.HeldActions, error) {
	p, state, err := s.heldPartition(ctx, req.Hash)
	if err != nil {
		return api.HeldActions{}, err
	}
	answer := api.HeldActions{Connection: p.Connection, Tenant: p.Tenant, TenantName: state.Name, HeldPlan: *heldAnswer(state.Held)}
	t := connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}
	var conn *engine.Connection
	if s.configured(p.Connection) {
		used, done, err := s.use(p.Connection)
		if err != nil {
			return api.HeldActions{}, err
		}
		defer done()
		conn = &used.Connection
	} else if conn, t, err = s.retiring(ctx, p); err != nil {
		return api.HeldActions{}, err
	}
	limit := pageSize(req.Limit)
	wanted, from := wantedActions(&req), req.From
	err = s.engine.Waiting(ctx, conn, t, func(a *directory.Action) bool {
		switch {
		case !wanted(a):
			return true
		case from > 0:
			from--
			return true
		case len(answer.Actions) == limit:
			answer.More = true
			return false
		}
		answer.Actions = append(answer.Actions, plannedAnswer(&t, a))
		return true
	})
	return answer, err
}

// pageSize is how many actions are returned where so many were asked for.
func pageSize(asked int) int {
	if asked <= 0 {
		return api.HeldPage
	}
	return min(asked, mostHeld)
}

// wantedActions tells the actions that a request asks for.
func wantedActions(req *api.HeldRequest) func(*directory.Action) bool {
	who := strings.ToLower(req.Who)
	return func(a *directory.Action) bool {
		return (req.Kind == "" || a.Kind.String() == req.Kind) && (req.Op == "" || a.Op.String() == req.Op) &&
			(who == "" || strings.Contains(strings.ToLower(a.Name()), who) || strings.Contains(strings.ToLower(a.Record), who))
	}
}
