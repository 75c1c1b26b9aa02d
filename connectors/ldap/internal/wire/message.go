package wire

// Entry is a search result entry. Its strings share the memory of its message; its slices are reused by the
// next entry that is read into it.
type Entry struct {
	DN         string
	Attributes []Attribute
	// Size is the length of the message in bytes.
	Size int
	// Known, when set, is asked about every entry as it came. One that it knows is not taken apart (KnownItem).
	Known func(body string) bool
	// Oversized is an attribute with a value of more than MaxValue bytes; empty when there is none.
	Oversized string
	values    []string
	controls  string
}

// Controls decodes the controls that came with the entry.
func (e *Entry) Controls() ([]Control, error) { return parseControls(e.controls) }

// Control is a control of a request or of an answer (RFC 4511 section 4.1.11).
type Control struct {
	OID      string
	Critical bool
	// Value is the encoded value. A control without a value is not told from one with an empty value.
	Value string
}

// Attribute is one attribute of an entry, under the description that the server sent: the name and its options
// ("member;range=0-1499"). Values are bytes as sent.
type Attribute struct {
	Name   string
	Values []string
}

// Result is the end of a search.
type Result struct {
	Code      uint16
	MatchedDN string
	Text      string // the server's diagnostic message
	Referrals []string
	// Paged says that the answer carries the paged results control of RFC 2696, and Cookie is its cookie,
	// empty after the last page.
	Paged  bool
	Cookie string
	// Controls are all controls that came with it.
	Controls []Control
	// Name and Value are those of an intermediate response (RFC 4511 section 4.13).
	Name, Value string
}

// Find returns the value of the control with the object identifier.
func Find(controls []Control, oid string) (value string, ok bool) {
	for i := range controls {
		if controls[i].OID == oid {
			return controls[i].Value, true
		}
	}
	return "", false
}

// pagingOID is the object identifier of the paged results control.
const pagingOID = "1.2.840.113556.1.4.319"

// message is an LDAPMessage taken out of its envelope.
type message struct {
	id       int64
	op       byte
	body     string
	controls string
}

func parseMessage(frame string) (message, error) {
	content, rest, ok := expect(tagInteger, frame)
	if !ok {
		return message{}, malformed("message id")
	}
	var m message
	if m.id, ok = integer(content); !ok {
		return message{}, malformed("message id")
	}
	if m.op, m.body, rest, ok = cut(rest); !ok {
		return message{}, malformed("operation")
	}
	if rest == "" {
		return m, nil
	}
	// RFC 4511 section 4.1.1 lets later versions append elements; only the controls are known.
	tag, content, _, ok := cut(rest)
	if !ok {
		return message{}, malformed("controls")
	}
	if tag == tagControls {
		m.controls = content
	}
	return m, nil
}

// parse fills the entry from the body of a SearchResultEntry.
func (e *Entry) parse(body string) error {
	e.Attributes, e.values, e.Oversized = e.Attributes[:0], e.values[:0], ""
	var ok bool
	if e.DN, body, ok = expect(tagOctetString, body); !ok {
		return malformed("entry name")
	}
	list, _, ok := expect(tagSequence, body)
	if !ok {
		return malformed("attribute list")
	}
	for list != "" {
		var attr string
		if attr, list, ok = expect(tagSequence, list); !ok {
			return malformed("attribute")
		}
		name, attr, ok := expect(tagOctetString, attr)
		if !ok {
			return malformed("attribute name")
		}
		set, _, ok := expect(tagSet, attr)
		if !ok {
			return malformed("attribute values")
		}
		first := len(e.values)
		for set != "" {
			var value string
			if value, set, ok = expect(tagOctetString, set); !ok {
				return malformed("attribute value")
			}
			if len(value) > MaxValue {
				e.Oversized, value = name, ""
			}
			e.values = append(e.values, value)
		}
		e.Attributes = append(e.Attributes, Attribute{Name: name, Values: e.values[first:len(e.values):len(e.values)]})
	}
	return nil
}

// parseResult decodes an LDAPResult and the paging control that came with it.
func parseResult(m message) (Result, error) {
	var res Result
	content, rest, ok := expect(tagEnumerated, m.body)
	code, valid := integer(content)
	if !ok || !valid || code < 0 || code > 1<<16-1 {
		return Result{}, malformed("result code")
	}
	res.Code = uint16(code)
	if res.MatchedDN, rest, ok = expect(tagOctetString, rest); !ok {
		return Result{}, malformed("matched DN")
	}
	if res.Text, rest, ok = expect(tagOctetString, rest); !ok {
		return Result{}, malformed("diagnostic message")
	}
	if tag, uris, _, ok := cut(rest); ok && tag == tagReferral {
		if res.Referrals, ok = texts(uris); !ok {
			return Result{}, malformed("referral")
		}
	}
	return res, res.readControls(m.controls)
}

// readControls decodes the controls, and the paging control among them.
func (res *Result) readControls(list string) (err error) {
	if res.Controls, err = parseControls(list); err != nil {
		return err
	}
	if value, ok := Find(res.Controls, pagingOID); ok && !res.readPaging(value) {
		return malformed("paging control")
	}
	return nil
}

// parseControls decodes a list of SEQUENCE { type, criticality DEFAULT FALSE, value OPTIONAL }.
func parseControls(list string) ([]Control, error) {
	var controls []Control
	for list != "" {
		control, rest, ok := expect(tagSequence, list)
		if !ok {
			return nil, malformed("control")
		}
		list = rest
		var c Control
		if c.OID, control, ok = expect(tagOctetString, control); !ok {
			return nil, malformed("control type")
		}
		if flag, rest, ok := boolean(tagBoolean, control); ok {
			c.Critical, control = flag, rest
		}
		if control != "" {
			if c.Value, _, ok = expect(tagOctetString, control); !ok {
				return nil, malformed("control value")
			}
		}
		controls = append(controls, c)
	}
	return controls, nil
}

// readPaging decodes SEQUENCE { size INTEGER, cookie OCTET STRING }; the size is only an estimate.
func (res *Result) readPaging(value string) bool {
	seq, _, ok := expect(tagSequence, value)
	if !ok {
		return false
	}
	_, rest, ok := expect(tagInteger, seq)
	if !ok {
		return false
	}
	res.Cookie, _, ok = expect(tagOctetString, rest)
	res.Paged = ok
	return ok
}

func texts(list string) ([]string, bool) {
	var out []string
	for list != "" {
		s, rest, ok := expect(tagOctetString, list)
		if !ok {
			return nil, false
		}
		out, list = append(out, s), rest
	}
	return out, true
}
