package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Clear removes what is done and was long ago.
func (f *Fleet) Clear(ctx context.Context) error {
	return f.deciding(ctx, func(tx pgx.Tx) error { return f.clear(ctx, tx) })
}
