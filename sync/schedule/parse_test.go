package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	tests := []struct{ spec, zone, want string }{
		{"", "", "the schedule is empty"},
		{"   ", "UTC", "the schedule is empty"},
		{"* * * *", "", "expected 5 fields, found 4"},
		{"0 * * * * *", "", "expected 5 fields, found 6"},
		{"60 * * * *", "", `field 1 (minute) "60": end of range (60) above maximum (59)`},
		{"* 24 * * *", "", `field 2 (hour) "24"`},
		{"* * 0 * *", "", `field 3 (day of the month) "0": beginning of range (0) below minimum (1)`},
		{"* * * foo *", "", `field 4 (month) "foo": not a number, name, range or step`},
		{"* * * * 7", "", `field 5 (day of the week) "7"`},
		{"*/0 * * * *", "", "step of range should be a positive number"},
		{"*/60 * * * *", "", `field 1 (minute) "*/60": the step is longer than the range: only 0 is left`},
		{"*/99 * * * *", "", "only 0 is left"},
		{"0 */24 * * *", "", `field 2 (hour) "*/24": the step is longer`},
		{"0 0 */31 * *", "", `field 3 (day of the month) "*/31": the step is longer than the range: only 1 is left`},
		{"0 0 */32 * *", "", "only 1 is left"},
		{"0 0 1 */12 *", "", `field 4 (month) "*/12"`},
		{"0 0 * * */7", "", `field 5 (day of the week) "*/7"`},
		{"10-20/11 * * * *", "", "only 10 is left"},
		{"50/10 * * * *", "", "only 50 is left"},
		{"0,*/60 * * * *", "", "only 0 is left"},
		{"5-1 * * * *", "", "beginning of range (5) beyond end of range (1)"},
		{", * * * *", "", "an item of the list is empty"},
		{"1,,2 * * * *", "", "an item of the list is empty"},
		{"1/2/3 * * * *", "", "too many slashes"},
		{"@hourly * * * *", "", `"@hourly * * * *" is not a schedule`},
		{"0 0 30 2 *", "", "names a day that never comes"},
		{"@fortnightly", "", `"@fortnightly" is not a schedule`},
		{"@every", "", "not a duration"},
		{"@every soon", "", "@every soon: not a duration"},
		{"@every -5m", "", "shorter than a second"},
		{"@every 10ms", "", "shorter than a second"},
		{"* * * * *", "Europe/Londno", `unknown time zone "Europe/Londno"`},
		{"* * * * *", "Local", `unknown time zone "Local"`},
		{"CRON_TZ=Mars/Base * * * * *", "UTC", `unknown time zone "Mars/Base"`},
		{"TZ=UTC", "", "the schedule is empty"},
	}
	for _, test := range tests {
		_, err := Parse(test.spec, test.zone)
		var spec *SpecError
		if !errors.As(err, &spec) || !strings.Contains(spec.Error(), test.want) {
			t.Errorf("Parse(%q, %q) = %v, want %q", test.spec, test.zone, err, test.want)
		}
	}
}

func TestParseTakes(t *testing.T) {
	from := time.Date(2026, 1, 1, 12, 34, 56, 789, time.UTC)
	tests := []struct{ spec, zone, want string }{
		{"*/15 * * * *", "", "2026-01-01T12:45:00Z"},
		{"0 3 * * sun", "Europe/London", "2026-01-04T03:00:00Z"},
		{"0 3 * * *", "America/New_York", "2026-01-02T08:00:00Z"},
		{"CRON_TZ=Asia/Tokyo 0 3 * * *", "America/New_York", "2026-01-01T18:00:00Z"},
		{"TZ=Asia/Tokyo @daily", "", "2026-01-01T15:00:00Z"},
		{"@hourly", "Asia/Kolkata", "2026-01-01T13:30:00Z"},
		{"@every 5m", "Europe/London", "2026-01-01T12:39:56Z"},
		{" @every  1h30m ", "", "2026-01-01T14:04:56Z"},
		{"0 0 29 2 *", "", "2028-02-29T00:00:00Z"},
		{"0 0 1,15 * mon", "", "2026-01-05T00:00:00Z"}, // either day, as in every cron
		{"@yearly", "", "2027-01-01T00:00:00Z"},
		{"*/59 * * * *", "", "2026-01-01T12:59:00Z"}, // the longest steps that are taken
		{"0 */23 * * *", "", "2026-01-01T23:00:00Z"},
		{"0 0 */30 * *", "", "2026-01-31T00:00:00Z"},
		{"0 0 1 */11 *", "", "2026-12-01T00:00:00Z"},
		{"0 0 * * */6", "", "2026-01-03T00:00:00Z"},
		{"10-20/10 * * * *", "", "2026-01-01T13:10:00Z"},
		{"59/1 * * * *", "", "2026-01-01T12:59:00Z"},
	}
	for _, test := range tests {
		s, err := Parse(test.spec, test.zone)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.spec, err)
			continue
		}
		if got := s.Next(from).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%q in %q comes next at %s, want %s", test.spec, test.zone, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, spec := range []string{"*/15 * * * *", "@every 5m", "TZ=", "CRON_TZ=UTC", "1-2/3,4 * ? jan-dec sun", "@daily", "@every 9999999h", "0 0 29 2 *"} {
		f.Add(spec, "Europe/London")
	}
	f.Fuzz(func(t *testing.T, spec, zone string) {
		s, err := Parse(spec, zone)
		if err != nil {
			var e *SpecError
			if !errors.As(err, &e) {
				t.Fatalf("%T", err)
			}
			return
		}
		at := time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)
		for range 5 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%q in %q: after %v comes %v", spec, zone, at, next)
			}
			at = next
		}
	})
}
