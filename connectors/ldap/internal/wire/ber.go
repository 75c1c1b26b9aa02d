// Package wire reads search results straight from an LDAP connection (RFC 4511).
//
// go-ldap makes a tree of every message, with several allocations per value; a full read of a large directory
// spends most of its time there. This package decodes a search entry in one pass over the bytes of its
// message, and it hands every result code, control and referral to the caller, where go-ldap ends a stream
// of a closed connection, a cancelled context or a lost packet without an error. go-ldap still does the rest:
// bind, server identification, single entries, filters and DNs.
package wire

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by the errors for bytes that are not what RFC 4511 allows.
var ErrMalformed = errors.New("malformed LDAP message")

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// Tags of the elements that a search exchange is made of (RFC 4511 appendix B).
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagEnumerated  = 0x0a
	tagSequence    = 0x30
	tagSet         = 0x31

	opSearchEntry     = 0x64
	opSearchDone      = 0x65
	opSearchReference = 0x73
	opExtended        = 0x78
	opIntermediate    = 0x79

	tagControls = 0xa0
	tagReferral = 0xa3
)

// cut takes the first element off s. RFC 4511 section 5.1 allows definite lengths only, and no element of LDAP
// has a tag beyond one byte.
func cut(s string) (tag byte, content, rest string, ok bool) {
	if len(s) < 2 || s[0]&0x1f == 0x1f {
		return 0, "", "", false
	}
	n, head := int(s[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 || len(s) < 2+size {
			return 0, "", "", false
		}
		n = 0
		for _, b := range []byte(s[2 : 2+size]) {
			n = n<<8 | int(b)
		}
		head += size
	}
	if n > len(s)-head {
		return 0, "", "", false
	}
	return s[0], s[head : head+n], s[head+n:], true
}

// expect takes the first element off s, which must have the tag.
func expect(tag byte, s string) (content, rest string, ok bool) {
	t, content, rest, ok := cut(s)
	return content, rest, ok && t == tag
}

// boolean takes a BOOLEAN with the tag off s; RFC 4511 section 5.1 wants one byte.
func boolean(tag byte, s string) (flag bool, rest string, ok bool) {
	content, rest, ok := expect(tag, s)
	if !ok || len(content) != 1 {
		return false, s, false
	}
	return content != "\x00", rest, true
}

// integer decodes the content of an INTEGER or ENUMERATED of at most eight bytes.
func integer(content string) (int64, bool) {
	if content == "" || len(content) > 8 {
		return 0, false
	}
	n := int64(int8(content[0]))
	for _, b := range []byte(content[1:]) {
		n = n<<8 | int64(b)
	}
	return n, true
}
