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
		{"of few people two", both, directory.Deactivate, 2, 19, ""},
		{"of few people three", both, directory.Deactivate, 3, 19, "of fewer than 20 the limit is 2"},
		{"two of five", DefaultGuard(), directory.Deactivate, 2, 5, ""},
		{"all but two of sixteen", DefaultGuard(), directory.Deactivate, 14, 16, "14 of 16"},
		{"two of two", DefaultGuard(), directory.Delete, 2, 2, ""},
		{"of few as many as the operator says", Guard{directory.Deactivate: {Percent: percent(10), Minimum: 20, Few: count(5)}}, directory.Deactivate, 5, 12, ""},
		{"of few one more than the operator says", Guard{directory.Deactivate: {Percent: percent(10), Minimum: 20, Few: count(5)}}, directory.Deactivate, 6, 12, "limit is 5"},
		{"none of few", Guard{directory.Deactivate: {Percent: percent(10), Minimum: 20, Few: count(0)}}, directory.Deactivate, 1, 5, "limit is 0"},
		{"a share that lets many of few go", Guard{directory.Deactivate: {Percent: percent(50), Minimum: 20}}, directory.Deactivate, 8, 16, ""},
		{"any share", Guard{directory.Deactivate: {Percent: percent(100), Minimum: 20}}, directory.Deactivate, 4, 5, ""},
		{"a share from the first on", Guard{directory.Deactivate: {Percent: percent(10)}}, directory.Deactivate, 1, 5, "limit is 10%"},
		{"a count alone", Guard{directory.Deactivate: {Count: count(50)}}, directory.Deactivate, 14, 16, ""},
		{"changes of few people", Guard{directory.Update: {Percent: percent(50), Minimum: 20}}, directory.Update, 15, 16, ""},
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
		got := words(reasons)
		if (c.wantReason == "") != (got == "") || !strings.Contains(got, c.wantReason) {
			t.Errorf("%s: %q, want %q", c.name, got, c.wantReason)
		}
	}
}

func words(breaches []Breach) string {
	var list []string
	for _, b := range breaches {
		list = append(list, b.Text)
	}
	return strings.Join(list, "; ")
}

// Every kind is measured by itself, and agents strictly.
func TestFewAgents(t *testing.T) {
	for _, c := range []struct {
		n, of int
		want  string
	}{
		{1, 1, ""}, {1, 11, ""}, {2, 11, "2 of 11 agent records"}, {5, 11, "5 of 11 agent records"}, {2, 2, "2 of 2"},
		{2, 20, ""}, {3, 20, "limit is 10%"},
	} {
		counts := Counts{}
		for range c.n {
			counts.Add(directory.AgentRecord, directory.Deactivate)
		}
		counts.Add(directory.UserRecord, directory.Deactivate)
		got := words(DefaultGuard().Check(counts, func(k directory.RecordKind) int {
			return map[directory.RecordKind]int{directory.AgentRecord: c.of, directory.UserRecord: 800}[k]
		}))
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%d of %d agents: %q, want %q", c.n, c.of, got, c.want)
		}
	}
}

// What goes unasked never becomes less because there is one more.
func TestLimitGrowsWithThePopulation(t *testing.T) {
	last := 0
	for of := 1; of < 200; of++ {
		n := 0
		for counts := (Counts{}); ; n++ {
			counts.Add(directory.UserRecord, directory.Deactivate)
			if len(DefaultGuard().Check(counts, func(directory.RecordKind) int { return of })) > 0 || n >= of {
				break
			}
		}
		if n < last && of > 3 {
			t.Errorf("of %d people %d may go, of one less %d", of, n, last)
		}
		last = n
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
