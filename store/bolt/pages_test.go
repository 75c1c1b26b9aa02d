package bolt

import (
	"os"
	"strings"
	"testing"
)

// Whoever updates bbolt looks whether its pages, the beginning of its file and its names in a stack (raisedByFile) are
// still what this package takes them for.
func TestVersionOfPages(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "go.etcd.io/bbolt " + boltVersion + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod has another version of bbolt than boltVersion: %s. Compare internal/common, then change it", boltVersion)
	}
}
