package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

func itemStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// transactions is the number of the last one.
func transactions(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// queued waits until so many changes wait for their turn.
func queued(s *Store, n int) {
	for {
		s.changes.mu.Lock()
		waiting := len(s.changes.list)
		s.changes.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// Changes that wait together are one transaction; one that fails, or is given up, does so alone.
func TestItemsTogether(t *testing.T) {
	s := itemStore(t)
	s.maxItems = 21
	items := s.Items()
	if err := items.Put(t.Context(), "full", manyItems(21)...); err != nil {
		t.Fatal(err)
	}
	before := transactions(t, s)
	s.writer <- struct{}{} // as a settlement has it
	var done sync.WaitGroup
	for i := range 20 {
		done.Go(func() {
			if err := items.Put(t.Context(), "session", store.Item{Key: fmt.Append(nil, i)}); err != nil {
				t.Error(err)
			}
		})
	}
	queued(s, 20)
	var full error
	done.Go(func() { full = items.Put(t.Context(), "full", store.Item{Key: []byte("x")}) })
	queued(s, 21)
	ctx, cancel := context.WithCancel(t.Context())
	var canceled error
	done.Go(func() { canceled = items.Put(ctx, "session", store.Item{Key: []byte("never")}) })
	queued(s, 22)
	cancel()
	queued(s, 21)
	if _, ok, err := items.Get(t.Context(), "session", []byte("1")); ok || err != nil {
		t.Errorf("read while others wait: %v, %v", ok, err)
	}
	<-s.writer
	done.Wait()
	if after := transactions(t, s); after != before+1 {
		t.Errorf("%d transactions for changes that waited together", after-before)
	}
	if n, err := items.Count(t.Context(), "session"); n != 20 || err != nil {
		t.Errorf("%d items, %v", n, err)
	}
	if fault.ClassOf(full) != fault.Throttled || !errors.Is(canceled, context.Canceled) {
		t.Errorf("too many: %v; given up: %v", full, canceled)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func manyItems(n int) (list []store.Item) {
	for i := range n {
		list = append(list, store.Item{Key: fmt.Append(nil, i), Owners: [][]byte{[]byte("o")}, Until: time.Unix(int64(i), 0)})
	}
	return list
}

// What is not there is neither written nor waited for.
func TestItemsNothingToWrite(t *testing.T) {
	s := itemStore(t)
	items := s.Items()
	if fresh, err := items.Once(t.Context(), []byte("used"), time.Unix(1e9, 0)); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
	before := transactions(t, s)
	s.writer <- struct{}{}
	for range 100 {
		_, taken, err1 := items.Take(t.Context(), "code", []byte("guess"))
		fresh, err2 := items.Once(t.Context(), []byte("used"), time.Unix(1e9, 0))
		expired, err3 := items.Expire(t.Context(), time.Unix(1, 0), 10)
		if err := errors.Join(err1, err2, err3); taken || fresh || expired != 0 || err != nil {
			t.Fatal(taken, fresh, expired, err)
		}
	}
	<-s.writer
	if _, err := items.Delete(t.Context(), "code", []byte("guess")); err != nil {
		t.Fatal(err)
	}
	if after := transactions(t, s); after != before {
		t.Errorf("%d transactions", after-before)
	}
}

func TestVerifyItems(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(root *bbolt.Bucket) error
		want  string
	}{
		"sound": {spoil: func(*bbolt.Bucket) error { return nil }},
		"damaged": {
			spoil: func(b *bbolt.Bucket) error { return b.Bucket([]byte(itemsOf)).Put([]byte("session\x003"), []byte{9}) },
			want:  `an item of "session" is damaged`,
		},
		"no time": {
			spoil: func(b *bbolt.Bucket) error { return dropFirst(b.Bucket([]byte(itemUntil))) },
			want:  `items, until: an item of "session" is missing`,
		},
		"no owner": {
			spoil: func(b *bbolt.Bucket) error { return dropFirst(b.Bucket([]byte(itemOwners))) },
			want:  `items, owners: an item of "session" is missing`,
		},
		"an owner's that is not there": {
			spoil: func(b *bbolt.Bucket) error {
				return b.Bucket([]byte(itemOwners)).Put(itemOwnerKey("session", []byte("o"), []byte("x")), nil)
			},
			want: "items, owners: 6 entries are there, 5 are due",
		},
		"miscounted": {
			spoil: func(b *bbolt.Bucket) error { return b.Bucket([]byte(itemCounts)).Put([]byte("session\x00"), seqKey(4)) },
			want:  `items, counts: 4 of "session" are counted, 5 are there`,
		},
		"not counted": {
			spoil: func(b *bbolt.Bucket) error { return b.Bucket([]byte(itemCounts)).Delete([]byte("session\x00")) },
			want:  `items, counts: those of "session" are not counted`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := itemStore(t)
			if err := s.Items().Put(t.Context(), "session", manyItems(5)...); err != nil {
				t.Fatal(err)
			}
			if err := s.db.Update(func(tx *bbolt.Tx) error { return test.spoil(tx.Bucket([]byte(itemsBucket))) }); err != nil {
				t.Fatal(err)
			}
			err := s.Verify(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func dropFirst(b *bbolt.Bucket) error {
	k, _ := b.Cursor().First()
	return b.Delete(k)
}
