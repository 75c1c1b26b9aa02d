package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// metaBucket cannot be the name of a partition: no connection has an empty name.
const metaBucket = "\x00dirsyncd"

const (
	formatKey  = "format"
	formatName = "dirsyncd"
	versionKey = "version"
)

// migration is one step from a schema version to the next. It changes the whole file in one transaction.
type migration struct {
	about string // completes "the state could not be …", for the operator: "given an index of mail addresses"
	run   func(*bbolt.Tx) error
}

// migrations lists the steps in order: the first leads from version 1 to 2. The list is appended to, never
// changed: the version that a program writes is one more than its length.
func migrations() []migration {
	return []migration{
		{about: "given an index of what waits for each target", run: waiting().make},
		// An older program would send what is queued before what waits for something at the target.
		{about: "made ready for targets that have things of their own", run: func(*bbolt.Tx) error { return nil }},
		// An older program would take a journal that tells of records for a damaged one.
		{about: "made ready for connections that are made of the records of others", run: func(*bbolt.Tx) error { return nil }},
		// An older program would change people and leave the index by which they sign in as it is.
		{about: "made ready for sign-in", run: func(*bbolt.Tx) error { return nil }},
		{about: "given its names in the order of their numbers", run: orderNames},
		{about: "given its members in chunks", run: chunkMembers},
		// An older program would take a record of which something was undone for a damaged one.
		{about: "made ready for undo", run: dropRunActions},
	}
}

// migrate brings the file to the version that the steps lead to, and initialises a new one.
func (s *Store) migrate(steps []migration) error {
	latest := len(steps) + 1
	version := 0
	err := s.transact(context.Background(), false, "open state", func(tx *bbolt.Tx) (bool, error) {
		var err error
		version, err = s.version(tx)
		return false, err
	})
	switch {
	case err != nil:
		return err
	case version > latest:
		return s.tooNew(version, latest)
	case version < latest && s.readOnly:
		return &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.path,
			Err:  fmt.Errorf("%w: it has version %d, this program needs %d", ErrOutdated, version, latest),
			Hint: "start the service, or sync once: the state is brought up to date then"}
	case version == 0:
		return s.setVersion(latest, func(*bbolt.Tx) error { return nil }, "initialise state")
	}
	for ; version < latest; version++ {
		step := steps[version-1]
		if err := s.setVersion(version+1, step.run, "upgrade state: "+step.about); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tooNew(version, latest int) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.path,
		Err:  fmt.Errorf("the state has version %d, this program knows versions up to %d", version, latest),
		Hint: "a newer dirsyncd wrote it: use that one, or give this one a state of its own"}
}

// version reads the schema version; zero for a file without any content.
func (s *Store) version(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		if first, _ := tx.Cursor().First(); first != nil {
			return 0, notOurs(s.path, errors.New("its buckets are not those of dirsyncd"))
		}
		return 0, nil
	}
	format := meta.Get([]byte(formatKey))
	if m, ok := encoding.MovingOf(string(format)); ok {
		return 0, m.Error(s.path)
	}
	if m, ok := encoding.MovedOf(string(format)); ok {
		return 0, m.Error(s.path)
	}
	if !bytes.Equal(format, []byte(formatName)) {
		return 0, notOurs(s.path, errors.New("it does not say so"))
	}
	version, err := strconv.Atoi(string(meta.Get([]byte(versionKey))))
	if err != nil || version < 1 {
		return 0, damage("open state", s.path, errors.New("it has no version"))
	}
	return version, nil
}

// setVersion runs a step and stores the version that it leads to, in one transaction.
func (s *Store) setVersion(version int, step func(*bbolt.Tx) error, op string) error {
	return s.transact(context.Background(), true, op, func(tx *bbolt.Tx) (bool, error) {
		if err := step(tx); err != nil {
			return false, classify(op, s.path, err)
		}
		meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		if err != nil {
			return false, classify(op, s.path, err)
		}
		err = errors.Join(meta.Put([]byte(formatKey), []byte(formatName)),
			meta.Put([]byte(versionKey), strconv.AppendInt(nil, int64(version), 10)))
		return true, err
	})
}
