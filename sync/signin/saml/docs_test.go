package saml

import (
	"os"
	"strings"
	"testing"

	"dirsyncd/sync/settings/strict"
)

func TestEveryKeyIsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sign-in-saml.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strict.Keys(Config{}) {
		if key != "metadata" && !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("no word of %s", key)
		}
	}
}
