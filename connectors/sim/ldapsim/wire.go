package ldapsim

import (
	"errors"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

var errMalformed = errors.New("malformed LDAP message")

// message is a request (RFC 4511, 4.1.1).
type message struct {
	id     int64
	op     *ber.Packet
	paging *ldap.ControlPaging // nil when not asked for
	// unknown is the type of a critical control that the server does not have, or empty.
	unknown string
}

func parseMessage(p *ber.Packet) (message, error) {
	id, ok := number(child(p, 0))
	op := child(p, 1)
	if !ok || op == nil || op.ClassType != ber.ClassApplication {
		return message{}, errMalformed
	}
	m := message{id: id, op: op}
	for _, control := range children(child(p, 2)) {
		decoded, err := ldap.DecodeControl(control)
		if err != nil {
			return message{}, errMalformed
		}
		if paging, ok := decoded.(*ldap.ControlPaging); ok {
			m.paging = paging
		} else if critical(control) {
			m.unknown = text(child(control, 0))
		}
	}
	return m, nil
}

func critical(control *ber.Packet) bool {
	b, ok := value(child(control, 1)).(bool)
	return ok && b
}

// parseBind takes a bind request apart (RFC 4511, 4.2).
func parseBind(op *ber.Packet) (name, password string, simple bool) {
	choice := child(op, 2)
	if choice == nil || choice.ClassType != ber.ClassContext || choice.Tag != 0 {
		return "", "", false
	}
	return text(child(op, 1)), raw(choice), true
}

// searchRequest is a search request (RFC 4511, 4.5.1).
type searchRequest struct {
	base      string
	scope     int64
	sizeLimit int
	typesOnly bool
	filter    *ber.Packet
	attrs     []string
}

func parseSearch(op *ber.Packet) (searchRequest, error) {
	scope, ok := number(child(op, 1))
	limit, ok2 := number(child(op, 3))
	typesOnly, ok3 := value(child(op, 5)).(bool)
	filter := child(op, 6)
	if !ok || !ok2 || !ok3 || filter == nil || filter.ClassType != ber.ClassContext || limit < 0 {
		return searchRequest{}, errMalformed
	}
	r := searchRequest{
		base: text(child(op, 0)), scope: scope, sizeLimit: int(limit), typesOnly: typesOnly, filter: filter,
	}
	for _, attr := range children(child(op, 7)) {
		r.attrs = append(r.attrs, text(attr))
	}
	return r, nil
}

// result is an LDAPResult (RFC 4511, 4.1.9). The zero value is success.
type result struct {
	code uint16
	text string
}

func (r result) packet(tag ber.Tag) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "response")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(r.code), "code"))
	p.AppendChild(octets(""))
	p.AppendChild(octets(r.text))
	return p
}

type extendedResult struct {
	result
	name, value string
	hasValue    bool
}

func (r extendedResult) packet() *ber.Packet {
	p := r.result.packet(ldap.ApplicationExtendedResponse)
	if r.name != "" {
		p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, r.name, "name"))
	}
	if r.hasValue {
		p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 11, r.value, "value"))
	}
	return p
}

// entryPacket is a SearchResultEntry (RFC 4511, 4.5.2) with the attributes that the request asks for.
func entryPacket(e *entry, r *searchRequest) *ber.Packet {
	list := ber.NewSequence("attributes")
	for _, a := range e.attrs {
		if !r.wants(a.name) {
			continue
		}
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		for _, v := range a.values {
			if !r.typesOnly {
				values.AppendChild(octets(v))
			}
		}
		attr := ber.NewSequence("attribute")
		attr.AppendChild(octets(a.name))
		attr.AppendChild(values)
		list.AppendChild(attr)
	}
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(octets(e.dn))
	p.AppendChild(list)
	return p
}

// envelope makes a message of a response.
func envelope(id int64, op *ber.Packet, controls []ldap.Control) *ber.Packet {
	p := ber.NewSequence("message")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "id"))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
		for _, control := range controls {
			list.AppendChild(control.Encode())
		}
		p.AppendChild(list)
	}
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// The accessors below take what may be missing: bytes from outside have any shape.

func children(p *ber.Packet) []*ber.Packet {
	if p == nil {
		return nil
	}
	return p.Children
}

func child(p *ber.Packet, i int) *ber.Packet {
	if list := children(p); i < len(list) {
		return list[i]
	}
	return nil
}

func value(p *ber.Packet) any {
	if p == nil {
		return nil
	}
	return p.Value
}

func number(p *ber.Packet) (int64, bool) {
	n, ok := value(p).(int64)
	return n, ok
}

// text returns the bytes of a primitive, whatever its tag.
func text(p *ber.Packet) string {
	if s, ok := value(p).(string); ok {
		return s
	}
	return raw(p)
}

func raw(p *ber.Packet) string {
	if p == nil || p.Data == nil {
		return ""
	}
	return p.Data.String()
}
