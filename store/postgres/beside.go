package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Beside is the database of a state, for tables beside it.
type Beside struct {
	// Pool is one of its own: what is decided there does not wait for connections of runs. Its sessions are called as the store's are, so that
	// whoever ends those of a dead process ends all of them. The caller closes it.
	Pool *pgxpool.Pool
	// Schema is that of the state, which is for nobody else.
	Schema string
	// Pooled: a pooler is between that keeps nothing of a session, so that nobody can listen.
	Pooled bool
}

// Beside connects once more, with a number of connections at most.
func (s *Store) Beside(ctx context.Context, connections int) (Beside, error) {
	cfg := s.config.Copy()
	cfg.MaxConns, cfg.MinConns, cfg.AfterConnect = int32(connections), 0, nil
	delete(cfg.ConnConfig.RuntimeParams, "plan_cache_mode") // right for the statements of the store only
	delete(cfg.ConnConfig.RuntimeParams, "enable_seqscan")
	delete(cfg.ConnConfig.RuntimeParams, "jit")
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return Beside{}, s.classify("open state", err)
	}
	return Beside{Pool: pool, Schema: s.schema, Pooled: s.pooled}, nil
}

// Explain says what an error from beside the state means for the operator, as the store's own errors do.
func (s *Store) Explain(op string, err error) error { return s.classify(op, err) }
