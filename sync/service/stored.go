package service

import (
	"context"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Stored implements api.Operations.
func (s *Service) Stored(ctx context.Context, questions []api.StoredQuestion) ([]api.StoredRows, error) {
	return Stored(ctx, s.store, questions)
}

// Stored answers questions about what a state holds.
func Stored(ctx context.Context, st store.Store, questions []api.StoredQuestion) ([]api.StoredRows, error) {
	asked := make([]engine.StoredQuestion, len(questions))
	for i, q := range questions {
		kind, ok := directory.Kind(0), q.Kind == api.StoredKindTenant
		if !ok {
			i := slices.IndexFunc(directory.Kinds(), func(k directory.Kind) bool { return k.String() == q.Kind })
			if ok = i >= 0; ok {
				kind = directory.Kinds()[i]
			}
		}
		if !ok {
			return nil, &fault.Error{Class: fault.Configuration, Op: "look at what was read", Err: fmt.Errorf("there is no kind of object %q", q.Kind)}
		}
		asked[i] = engine.StoredQuestion{Connection: q.Connection, Kind: kind, Names: q.Names}
	}
	found, err := engine.Stored(ctx, st, asked)
	if err != nil {
		return nil, err
	}
	return each(found, func(r *engine.StoredRows) api.StoredRows {
		return api.StoredRows{Rows: r.Rows, Seen: r.Seen, More: r.More}
	}), nil
}
