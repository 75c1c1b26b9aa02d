package columns

import (
	"strings"
	"time"
)

// The orders of day, month and year (Config.Dates).
const (
	dayFirst   = "dmy"
	monthFirst = "mdy"
	yearFirst  = "ymd"
)

func orders() []string { return []string{dayFirst, monthFirst, yearFirst} }

// parseTime reads a date with or without a time: year first in any case, otherwise in an order, or in the only one in which it is
// a date. A time without a zone is of the zone that is given. none: the text is how a database spells no date.
func parseTime(text, order string, zone *time.Location) (t time.Time, none bool, reason string) {
	if t, ok := generalized(text, zone); ok {
		return t, false, ""
	}
	day, clock := text, ""
	if i := strings.IndexAny(text, " Tt"); i > 0 {
		day, clock = text[:i], strings.TrimLeft(text[i+1:], " ")
	}
	parts, ok := numbers(day)
	if !ok {
		return t, false, notDate
	}
	if parts == [3]part{{0, 4}, {0, 2}, {0, 2}} {
		return t, true, ""
	}
	y, m, d, reason := arrange(parts, order)
	if reason != "" {
		return t, false, reason
	}
	if clock == "" {
		zone = nil
	}
	c, ok := parseClock(clock)
	if !ok {
		return t, false, "has a time that cannot be read"
	}
	t = time.Date(y, time.Month(m), d, c.hour, c.minute, c.second, 0, location(zone))
	if t.Month() != time.Month(m) || t.Day() != d {
		return t, false, "is a day that does not exist"
	}
	if c.zoned {
		t = time.Date(y, time.Month(m), d, c.hour, c.minute, c.second-c.offset, 0, time.UTC)
	}
	return t, false, ""
}

const notDate = "is not a date"

// part is a number of a date and how many digits it is written with.
type part struct{ value, digits int }

// numbers takes a date apart into its three numbers.
func numbers(text string) (parts [3]part, ok bool) {
	n, separator := 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9' && parts[n].digits < 4:
			parts[n].value, parts[n].digits = parts[n].value*10+int(c-'0'), parts[n].digits+1
		case n < 2 && parts[n].digits > 0 && (c == '-' || c == '/' || c == '.') && (separator == 0 || separator == c):
			n, separator = n+1, c
		default:
			return parts, false
		}
	}
	return parts, n == 2 && parts[2].digits > 0
}

// arrange says which number is what.
func arrange(p [3]part, order string) (y, m, d int, reason string) {
	switch {
	case p[0].digits == 4 && p[1].digits <= 2 && p[2].digits <= 2:
		y, m, d = p[0].value, p[1].value, p[2].value
	case p[2].digits != 4 || p[0].digits > 2 || p[1].digits > 2:
		return 0, 0, 0, "has no year of four digits"
	case order == yearFirst:
		return 0, 0, 0, "does not begin with the year"
	case order == dayFirst, order == "" && (p[0].value > 12 || p[0].value == p[1].value):
		d, m, y = p[0].value, p[1].value, p[2].value
	case order == monthFirst, order == "" && p[1].value > 12:
		m, d, y = p[0].value, p[1].value, p[2].value
	default:
		return 0, 0, 0, ambiguous
	}
	if m < 1 || m > 12 || d < 1 {
		return 0, 0, 0, "is a day that does not exist"
	}
	return y, m, d, ""
}

// ambiguous is the reason of a date such as 03/04/2025.
const ambiguous = "is a date of which nobody can tell whether the day or the month comes first"

// clockTime is the time of a day.
type clockTime struct {
	hour, minute, second, offset int
	zoned                        bool
}

// parseClock reads 15:04, 15:04:05.999, 3:04 PM, and a zone behind it: Z, UTC, +02:00, +0200, +02.
func parseClock(text string) (c clockTime, ok bool) {
	if text == "" {
		return c, true
	}
	s := scanner{text}
	c.hour = s.number(1, 2)
	if !s.skip(":") {
		return c, false
	}
	c.minute = s.number(2, 2)
	if s.skip(":") {
		c.second = s.number(2, 2)
		if s.skip(".") || s.skip(",") {
			s.number(1, 9)
		}
	}
	s.skip(" ")
	afternoon := s.skip("PM") || s.skip("pm")
	if afternoon || s.skip("AM") || s.skip("am") {
		if c.hour < 1 || c.hour > 12 {
			return c, false
		}
		c.hour %= 12
		if afternoon {
			c.hour += 12
		}
		s.skip(" ")
	}
	switch {
	case s.skip("Z"), s.skip("z"), s.skip("UTC"), s.skip("GMT"):
		c.zoned = true
	case s.skip("+"):
		c.zoned, c.offset = true, s.offset()
	case s.skip("-"):
		c.zoned, c.offset = true, -s.offset()
	}
	return c, s.text == "" && c.hour >= 0 && c.hour < 24 && c.minute >= 0 && c.minute < 60 && c.second >= 0 && c.second < 61
}

// scanner reads a text from its beginning. After something that does not fit the text is never empty.
type scanner struct{ text string }

func (s *scanner) skip(text string) bool {
	rest, ok := strings.CutPrefix(s.text, text)
	if ok {
		s.text = rest
	}
	return ok
}

func (s *scanner) number(least, most int) int {
	n, digits := 0, 0
	for digits < most && digits < len(s.text) && s.text[digits] >= '0' && s.text[digits] <= '9' {
		n, digits = n*10+int(s.text[digits]-'0'), digits+1
	}
	if digits < least {
		s.text = "?"
		return -1
	}
	s.text = s.text[digits:]
	return n
}

func (s *scanner) offset() int {
	seconds := s.number(2, 2) * 3600
	s.skip(":")
	if s.text != "" {
		seconds += s.number(2, 2) * 60
	}
	if s.skip(":") {
		seconds += s.number(2, 2)
	}
	return seconds
}

// generalized reads 20240307 and the times of directories: 20240307120000Z, 20240307120000.0Z (RFC 4517, 3.3.13).
func generalized(text string, zone *time.Location) (time.Time, bool) {
	if len(text) < 8 {
		return time.Time{}, false
	}
	for i := range 8 {
		if text[i] < '0' || text[i] > '9' {
			return time.Time{}, false
		}
	}
	if len(text) == 8 {
		t, err := time.Parse("20060102", text)
		return t, err == nil
	}
	layout := "20060102150405"
	rest := text[min(len(layout), len(text)):]
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		rest = strings.TrimLeft(fraction, "0123456789")
	}
	t, err := time.ParseInLocation(layout, text[:min(len(layout), len(text))], location(zone))
	switch {
	case err != nil:
		return t, false
	case rest == "":
		return t, true
	case rest == "Z":
		return utc(t, nil), true
	}
	return t, false
}

func location(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}

// utc is the moment at which the clock of a zone, or of UTC, shows what t shows.
func utc(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, location(zone))
}
