package expression

import (
	"strings"
	"testing"
	"time"
)

// TestMoments: what is asked of a date is asked of the input's moment, and the evaluation knows when an answer changes.
func TestMoments(t *testing.T) {
	seen := time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC) // jane's last_login
	day := 24 * time.Hour
	for _, c := range []struct {
		text string
		at   time.Time
		want bool
		next time.Time
	}{
		{`older_than(last_login, "90d")`, seen.Add(90*day - time.Second), false, seen.Add(90 * day)},
		{`older_than(last_login, "90d")`, seen.Add(90 * day), true, time.Time{}},
		{`not older_than(last_login, "12w6d")`, seen, true, seen.Add(90 * day)},
		{`past(last_login)`, seen.Add(-1), false, seen},
		{`past(last_login)`, seen, true, time.Time{}},
		{`due_within(last_login, "14d")`, seen.Add(-14*day - time.Second), false, seen.Add(-14 * day)},
		{`due_within(last_login, "1w7d")`, seen.Add(-14 * day), true, time.Time{}},
		{`due_within(last_login, "14d")`, seen.Add(day), true, time.Time{}},
		// What is not evaluated is not awaited; of several the first is.
		{`enabled or past(last_login)`, seen.Add(-day), true, time.Time{}},
		{`older_than(last_login, "1d") or older_than(last_login, "1h30m")`, seen, false, seen.Add(90 * time.Minute)},
		{`last_login != nil and older_than(last_login, "1d")`, seen, false, seen.Add(day)},
		{`created != nil and older_than(created, "1d")`, seen, false, time.Time{}},
		{`older_than(created ?? last_login, "1d")`, seen, false, seen.Add(day)},
		{`let t = last_login; any(emails, older_than(t, "2d"))`, seen, false, seen.Add(2 * day)},
		// Nothing of it is computed when the rule is compiled, where there is no moment.
		{`past(date("2026-02-01"))`, seen, false, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
		{`past(date("2026-01-01"))`, seen, true, time.Time{}},
		{`any(["2026-01-01"], past(date(#)))`, seen, true, time.Time{}},
		{`(past(date("2026-01-01")) ? "over" : "not") == "over"`, seen, true, time.Time{}},
	} {
		x, diagnostics := people().Condition(c.text)
		if diagnostics != nil || !x.Timed() {
			t.Errorf("%s: %+v", c.text, diagnostics)
			continue
		}
		in := jane()
		in.At = c.at
		e := NewEvaluator([]*Expression{x}).Begin(in)
		got, err := e.Truth(x)
		if err != nil || got != c.want || !e.Next().Equal(c.next) {
			t.Errorf("%s at %v: %v until %v, %v; want %v until %v", c.text, c.at, got, e.Next(), err, c.want, c.next)
		}
		// Until then it stays so, and then it does not.
		if next := e.Next(); !next.IsZero() {
			before := again(t, x, next.Add(-1))
			if before != got || again(t, x, next) == got && !strings.Contains(c.text, " or ") {
				t.Errorf("%s: changes at another moment than %v", c.text, next)
			}
		}
		e.End()
	}
	if x, _ := people().Condition(`created < date("2026-01-31")`); x.Timed() {
		t.Error("a fixed date is no question about time")
	}
}

func again(t *testing.T, x *Expression, at time.Time) bool {
	t.Helper()
	in := jane()
	in.At = at
	e := NewEvaluator([]*Expression{x}).Begin(in)
	defer e.End()
	got, err := e.Truth(x)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMomentProblems(t *testing.T) {
	for text, want := range map[string]string{
		`older_than(last_login, "90")`:           "not a length of time",
		`older_than(last_login, "0d")`:           "not a length of time",
		`older_than(last_login, "-1d")`:          "not a length of time",
		`older_than(last_login, "1d 2h")`:        "not a length of time",
		`older_than(last_login, "2h1d")`:         "not a length of time",
		`older_than(last_login, "1.5d")`:         "not a length of time",
		`older_than(last_login, "")`:             "not a length of time",
		`older_than(last_login, "99999w")`:       "not a length of time",
		`older_than(last_login, name)`:           "must be a literal",
		`older_than(last_login, 90)`:             "cannot use whole number",
		`older_than(last_login)`:                 "not enough arguments",
		`older_than(name, "90d")`:                "cannot use text",
		`past()`:                                 "not enough arguments",
		`past(nil)`:                              "cannot",
		`past(last_login, "1d")`:                 "too many arguments",
		`last_login < now()`:                     "no now()",
		`due_within(last_login, "14" + "d")`:     "must be a literal",
		`older_than("2026-01-31", "90d")`:        "cannot use text",
		`older_than(last_login, "1d") == "true"`: "do not fit",
	} {
		x, diagnostics := people().Condition(text)
		if x != nil || len(diagnostics) == 0 || !strings.Contains(diagnostics[0].Message, want) {
			t.Errorf("%s: %+v, want %q", text, diagnostics, want)
		}
	}
	// A date that nobody told stops the rule, as everywhere.
	x, diagnostics := people().Condition(`older_than(created, "1d")`)
	if diagnostics != nil {
		t.Fatal(diagnostics)
	}
	e := NewEvaluator([]*Expression{x}).Begin(jane())
	if _, err := e.Truth(x); err == nil || !strings.Contains(err.Error(), "did not tell created") {
		t.Error(err)
	}
}
