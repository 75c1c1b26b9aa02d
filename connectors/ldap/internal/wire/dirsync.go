package wire

import ber "github.com/go-asn1-ber/asn1-ber"

// DirSyncOID names the directory synchronization control of Active Directory and its answer (MS-ADTS 3.1.1.3.4.1.3).
const DirSyncOID = "1.2.840.113556.1.4.841"

// The flags of a request that this program uses.
const (
	DirSyncObjectSecurity    uint32 = 0x1        // what the account may read, without a right to replicate
	DirSyncAncestorsFirst    uint32 = 0x800      // containers before what is in them
	DirSyncIncrementalValues uint32 = 0x80000000 // of lists of links, what changed
)

// DirSyncRequest makes the control that asks for what changed since a cookie, in answers of about so many bytes; an empty
// cookie asks for everything. It is critical: a server that does not know it would list everything as changed. The
// flags go as a number of 32 bits with a sign, since domain controllers refuse a longer one.
func DirSyncRequest(flags uint32, bytes int, cookie string) Control {
	seq := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	seq.AppendChild(number(ber.TagInteger, int(int32(flags))))
	seq.AppendChild(number(ber.TagInteger, bytes))
	seq.AppendChild(octets(cookie))
	return Control{OID: DirSyncOID, Critical: true, Value: string(seq.Bytes())}
}

// DirSync is the control at the end of an answer.
type DirSync struct {
	// More: the answer is not complete. The next part is asked for with the cookie.
	More   bool
	Cookie string
}

// DirSync returns the result's control; ok is false when it has none.
func (res *Result) DirSync() (d DirSync, ok bool, err error) {
	value, ok := Find(res.Controls, DirSyncOID)
	if !ok {
		return d, false, nil
	}
	wrong := malformed("directory synchronization")
	seq, rest, ok := expect(tagSequence, value)
	if !ok || rest != "" {
		return d, false, wrong
	}
	more, seq, ok := expect(tagInteger, seq)
	if !ok {
		return d, false, wrong
	}
	flag, valid := integer(more)
	_, seq, ok = expect(tagInteger, seq)
	if !ok || !valid {
		return d, false, wrong
	}
	if d.Cookie, seq, ok = expect(tagOctetString, seq); !ok || seq != "" {
		return DirSync{}, false, wrong
	}
	d.More = flag != 0
	return d, true, nil
}
