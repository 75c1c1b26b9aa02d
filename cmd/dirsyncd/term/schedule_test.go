package term

import "testing"

func TestSchedule(t *testing.T) {
	for spec, want := range map[string]string{
		"":                       "only on demand",
		"@every 5m":              "every 5m",
		"@hourly":                "every hour",
		"@daily":                 "every day at 00:00",
		"* * * * *":              "every minute",
		"*/15 * * * *":           "every 15 minutes",
		"*/45 * * * *":           "cron */45 * * * *",
		"5 * * * *":              "every hour at minute 5",
		"0 */6 * * *":            "every 6 hours at minute 0",
		"30 2 * * *":             "every day at 02:30",
		"0 3 * * sun":            "Sundays at 03:00",
		"0 3 * * 1,4":            "Mondays, Thursdays at 03:00",
		"0 8 * * mon-fri":        "Monday to Friday at 08:00",
		"*/10 8-18 * * mon-fri":  "every 10 minutes from 08:00 to 18:59, Monday to Friday",
		"0 8-18 * * *":           "every hour at minute 0 from 08:00 to 18:59",
		"0 4 1 * *":              "on day 1 of every month at 04:00",
		"0 4 1 * mon":            "cron 0 4 1 * mon",
		"0 4 * jan *":            "cron 0 4 * jan *",
		"1,2 3 * * *":            "cron 1,2 3 * * *",
		"CRON_TZ=UTC 30 2 * * *": "every day at 02:30",
		"nonsense":               "cron nonsense",
	} {
		if got := Schedule(spec); got != want {
			t.Errorf("%q: got %q, want %q", spec, got, want)
		}
	}
}
