package columns

import (
	"strconv"
	"strings"
	"unicode"

	"dirsyncd/sync/directory"
)

// trimSlowly is trim for texts with something at their edges that may be a blank.
func trimSlowly(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == 0 || r == '\u200b' || r == '\ufeff'
	})
}

// truth reads a word for a truth value; of other languages those that spreadsheets write themselves.
func truth(word string) (is, ok bool) {
	switch strings.ToLower(word) {
	case "true", "t", "yes", "y", "1", "on", "x", "active", "enabled", "wahr", "ja", "vrai", "oui", "verdadero", "si", "sí", "vero", "waar":
		return true, true
	case "false", "f", "no", "n", "0", "off", "-", "inactive", "disabled", "falsch", "nein", "faux", "non", "falso", "onwaar", "nee":
		return false, true
	}
	return false, false
}

// truthHint lists the usual of truth's words.
const truthHint = "write yes or no, true or false, 1 or 0"

// boolean reads a cell of a field that is a truth value. It returns a reason when that cannot be.
func boolean(c *Cell) (v directory.Value, reason string) {
	if c.is == boolCell {
		return directory.Bool(c.num == 1), ""
	}
	if is, ok := truth(c.String()); ok {
		return directory.Bool(is), ""
	}
	return v, "is not a truth value"
}

// number reads a cell of a field that is a whole number.
func number(c *Cell) (v directory.Value, reason string) {
	switch c.is {
	case intCell:
		return directory.Number(c.num), ""
	case textCell, numberCell:
		text := trim(c.text)
		if whole, rest, ok := strings.Cut(text, "."); ok && strings.Trim(rest, "0") == "" {
			text = whole
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return directory.Number(n), ""
		}
	}
	return v, "is not a whole number"
}

// moment reads a cell of a field that is a time. A day is its midnight in UTC, whatever the time zone: so it stays the day
// that it was.
func (l *Layout) moment(c *Cell) (v directory.Value, reason string) {
	t := c.time
	switch c.is {
	case dateCell:
		t = utc(t, nil)
	case localCell:
		t = utc(t, l.zone)
	case timeCell:
	case textCell:
		var none bool
		if t, none, reason = parseTime(trim(c.text), l.dates, l.zone); reason != "" || none {
			return v, reason
		}
	case numberCell, intCell:
		return v, "is a number where a date is expected"
	default:
		return v, "is not a date"
	}
	if t.Year() <= 1 {
		return v, "" // how some drivers spell a date that is not set
	}
	return directory.Time(t), ""
}
