package service

import (
	"context"
	"errors"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
)

// Publish implements api.Operations.
func (s *Service) Publish(ctx context.Context) (api.Publication, error) {
	fail := func(class fault.Class, err error, hint string) (api.Publication, error) {
		return api.Publication{}, &fault.Error{Class: class, Op: "publish", Err: err, Hint: hint}
	}
	switch {
	case !s.shared:
		return fail(fault.Configuration, errors.New("the state is a file, which is one daemon's: there is no other worker to tell"), "a reload is all that it takes: `systemctl reload dirsyncd`")
	case s.fleet == nil:
		return fail(fault.Configuration, errors.New("no daemon is asked, and it is the configuration of one that is published"), "start it, or name its socket with --control")
	}
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	cfg := s.current().cfg
	p, err := s.fleet.Publish(ctx)
	var other *fleet.AloneError
	switch {
	case errors.As(err, &other):
		return api.Publication{}, notAlone(aloneBy(cfg), other)
	case errors.Is(err, fleet.ErrNoWorker):
		return fail(fault.Transient, errors.New("this daemon has not joined the others yet"), "nothing was published: try again in some seconds; its log says what it waits for")
	case err != nil:
		return fail(fault.Transient, err, "try again: what was published already is published once")
	}
	workers, err := s.fleet.Workers(ctx)
	if err != nil {
		return fail(fault.Transient, err, "it is published, but who has it could not be read: `dirsyncd status`")
	}
	answer := api.Publication{Configuration: p.Generation, File: cfg.File, Published: p.At, By: p.By, Already: p.Already, Workers: make([]api.PublishedTo, len(workers))}
	for i, w := range workers {
		answer.Workers[i] = api.PublishedTo{Name: w.Worker.Name, Current: w.Current, Draining: w.Draining}
	}
	return answer, nil
}
