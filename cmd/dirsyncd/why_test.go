package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
)

func TestWhyShowsEverythingOnce(t *testing.T) {
	record := func(state, reason string) *api.RecordReason {
		return &api.RecordReason{State: state, Reason: reason, Rule: "everyone", Run: "run-1", Changed: at(time.Hour),
			Fields: []api.RecordField{{Field: "email", Value: "ada@example.test", Since: at(time.Hour)}}}
	}
	failure := `rule "everyone": field "hired": not a date`
	for name, tc := range map[string]struct {
		reason      api.Reason
		says, never []string
	}{
		"a leaver": {
			api.Reason{Gone: "removed at the source", Record: record("deactivated", "removed at the source")},
			[]string{"deactivated (removed at the source)", "LAST VALUE", "ada@example.test"}, []string{"gone:", "no rule sets it"},
		},
		"one whose removal waits": {
			api.Reason{Gone: "not in the connection's edited scope", Record: record("active", ""), Waiting: true},
			[]string{"gone: not in the connection's edited scope", "LAST VALUE"}, []string{"no rule sets it"},
		},
		"an agent": {
			api.Reason{Others: []api.OtherRecord{{Kind: "agent", Key: "hq/1", State: "active"}}},
			[]string{"no record of kind user was ever sent", "record of kind agent, active", "`dirsyncd why agent hq/1`"}, nil,
		},
		"a manager without a record": {
			api.Reason{Record: record("active", ""), Fields: []api.FieldReason{{Field: "manager", Expression: "= manager.key", Error: "the manager has no record"}}},
			[]string{"the manager has no record"}, nil,
		},
		"parked by the rules": {api.Reason{Parked: failure, Error: failure}, []string{"parked: " + failure}, []string{"the rules fail"}},
		"parked before":       {api.Reason{Parked: "other", Error: failure}, []string{"parked: other", "the rules fail: " + failure}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fake := sample()
			fake.WhyFunc = func(context.Context, string, string) ([]api.Reason, error) {
				tc.reason.Kind, tc.reason.Key = "user", "hq/1"
				return []api.Reason{tc.reason}, nil
			}
			c := newCommandLine(t, fake)
			c.run("why", "user", "1")
			text := c.stdout.String()
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing:\n%s", want, text)
				}
			}
			for _, not := range tc.never {
				if strings.Contains(text, not) {
					t.Errorf("%q is there:\n%s", not, text)
				}
			}
		})
	}
}
