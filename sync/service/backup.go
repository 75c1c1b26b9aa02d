package service

import (
	"context"
	"errors"
	"io"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// Backup implements api.Operations. The copy is made first and sent then: who reads slowly holds up nobody.
func (s *Service) Backup(ctx context.Context, to io.Writer) error {
	from, ok := s.store.(store.Snapshotter)
	if !ok {
		return &fault.Error{Class: fault.Configuration, Op: "backup", Err: errors.New("this state cannot be copied into a file")}
	}
	snapshot, err := from.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = snapshot.Close() }()
	_, err = io.Copy(to, snapshot)
	return err
}
