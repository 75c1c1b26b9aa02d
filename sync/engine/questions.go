package engine

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/store"
)

// Questions lists what a connection leaves to a human (connectors.Asker); nothing when it is none that asks.
func (e *Engine) Questions(ctx context.Context, c *Connection) ([]connectors.Question, error) {
	asker, ok := c.Source.(connectors.Asker)
	if !ok {
		return nil, nil
	}
	p := store.Partition{Connection: c.Name}
	return asker.Questions(ctx, func(ctx context.Context, fn func(store.Reader) error) error { return e.store.View(ctx, p, fn) })
}

// Decide stores what a human says of a question of a connection that asks. Its next run goes by it.
func (e *Engine) Decide(ctx context.Context, c *Connection, d connectors.Decision) error {
	asker, ok := c.Source.(connectors.Asker)
	if !ok {
		return nil
	}
	p := store.Partition{Connection: c.Name}
	ctx, release, err := e.lease(ctx, p)
	if err != nil {
		return err
	}
	defer release()
	return e.store.Update(ctx, p, func(tx store.Writer) error { return asker.Decide(tx, d) })
}
