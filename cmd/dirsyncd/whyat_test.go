package main

import (
	"context"
	"strings"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
)

// TestWhyAtOfMembers: that members are not worked back is said of what has members, and of nothing else.
func TestWhyAtOfMembers(t *testing.T) {
	for _, tc := range []struct {
		kind, state string
		says        bool
	}{{"group", "active", true}, {"licence", "", true}, {"group", "absent", false}, {"user", "active", false}} {
		c := newCommandLine(t, &apitest.Fake{WhyAtFunc: func(context.Context, api.WhyAtRequest) ([]api.Past, error) {
			return []api.Past{{Kind: tc.kind, Key: "hq/7", State: tc.state, At: testNow}}, nil
		}})
		if code := c.run("why", tc.kind, "staff", "--at", "24h"); code != exitClean || strings.Contains(strings.Join(strings.Fields(c.stdout.String()), " "), "--who hq/7") != tc.says {
			t.Errorf("%s, %q: exit code %d, printed %q", tc.kind, tc.state, code, c.stdout.String())
		}
	}
}
