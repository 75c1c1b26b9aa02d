package plan

import (
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func TestGuard(t *testing.T) {
	count := func(n int) *int { return &n }
	percent := func(p float64) *float64 { return &p }
	both := Guard{directory.Deactivate: {Count: count(50), Percent: percent(10), Minimum: 20}}
	for _, c := range []struct {
		name       string
		guard      Guard
		op         directory.Op
		n, of      int
		wantReason string
	}{
		{"under both limits", both, directory.Deactivate, 50, 1000, ""},
		{"over the count", both, directory.Deactivate, 51, 1000, "limit is 50"},
		{"over the percentage", both, directory.Deactivate, 11, 100, "limit is 10%"},
		{"at the percentage", both, directory.Deactivate, 10, 100, ""},
		{"too few people for a percentage", both, directory.Deactivate, 5, 19, ""},
		{"an operation without a limit", both, directory.Create, 100000, 0, ""},
		{"everybody, however few", both, directory.Deactivate, 5, 5, "all 5"},
		{"one of one", both, directory.Deactivate, 1, 1, ""},
		{"everybody without any guard", Guard{}, directory.Delete, 12, 12, "all 12"},
		{"everybody, expressly allowed", Guard{directory.Delete: {Count: count(100)}}, directory.Delete, 12, 12, ""},
		{"the default", DefaultGuard(), directory.Deactivate, 100, 900, "limit is 10%"},
		{"the default lets a few go", DefaultGuard(), directory.Deactivate, 90, 900, ""},
		{"a limit on creates", Guard{directory.Create: {Count: count(0)}}, directory.Create, 1, 10, "limit is 0"},
	} {
		counts := Counts{}
		for range c.n {
			counts.Add(directory.UserRecord, c.op)
		}
		reasons := c.guard.Check(counts, func(k directory.RecordKind) int {
			if k == directory.UserRecord {
				return c.of
			}
			return 0
		})
		got := strings.Join(reasons, "; ")
		if (c.wantReason == "") != (got == "") || !strings.Contains(got, c.wantReason) {
			t.Errorf("%s: %q, want %q", c.name, got, c.wantReason)
		}
	}
}

func TestCountIsOverAllKinds(t *testing.T) {
	fifty := 50
	counts := Counts{}
	for range 30 {
		counts.Add(directory.UserRecord, directory.Deactivate)
		counts.Add(directory.AgentRecord, directory.Deactivate)
	}
	guard := Guard{directory.Deactivate: {Count: &fifty}}
	if reasons := guard.Check(counts, func(directory.RecordKind) int { return 1000 }); len(reasons) != 1 {
		t.Errorf("60 removals of two kinds under a limit of 50: %v", reasons)
	}
}
