package expression

import (
	"os"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/expr-lang/expr " + Version + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod has another version of the expression language than Version: %s", Version)
	}
}
