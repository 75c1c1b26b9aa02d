package bolt

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// withMembers makes a store in which so many handles have a number.
func withMembers(t *testing.T, handles int) (*Store, store.Partition, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, p := openNames(t, path), store.Partition{Connection: "hq"}
	intern(t, s, p, namesFrom(0, handles), nil)
	return s, p, path
}

// checkMembers compares a group's members with those that are wanted, ascending.
func checkMembers(t *testing.T, s *Store, p store.Partition, group store.Num, want []store.Num) {
	t.Helper()
	err := s.View(t.Context(), p, func(r store.Reader) error {
		var one, many []store.Num
		err1 := r.Members(group, func(h store.Num) bool { one = append(one, h); return true })
		err2 := r.MembersOf([]store.Num{group}, func(_, h store.Num) bool { many = append(many, h); return true })
		if !slices.Equal(one, want) || !slices.Equal(many, want) {
			t.Errorf("group %d has %d or %d members, want %d, or others", group, len(one), len(many), len(want))
		}
		first := 0
		err3 := r.Members(group, func(store.Num) bool { first++; return first < 3 })
		if first != min(3, len(want)) {
			t.Errorf("%d members came after the third was refused", first)
		}
		return errors.Join(err1, err2, err3)
	})
	if err := errors.Join(err, s.Verify(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// TestManyMembers changes the members of large and of small groups at random, as a set does, in transactions of one and of
// many changes.
func TestManyMembers(t *testing.T) {
	const handles = 6000
	s, p, _ := withMembers(t, handles)
	rnd := rand.New(rand.NewPCG(1, 2))
	sets := map[store.Num]map[store.Num]bool{1: {}, 2: {}, handles: {}}
	for round, size := range []int{1, 3000, 5, 700, 1, 2500, 4000, 513, 3, 6000, 6000, 100} {
		err := s.Update(t.Context(), p, func(w store.Writer) error {
			for range 1 + round%3 {
				for group, set := range sets {
					if err := changeAtRandom(t, w, rnd, group, set, min(size, handles), handles); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for group, set := range sets {
			var want []store.Num
			for h := store.Num(1); h <= handles; h++ {
				if set[h] {
					want = append(want, h)
				}
			}
			checkMembers(t, s, p, group, want)
		}
	}
}

// changeAtRandom adds or removes so many handles, some of them twice, and checks what the store says of it.
func changeAtRandom(t *testing.T, w store.Writer, rnd *rand.Rand, group store.Num, set map[store.Num]bool, size, handles int) error {
	list, remove := make([]store.Num, size), rnd.IntN(2) == 0
	for i := range list {
		list[i] = store.Num(1 + rnd.IntN(handles))
	}
	var want []store.Num
	for _, h := range slices.Compact(slices.Sorted(slices.Values(list))) {
		if set[h] == remove {
			want = append(want, h)
			set[h] = !remove
		}
	}
	change := w.AddMembers
	if remove {
		change = w.RemoveMembers
	}
	changed, err := change(group, list, nil)
	if !slices.Equal(changed, want) {
		t.Errorf("%d of %d handles have changed group %d, want %d, or others", len(changed), size, group, len(want))
	}
	return err
}

// A group that grows by and by has full chunks, and a change of it touches one of them.
func TestChunksAreFull(t *testing.T) {
	const handles = 20_000
	s, p, _ := withMembers(t, handles)
	var all []store.Num
	for h := store.Num(1); h <= handles; h++ {
		all = append(all, h)
	}
	for page := range slices.Chunk(all, 100) {
		err := s.Update(t.Context(), p, func(w store.Writer) error { _, err := w.AddMembers(1, page, nil); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	checkMembers(t, s, p, 1, all)
	chunks, largest := 0, 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, v := range scan(tx.Bucket([]byte("hq\x00")).Bucket([]byte("members")), nil, nil) {
			chunks++
			largest = max(largest, len(v))
		}
		return nil
	})
	if err != nil || chunks > 2*handles/maxChunk+1 || largest > 1500 {
		t.Errorf("%d chunks of %d bytes at most, %v", chunks, largest, err)
	}
}

// Verify finds what is wrong with chunks, and who reads them does where that can be seen.
func TestVerifyMembers(t *testing.T) {
	p := store.Partition{Connection: "hq"}
	for name, test := range map[string]struct {
		spoil func(b *bbolt.Bucket, k, v []byte) error
		read  bool // Members fails, too
	}{
		"cut":               {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(k, append(v, 0x80)) }, true},
		"empty":             {func(b *bbolt.Bucket, k, _ []byte) error { return b.Put(k, nil) }, true},
		"nobody twice":      {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(k, append(v, 0)) }, true},
		"too large":         {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(k, binary.AppendUvarint(v, 1<<40)) }, true},
		"short key":         {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(k[:7], v) }, true},
		"beyond its bound":  {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(append(k[:4:4], numKey(5)...), v) }, false},
		"of a chunk before": {func(b *bbolt.Bucket, k, v []byte) error { return b.Put(append(k[:4:4], numKey(90)...), v) }, false},
	} {
		s, _, path := withMembers(t, 100)
		err := s.Update(t.Context(), p, func(w store.Writer) error { _, err := w.AddMembers(1, []store.Num{3, 7, 80}, nil); return err })
		if err != nil {
			t.Fatal(err)
		}
		err = s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("hq\x00")).Bucket([]byte("members"))
			k, v := b.Cursor().First()
			return test.spoil(b, slices.Clone(k), slices.Clone(v))
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		s = openNames(t, path)
		if err := s.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "members: ") {
			t.Errorf("a chunk that is %s: %v", name, err)
		}
		err = s.View(t.Context(), p, func(r store.Reader) error { return r.Members(1, func(store.Num) bool { return true }) })
		if (err != nil) != test.read {
			t.Errorf("members of a chunk that is %s: %v", name, err)
		}
	}
}

// Members of the versions before are the same in chunks.
func TestChunkMembers(t *testing.T) {
	s, p, path := withMembers(t, 5000)
	var some, many []store.Num
	for h := store.Num(1); h <= 5000; h++ {
		if h%3 == 0 {
			many = append(many, h)
		}
		if h%700 == 0 {
			some = append(some, h)
		}
	}
	err := s.Update(t.Context(), p, func(w store.Writer) error {
		_, err1 := w.AddMembers(1, some, nil)
		_, err2 := w.AddMembers(7, many, nil)
		_, err3 := w.AddMembers(5000, some, nil)
		return errors.Join(err1, err2, err3)
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	ToVersion5(t, path)
	s = openNames(t, path)
	checkMembers(t, s, p, 1, some)
	checkMembers(t, s, p, 7, many)
	checkMembers(t, s, p, 5000, some)
	checkMembers(t, s, p, 8, nil)
}

// FuzzParseChunk: a chunk that is read is the one that was written.
func FuzzParseChunk(f *testing.F) {
	f.Add(encoding.AppendMembers(nil, []store.Num{1, 2, 300, maxNum}))
	f.Add([]byte{0})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1})
	f.Fuzz(func(t *testing.T, value []byte) {
		var list []store.Num
		if !encoding.ParseMembers(value, func(h store.Num) bool { list = append(list, h); return true }) {
			return
		}
		for i, h := range list {
			if h == 0 || i > 0 && h <= list[i-1] {
				t.Fatalf("%v is not in order", list)
			}
		}
		if len(list) == 0 {
			t.Error("an empty chunk was read")
		}
		var again []store.Num
		encoding.ParseMembers(encoding.AppendMembers(nil, list), func(h store.Num) bool { again = append(again, h); return true })
		if !slices.Equal(again, list) {
			t.Errorf("%v came back as %v", list, again)
		}
	})
}
