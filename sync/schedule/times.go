package schedule

import (
	"time"

	"github.com/robfig/cron/v3"
)

// starBit is set by the cron parser in a field that stands for all its values.
const starBit = 1 << 63

// maxShift is more than any clock change of these days: an hour nearly everywhere, two in Antarctica.
const maxShift = 4 * time.Hour

// Times are the moments that five cron fields name on the clock of a place. As Vixie cron does it, a change of
// the clock loses no run and doubles none:
//
//   - An hour field other than "*" names times of the day. A time that the clock skips in spring comes at the
//     moment of the change; a time that comes twice in autumn counts the first time only.
//   - With "*" as the hour, the fields name moments that recur: in autumn they recur in both hours, in spring
//     the skipped hour has none.
//
// Times is immutable.
type Times struct {
	spec      string             // as it was written, without its time zone
	fields    *cron.SpecSchedule // evaluated in UTC, as a clock that never changes
	loc       *time.Location
	everyHour bool
}

// String is what it was made of. Two schedules with the same one are the same.
func (s *Times) String() string { return "CRON_TZ=" + s.loc.String() + " " + s.spec }

// Next returns the first moment after t, in the schedule's own time zone, or the zero time when there is none
// within five years.
func (s *Times) Next(t time.Time) time.Time {
	t = t.In(s.loc)
	reading := s.fields.Next(clock(t))
	if reading.IsZero() {
		return time.Time{}
	}
	if steady(t) {
		moment := time.Date(reading.Year(), reading.Month(), reading.Day(),
			reading.Hour(), reading.Minute(), reading.Second(), 0, s.loc)
		if steady(moment) {
			return moment
		}
	}
	return s.nextNearChange(t)
}

// nextNearChange looks at every reading of the clock around t, because near a change a later reading may name
// an earlier moment.
func (s *Times) nextNearChange(t time.Time) time.Time {
	var best time.Time
	reading := clock(t).Add(-maxShift)
	for {
		reading = s.fields.Next(reading)
		if reading.IsZero() || !best.IsZero() && reading.After(clock(best).Add(maxShift)) {
			return best
		}
		for _, moment := range s.moments(reading) {
			if moment.After(t) && (best.IsZero() || moment.Before(best)) {
				best = moment
			}
		}
	}
}

// moments returns when the clock shows reading: once, twice, or, in the hour that the clock skips, at the
// moment of the change.
func (s *Times) moments(reading time.Time) []time.Time {
	_, before := reading.Add(-24 * time.Hour).In(s.loc).Zone()
	_, after := reading.Add(24 * time.Hour).In(s.loc).Zone()
	first := reading.Add(-time.Duration(before) * time.Second).In(s.loc)
	second := reading.Add(-time.Duration(after) * time.Second).In(s.loc)
	firstShows, secondShows := clock(first).Equal(reading), clock(second).Equal(reading)
	switch {
	case firstShows && secondShows && s.everyHour:
		return []time.Time{first, second}
	case firstShows:
		return []time.Time{first}
	case secondShows:
		return []time.Time{second}
	case s.everyHour:
		return nil
	}
	change, _ := first.ZoneBounds()
	return []time.Time{change}
}

// clock returns what a clock on the wall shows at t, as a time in UTC.
func clock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// steady reports whether no clock change is near t.
func steady(t time.Time) bool {
	start, end := t.ZoneBounds()
	return (start.IsZero() || t.Sub(start) > maxShift) && (end.IsZero() || end.Sub(t) > maxShift)
}
