package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
)

// sockets are those through which commands reach a daemon: one for everything, and perhaps one for those who may only look.
type sockets struct {
	log  *slog.Logger
	list []*socket.Server
}

// openSockets listens. The error leaves nothing open.
func openSockets(ctx context.Context, cfg *config.Config, ops api.Operations, log *slog.Logger) (*sockets, error) {
	s := &sockets{log: log}
	all := socket.NewServer(ops, log)
	if err := all.Listen(string(cfg.Control)); err != nil {
		return nil, err
	}
	s.list = append(s.list, all)
	if r := cfg.Readers; r != nil {
		readers := socket.NewServer(api.ReadOnly(ops), log.With("socket", "readers"))
		if err := readers.ListenFor(r.Group, string(r.Socket)); err != nil {
			return nil, errors.Join(err, s.shutdown(ctx))
		}
		s.list = append(s.list, readers)
	}
	return s, nil
}

// serve answers until shutdown.
func (s *sockets) serve() {
	var all sync.WaitGroup
	for _, server := range s.list {
		all.Go(func() {
			if err := server.Serve(); err != nil {
				s.log.Error("a socket for commands ended", "err", err)
			}
		})
	}
	all.Wait()
}

// shutdown ends operations and waits for them until ctx ends.
func (s *sockets) shutdown(ctx context.Context) error {
	errs := make([]error, len(s.list))
	var all sync.WaitGroup
	for i, server := range s.list {
		all.Go(func() { errs[i] = server.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
