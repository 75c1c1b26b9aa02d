package schedule

import (
	"slices"
	"testing"
	"time"
)

func collect(t *testing.T, spec, zone, from, to string) []string {
	t.Helper()
	s, err := Parse(spec, zone)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := time.Parse(time.RFC3339, from)
	end, _ := time.Parse(time.RFC3339, to)
	var list []string
	for at = s.Next(at); !at.IsZero() && !at.After(end); at = s.Next(at) {
		list = append(list, at.UTC().Format("02T15:04"))
	}
	return list
}

func TestClockChanges(t *testing.T) {
	tests := []struct {
		name, spec, zone, from, to string
		want                       []string
	}{
		{"a daily time that spring skips comes at the change", "30 1 * * *", "Europe/London",
			"2026-03-28T00:00:00Z", "2026-03-30T23:00:00Z", []string{"28T01:30", "29T01:00", "30T00:30"}},
		{"several times that spring skips come once", "0,20,40 1 * * *", "Europe/London",
			"2026-03-28T22:00:00Z", "2026-03-30T00:00:00Z", []string{"29T01:00", "30T00:00"}},
		{"a daily time that autumn repeats comes the first time", "30 1 * * *", "Europe/London",
			"2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z", []string{"24T00:30", "25T00:30", "26T01:30"}},
		{"a recurring minute comes in both autumn hours", "30 * * * *", "Europe/London",
			"2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", []string{"24T23:30", "25T00:30", "25T01:30", "25T02:30"}},
		{"a recurring minute goes on over the spring change", "30 * * * *", "Europe/London",
			"2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z", []string{"29T00:30", "29T01:30", "29T02:30"}},
		{"quarters of an hour stay a quarter apart in autumn", "*/15 * * * *", "Europe/London",
			"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", []string{"25T00:45", "25T01:00", "25T01:15", "25T01:30"}},
		{"midnight that does not exist", "@daily", "Africa/Cairo",
			"2026-04-23T00:00:00Z", "2026-04-25T23:00:00Z", []string{"23T22:00", "24T21:00", "25T21:00"}},
		{"a weekly full read in the skipped hour", "0 2 * * sun", "America/New_York",
			"2026-03-07T00:00:00Z", "2026-03-16T00:00:00Z", []string{"08T07:00", "15T06:00"}},
		{"a change of half an hour", "45 1 * * *", "Australia/Lord_Howe",
			"2026-04-03T00:00:00Z", "2026-04-06T00:00:00Z", []string{"03T14:45", "04T14:45", "05T15:15"}},
		{"a change of two hours", "30 2 * * *", "Antarctica/Troll",
			"2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", []string{"28T02:30", "29T01:00", "30T00:30"}},
	}
	for _, test := range tests {
		if got := collect(t, test.spec, test.zone, test.from, test.to); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestTimesAgainstEveryMinute compares Next with a walk over all minutes around the changes of the year.
func TestTimesAgainstEveryMinute(t *testing.T) {
	zones := []string{"UTC", "Europe/London", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe",
		"America/Santiago", "Asia/Beirut", "Pacific/Chatham", "Antarctica/Troll"}
	specs := []string{"*/7 * * * *", "30 1 * * *", "15,45 0-3 * * *", "0 */2 * * *", "5 * * * sun", "59 23 * * *", "0 0 * * *"}
	for _, zone := range zones {
		for _, spec := range specs {
			s, err := Parse(spec, zone)
			if err != nil {
				t.Fatal(err)
			}
			times := s.(*Times)
			for _, change := range changes(times.loc) {
				from, to := change.Add(-30*time.Hour), change.Add(30*time.Hour)
				want := walk(times, from, to)
				var got []time.Time
				for at := s.Next(from); at.Before(to); at = s.Next(at) {
					got = append(got, at.UTC())
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q in %s around %s:\n got %v\nwant %v", spec, zone, change.UTC(), got, want)
				}
			}
		}
	}
}

func changes(loc *time.Location) []time.Time {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	list := []time.Time{at}
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() > 2026 {
			return list
		}
		list = append(list, end)
		at = end
	}
}

// walk finds the moments of the times between from and to, both excluded, by looking at every minute.
func walk(s *Times, from, to time.Time) []time.Time {
	named := func(reading time.Time) bool { return s.fields.Next(reading.Add(-time.Second)).Equal(reading) }
	seen := make(map[time.Time]bool)
	var list []time.Time
	last := clock(from.Add(-maxShift).In(s.loc))
	for at := from.Add(-maxShift).Truncate(time.Minute); at.Before(to); at = at.Add(time.Minute) {
		reading := clock(at.In(s.loc))
		due := named(reading) && (s.everyHour || !seen[reading])
		for skipped := last.Add(time.Minute); !s.everyHour && skipped.Before(reading); skipped = skipped.Add(time.Minute) {
			due = due || named(skipped)
		}
		seen[reading], last = true, reading
		if due && at.After(from) {
			list = append(list, at.UTC())
		}
	}
	return list
}

func BenchmarkNext(b *testing.B) {
	s, _ := Parse("*/15 * * * *", "Europe/London")
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		at = s.Next(at)
	}
}
