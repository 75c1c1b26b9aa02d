package dn

import (
	"encoding/hex"
	"strings"
)

// decodeValue takes the escapes out of a value. It reports false when the value is not one of RFC 4514; what it
// returns then is the nearest reading of it.
func decodeValue(raw string) (value string, valid bool) {
	raw = trim(raw)
	if strings.HasPrefix(raw, "#") {
		if content, ok := decodeBER(raw[1:]); ok {
			return content, true
		}
		return raw, false
	}
	if len(raw) >= 2 && raw[0] == '"' && raw[len(raw)-1] == '"' {
		value, _ = decode(raw[1 : len(raw)-1])
		return value, false
	}
	return decode(raw)
}

// decode takes the escapes out of a type or value. It reports false when something is escaped that must not be,
// or the other way round.
func decode(raw string) (text string, valid bool) {
	if !strings.ContainsAny(raw, "\\\";<>\x00") {
		return raw, true
	}
	var out strings.Builder
	valid = true
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case strings.IndexByte("\";<>\x00", c) >= 0:
			valid = false
			out.WriteByte(c)
		case c != '\\':
			out.WriteByte(c)
		case i+1 == len(raw):
			valid = false
			out.WriteByte(c)
		case i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			b, _ := hex.DecodeString(raw[i+1 : i+3])
			out.Write(b)
			i += 2
		default:
			i++
			valid = valid && strings.IndexByte(` "#+,;<=>\`, raw[i]) >= 0
			out.WriteByte(raw[i])
		}
	}
	return out.String(), valid
}

// decodeBER returns what is in one element of BER (X.690) that is spelled in hexadecimal digits.
func decodeBER(digits string) (content string, ok bool) {
	data, err := hex.DecodeString(digits)
	if err != nil || len(data) < 2 {
		return "", false
	}
	rest := data[1:]
	if data[0]&0x1f == 0x1f { // the number of the type follows
		for len(rest) > 0 && rest[0]&0x80 != 0 {
			rest = rest[1:]
		}
		if len(rest) < 2 {
			return "", false
		}
		rest = rest[1:]
	}
	length := int(rest[0])
	rest = rest[1:]
	if length >= 0x80 {
		octets := length & 0x7f
		if octets == 0 || octets > 4 || octets > len(rest) {
			return "", false
		}
		length = 0
		for _, b := range rest[:octets] {
			length = length<<8 | int(b)
		}
		rest = rest[octets:]
	}
	return string(rest), length == len(rest)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// trim removes the spaces around a type or value, but not a last one that is escaped.
func trim(raw string) string {
	short := strings.Trim(raw, " ")
	escapes := len(short) - len(strings.TrimRight(short, `\`))
	if escapes%2 == 1 && len(raw) > 0 && raw[len(raw)-1] == ' ' {
		short += " "
	}
	return short
}
