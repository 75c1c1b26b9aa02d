package cases

import (
	"strings"
	"testing"
)

// TestMoment: a case says when it is, where rules ask about time.
func TestMoment(t *testing.T) {
	rs := compile(t, `
rules: [{name: everyone, user: {name: = name}}]
devices:
  - {name: not seen for long, when: 'last_seen != nil and older_than(last_seen, "90d")', ignore: true}
  - {name: others, asset: {name: = name}}
`)
	device := m{"name": "pc", "last_seen": "2026-01-01"}
	for _, c := range []struct {
		c    Case
		want string
	}{
		{Case{Device: device, At: "2026-03-31", Want: Want{Rule: "others"}}, ""},
		{Case{Device: device, At: "2026-04-01", Want: Want{Ignored: true}}, ""},
		{Case{Device: device, At: "2026-04-01T00:00:00+01:00", Want: Want{Rule: "others"}}, ""},
		{Case{Device: device, Want: Want{Rule: "others"}}, "needs a moment"},
		{Case{Device: device, At: "soon", Want: Want{Rule: "others"}}, "at: must be a date"},
	} {
		got := Run(rs, c.c)
		if c.want == "" && !got.Passed() || c.want != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.want)) {
			t.Errorf("%+v: %v %v, want %q", c.c, got.Differences, got.Err, c.want)
		}
	}
}
