package merge

import (
	"testing"

	"dirsyncd/connectors"
)

// TestCheckBeforeAFirstSync: where there is no state yet, a probe finds nothing wrong, so that a service that is started after one starts.
func TestCheckBeforeAFirstSync(t *testing.T) {
	c := open(&Config{From: []string{"ad", "hr"}}, connectors.Env{})
	findings, err := c.Check(t.Context())
	if err != nil || len(findings) != 2 {
		t.Fatalf("findings %v, %v", findings, err)
	}
	for _, f := range findings {
		if !f.OK || f.Detail == "" {
			t.Errorf("%s: %+v", f.Subject, f)
		}
	}
}
