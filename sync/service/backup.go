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
		return &fault.Error{Class: fault.Configuration, Op: "backup", Err: errors.New("a database has the state, and this makes copies of a state file"),
			Hint: "use pg_dump, also while dirsyncd runs: pg_dump --schema=dirsyncd --format=custom --file=FILE DATABASE"}
	}
	snapshot, err := from.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = snapshot.Close() }()
	_, err = io.Copy(to, snapshot)
	return err
}
