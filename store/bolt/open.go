package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// Options say how a state file is opened. The zero value is right for a service.
type Options struct {
	// NoSync leaves it to the operating system when data reaches the disk: for throw-away copies and
	// benchmarks. A power cut then destroys the file; a kill of the process does not.
	NoSync bool
	// LockTimeout is how long to wait for another process to let go of the file; zero means one second.
	LockTimeout time.Duration
	// ReadOnly opens an existing file for View only. Several processes may do so at the same time, but
	// not while another one holds the file for writing.
	ReadOnly bool

	steps    []migration // in place of the package's own; for tests
	openFile func(string, int, fs.FileMode) (*os.File, error)
}

const (
	defaultLockTimeout = time.Second
	// mappedAtLeast is address space, not memory. bbolt can map a grown file anew only while nobody reads,
	// so that the first mapping should do for long.
	mappedAtLeast = 1 << 30
)

// Store is a state file. It implements store.Store; its methods may be called concurrently.
type Store struct {
	path        string
	db          *bbolt.DB
	file        *os.File      // db's, to let go of a file whose db is beyond use
	writer      chan struct{} // holds one token while an Update runs: unlike a mutex it can be left waiting
	broken      atomic.Pointer[error]
	closing     sync.Once
	closed      error
	leases      leases
	nameIndexes nameIndexes
	changes     changes
	maxItems    int // of a space; tests take few
	readOnly    bool
	begun       bool
	moving      encoding.Moving // what is moved into it
	replaced    *encoding.Moved // what Begin removes
}

var (
	_ store.Store       = (*Store)(nil)
	_ store.Snapshotter = (*Store)(nil)
	_ store.Verifier    = (*Store)(nil)
	_ store.Keeper      = (*Store)(nil)
)

// Open opens the state file at path and creates it, readable by the owner only, when there is none. Errors are classified and say what to do; a file that cannot be used is left as it is, byte for byte. The error is
// ErrLocked (errors.Is) when another process holds the file. With Options.ReadOnly it is ErrNone when there is no
// state yet, and ErrOutdated when the file must be written to before it can be read.
func Open(path string, opts Options) (*Store, error) {
	steps := opts.steps
	if steps == nil {
		steps = migrations()
	}
	s, err := open(path, opts)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(steps); err != nil {
		_ = s.Close() // the reason why it is of no use is the better error
		return nil, err
	}
	if !opts.ReadOnly {
		removeLeftovers(path)
	}
	parts, err := s.Partitions(context.Background())
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.begun = len(parts) == 0
	return s, nil
}

// open opens the file without looking at what its buckets say.
func open(path string, opts Options) (s *Store, err error) {
	created, err := prepare(path, opts.ReadOnly)
	if err != nil {
		return nil, err
	}
	s = &Store{path: path, writer: make(chan struct{}, 1), leases: leases{now: time.Now}, maxItems: store.MaxItems, readOnly: opts.ReadOnly}
	opened := false
	defer s.guard("open state", &opened, &err, func() { _ = s.letGo() })()
	s.db, err = bbolt.Open(path, 0o600, s.bboltOptions(opts))
	opened = true
	if err != nil {
		return nil, classify("open state", path, err)
	}
	if created {
		if err := syncFolder(filepath.Dir(path)); err != nil {
			_ = s.Close()
			return nil, classify("open state", path, err)
		}
	}
	return s, nil
}

func (s *Store) bboltOptions(opts Options) *bbolt.Options {
	o := &bbolt.Options{
		Timeout: opts.LockTimeout, ReadOnly: opts.ReadOnly, NoSync: opts.NoSync, NoGrowSync: opts.NoSync,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: mappedAtLeast, NoStatistics: true,
	}
	if o.Timeout == 0 {
		o.Timeout = defaultLockTimeout
	}
	if info, err := os.Stat(s.path); err == nil {
		o.InitialMmapSize = max(mappedAtLeast, int(2*info.Size()))
	}
	openFile := opts.openFile
	if openFile == nil {
		openFile = os.OpenFile
	}
	o.OpenFile = func(name string, flag int, mode fs.FileMode) (*os.File, error) {
		f, err := openFile(name, flag, mode)
		s.file = f
		return f, err
	}
	return o
}

// prepare makes the folder of a file that does not exist yet, and inspects one that does.
func prepare(path string, readOnly bool) (created bool, err error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular() && !info.IsDir():
		// To open a pipe would wait for whoever writes to it.
		return false, notOurs(path, fmt.Errorf("it is no file but of type %s", info.Mode().Type()))
	case err == nil:
		if err := inspect(path, readOnly); err != nil || readOnly {
			return false, err
		}
		return false, keepPrivate(path, info.Mode())
	case !errors.Is(err, fs.ErrNotExist):
		return false, classify("open state", path, err)
	}
	if _, err := os.Lstat(path); err == nil {
		// To follow it would make a file in a place that nobody named.
		return false, &fault.Error{Class: fault.Configuration, Op: "open state", Where: path,
			Err: errors.New("it is a link to nowhere"), Hint: "remove the link, or mend it"}
	}
	if readOnly {
		return false, classify("open state", path, fmt.Errorf("%w: %w", ErrNone, err))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, classify("create the folder of the state", filepath.Dir(path), err)
	}
	return true, nil
}

// keepPrivate takes the file from the eyes of others: a restored backup may have come with other rights. The state
// holds personal data.
func keepPrivate(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, mode.Perm()&0o700); err != nil {
		if errors.Is(err, syscall.EROFS) {
			return classify("open state", path, err)
		}
		return &fault.Error{Class: fault.Configuration, Op: "open state", Where: path,
			Err: fmt.Errorf("others may read it, and that cannot be changed: %w", err), Hint: "make it the daemon's own: chown, and chmod 0600"}
	}
	return nil
}

// syncFolder makes the name of a new file durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close waits for running transactions and lets go of the file. Further calls return the same result.
func (s *Store) Close() error {
	s.closing.Do(func() {
		if s.broken.Load() != nil {
			// A panic inside bbolt may have left its locks taken: its own Close could wait for ever.
			s.closed = s.letGo()
			return
		}
		if err := s.db.Close(); err != nil {
			s.closed = fmt.Errorf("close state %s: %w", s.path, err)
		}
	})
	return s.closed
}

// letGo unlocks and closes the file without bbolt. The mapping stays, and with it the file would stay locked.
func (s *Store) letGo() error {
	return errors.Join(syscall.Flock(int(s.file.Fd()), syscall.LOCK_UN), s.file.Close())
}

// Begun reports whether the state was only just begun: Open made the file, or nothing has been stored in it since.
func (s *Store) Begun() bool { return s.begun }

// Path returns the path that the store was opened with.
func (s *Store) Path() string { return s.path }
