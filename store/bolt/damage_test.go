package bolt_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestDamagedPages spoils pages of a state file in many ways. The store may work on, if nothing looked at the
// spoilt page, or give a classified error; it must never end the process, hang, or change a file that it
// refuses to open.
func TestDamagedPages(t *testing.T) {
	whole := read(t, stateFile(t))
	dir := t.TempDir()
	failed := 0
	for seed := range uint64(300) {
		data := spoil(bytes.Clone(whole), rand.New(rand.NewPCG(seed, 0)))
		path := filepath.Join(dir, fmt.Sprint(seed))
		write(t, path, data)
		s, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			checkFault(t, err, fault.Internal, "damaged", path)
			if !bytes.Equal(data, read(t, path)) {
				t.Errorf("seed %d: a file was changed that could not be opened", seed)
			}
			failed++
			continue
		}
		if errs := useAll(t, s); len(errs) > 0 {
			failed++
			for _, err := range errs {
				checkFault(t, err, fault.Internal, "damaged", path)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("seed %d: close: %v", seed, err)
		}
		if err := tryLock(path); err != nil {
			t.Errorf("seed %d: the file is still locked: %v", seed, err)
		}
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d files were found to be damaged", failed)
	if failed < 100 {
		t.Error("hardly any damage was noticed")
	}
}

// TestVerifyFile: a file whose pages are all a little damaged is refused before bbolt, which believes them, reads any but the
// first two.
func TestVerifyFile(t *testing.T) {
	path := stateFile(t)
	if err := bolt.VerifyFile(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	for at := range 128 {
		data := bytes.Clone(whole)
		for page := 2 * 4096; page < len(data); page += 4096 {
			data[page+at] ^= 0xff
		}
		write(t, path, data)
		checkFault(t, bolt.VerifyFile(t.Context(), path), fault.Internal, "damaged", path)
	}
}

// spoil changes one page behind the headers.
func spoil(data []byte, rnd *rand.Rand) []byte {
	const size = 4096
	n := 2 + rnd.IntN(len(data)/size-2)
	page := data[n*size : (n+1)*size]
	switch rnd.IntN(5) {
	case 0:
		clear(page)
	case 1:
		for i := range page {
			page[i] = byte(rnd.Uint32())
		}
	case 2: // beyond its own header
		for i := 16; i < size; i++ {
			page[i] = byte(rnd.Uint32())
		}
	case 3: // another page in its place
		copy(page, data[(2+rnd.IntN(len(data)/size-2))*size:][:size])
	case 4:
		for range 20 {
			page[16+rnd.IntN(size-16)] ^= byte(1 + rnd.IntN(255))
		}
	}
	return data
}

// useAll does everything that can be done with a store and returns the errors.
func useAll(t *testing.T, s *bolt.Store) (errs []error) {
	t.Helper()
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	note(s.Verify(t.Context()))
	note(s.View(t.Context(), hq, func(r store.Reader) error {
		if err := r.Rows(directory.Person, 0, func(store.Row) bool { return true }); err != nil {
			return err
		}
		return r.Outbox("journal", 0, func(store.Queued) bool { return true })
	}))
	if len(errs) > 0 {
		return errs // to write now would only spread the damage
	}
	note(s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, 5) }))
	return errs
}

// TestTruncatedWhileOpen cuts the file off under a running store: an access to what is gone is an error, not
// the end of the process.
func TestTruncatedWhileOpen(t *testing.T) {
	path := stateFile(t)
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := s.View(t.Context(), hq, func(r store.Reader) error {
			return r.Rows(directory.Person, 0, func(store.Row) bool { return true })
		})
		checkFault(t, err, fault.Internal, "damaged", path)
		err = s.Update(t.Context(), hq, func(w store.Writer) error { return writeBatch(w, 5) })
		checkFault(t, err, fault.Internal, "damaged", path)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A mistake of the caller is not taken for a damaged file.
func TestPanicOfCaller(t *testing.T) {
	s := openStore(t, bolt.Options{NoSync: true})
	fill(t, s)
	for name, mistake := range map[string]func(){
		"nil":   func() { var p *time.Time; _ = p.Unix() },
		"index": func() { list := []int{1}; i := len(list); _ = list[i] },
		"value": func() { panic("ouch") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
				checkBatches(t, s, 5)
			}()
			err := s.Update(t.Context(), hq, func(w store.Writer) error {
				if err := writeBatch(w, 5); err != nil {
					return err
				}
				return w.Rows(directory.Person, 0, func(store.Row) bool { mistake(); return true })
			})
			t.Errorf("update returned %v", err)
		})
	}
}
