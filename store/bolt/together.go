package bolt

import (
	"context"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// changes are those of items that wait for their turn to write. A commit waits for the disk, so whoever has the turn makes
// the changes of all who wait, in one transaction.
type changes struct {
	mu   sync.Mutex
	list []*change
}

// change is one of them. fn may be called several times; the last one counts.
type change struct {
	fn   func(*itemsTx) error
	done chan struct{} // closed when err says what came of it
	err  error
}

func (c *changes) add(one *change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, one)
}

// take returns all that wait.
func (c *changes) take() []*change {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// withdraw takes a change back, unless somebody is at it.
func (c *changes) withdraw(one *change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.list, one)
	if at >= 0 {
		c.list = slices.Delete(c.list, at, at+1)
	}
	return at >= 0
}

// change runs fn in a transaction that it may share with others.
func (s *Store) change(ctx context.Context, fn func(*itemsTx) error) error {
	if s.holding(ctx) != nil { // fenced by leases that others do not have
		return s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (bool, error) {
			t := s.itemsTx(btx)
			err := fn(t)
			return t.changed, err
		})
	}
	if err := ended(ctx, "write state"); err != nil {
		return err
	}
	mine := &change{fn: fn, done: make(chan struct{})}
	s.changes.add(mine)
	select {
	case <-mine.done:
	case s.writer <- struct{}{}:
		s.changeAll()
	case <-ctx.Done():
		if s.changes.withdraw(mine) {
			return ended(ctx, "write state")
		}
	}
	<-mine.done
	return mine.err
}

// changeAll makes the changes of all who wait, for whoever has the token of the one writer, and gives it back.
func (s *Store) changeAll() {
	defer func() { <-s.writer }()
	s.changeTogether(s.changes.take())
}

// changeTogether makes changes and tells those who wait for them. One that fails fails alone.
func (s *Store) changeTogether(list []*change) {
	err := misuse("a change was not made: another one did not come back") // unless it did
	defer func() {
		for _, c := range list {
			c.err = err
			close(c.done)
		}
	}()
	for len(list) > 0 {
		failed := -1
		err = s.run(true, "write state", func(btx *bbolt.Tx) (bool, error) {
			t := s.itemsTx(btx)
			for i, c := range list {
				if err := c.fn(t); err != nil {
					failed = i
					return false, err
				}
			}
			return t.changed, nil
		})
		if failed < 0 {
			return
		}
		list[failed].err = err
		close(list[failed].done)
		list = slices.Delete(list, failed, failed+1)
	}
}
