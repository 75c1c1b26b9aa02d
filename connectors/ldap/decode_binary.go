package ldap

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// guidText renders an objectGUID: 16 bytes of which the first three groups are little-endian
// (MS-DTYP 2.3.4.2), as lower-case text with dashes.
func guidText(raw string) (string, bool) {
	if len(raw) != 16 {
		return "", false
	}
	b := []byte(raw)
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5] = b[5], b[4]
	b[6], b[7] = b[7], b[6]
	return dashed(b), true
}

// uuidText renders 16 bytes in network order (RFC 4122), as lower-case text with dashes.
func uuidText(raw string) (string, bool) {
	if len(raw) != 16 {
		return "", false
	}
	return dashed([]byte(raw)), true
}

func dashed(b []byte) string {
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// sidText renders an objectSid (MS-DTYP 2.4.2.2 and 2.4.2.1): revision, count of sub-authorities, authority
// in 48 bits big-endian, sub-authorities in 32 bits little-endian.
func sidText(raw string) (string, bool) {
	if len(raw) < 8 || raw[0] != 1 || raw[1] > 15 || len(raw) != 8+4*int(raw[1]) {
		return "", false
	}
	var authority uint64
	for _, b := range []byte(raw[2:8]) {
		authority = authority<<8 | uint64(b)
	}
	out := make([]byte, 0, 64)
	out = append(out, "S-1-"...)
	if authority < 1<<32 {
		out = strconv.AppendUint(out, authority, 10)
	} else {
		out = fmt.Appendf(out, "0x%012X", authority)
	}
	for rest := raw[8:]; rest != ""; rest = rest[4:] {
		out = append(out, '-')
		out = strconv.AppendUint(out, uint64(binary.LittleEndian.Uint32([]byte(rest[:4]))), 10)
	}
	return string(out), true
}

// domainSID returns the SID of the domain of an account: the account's without the last part.
func domainSID(sid string) string {
	i := strings.LastIndexByte(sid, '-')
	if i < 0 {
		return ""
	}
	return sid[:i]
}

// readable renders a value of an attribute that the operator asked for. What is not text is shown by
// reference, so that rules and targets see that it changed without carrying it.
func readable(attribute, value string) string {
	switch strings.ToLower(attribute) {
	case "objectguid", "ms-ds-consistencyguid", "msexchmailboxguid":
		if text, ok := guidText(value); ok {
			return text
		}
	case "guid", "ibm-entryuuid":
		if text, ok := uuidText(value); ok {
			return text
		}
	case "objectsid", "sidhistory", "tokengroups", "securityidentifier", "ms-ds-creatorsid":
		if text, ok := sidText(value); ok {
			return text
		}
	case "accountexpires":
		if t, ok := parseFiletime(value); ok {
			return t.Format(time.RFC3339)
		}
		return "never"
	case "jpegphoto", "thumbnailphoto", "photo", "usercertificate", "usersmimecertificate":
		return reference(value)
	}
	if validText(value) {
		return value
	}
	if text, ok := sidText(value); ok {
		return text
	}
	return reference(value)
}

// validText reports whether a value is text. No text has the character NUL, many numbers and identifiers do.
func validText(value string) bool {
	return strings.IndexByte(value, 0) < 0 && utf8.ValidString(value)
}

// hasControls reports whether a value holds characters that no identifier has.
func hasControls(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func reference(value string) string {
	return fmt.Sprintf("sha256:%x %d bytes", sha256.Sum256([]byte(value)), len(value))
}
