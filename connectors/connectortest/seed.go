package connectortest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed returns the seed of a randomised test, and logs it: DIRSYNCD_SEED, or another one every time.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("DIRSYNCD_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("DIRSYNCD_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d", seed)
	return seed
}
