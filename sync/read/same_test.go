package read

import (
	"errors"
	"testing"
	"testing/synctest"

	"dirsyncd/connectors"
	"dirsyncd/store"
)

// Whoever asks for a digest waits until it is matched, or until there is nothing more to match. Whoever stores a page never waits.
func TestSameWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &same{known: map[connectors.Digest]store.Num{}}
		s.grown.L = &s.mu
		digests := []connectors.Digest{{1}, {2}, {3}}
		answers := make([]chan bool, len(digests))
		for i, d := range digests {
			answers[i] = make(chan bool, 1)
			go func() { answers[i] <- s.knows(d) }()
		}
		state := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for i := range answers {
				got := "waits"
				select {
				case known := <-answers[i]:
					if got = "unknown"; known {
						got = "known"
					}
				default:
				}
				if got != want[i] {
					t.Errorf("digest %d %s, want %s", i, got, want[i])
				}
			}
		}
		state("waits", "waits", "waits")
		if n := s.numOf(digests[0]); n != 0 {
			t.Errorf("number %d of one that is not matched", n)
		}
		s.add([]candidate{{triple: triple{num: 7, digest: digests[1]}}})
		state("waits", "known", "waits")
		ouch := errors.New("ouch")
		s.end(ouch)
		state("unknown", "waits", "unknown")
		if err := s.failed(); !errors.Is(err, ouch) || s.numOf(digests[1]) != 7 {
			t.Errorf("%v", err)
		}
	})
}
