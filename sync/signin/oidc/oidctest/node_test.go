package oidctest

import (
	"strings"
	"testing"
)

// TestTooOld: a Node.js that will not do is told with what to do about it, and is no reason to pass over a test that must not be.
func TestTooOld(t *testing.T) {
	for version, old := range map[string]bool{"18.20.4": true, "20.0.0": false, "22.3.1": false, "": true, "v20.1.0": true} {
		if what := tooOld(version); (what != "") != old || old && !strings.Contains(what, "npm install --global --prefix /opt/node20 node@20") {
			t.Errorf("%q: %q", version, what)
		}
	}
}
