package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// OpenToImport opens a state file into which another state is moved, and creates it when there is none. It must be empty, or have been moved to where
// the other one is, and then Begin empties it. It says of itself that it is being moved into until Accept: nobody else opens it. Of a move that did not come to its end
// before, the remains are removed, and what it was is returned.
func OpenToImport(ctx context.Context, path string, m encoding.Moving) (s *Store, before *encoding.Moving, err error) {
	if s, err = open(path, Options{}); errors.Is(err, ErrLocked) {
		err = inUse(path)
	}
	if err != nil {
		return nil, nil, err
	}
	s.moving = m
	format, err := s.format(ctx)
	if old, ok := encoding.MovingOf(format); ok {
		before = &old
	}
	moved, was := encoding.MovedOf(format)
	switch {
	case err != nil:
	case was && moved.To != m.From:
		err = moved.NotItsPlace(path)
	case was:
		s.replaced = &moved
	case before != nil:
		err = s.markMoving(ctx, m)
	default:
		if err = s.migrate(migrations()); err == nil {
			err = s.mustBeEmpty(ctx)
		}
		if err == nil {
			err = s.markMoving(ctx, m)
		}
	}
	if err != nil {
		_ = s.Close() // the reason why it is of no use is the better error
		return nil, nil, err
	}
	return s, before, nil
}

// Begin removes the state that was moved from here before, if there is one, and returns what it said of itself.
func (s *Store) Begin(ctx context.Context) (*encoding.Moved, error) {
	if s.replaced == nil {
		return nil, nil
	}
	return s.replaced, s.markMoving(ctx, s.moving)
}

// format reads what the file says that it is; empty for one in which nothing is.
func (s *Store) format(ctx context.Context) (format string, err error) {
	err = s.transact(ctx, false, "open state", func(btx *bbolt.Tx) (bool, error) {
		if meta := btx.Bucket([]byte(metaBucket)); meta != nil {
			format = string(meta.Get([]byte(formatKey)))
		}
		return false, nil
	})
	return format, err
}

// setFormat has the file say what it is.
func (s *Store) setFormat(ctx context.Context, op, format string) error {
	return s.transact(ctx, true, op, func(btx *bbolt.Tx) (bool, error) {
		if err := btx.Bucket([]byte(metaBucket)).Put([]byte(formatKey), []byte(format)); err != nil {
			return false, classify(op, s.path, err)
		}
		return true, nil
	})
}

// mustBeEmpty refuses a state in which something is.
func (s *Store) mustBeEmpty(ctx context.Context) error {
	return s.transact(ctx, false, "open state", func(btx *bbolt.Tx) (bool, error) {
		var parts []store.Partition
		for name := range partitionNames(btx) {
			parts = append(parts, partitionOf(name))
		}
		if len(parts) == 0 && btx.Bucket([]byte(itemsBucket)) == nil && btx.Bucket([]byte(ledgerBucket)) == nil {
			return false, nil
		}
		return false, encoding.NotEmpty(s.path, parts)
	})
}

// markMoving removes what is there and says in the file what it is.
func (s *Store) markMoving(ctx context.Context, m encoding.Moving) error {
	return s.transact(ctx, true, "begin to move state", func(btx *bbolt.Tx) (bool, error) {
		var all [][]byte
		err := btx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if string(name) != metaBucket {
				all = append(all, bytes.Clone(name))
			}
			return nil
		})
		for _, name := range all {
			if err == nil {
				err = btx.DeleteBucket(name)
			}
		}
		if err == nil {
			meta := btx.Bucket([]byte(metaBucket))
			err = errors.Join(meta.Put([]byte(formatKey), []byte(m.Format())), meta.Put([]byte(versionKey), strconv.AppendInt(nil, int64(len(migrations())+1), 10)))
		}
		if err != nil {
			return false, classify("begin to move state", s.path, err)
		}
		return true, nil
	})
}

// Undisturbed reports that nobody else could open the file for work since OpenToExport: the system keeps its lock.
func (s *Store) Undisturbed(context.Context) error { return nil }

// Accept ends a move into the file: from now on it is a state as any other.
func (s *Store) Accept(ctx context.Context) error {
	return s.setFormat(ctx, "end the move of state", formatName)
}

// MarkMoved has the file say that it was moved: nobody opens it any more, until Reopen.
func (s *Store) MarkMoved(ctx context.Context, m encoding.Moved) error {
	return s.setFormat(ctx, "mark state as moved", m.Format())
}

// Reopen makes a state file that was moved one to work on again, as it was then, and returns what it said of itself; nil for one that does not say that it was moved, which is left as it is.
func Reopen(ctx context.Context, path string) (was *encoding.Moved, err error) {
	if _, err := prepare(path, true); err != nil {
		return nil, err
	}
	s, err := open(path, Options{})
	if errors.Is(err, ErrLocked) {
		err = inUse(path)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	format, err := s.format(ctx)
	m, ok := encoding.MovedOf(format)
	if err != nil || !ok {
		return nil, err
	}
	return &m, s.setFormat(ctx, "reopen state", formatName)
}

// holders names the processes that have a state file open, as far as the system says so: "process 1234 (dirsyncd run)".
func holders(path string) []string {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	locks, _ := os.ReadFile("/proc/locks") // proc_locks(5)
	var list []string
	for line := range strings.Lines(string(locks)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], ":"+strconv.FormatUint(stat.Ino, 10)) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", f[4], "cmdline"))
		words := strings.Split(strings.TrimRight(string(command), "\x00"), "\x00")
		words[0] = filepath.Base(words[0])
		list = append(list, fmt.Sprintf("process %s (%s)", f[4], strings.Join(words[:min(len(words), 3)], " ")))
	}
	return slices.Compact(list)
}

// OpenToExport opens a state file that no other process has open, to be handed out. Nobody opens it until it is closed. A file, or a disk, that
// takes no writes is only kept from those who work: it cannot be marked as moved either.
func OpenToExport(path string) (*Store, error) {
	if _, err := prepare(path, true); err != nil {
		return nil, err
	}
	s, err := open(path, Options{})
	if err != nil && !errors.Is(err, ErrLocked) {
		s, err = open(path, Options{ReadOnly: true})
	}
	if errors.Is(err, ErrLocked) {
		err = inUse(path)
	}
	if err != nil {
		return nil, err
	}
	s.readOnly = true // it is not brought up to date
	if err := s.migrate(migrations()); err != nil {
		_ = s.Close() // the reason why it is of no use is the better error
		return nil, err
	}
	return s, nil
}

// inUse is the error for a file that has to be nobody's for a move.
func inUse(path string) error {
	who := "another process"
	if list := holders(path); len(list) > 0 {
		who = strings.Join(list, ", ")
	}
	return &fault.Error{Class: fault.Transient, Op: "move state", Where: path, Err: fmt.Errorf("%w: %s", ErrLocked, who),
		Hint: "stop the daemon first (systemctl stop dirsyncd), and wait for commands that are at work; nothing was changed"}
}
