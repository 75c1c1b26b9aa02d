package wire

// Entry is a search result entry. Its strings share the memory of its message; its slices are reused by the
// next entry that is read into it.
type Entry struct {
	DN         string
	Attributes []Attribute
	// Size is the length of the message in bytes.
	Size   int
	values []string
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
	e.Attributes, e.values = e.Attributes[:0], e.values[:0]
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

// readControls looks for the paging control: SEQUENCE { type, criticality DEFAULT FALSE, value OPTIONAL }.
func (res *Result) readControls(list string) error {
	for list != "" {
		control, rest, ok := expect(tagSequence, list)
		if !ok {
			return malformed("control")
		}
		list = rest
		oid, control, ok := expect(tagOctetString, control)
		if !ok {
			return malformed("control type")
		}
		if oid != pagingOID {
			continue
		}
		tag, value, rest, ok := cut(control)
		if ok && tag != tagOctetString {
			value, _, ok = expect(tagOctetString, rest)
		}
		if !ok || !res.readPaging(value) {
			return malformed("paging control")
		}
	}
	return nil
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
