package service

import (
	"context"
	"errors"
	"fmt"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// Drain implements api.Operations.
func (s *Service) Drain(ctx context.Context, req api.DrainRequest) (n int, err error) {
	if s.fleet == nil {
		return 0, &fault.Error{Class: fault.Configuration, Op: "drain", Err: errors.New("no daemon that shares its state is asked"),
			Hint: "ask one that runs and has its state in PostgreSQL: docs/workers.md"}
	}
	name := req.Worker
	if name == "" {
		name = s.worker
	}
	if req.End {
		n, err = s.fleet.Resume(ctx, name)
	} else {
		n, err = s.fleet.Drain(ctx, name)
	}
	if err == nil && n == 0 {
		err = &fault.Error{Class: fault.Configuration, Op: "drain", Err: fmt.Errorf("there is no worker %q", name), Hint: "`dirsyncd status` shows those that are alive"}
	}
	return n, err
}
