package signin

import (
	"slices"
	"testing"
	"time"
)

// TestToldOnce: an end is told of at each step once, whatever is between the looks, and a later end in its place begins anew.
func TestToldOnce(t *testing.T) {
	const hour = time.Hour
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	type look struct {
		after time.Duration // from begin
		end   time.Duration // likewise
	}
	every := func(step, until, end time.Duration) (list []look) {
		for at := time.Duration(0); at <= until; at += step {
			list = append(list, look{at, end})
		}
		return list
	}
	var rolling []look // each day a copy that holds for a week
	for d := range 60 {
		rolling = append(rolling, look{time.Duration(d) * day, time.Duration(d)*day + 7*day})
	}
	for name, tc := range map[string]struct {
		renewed bool
		looks   []look
		want    []int // days that were left when it was told
	}{
		"far off":             {false, every(day, 60*day, 100*day), nil},
		"hourly":              {false, every(hour, 41*day, 40*day), []int{30, 14, 7, 1, 0}},
		"begun late":          {false, every(hour, 5*day, 5*day), []int{5, 1, 0}},
		"already over":        {false, every(hour, 5*day, -3*day), []int{-3}},
		"away for two weeks":  {false, []look{{0, 29 * day}, {20 * day, 29 * day}, {20 * day, 29 * day}}, []int{29, 9}},
		"another certificate": {false, []look{{0, 10 * day}, {day, 1000 * day}, {2 * day, 10 * day}}, []int{10, 8}},
		"the clock went back": {false, []look{{10 * day, 15 * day}, {0, 15 * day}, {10 * day, 15 * day}}, []int{5}},
		"rolling":             {true, rolling, nil},
		"renewed no more":     {true, append(slices.Clone(rolling[:3]), every(hour, 12*day, 9*day)...), []int{1, 0}},
		"renewed, but fixed":  {true, every(hour, 40*day, 40*day), []int{30, 14, 7, 1, 0}},
		"renewed, late":       {true, every(hour, 10*day, 10*day), []int{7, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var told Told
			var got []int
			for _, l := range tc.looks {
				now, e := begin.Add(l.after), End{Use: UseOurKey, At: begin.Add(l.end), Renewed: tc.renewed}
				var tell bool
				if told, tell = told.Next(e, now); tell {
					got = append(got, int(e.At.Sub(now)/day))
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("told with %v days left, want %v", got, tc.want)
			}
		})
	}
}

func TestEndFindings(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		e     End
		found string
		ok    bool
	}{
		{End{Use: UseOurKey, At: now.Add(5 * day), Hint: "x"}, "our certificate holds until 2026-01-06", false},
		{End{Use: UseTheirSigning, At: now.Add(31 * day), Hint: "x"}, "the provider's certificate holds until 2026-02-01", true},
		{End{Use: UseSecret, At: now.Add(-day), Hint: "x"}, "client secret holds until 2025-12-31", false},
		{End{Use: UseMetadata, At: now.Add(day), Renewed: true, Hint: "x"}, "the metadata hold until 2026-01-02", false},
		{End{Use: UseMetadata, At: now.Add(6 * day), Renewed: true, Hint: "x"}, "the metadata hold until 2026-01-07", true},
	} {
		f := tc.e.Finding(now)
		if f.Text != tc.found || f.OK != tc.ok || (f.Hint == "") != tc.ok || !f.Ends.Equal(tc.e.At) {
			t.Errorf("%+v: %+v", tc.e, f)
		}
	}
}
