package connectortest

import (
	"os"
	"strconv"
	"testing"
)

// Seed returns the seed of a randomised test: DIRSYNCD_SEED, or 0, so that the test does the same every time. A failure
// says how to repeat it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("DIRSYNCD_SEED")
	if text == "" {
		return 0
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("DIRSYNCD_SEED: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with DIRSYNCD_SEED=%d", seed)
		}
	})
	return seed
}
