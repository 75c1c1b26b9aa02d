package engine

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settle"
)

// Waiting shows the actions of a tenant's held plan in order, until visit returns false. It is worked out of what is stored, only as
// far as visit goes, waits for no run, and stores nothing. An action is good until visit returns. While a run reads, what is shown may be of two times.
func (e *Engine) Waiting(ctx context.Context, c *Connection, t connectors.Tenant, visit func(*directory.Action) bool) (err error) {
	defer fault.Recover("look at the held plan", &err)
	r := e.begin(c, t, tenantJob{Job: Job{Offline: true, Trigger: "plan"}})
	if err := r.load(ctx); err != nil {
		return err
	}
	task := r.settleTask()
	if h := r.state.Held; h != nil {
		task.At = h.At // rules about dates answer as they did then
	}
	task.Progress, task.SeatsBeside = func(int, int) {}, nil
	s, err := settle.Prepare(ctx, task)
	if err != nil {
		return err
	}
	return s.Visit(ctx, visit)
}
