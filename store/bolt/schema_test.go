package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/sync/fault"
)

// note is a step that notes that it ran.
func note(name string) migration {
	return migration{about: "note " + name, run: func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("notes"))
		if err != nil {
			return err
		}
		n, err := b.NextSequence()
		return errors.Join(err, b.Put(fmt.Append(nil, n), []byte(name)))
	}}
}

// notes opens a file with steps and returns which of them have run, in order.
func notes(t *testing.T, path string, steps []migration) (string, error) {
	t.Helper()
	s, err := Open(path, Options{steps: steps})
	if err != nil {
		return "", err
	}
	defer s.Close()
	var list []string
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("notes"))
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, v []byte) error { list = append(list, string(v)); return nil })
	})
	return strings.Join(list, " "), err
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	a, b, c := note("a"), note("b"), note("c")
	broken := migration{about: "break", run: func(tx *bbolt.Tx) error {
		return errors.Join(note("broken").run(tx), errors.New("ouch"))
	}}
	for _, open := range []struct {
		steps []migration
		want  string
		fails string
	}{
		{steps: []migration{}},
		{steps: []migration{a}, want: "a"},
		{steps: []migration{a}, want: "a"},
		{steps: []migration{a, b, broken}, fails: "upgrade state: break"},
		{steps: []migration{a, b}, want: "a b"}, // each step is a transaction of its own
		{steps: []migration{a}, fails: "the state has version 3, this program knows versions up to 2"},
		{steps: []migration{a, b, c, a}, want: "a b c a"},
	} {
		before, _ := os.ReadFile(path)
		got, err := notes(t, path, open.steps)
		if open.fails == "" {
			if err != nil || got != open.want {
				t.Errorf("%d steps: got %q, %v, want %q", len(open.steps), got, err, open.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), open.fails) {
			t.Errorf("%d steps: got %v, want %q", len(open.steps), err, open.fails)
		}
		if after, _ := os.ReadFile(path); len(open.steps) == 1 && !bytes.Equal(before, after) {
			t.Error("a file of a newer version was changed")
		}
	}
	_, err := Open(path, Options{ReadOnly: true, steps: []migration{a, b, c, a, b}})
	if fault.ClassOf(err) != fault.Configuration || !errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), "has version 5, this program needs 6") {
		t.Errorf("read-only: %v", err)
	}
}

// A new file begins at the latest version: the steps are for those that have content.
func TestMigrateNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	got, err := notes(t, path, []migration{note("a")})
	if err != nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Open(path, Options{steps: []migration{}}); err == nil {
		t.Error("version 1 was given to a new file")
	}
}

// What the file system refuses is said in the operator's terms. Tests often run as root, which is refused
// nothing: the errors are made up.
func TestOpenErrors(t *testing.T) {
	for _, test := range []struct {
		errno syscall.Errno
		class fault.Class
		hint  string
	}{
		{syscall.EACCES, fault.Configuration, "must be able to read and write"},
		{syscall.EROFS, fault.Transient, "check the disk, and mount it"},
		{syscall.ENOSPC, fault.Transient, "free some space"},
		{syscall.EDQUOT, fault.Transient, "free some space"},
		{syscall.EIO, fault.Internal, "kernel's log"},
	} {
		path := filepath.Join(t.TempDir(), "state.db")
		_, err := Open(path, Options{openFile: func(name string, _ int, _ fs.FileMode) (*os.File, error) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: test.errno}
		}})
		if fault.ClassOf(err) != test.class || !strings.Contains(fault.Hint(err), test.hint) || !errors.Is(err, test.errno) {
			t.Errorf("%v: %s: %v", test.errno, fault.ClassOf(err), err)
		}
	}
}

// After a panic that bbolt cannot even roll back its locks stay taken. Nothing may wait for them.
func TestBrokenStoreDoesNotHang(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Begin(true); err != nil { // holds the writer's lock for ever
		t.Fatal(err)
	}
	broken := s.breakDown("write state", "a page is not what it should be")
	for _, writable := range []bool{false, true} {
		err := s.transact(t.Context(), writable, "use state", func(*bbolt.Tx) (bool, error) { return false, nil })
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
