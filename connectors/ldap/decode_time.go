package ldap

import (
	"strconv"
	"strings"
	"time"
)

// filetimeEpoch is 1970-01-01 in seconds since 1601-01-01, from where a FILETIME counts (MS-DTYP 2.3.3).
const filetimeEpoch = 11644473600

// parseFiletime reads a FILETIME attribute: 100 nanoseconds since 1601 in decimal. 0 and the greatest value
// mean never; there is no time for them.
func parseFiletime(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n == 1<<63-1 {
		return time.Time{}, false
	}
	return time.Unix(n/1e7-filetimeEpoch, n%1e7*100).UTC(), true
}

// parseGeneralizedTime reads RFC 4517 section 3.3.13: YYYYMMDDHH[MM[SS]], a fraction of the last part, and Z or
// an offset, as in 20240131120000.0Z or 202401311300+0100.
func parseGeneralizedTime(s string) (time.Time, bool) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits != 10 && digits != 12 && digits != 14 {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102150405"[:digits], s[:digits])
	if err != nil {
		return time.Time{}, false
	}
	unit := map[int]time.Duration{10: time.Hour, 12: time.Minute, 14: time.Second}[digits]
	fraction, rest, ok := cutFraction(s[digits:])
	offset, valid := parseOffset(rest)
	if !ok || !valid {
		return time.Time{}, false
	}
	return t.Add(time.Duration(fraction * float64(unit))).Add(-offset), true
}

func cutFraction(s string) (fraction float64, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	end := 1
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 1 {
		return 0, "", false
	}
	fraction, err := strconv.ParseFloat("0."+s[1:end], 64)
	return fraction, s[end:], err == nil
}

func parseOffset(s string) (time.Duration, bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) != 3 && len(s) != 5 || s[0] != '+' && s[0] != '-' || strings.Trim(s[1:], "0123456789") != "" {
		return 0, false
	}
	hours, _ := strconv.Atoi(s[1:3])
	minutes, _ := strconv.Atoi(s[3:])
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		return -d, true
	}
	return d, true
}

// parseTime reads whichever of the two a server uses. A FILETIME of our days has 18 digits and nothing else;
// no generalizedTime has.
func parseTime(s string) (time.Time, bool) {
	if t, ok := parseGeneralizedTime(s); ok {
		return t, true
	}
	return parseFiletime(s)
}
