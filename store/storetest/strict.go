package storetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"dirsyncd/store"
)

// Strict returns a store that holds those who use it to the contract, where s itself is more lenient. It fails the test
// when a callback of a Reader or Writer calls that Reader or Writer, or when one is called after its transaction;
// each place in the code is told once. It spoils what was lent when it is no longer valid: bytes and handles when the
// callback returns or, of Row and RowsOf, when the transaction ends. And it calls the function of every Update twice:
// what the first call writes is rolled back. A function that is not repeatable shows in what the test looks at.
func Strict(t testing.TB, s store.Store) store.Store {
	return &strict{Store: s, told: &told{t: t, places: map[string]bool{}}}
}

type strict struct {
	store.Store
	told *told
}

// told fails the test, once per message.
type told struct {
	t      testing.TB
	mu     sync.Mutex
	places map[string]bool
}

func (t *told) errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.places[text] {
		t.places[text] = true
		t.t.Error(text)
	}
}

// View implements store.Store.
func (s *strict) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return s.Store.View(ctx, p, func(r store.Reader) error {
		use := &strictUse{told: s.told}
		defer use.end()
		return fn(&strictReader{r: r, strictUse: use})
	})
}

// errThrownAway ends the first attempt at an Update.
var errThrownAway = errors.New("the first attempt is thrown away")

// Update implements store.Store.
func (s *strict) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	attempt := func(w store.Writer) error {
		use := &strictUse{told: s.told}
		defer use.end()
		return fn(&strictWriter{strictReader: strictReader{r: w, strictUse: use}, w: w})
	}
	err := s.Store.Update(ctx, p, func(w store.Writer) error {
		_ = attempt(w) // the second one says the same
		return errThrownAway
	})
	if !errors.Is(err, errThrownAway) {
		return err
	}
	return s.Store.Update(ctx, p, attempt)
}

// Ledger implements store.Store.
func (s *strict) Ledger(ctx context.Context, name string, fn func(was []byte) (is []byte, err error)) error {
	err := s.Store.Ledger(ctx, name, func(was []byte) ([]byte, error) {
		_, _ = fn(was) // the second one says the same
		return nil, errThrownAway
	})
	if !errors.Is(err, errThrownAway) {
		return err
	}
	return s.Store.Ledger(ctx, name, fn)
}

// Scratch implements store.Store.
func (s *strict) Scratch(ctx context.Context, parts ...store.Partition) (store.Store, error) {
	copied, err := s.Store.Scratch(ctx, parts...)
	if err != nil {
		return nil, err
	}
	return &strict{Store: copied, told: s.told}, nil
}

// strictUse is what a transaction is used for at the moment.
type strictUse struct {
	told *told
	busy string // the iteration under way, and where it was begun
	over bool
	lent []store.Row // until the end
}

// call notes that a method is called.
func (u *strictUse) call(method string) {
	switch {
	case u.over:
		u.told.errorf("%s is called after its transaction, at %s", method, caller())
	case u.busy != "":
		u.told.errorf("%s is called by a callback, at %s, of %s", method, caller(), u.busy)
	}
}

// iterate notes that an iteration begins; the function that it returns notes that it is over.
func (u *strictUse) iterate(method string) (end func()) {
	u.call(method)
	outer := u.busy
	u.busy = method + ", at " + caller()
	return func() { u.busy = outer }
}

// lend returns a copy of a row that is spoilt when the transaction ends.
func (u *strictUse) lend(row store.Row) store.Row {
	row = copyRow(row)
	u.lent = append(u.lent, row)
	return row
}

func (u *strictUse) end() {
	u.over = true
	for _, row := range u.lent {
		spoilRow(row)
	}
}

func copyRow(row store.Row) store.Row {
	if row.Num != 0 {
		row.Data = append([]byte(nil), row.Data...)
		row.Handles = append([]store.Num(nil), row.Handles...)
	}
	return row
}

func spoilRow(row store.Row) {
	spoil(row.Data)
	for i := range row.Handles {
		row.Handles[i] = 1<<32 - 1
	}
}

func spoil(data []byte) {
	for i := range data {
		data[i] = 0xFF
	}
}

// lendBytes calls fn with a copy that is spoilt when it returns.
func lendBytes(data []byte, fn func([]byte) bool) bool {
	data = append(make([]byte, 0, len(data)), data...)
	defer spoil(data)
	return fn(data)
}

// caller names the place in the code that called the wrapper.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.Contains(frame.Function, "storetest.(*strict") || !more {
			return fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(frame.File)), filepath.Base(frame.File)), frame.Line)
		}
	}
}
