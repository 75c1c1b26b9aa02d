package google

import (
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/settings/strict"
)

// TestDocumented: every key has a place in the operator's guide.
func TestDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/google.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strict.Keys(&Config{}) {
		last := key[strings.LastIndex(key, ".")+1:]
		if strings.HasPrefix(key, "customers.oauth.") {
			continue // as above
		}
		if !strings.Contains(string(guide), "`"+key) && !strings.Contains(string(guide), "`."+last+"`") && !strings.Contains(string(guide), "`"+last+"`") {
			t.Errorf("docs/google.md does not tell of %s", key)
		}
	}
	for _, list := range [][]string{userScopes(), groupScopes(), eventScopes(), licenceScopes(), chromeScopes(), mobileScopes(), resellerScopes()} {
		for _, scope := range list {
			if !strings.Contains(string(guide), "`"+scope+"`") {
				t.Errorf("docs/google.md does not tell of the scope %s", scope)
			}
		}
	}
}
