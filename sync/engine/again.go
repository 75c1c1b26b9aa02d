package engine

import (
	"context"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settle"
)

// Again tells a target once more what it was told last of one record of a tenant, whatever else waits. seed names the request: the
// same one makes the same key. It reports false when the state knows nothing of the record.
func (e *Engine) Again(ctx context.Context, c *Connection, tenant, target, seed string, kind directory.RecordKind, key string) (told bool, err error) {
	part := store.Partition{Connection: c.Name, Tenant: tenant}
	now := e.opts.Now().UTC().Truncate(time.Second)
	err = e.store.Update(ctx, part, func(tx store.Writer) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		of := &connectors.Tenant{ID: tenant, Name: state.Name, Domain: state.Domain}
		t := &settle.Task{Partition: part, Rules: c.Of(of).Rules, Run: directory.Stamp{Run: seed, Time: now},
			Origin: originOf(c, of, originName(part, &state))}
		told, err = settle.AgainOne(tx, t, target, seed, kind, key)
		return err
	})
	if err == nil && told {
		e.opts.Queued(target)
	}
	return told, err
}
