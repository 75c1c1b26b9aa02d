package plan

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

func always(op directory.Op) func(directory.RecordKind) Leaver {
	return func(directory.RecordKind) Leaver { return Leaver{Op: op} }
}

// TestGrace: a record that was deactivated is deleted when its time is over, and not while its object has another one.
func TestGrace(t *testing.T) {
	user := func(active bool) *directory.Record { return record(directory.UserRecord, active, "name", "Jane") }
	agent := func(active bool) *directory.Record { return record(directory.AgentRecord, active, "name", "Jane") }
	since := func(rec *directory.Record, seconds int64) *directory.Record {
		rec.Changed.Time = time.Unix(seconds, 0).UTC()
		return rec
	}
	gone := func(rec *directory.Record) *directory.Record { rec.Active, rec.Deleted = false, true; return rec }
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	kept := func(after int) func(directory.RecordKind) Leaver {
		return func(directory.RecordKind) Leaver {
			return Leaver{directory.Deactivate, time.Duration(after) * time.Second}
		}
	}
	for name, c := range map[string]struct {
		before []*directory.Record
		wants  []Want
		leaver func(directory.RecordKind) Leaver
		kept   bool
		at     int64
		want   string
		due    time.Time
	}{
		"leaves":                 {before: []*directory.Record{user(true)}, leaver: kept(500), at: 2000, want: "deactivate user", due: at(2500)},
		"in its time":            {before: []*directory.Record{user(false)}, leaver: kept(500), at: 1499, due: at(1500)},
		"at its end":             {before: []*directory.Record{user(false)}, leaver: kept(500), at: 1500, want: "delete user forget"},
		"for ever":               {before: []*directory.Record{user(false)}, leaver: kept(0), at: 1e9},
		"returns":                {before: []*directory.Record{user(false)}, wants: []Want{want(directory.UserRecord, "name", "Jane")}, leaver: kept(500), at: 1500, want: "reactivate user"},
		"is another kind now":    {before: []*directory.Record{user(false), agent(true)}, wants: []Want{want(directory.AgentRecord, "name", "Jane")}, leaver: kept(500), at: 9000},
		"left as another kind":   {before: []*directory.Record{user(false), agent(true)}, leaver: kept(500), at: 2000, want: "deactivate agent", due: at(2500)},
		"counts from the last":   {before: []*directory.Record{user(false), since(agent(false), 1400)}, leaver: kept(500), at: 1700, due: at(1900)},
		"both end":               {before: []*directory.Record{user(false), since(agent(false), 1400)}, leaver: kept(500), at: 1900, want: "delete user forget; delete agent forget"},
		"one is deleted at 1900": {before: []*directory.Record{gone(since(user(false), 1900)), since(agent(false), 1400)}, leaver: kept(1000), at: 2000, due: at(2400)},
		"is never touched":       {before: []*directory.Record{user(false)}, leaver: kept(500), kept: true, at: 9000},
		"stays active":           {before: []*directory.Record{user(true)}, leaver: kept(500), kept: true, at: 9000},
	} {
		s := subject()
		s.At, s.Leaver = at(c.at), c.leaver
		s.Kept = func(*directory.Record) bool { return c.kept }
		steps := Decide(s, c.before, c.wants)
		if got := say(steps); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := s.Due(c.before, steps); !got.Equal(c.due) {
			t.Errorf("%s: due %v, want %v", name, got, c.due)
		}
	}
}

// TestWhyDeleted: the reason names the time, and why the record was deactivated.
func TestWhyDeleted(t *testing.T) {
	rec := record(directory.UserRecord, false)
	rec.Reason = "no longer listed by the source"
	s := subject()
	s.At = rec.Changed.Time.Add(30 * 24 * time.Hour)
	s.Leaver = func(directory.RecordKind) Leaver { return Leaver{directory.Deactivate, 30 * 24 * time.Hour} }
	steps := Decide(s, []*directory.Record{rec}, nil)
	if len(steps) != 1 || steps[0].Action.Reason != "deactivated for 30d: no longer listed by the source" {
		t.Errorf("%+v", steps)
	}
	if Expired(36*time.Hour) != "deactivated for 36h0m0s" {
		t.Error(Expired(36 * time.Hour))
	}
}
