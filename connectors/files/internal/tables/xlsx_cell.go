package tables

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
)

// The last day that a spreadsheet knows, 9999-12-31, and how many days later the other epoch begins.
const (
	lastSerial = 2958465
	epoch1904  = 1462
)

// number makes a cell of a number by its format. late says that the time is one shortly before midnight where a day is
// shown: the day that was meant may be the next.
func (w *Workbook) number(text string, f numberFormat) (cell columns.Cell, late bool, fault string) {
	switch f.is {
	case formatPlain:
		return columns.Number(wholeOr15(text)), false, ""
	case formatMask:
		whole := wholeOr15(text)
		if whole == "" || strings.ContainsFunc(whole, func(r rune) bool { return r < '0' || r > '9' }) {
			return columns.Number(whole), false, ""
		}
		return columns.Text(masked(whole, f.mask)), false, ""
	}
	serial, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(serial) {
		return cell, false, "is no number, and is shown as a date"
	}
	if f.is == formatElapsed || f.is == formatTime && serial < 1 {
		if math.Abs(serial) > lastSerial {
			return cell, false, "is a time that is out of range"
		}
		return columns.Text(clock(serial)), false, ""
	}
	if w.late {
		serial += epoch1904
	}
	day, seconds := math.Floor(serial), math.Round((serial-math.Floor(serial))*86400)
	if seconds == 86400 {
		day, seconds = day+1, 0
	}
	switch {
	case day < 1 || day > lastSerial:
		return cell, false, "is a date that is out of range"
	case day <= 60:
		// In Excel 1900 has a 29 February, which is day 60; in LibreOffice day 60 is the 28th.
		return cell, false, "is a date before March 1900, which programs write differently"
	}
	t := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(day)).Add(time.Duration(seconds) * time.Second)
	if f.is == formatDate {
		if late = seconds >= 22*3600; late && w.options.RoundDates {
			t = t.AddDate(0, 0, 1)
		}
		return columns.Date(t), late, ""
	}
	return columns.Local(t), false, ""
}

// clock writes a number of days as hours, minutes and seconds.
func clock(days float64) string {
	seconds := int64(math.Round(math.Abs(days) * 86400))
	sign := ""
	if days < 0 && seconds > 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
}

// isoDate makes a cell of a date that is written out (t="d"). Whatever zone it states, programs mean the clock on the wall.
func isoDate(text string, f numberFormat) (cell columns.Cell, fault string) {
	for _, layout := range []string{"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04:05.999", "2006-01-02T15:04", "2006-01-02"} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if f.is == formatDate || f.is != formatDateTime && t.Hour()+t.Minute()+t.Second() == 0 {
			return columns.Date(t), ""
		}
		return columns.Local(t), ""
	}
	if t, err := time.Parse("15:04:05.999", strings.TrimPrefix(text, "T")); err == nil {
		return columns.Text(t.Format(time.TimeOnly)), ""
	}
	return cell, "is no date"
}

// unescapeX resolves the form in which texts of workbooks hold characters that XML cannot (ECMA-376 part 1, 22.9.2.19):
// _x000D_ is a carriage return, and _x005F_ the underscore of a text that only looks so.
func unescapeX(b []byte) []byte {
	at := bytes.Index(b, []byte("_x"))
	if at < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)), b[:at]...)
	var units []uint16
	flush := func() {
		out = append(out, decodeUnits(units)...)
		units = units[:0]
	}
	for i := at; i < len(b); {
		if i+7 <= len(b) && b[i] == '_' && b[i+1] == 'x' && b[i+6] == '_' {
			if n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16); err == nil {
				units = append(units, uint16(n))
				i += 7
				continue
			}
		}
		flush()
		out = append(out, b[i])
		i++
	}
	flush()
	return out
}

// columnIndex reads the column of a reference such as BC12, counted from 0; -1 when it is none.
func columnIndex(ref []byte) int {
	n, i := 0, 0
	for ; i < len(ref) && i < 4; i++ {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		n = n*26 + int(c-'a') + 1
	}
	if i == 0 || n > 16384 {
		return -1
	}
	return n - 1
}

// columnName is the inverse of columnIndex.
func columnName(index int) string {
	name := ""
	for n := index + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}
