package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

func openNames(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func namesFrom(first, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("id:%d", first+i)
	}
	return list
}

// intern gives names numbers in one transaction, which end can make fail.
func intern(t *testing.T, s *Store, p store.Partition, texts []string, end error) (given []store.Num) {
	t.Helper()
	err := s.Update(t.Context(), p, func(w store.Writer) (err error) {
		given, err = w.Intern(texts, nil)
		return errors.Join(err, end)
	})
	if !errors.Is(err, end) || (end == nil && err != nil) {
		t.Fatal(err)
	}
	return given
}

// checkNames checks that texts have the numbers from 1 on, and that another text has none.
func checkNames(t *testing.T, r store.Reader, texts []string) {
	t.Helper()
	found, err := r.Lookup(append(texts[:len(texts):len(texts)], "a name that nobody gave"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range found {
		if want := store.Num(i+1) % store.Num(len(texts)+1); n != want {
			t.Fatalf("name %d is found as %d, want %d", i, n, want)
		}
	}
}

func checkStoredNames(t *testing.T, s *Store, p store.Partition, texts []string) {
	t.Helper()
	err := s.View(t.Context(), p, func(r store.Reader) error { checkNames(t, r, texts); return nil })
	if err := errors.Join(err, s.Verify(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// TestNamesKeepTheirNumbers interns many names in transactions of different sizes, and looks all of them up: in the
// transaction itself, after it, and in a store that was opened anew.
func TestNamesKeepTheirNumbers(t *testing.T) {
	for _, batch := range []int{1, 31, 32, 33, 7000} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "state.db")
			s := openNames(t, path)
			p := store.Partition{Connection: "hq"}
			names := min(200*batch, 50_000)
			for first := 0; first < names; first += batch {
				n := min(batch, names-first)
				err := s.Update(t.Context(), p, func(w store.Writer) error {
					given, err := w.Intern(namesFrom(first, n), nil)
					if again, _ := w.Intern(namesFrom(first, n), nil); given[0] != store.Num(first+1) || again[n-1] != store.Num(first+n) {
						t.Fatalf("%d to %d have the numbers %d to %d", first, first+n, given[0], again[n-1])
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			checkStoredNames(t, s, p, namesFrom(0, names))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			checkStoredNames(t, openNames(t, path), p, namesFrom(0, names))
		})
	}
}

// Names of a transaction that was not committed have no number, and their numbers are given to others.
func TestNamesOfNoTransaction(t *testing.T) {
	s, p := openNames(t, filepath.Join(t.TempDir(), "state.db")), store.Partition{Connection: "hq"}
	ouch := errors.New("ouch")
	for first := 0; first < 300; first += 100 {
		intern(t, s, p, namesFrom(10_000, 250), ouch)
		checkStoredNames(t, s, p, namesFrom(0, first))
		intern(t, s, p, namesFrom(first, 100), nil)
		checkStoredNames(t, s, p, namesFrom(0, first+100))
	}
	intern(t, s, p, namesFrom(10_000, 250), ouch)
	// Another partition begins where the names of one that never was would have begun.
	other := store.Partition{Connection: "other"}
	intern(t, s, other, namesFrom(20_000, 10), ouch)
	third := store.Partition{Connection: "third"}
	intern(t, s, third, namesFrom(30_000, 10), nil)
	checkStoredNames(t, s, other, nil)
	checkStoredNames(t, s, third, namesFrom(30_000, 10))
	intern(t, s, other, namesFrom(20_000, 10), nil)
	checkStoredNames(t, s, other, namesFrom(20_000, 10))
	for range 50 { // a full disk
		intern(t, s, p, namesFrom(10_000, 250), ouch)
	}
	intern(t, s, p, namesFrom(300, 1), nil)
	err := s.View(t.Context(), p, func(r store.Reader) error {
		//nolint:forcetypeassert // it is this package's
		x, err := r.(*tx).index()
		if err == nil && x.used != 301 {
			t.Errorf("%d names are in the index, 301 are stored", x.used)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is stored while somebody reads is not there for that reader, also when the index is made only then.
func TestNamesOfASnapshot(t *testing.T) {
	for _, early := range []bool{true, false} {
		path, p := filepath.Join(t.TempDir(), "state.db"), store.Partition{Connection: "hq"}
		s := openNames(t, path)
		intern(t, s, p, namesFrom(0, 100), nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openNames(t, path)
		err := s.View(t.Context(), p, func(r store.Reader) error {
			if early {
				checkNames(t, r, namesFrom(0, 100))
			}
			intern(t, s, p, namesFrom(100, 100), nil)
			intern(t, s, p, namesFrom(500, 50), errors.New("ouch"))
			checkNames(t, r, namesFrom(0, 100))
			if n, err := r.Lookup(namesFrom(100, 1), nil); err != nil || n[0] != 0 {
				t.Errorf("a name of the future has number %d, %v", n[0], err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		checkStoredNames(t, s, p, namesFrom(0, 200))
	}
}

// A partition that takes the place of another one has its own names, and takes them along.
func TestNamesMoveAlong(t *testing.T) {
	s := openNames(t, filepath.Join(t.TempDir(), "state.db"))
	from, to := store.Partition{Connection: "from"}, store.Partition{Connection: "to"}
	intern(t, s, to, namesFrom(0, 300), nil)
	intern(t, s, from, namesFrom(1000, 50), nil)
	if err := errors.Join(s.DropPartition(t.Context(), to), s.MovePartition(t.Context(), from, to)); err != nil {
		t.Fatal(err)
	}
	checkStoredNames(t, s, to, namesFrom(1000, 50))
	intern(t, s, from, namesFrom(0, 40), nil)
	intern(t, s, to, namesFrom(1050, 50), nil)
	checkStoredNames(t, s, from, namesFrom(0, 40))
	checkStoredNames(t, s, to, namesFrom(1000, 100))
	intern(t, s, store.Partition{Connection: "big"}, namesFrom(5000, 2000), nil) // so that the copy is made key by key
	copied, err := s.Scratch(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	//nolint:forcetypeassert // it is this package's
	c := copied.(*Store)
	intern(t, c, to, namesFrom(0, 10), nil)
	checkStoredNames(t, c, from, namesFrom(0, 40))
	checkStoredNames(t, c, to, namesFrom(0, 10))
}

// Hashes with the same beginning are told apart, and a table that grows keeps all.
func TestNameIndex(t *testing.T) {
	var x nameIndex
	var hashes []nameHash
	is := func(h *nameHash, n store.Num) (bool, error) { return hashes[n-1] == *h, nil }
	for i := range 5000 {
		h := hashName(fmt.Append(nil, i))
		switch i % 5 {
		case 0:
			binary.BigEndian.PutUint32(h[:], 0xFFFFFFFF) // the last place: they go on at the first
		case 1:
			binary.BigEndian.PutUint32(h[:], 0)
		}
		if n, err := x.find(&h, is); n != 0 || err != nil {
			t.Fatalf("hash %d is found as %d, %v, before it is there", i, n, err)
		}
		hashes = append(hashes, h)
		x.add(&h, store.Num(i+1))
	}
	for i := range hashes {
		if n, err := x.find(&hashes[i], is); n != store.Num(i+1) || err != nil {
			t.Fatalf("hash %d is found as %d, %v", i, n, err)
		}
	}
	if n := x.slots.count(); n > 2*len(hashes) {
		t.Errorf("%d slots for %d names", n, len(hashes))
	}
}

// Verify finds what is wrong with names.
func TestVerifyNames(t *testing.T) {
	p := store.Partition{Connection: "hq"}
	block := func(b *bbolt.Bucket, n store.Num) []byte { return append([]byte(nil), b.Get(numKey(n))...) }
	for name, spoil := range map[string]func(b *bbolt.Bucket) error{
		"is missing":      func(b *bbolt.Bucket) error { return b.Delete(numKey(1)) },
		"is short":        func(b *bbolt.Bucket) error { return b.Put(numKey(1), block(b, 1)[:nameSize*perBlock-1]) },
		"is long":         func(b *bbolt.Bucket) error { return b.Put(numKey(3), append(block(b, 3), make([]byte, nameSize)...)) },
		"is one too many": func(b *bbolt.Bucket) error { return b.Put(numKey(4), block(b, 3)) },
		"has no number":   func(b *bbolt.Bucket) error { return b.Put([]byte("block"), block(b, 3)) },
		"is there twice":  func(b *bbolt.Bucket) error { return b.Put(numKey(1), block(b, 2)) },
	} {
		path := filepath.Join(t.TempDir(), "state.db")
		s := openNames(t, path)
		intern(t, s, p, namesFrom(0, 100), nil)
		err := s.db.Update(func(tx *bbolt.Tx) error {
			return spoil(tx.Bucket([]byte("hq\x00")).Bucket([]byte("names")))
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if err := openNames(t, path).Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "names: ") {
			t.Errorf("a block that %s: %v", name, err)
		}
	}
}
