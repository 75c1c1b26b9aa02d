package tables

import (
	"strings"
)

// numberFormat is what a number format makes of a number.
type numberFormat struct {
	is   formatType
	mask string // of formatMask: a zero for each digit, and what stands between them
}

type formatType uint8

const (
	formatPlain    formatType = iota // a number
	formatDate                       // a day
	formatDateTime                   // a day and a time
	formatTime                       // a time of day
	formatElapsed                    // hours, minutes or seconds, which may be more than a day
	formatMask                       // digits with zeros before them: 00000
)

// builtinFormat is one of the formats that a workbook need not write out (ECMA-376 part 1, 18.8.30), those of East Asia
// among them.
func builtinFormat(id int) numberFormat {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 58:
		return numberFormat{is: formatDate}
	case id == 22:
		return numberFormat{is: formatDateTime}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47:
		return numberFormat{is: formatTime}
	case id == 46:
		return numberFormat{is: formatElapsed}
	default:
		return numberFormat{}
	}
}

// parseFormat reads the code of a format, of which the first section counts: that for positive numbers.
func parseFormat(code string) numberFormat {
	var day, clock, elapsed, minutes bool
	mask, masked, zeros := []byte(nil), true, 0
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch {
		case c == '"':
			end := strings.IndexByte(code[i+1:], '"')
			if end < 0 {
				end = len(code) - i - 1
			}
			mask = append(mask, strings.ReplaceAll(code[i+1:i+1+end], "0", "\x00")...)
			i += end + 1
		case c == '\\' && i+1 < len(code):
			i++
			mask = append(mask, strings.ReplaceAll(code[i:i+1], "0", "\x00")...)
		case (c == '_' || c == '*') && i+1 < len(code):
			i++ // a width, a filling
		case c == '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				end = len(code) - i
			}
			if inner := strings.ToLower(code[i+1 : i+end]); inner != "" && strings.Trim(inner, inner[:1]) == "" && strings.Contains("hms", inner[:1]) {
				elapsed = true
			}
			i += end
		case c == ';':
			i = len(code)
		case c == '0':
			zeros++
			mask = append(mask, '0')
		case strings.IndexByte("-/ ().+:", c) >= 0:
			if c == '.' || c == ':' {
				masked = false
			}
			mask = append(mask, c)
		default:
			masked = false
			if strings.HasPrefix(strings.ToLower(code[i:]), "general") {
				return numberFormat{}
			}
			switch c | 0x20 {
			case 'y', 'd', 'b', 'g':
				day = true
			case 'h', 's':
				clock = true
			case 'm':
				minutes = true
			case 'a':
				half := strings.ToLower(code[i:min(len(code), i+5)])
				switch {
				case half == "am/pm":
					clock = true
					i += 4
				case strings.HasPrefix(half, "a/p"):
					clock = true
					i += 2
				default:
					day = true // the name of a day of the week
				}
			case 'e':
				if i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-') {
					return numberFormat{} // an exponent
				}
				day = true
			case '#', '?', '%', ',', '@':
				if !day && !clock && !minutes {
					return numberFormat{}
				}
			}
		}
	}
	switch {
	case elapsed:
		return numberFormat{is: formatElapsed}
	case day && clock:
		return numberFormat{is: formatDateTime}
	case day || minutes && !clock: // m alone are months
		return numberFormat{is: formatDate}
	case clock:
		return numberFormat{is: formatTime}
	case masked && zeros > 1:
		return numberFormat{is: formatMask, mask: string(mask)}
	default:
		return numberFormat{}
	}
}

// masked writes a whole number by a mask. Digits for which the mask has no place stand before the others.
func masked(digits, mask string) string {
	places := strings.Count(mask, "0")
	for len(digits) < places {
		digits = strings.Repeat("0", places-len(digits)) + digits
	}
	extra := len(digits) - places
	var b strings.Builder
	for i := 0; i < len(mask); i++ {
		switch mask[i] {
		case '0':
			n := 1 + extra
			extra = 0
			b.WriteString(digits[:n])
			digits = digits[n:]
		case 0:
			b.WriteByte('0')
		default:
			b.WriteByte(mask[i])
		}
	}
	return strings.TrimSpace(b.String())
}
