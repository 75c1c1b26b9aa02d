package event

import (
	"strconv"
	"time"
	"unicode/utf8"

	"dirsyncd/sync/directory"
)

const hexDigits = "0123456789abcdef"

// plain says which ASCII characters stand for themselves in a JSON string.
var plain = func() (table [utf8.RuneSelf]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\' && c != 0x7f
	}
	return table
}()

func appendComma(buf []byte, i int) []byte {
	if i > 0 {
		buf = append(buf, ',')
	}
	return buf
}

func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	buf = appendEscaped(buf, s)
	return append(buf, '"')
}

// appendEscaped appends the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD. Whatever some
// reader takes for the end of a line is escaped, so that one event stays one line for everybody.
func appendEscaped(buf []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if !plain[c] {
				buf = append(buf, s[start:i]...)
				buf = appendEscape(buf, c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			buf = append(buf, s[start:i]...)
			buf = append(buf, `\ufffd`...)
			start = i + size
		case r <= 0x9f || r == '\u2028' || r == '\u2029': // C1 control characters include "next line"
			buf = append(buf, s[start:i]...)
			buf = append(buf, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	return append(buf, s[start:]...)
}

func appendEscape(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, '\\', 'n')
	case '\r':
		return append(buf, '\\', 'r')
	case '\t':
		return append(buf, '\\', 't')
	default:
		return append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

func appendStrings(buf []byte, list []string) []byte {
	buf = append(buf, '[')
	for i, s := range list {
		buf = appendComma(buf, i)
		buf = appendString(buf, s)
	}
	return append(buf, ']')
}

func appendValue(buf []byte, v directory.Value) []byte {
	switch v.Type() {
	case directory.TextType:
		return appendString(buf, v.Text())
	case directory.BoolType:
		return strconv.AppendBool(buf, v.Bool())
	case directory.NumberType:
		return strconv.AppendInt(buf, v.Number(), 10)
	case directory.TimeType:
		buf = append(buf, '"')
		buf = v.Time().AppendFormat(buf, time.RFC3339)
		return append(buf, '"')
	case directory.ListType:
		return appendStrings(buf, v.List())
	default:
		return append(buf, "null"...)
	}
}
