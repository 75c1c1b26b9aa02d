package bolt_test

import (
	"path/filepath"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openStore(t, bolt.Options{NoSync: true}) })
}

// openStore opens a new state file that is closed when the test ends.
func openStore(t testing.TB, opts bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), opts)
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
