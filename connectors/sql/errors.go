package sql

import "context"

// fail classifies an error of the database. The end of ctx, which is the caller's, is returned as it is.
func (c *Connector) fail(ctx context.Context, op string, err error) error {
	return c.cfg.Fail(ctx, op, c.cfg.Timeout.Std(), err, c.dialect.means)
}
