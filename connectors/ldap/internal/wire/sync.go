package wire

import (
	ber "github.com/go-asn1-ber/asn1-ber"
)

// Object identifiers of RFC 4533, content synchronization.
const (
	SyncRequestOID = "1.3.6.1.4.1.4203.1.9.1.1"
	syncStateOID   = "1.3.6.1.4.1.4203.1.9.1.2"
	syncDoneOID    = "1.3.6.1.4.1.4203.1.9.1.3"
	syncInfoOID    = "1.3.6.1.4.1.4203.1.9.1.4"
)

// The modes of a sync request.
const (
	RefreshOnly       = 1
	RefreshAndPersist = 3
)

// SyncRequest makes the control that asks for what changed since a cookie; an empty cookie asks for everything.
func SyncRequest(mode int, cookie string) Control {
	seq := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	seq.AppendChild(number(ber.TagEnumerated, mode))
	if cookie != "" {
		seq.AppendChild(octets(cookie))
	}
	return Control{OID: SyncRequestOID, Critical: true, Value: string(seq.Bytes())}
}

// State says what an entry of a sync answer is.
type State uint8

// The states of RFC 4533 section 2.2.
const (
	Present State = iota // unchanged; the entry has no attributes
	Added
	Modified
	Deleted // the entry has no attributes
)

// SyncState is the control of every entry of a sync answer.
type SyncState struct {
	State  State
	UUID   string // 16 bytes
	Cookie string
}

// SyncState returns the entry's sync state control; ok is false when it has none.
func (e *Entry) SyncState() (s SyncState, ok bool, err error) {
	controls, err := e.Controls()
	if err != nil {
		return s, false, err
	}
	value, ok := Find(controls, syncStateOID)
	if !ok {
		return s, false, nil
	}
	seq, _, ok := expect(tagSequence, value)
	if !ok {
		return s, false, malformed("sync state")
	}
	content, seq, ok := expect(tagEnumerated, seq)
	state, valid := integer(content)
	if !ok || !valid || state < int64(Present) || state > int64(Deleted) {
		return s, false, malformed("sync state")
	}
	s.State = State(state)
	if s.UUID, seq, ok = expect(tagOctetString, seq); !ok || len(s.UUID) != uuidLength {
		return s, false, malformed("entry UUID")
	}
	if seq != "" {
		if s.Cookie, _, ok = expect(tagOctetString, seq); !ok {
			return s, false, malformed("sync cookie")
		}
	}
	return s, true, nil
}

const uuidLength = 16

// SyncDone is the control of the end of a sync answer.
type SyncDone struct {
	Cookie         string
	RefreshDeletes bool
}

// SyncDone returns the result's sync done control; ok is false when it has none.
func (res *Result) SyncDone() (d SyncDone, ok bool, err error) {
	value, ok := Find(res.Controls, syncDoneOID)
	if !ok {
		return d, false, nil
	}
	seq, _, ok := expect(tagSequence, value)
	if !ok {
		return d, false, malformed("sync done")
	}
	if d.Cookie, d.RefreshDeletes, seq, ok = cookieAndFlag(seq, false); !ok || seq != "" {
		return SyncDone{}, false, malformed("sync done")
	}
	return d, true, nil
}

// cookieAndFlag takes { cookie OCTET STRING OPTIONAL, flag BOOLEAN DEFAULT … } off a sequence.
func cookieAndFlag(seq string, byDefault bool) (cookie string, flag bool, rest string, ok bool) {
	flag = byDefault
	if c, rest, ok := expect(tagOctetString, seq); ok {
		cookie, seq = c, rest
	}
	if f, rest, ok := boolean(tagBoolean, seq); ok {
		flag, seq = f, rest
	} else if seq != "" && seq[0] == tagBoolean {
		return "", false, "", false
	}
	return cookie, flag, seq, true
}

// Info is the kind of a sync info message (RFC 4533 section 2.5).
type Info uint8

// The kinds; the numbers are those of the message.
const (
	NewCookie Info = iota
	RefreshDelete
	RefreshPresent
	IDSet
)

// SyncInfo is an intermediate message of a sync answer.
type SyncInfo struct {
	Info   Info
	Cookie string
	// Done: the refresh is over (RefreshDelete, RefreshPresent).
	Done bool
	// UUIDs, of 16 bytes each, are deleted, or else unchanged (IDSet).
	UUIDs   []string
	Deletes bool
}

// Tags of a sync info message.
const (
	tagNewCookie      = 0x80
	tagRefreshDelete  = 0xa1
	tagRefreshPresent = 0xa2
	tagIDSet          = 0xa3
)

// SyncInfo decodes an intermediate response; ok is false when it is of another kind.
func (res *Result) SyncInfo() (i SyncInfo, ok bool, err error) {
	if res.Name != syncInfoOID {
		return i, false, nil
	}
	tag, content, _, ok := cut(res.Value)
	if !ok {
		return i, false, malformed("sync info")
	}
	switch tag {
	case tagNewCookie:
		return SyncInfo{Info: NewCookie, Cookie: content}, true, nil
	case tagRefreshDelete, tagRefreshPresent:
		i.Info = RefreshDelete
		if tag == tagRefreshPresent {
			i.Info = RefreshPresent
		}
		if i.Cookie, i.Done, content, ok = cookieAndFlag(content, true); !ok || content != "" {
			return SyncInfo{}, false, malformed("sync info")
		}
		return i, true, nil
	case tagIDSet:
		i.Info = IDSet
		if i.Cookie, i.Deletes, content, ok = cookieAndFlag(content, false); !ok {
			return SyncInfo{}, false, malformed("sync info")
		}
		i.UUIDs, err = uuids(content)
		return i, err == nil, err
	default:
		return i, false, malformed("sync info")
	}
}

func uuids(set string) ([]string, error) {
	list, rest, ok := expect(tagSet, set)
	if !ok || rest != "" {
		return nil, malformed("set of UUIDs")
	}
	var out []string
	for list != "" {
		var uuid string
		if uuid, list, ok = expect(tagOctetString, list); !ok || len(uuid) != uuidLength {
			return nil, malformed("UUID in a set")
		}
		out = append(out, uuid)
	}
	return out, nil
}
