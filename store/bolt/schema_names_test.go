package bolt

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/directory"
)

// ToVersion5 makes a closed state file what version 5 of the schema had in its place.
func ToVersion5(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, key := range slices.Collect(partitionNames(tx)) {
			if err := errors.Join(unorderNames(tx.Bucket(key)), unchunkMembers(tx.Bucket(key))); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(metaBucket)).Put([]byte(versionKey), []byte("5"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// unorderNames puts a third of the names into the table of new ones. The order of slots is of no account here.
func unorderNames(root *bbolt.Bucket) error {
	column := root.Bucket([]byte("names"))
	if column == nil {
		return nil
	}
	tables := [2]map[byte][]byte{{}, {}}
	n, inNew := uint32(0), uint64(0)
	for _, hashes := range scan(column, nil, nil) {
		for h := range slices.Chunk(hashes, nameSize) {
			n++
			table := 0
			if n%3 == 0 {
				table = 1
				inNew++
			}
			tables[table][h[0]] = binary.BigEndian.AppendUint32(append(tables[table][h[0]], h...), n)
		}
	}
	if err := root.DeleteBucket([]byte("names")); err != nil {
		return err
	}
	for i, name := range tablesOfNames5() {
		b, err := root.CreateBucket([]byte(name))
		for slot, entries := range tables[i] {
			err = errors.Join(err, b.Put([]byte{slot, byte(i)}, entries))
		}
		if err != nil {
			return err
		}
	}
	count := root.Get([]byte(countersKey))
	_, size := binary.Uvarint(count)
	return root.Put([]byte(countersKey), slices.Concat(count[:size], binary.AppendUvarint(nil, inNew), count[size:]))
}

// unchunkMembers makes of members what versions 5 and 6 had.
func unchunkMembers(root *bbolt.Bucket) error {
	chunks := root.Bucket([]byte("members"))
	if chunks == nil {
		return nil
	}
	lows := map[string][]byte{}
	for k, value := range scan(chunks, nil, nil) {
		encoding.ParseMembers(value, func(h store.Num) bool {
			key := string(k[:4]) + string(numKey(h)[:3])
			lows[key] = append(lows[key], byte(h))
			return true
		})
	}
	if err := root.DeleteBucket([]byte("members")); err != nil {
		return err
	}
	b, err := root.CreateBucket([]byte("members"))
	for key, value := range lows {
		err = errors.Join(err, b.Put([]byte(key), value))
	}
	return err
}

// version5 makes a state file of version 5 with several partitions, of which one has no names.
func version5(t *testing.T, names int) (path string, p store.Partition) {
	t.Helper()
	path, p = filepath.Join(t.TempDir(), "state.db"), store.Partition{Connection: "hq"}
	s := openNames(t, path)
	err := s.Update(t.Context(), store.Partition{Connection: "new"}, func(w store.Writer) error { return w.PutTenant(store.TenantState{Why: "new"}) })
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), store.Partition{Connection: "one"}, func(w store.Writer) error {
		_, err := w.PutRow(&directory.Object{Kind: directory.Person, ID: "1", Handles: []string{"uid:1"}}, store.Here)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	intern(t, s, p, namesFrom(0, names), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ToVersion5(t, path)
	return path, p
}

// A state of the version before keeps the numbers of its names, and goes on from there.
func TestOrderNames(t *testing.T) {
	path, p := version5(t, 1000)
	s := openNames(t, path)
	checkStoredNames(t, s, p, namesFrom(0, 1000))
	checkStoredNames(t, s, store.Partition{Connection: "one"}, []string{"id:1", "uid:1"})
	intern(t, s, p, namesFrom(1000, 1000), nil)
	intern(t, s, store.Partition{Connection: "new"}, namesFrom(0, 10), nil)
	checkStoredNames(t, s, p, namesFrom(0, 2000))
	checkStoredNames(t, s, store.Partition{Connection: "new"}, namesFrom(0, 10))
}

// A state whose names are damaged is refused, and left as it is.
func TestOrderDamagedNames(t *testing.T) {
	for name, spoil := range map[string]func(root *bbolt.Bucket) error{
		"entry missing": func(root *bbolt.Bucket) error {
			k, _ := root.Bucket([]byte("names")).Cursor().First()
			return root.Bucket([]byte("names")).Delete(k)
		},
		"number twice": func(root *bbolt.Bucket) error {
			b := root.Bucket([]byte("names"))
			k, v := b.Cursor().First()
			v = slices.Clone(v)
			v[19] ^= 1
			return b.Put(slices.Clone(k), v)
		},
		"number too large": func(root *bbolt.Bucket) error {
			b := root.Bucket([]byte("names.new"))
			k, v := b.Cursor().First()
			v = slices.Clone(v)
			v[16] = 1
			return b.Put(slices.Clone(k), v)
		},
		"cut entry": func(root *bbolt.Bucket) error {
			b := root.Bucket([]byte("names"))
			k, v := b.Cursor().First()
			return b.Put(slices.Clone(k), slices.Clone(v[1:]))
		},
		"many counted": func(root *bbolt.Bucket) error {
			return root.Put([]byte(countersKey), []byte{255, 255, 255, 255, 15, 1})
		},
		"short counter": func(root *bbolt.Bucket) error { return root.Put([]byte(countersKey), []byte{5}) },
	} {
		path, _ := version5(t, 100)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error { return spoil(tx.Bucket([]byte("hq\x00"))) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		before := contentOf(t, path)
		s, err := Open(path, Options{})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "damaged") || !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if after := contentOf(t, path); after != before {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// contentOf says all that is in a partition of a file, in order.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	err = db.View(func(tx *bbolt.Tx) error {
		all.Write(tx.Bucket([]byte(metaBucket)).Get([]byte(versionKey)))
		root := tx.Bucket([]byte("hq\x00"))
		return root.ForEach(func(k, v []byte) error {
			all.Write(k)
			all.Write(v)
			for k, v := range scan(root.Bucket(k), nil, nil) {
				all.Write(k)
				all.Write(v)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
