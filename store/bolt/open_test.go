package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// fill stores a few hundred objects with everything that belongs to them, in several transactions.
func fill(t testing.TB, s store.Store) {
	t.Helper()
	for i := range 5 {
		err := s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, i) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stateFile makes a closed state file with content.
func stateFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenCreatesPrivately(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "state.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

// A restored file that others may read is taken from their eyes; one that is not ours is left as it is.
func TestOpenMakesPrivate(t *testing.T) {
	path := stateFile(t)
	foreign := filepath.Join(t.TempDir(), "config.yaml")
	write(t, foreign, []byte("state: here\n"))
	for _, name := range []string{path, foreign} {
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := bolt.Open(name, bolt.Options{}); err == nil {
			_ = s.Close()
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, foreign: 0o644} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestOpenKeepsContent(t *testing.T) {
	s, err := bolt.Open(stateFile(t), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	checkBatches(t, s, 5)
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string) // makes the file at path what it is to be
		class fault.Class
		text  string // part of the message
	}{
		{"text", func(t *testing.T, path string) {
			write(t, path, []byte("connections:\n  hq-ad:\n"))
		}, fault.Configuration, "not a state file of dirsyncd"},
		{"zeros", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) }, fault.Configuration, "not a state file"},
		{"another program's", func(t *testing.T, path string) {
			makeBolt(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err })
		}, fault.Configuration, "not a state file"},
		{"another format", func(t *testing.T, path string) { setMeta(t, path, "format", "dirsyncd2") }, fault.Configuration, "not a state file"},
		{"newer version", func(t *testing.T, path string) { setMeta(t, path, "version", "9") }, fault.Configuration, "version 9, this program knows versions up to 8"},
		{"no version", func(t *testing.T, path string) { setMeta(t, path, "version", "x") }, fault.Internal, "damaged"},
		{"one byte", func(t *testing.T, path string) { write(t, path, []byte{0}) }, fault.Configuration, "not a state file"},
		{"cut in the header", func(t *testing.T, path string) { write(t, path, read(t, path)[:5000]) }, fault.Internal, "shorter than its header says"},
		{"cut in half", func(t *testing.T, path string) { cut(t, path, 2) }, fault.Internal, "shorter than its header says"},
		{"both headers", func(t *testing.T, path string) { overwrite(t, path, 0, 2) }, fault.Configuration, "not a state file"},
		{"everything but the headers", func(t *testing.T, path string) { overwrite(t, path, 2, 1000) }, fault.Internal, "damaged"},
		{"folder", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, fault.Configuration, "directory"},
		{"link to nowhere", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path)); err != nil {
				t.Fatal(err)
			}
		}, fault.Configuration, "link to nowhere"},
		{"file for a folder", func(t *testing.T, path string) {
			dir := filepath.Dir(path)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			write(t, dir, []byte("x"))
		}, fault.Configuration, "not a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := stateFile(t)
			test.spoil(t, path)
			before, _ := os.ReadFile(path)
			_, err := bolt.Open(path, bolt.Options{})
			if err == nil {
				t.Fatal("it was opened")
			}
			after, _ := os.ReadFile(path)
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			checkFault(t, err, test.class, test.text, path)
			if err := tryLock(path); err != nil {
				t.Errorf("the file is still locked: %v", err)
			}
		})
	}
}

// checkFault checks that an error is classified, tells the operator what to do, and names the file.
func checkFault(t *testing.T, err error, class fault.Class, parts ...string) {
	t.Helper()
	if got := fault.ClassOf(err); got != class {
		t.Errorf("class %s, want %s: %v", got, class, err)
	}
	if fault.Hint(err) == "" {
		t.Errorf("no hint: %v", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}

func makeBolt(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	changeBolt(t, path, fn)
}

func changeBolt(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if fn != nil {
		err = db.Update(fn)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func setMeta(t *testing.T, path, key, value string) {
	t.Helper()
	changeBolt(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("\x00dirsyncd")).Put([]byte(key), []byte(value))
	})
}

func cut(t *testing.T, path string, by int) {
	t.Helper()
	data := read(t, path)
	write(t, path, data[:len(data)/by])
}

// overwrite fills pages with what cannot be a page.
func overwrite(t *testing.T, path string, from, to int) {
	t.Helper()
	data := read(t, path)
	for i := from * 4096; i < min(to*4096, len(data)); i++ {
		data[i] = 0xFF
	}
	write(t, path, data)
}

// A first start that is killed or finds no space leaves an empty file, a part of one, or one without any
// bucket. All are as good as none.
func TestOpenUnfinishedStart(t *testing.T) {
	for name, spoil := range map[string]func(path string){
		"no byte":   func(path string) { write(t, path, nil) },
		"cut off":   func(path string) { makeBolt(t, path, nil); cut(t, path, 2) },
		"no bucket": func(path string) { makeBolt(t, path, func(*bbolt.Tx) error { return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			path := stateFile(t)
			spoil(path)
			s, err := bolt.Open(path, bolt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fill(t, s)
			if err := errors.Join(s.Verify(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// One of the two headers may be torn by a power cut: the other one counts, with the state before.
func TestOpenWithOneHeader(t *testing.T) {
	for page := range 2 {
		path := stateFile(t)
		data := read(t, path)
		data[page*4096+64] ^= 1 // the transaction's number
		write(t, path, data)
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Verify(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenLocked(t *testing.T) {
	path := stateFile(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	for _, opts := range []bolt.Options{{LockTimeout: time.Millisecond}, {LockTimeout: time.Millisecond, ReadOnly: true}} {
		_, err = bolt.Open(path, opts)
		if !errors.Is(err, bolt.ErrLocked) {
			t.Errorf("got %v", err)
		}
		checkFault(t, err, fault.Transient, path, "another dirsyncd", "socket")
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file was changed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tryLock(path); err != nil {
		t.Error(err)
	}
}

// tryLock reports whether a file can be opened by somebody else. Files that are no state are not looked at.
func tryLock(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // there is nothing to lock
	}
	defer f.Close()
	return flock(f)
}

func TestReadOnly(t *testing.T) {
	path := stateFile(t)
	before := read(t, path)
	for range 2 {
		s, err := bolt.Open(path, bolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		checkBatches(t, s, 5)
		err = s.Update(t.Context(), hq, func(store.Writer) error { return nil })
		if fault.ClassOf(err) != fault.Internal || !strings.Contains(err.Error(), "reading only") {
			t.Errorf("update: %v", err)
		}
		if err := s.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file was changed")
	}
	missing := filepath.Join(t.TempDir(), "none.db")
	_, err := bolt.Open(missing, bolt.Options{ReadOnly: true})
	checkFault(t, err, fault.Configuration, missing)
	if !errors.Is(err, bolt.ErrNone) {
		t.Errorf("none: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a file was created")
	}
	write(t, missing, nil)
	_, err = bolt.Open(missing, bolt.Options{ReadOnly: true})
	checkFault(t, err, fault.Configuration, missing, "empty")
	if !errors.Is(err, bolt.ErrNone) {
		t.Errorf("empty: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := openStore(t, bolt.Options{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	err := s.View(t.Context(), hq, func(store.Reader) error { return nil })
	if fault.ClassOf(err) != fault.Internal || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}

// What is the same as before must cost no write: a cycle without changes leaves the file alone.
func TestNoChangeNoWrite(t *testing.T) {
	path := stateFile(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := read(t, path)
	err = s.Update(t.Context(), hq, func(w store.Writer) error {
		handles, err := w.Lookup([]string{"id:g0", "id:0-40"}, nil)
		if err != nil {
			return err
		}
		state, err := w.Stream("users")
		if err != nil {
			return err
		}
		added, err := w.AddMembers(handles[0], handles[1:], nil)
		if len(added) > 0 {
			t.Errorf("added %v", added)
		}
		return errors.Join(err, w.PutStream("users", state), w.MarkDirty(directory.Person, handles[1], store.Changed),
			w.ClearDirty(directory.Device, handles), w.Dequeue("journal", []uint64{99999}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file was changed")
	}
}

// A state is new until something is stored in it, however often it is opened.
func TestBegun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for try, want := range []bool{true, true, false} {
		s, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		if s.Begun() != want {
			t.Errorf("opened the %d. time: %t", try+1, s.Begun())
		}
		if try == 1 {
			if err := s.Update(t.Context(), hq, func(w store.Writer) error { return w.PutTenant(store.TenantState{Name: "x"}) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A pipe is not waited for.
func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []bolt.Options{{}, {ReadOnly: true}} {
		if _, err := bolt.Open(path, opts); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
			t.Errorf("error %v", err)
		}
	}
}

// Who claims learns whether the state can be written, also when all of it was claimed before.
func TestClaimIsAWrite(t *testing.T) {
	path := stateFile(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		before := read(t, path)
		if err := s.Update(t.Context(), hq, func(w store.Writer) error { return w.Claim("journal", 1) }); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(before, read(t, path)) {
			t.Error("nothing was written")
		}
	}
}

// A file that was written before there was an index of what waits gets one when it is opened.
func TestIndexOfWaiting(t *testing.T) {
	path := stateFile(t)
	changeBolt(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("\x00waiting")) })
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context()); err == nil {
		t.Error("Verify does not notice that the index is missing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	bolt.ToVersion5(t, path)
	setMeta(t, path, "version", "1")
	if s, err = bolt.Open(path, bolt.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Waiting(t.Context(), "journal")
	if err != nil || !slices.Equal(list, []store.Partition{hq}) {
		t.Errorf("waiting: %v, %v", list, err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestScratchLeavesNothing(t *testing.T) {
	path := stateFile(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := read(t, path)
	copied, err := s.Scratch(t.Context(), hq)
	if err != nil {
		t.Fatal(err)
	}
	checkBatches(t, copied, 5)
	if err := copied.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, 5) }); err != nil {
		t.Fatal(err)
	}
	checkBatches(t, copied, 6)
	if err := copied.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the original was changed")
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(names) != 1 {
		t.Errorf("left in the folder: %v", names)
	}
}

// A process that was killed while it copied leaves a part of a copy. The next one that holds the state removes it, and
// nothing else.
func TestLeftoversOfKilledCopies(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "state.db")
	for _, name := range []string{"state.db.scratch-17", "state.db.scratch-mine", "other.db.scratch-17", "state.db.scratch-9/x"} {
		if dir := filepath.Dir(name); dir != "." {
			_ = os.Mkdir(filepath.Join(folder, dir), 0o700)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	entries, err := os.ReadDir(folder)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"other.db.scratch-17", "state.db", "state.db.scratch-9", "state.db.scratch-mine"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, want %v; %v", names, want, err)
	}
}
