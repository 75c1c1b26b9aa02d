// Package file is the target that appends events to a file, one per line (see package event).
//
// A delivery that is repeated after a kill is not written twice: when the file is opened, a last line that
// was cut off is removed, and the ids of the last events are remembered. The file may be rotated at any time
// by renaming it or by copying and truncating it; the target notices before its next write.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/event"
)

// Factory makes file targets.
func Factory() targets.Factory {
	return targets.New("file", "appends CloudEvents to a file, one per line", defaults, open)
}

// batch is how many events are written and synced together.
const batch = 4000

// flushAt bounds how much is gathered before it is written.
const flushAt = 4 << 20

type target struct {
	path  string
	mode  fs.FileMode
	fsync bool
	extra []byte // attributes of every event

	mu   sync.Mutex
	file *os.File // nil: to be opened before the next write
	info os.FileInfo
	// size is the length up to which the file holds whole lines; -1 for what is not a regular file, such as
	// /dev/stdout, which cannot be cut, locked or read.
	size int64
	seen recent
	buf  []byte
}

func open(c *Config, env targets.Env) (targets.Target, error) {
	mode, err := parseMode(c.Mode)
	if err != nil {
		return nil, fmt.Errorf("file mode: %w", err)
	}
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	return &target{path: path, mode: mode, fsync: c.Fsync, extra: c.Attributes.Extra()}, nil
}

func (t *target) Describe() targets.Description {
	return targets.Description{Batch: batch, AcrossPartitions: true}
}

// Check asks whether the file could be written, or be created, without doing either.
func (t *target) Check(context.Context) error {
	info, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(t.path)
		if err = unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return classify("check folder", dir, err)
		}
		return nil
	}
	if err == nil && info.IsDir() {
		err = unix.EISDIR
	}
	if err == nil {
		err = unix.Access(t.path, unix.W_OK)
	}
	if err != nil {
		return classify("check file", t.path, err)
	}
	return nil
}

// Deliver appends the events that are not in the file yet. Either all are there afterwards, on the disk when
// fsync is on, or the file is as it was and the error says why.
func (t *target) Deliver(ctx context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.ready(); err != nil {
		return nil, err
	}
	if err := t.append(work); err != nil {
		t.undo()
		return nil, classify("write file", t.path, err)
	}
	for i := range work {
		t.seen.add(work[i].Action.Key)
	}
	return make([]targets.Outcome, len(work)), nil
}

// append writes the new ones among the actions. What it has written is counted only when all is written.
func (t *target) append(work []targets.Delivery) error {
	t.buf = t.buf[:0]
	var written int64
	for i := range work {
		if t.seen.has(work[i].Action.Key) {
			continue
		}
		t.buf = event.Append(t.buf, &work[i].Action, t.extra)
		t.buf = append(t.buf, '\n')
		if len(t.buf) < flushAt && i < len(work)-1 {
			continue
		}
		n, err := t.flush()
		if err != nil {
			return err
		}
		written += n
	}
	n, err := t.flush() // the last ones may have been known
	if err != nil {
		return err
	}
	written += n
	if written > 0 && t.fsync && t.size >= 0 {
		if err := t.file.Sync(); err != nil {
			return err
		}
	}
	if t.size >= 0 {
		t.size += written
	}
	return nil
}

func (t *target) flush() (int64, error) {
	if len(t.buf) == 0 {
		return 0, nil
	}
	n, err := t.file.Write(t.buf)
	if cap(t.buf) > 4*flushAt {
		t.buf = nil // one giant event must not hold its memory for ever
	}
	t.buf = t.buf[:0]
	return int64(n), err
}

// undo cuts off what a failed write has left. When even that fails, the next open does it.
func (t *target) undo() {
	if now, err := t.file.Stat(); err == nil && t.size >= 0 && now.Size() > t.size {
		_ = t.file.Truncate(t.size)
	}
	t.close()
}

// ready makes sure that the open file is the one at the path, and that it is as long as it was left.
func (t *target) ready() error {
	if t.file != nil && !t.current() {
		t.close()
	}
	if t.file != nil {
		return nil
	}
	return t.open()
}

// current reports whether the file that is open can still be written to.
func (t *target) current() bool {
	now, err := os.Stat(t.path)
	if err != nil || !os.SameFile(now, t.info) {
		return false
	}
	// A file of another length was truncated after it was copied, or somebody else has written to it.
	return t.size < 0 || now.Size() == t.size
}

func (t *target) open() error {
	f, created, err := openFile(t.path, t.mode)
	if err != nil {
		return classify("open file", t.path, err)
	}
	t.file = f
	if err := t.prepare(created); err != nil {
		t.close()
		return classify("open file", t.path, err)
	}
	return nil
}

// openFile opens a file for appending and creates it if need be. Without O_NONBLOCK, opening a named pipe
// that nobody reads from would never return.
func openFile(path string, mode fs.FileMode) (f *os.File, created bool, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0)
		return f, false, err
	}
	created = errors.Is(err, fs.ErrNotExist)
	f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode)
	return f, created, err
}

// prepare locks a file that was just opened, cuts off a torn line and reads the ids of the last events.
func (t *target) prepare(created bool) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	t.info, t.size = info, -1
	if !info.Mode().IsRegular() {
		return nil
	}
	if err := lock(t.file); err != nil {
		return err
	}
	if created && t.fsync {
		if err := syncFolder(filepath.Dir(t.path)); err != nil {
			return err
		}
	}
	size, err := cutTornLine(t.file, info.Size())
	if err != nil {
		return err
	}
	if err := t.seen.load(t.file, size); err != nil {
		return err
	}
	t.size = size
	return nil
}

// lock keeps other writers out, where the file system has locks at all. It ends when the file is closed.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// syncFolder makes the name of a new file survive a power failure.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// Reopen closes the file; the next delivery opens it by its name.
func (t *target) Reopen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close()
	return nil
}

// Close closes the file.
func (t *target) Close() error { return t.Reopen() }

func (t *target) close() {
	if t.file != nil {
		_ = t.file.Close()
		t.file, t.info = nil, nil
	}
}

// errForeign is a last line that is not a cut off event: the file is probably somebody else's.
var errForeign = errors.New("the last line is unfinished and not an event")

// cutTornLine removes what follows the last line break, if it can be the beginning of an event or the zeros
// that a power failure leaves, and returns the length that remains.
func cutTornLine(f *os.File, size int64) (int64, error) {
	end, err := lastLineBreak(f, size)
	if err != nil || end == size {
		return size, err
	}
	head := make([]byte, min(size-end, 256))
	if _, err := f.ReadAt(head, end); err != nil && !errors.Is(err, io.EOF) {
		return size, err
	}
	if !event.Torn(head) && strings.Trim(string(head), "\x00") != "" {
		return size, errForeign
	}
	return end, f.Truncate(end)
}
