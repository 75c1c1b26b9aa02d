package wire

import (
	"bufio"
	"fmt"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// firstID is far above the message ids that go-ldap used on the connection before.
const firstID = 1 << 24

// Conn sends searches and reads their results, one search at a time. It is not safe for concurrent use.
type Conn struct {
	conn net.Conn
	r    *bufio.Reader
	idle time.Duration
	id   int64
	// intermediate: the current search wants intermediate responses.
	intermediate bool
	gather       gathering
}

// NewConn makes a Conn of a connection on which no answer is outstanding.
func NewConn(conn net.Conn, idle time.Duration) *Conn {
	c := &Conn{conn: conn, idle: idle, id: firstID, gather: newGathering(conn)}
	c.r = bufio.NewReaderSize(deadlined{c}, 2*mostGathered)
	return c
}

// Search is a request.
type Search struct {
	Base       string
	Scope      int // of package ldap
	Filter     string
	Attributes []string
	// PageSize asks for a page of so many entries; zero asks for all in one answer.
	PageSize int
	// Cookie is that of the page before; empty for the first.
	Cookie string
	// Controls go with the request.
	Controls []Control
	// Intermediate asks for intermediate responses; otherwise they are skipped.
	Intermediate bool
}

// Send sends a search. The answer to the one before must have been read to its end.
func (c *Conn) Send(s Search) error {
	filter, err := ldap.CompileFilter(s.Filter)
	if err != nil {
		return err
	}
	c.id++
	c.intermediate = s.Intermediate
	c.gather.begin(s.PageSize)
	if c.idle > 0 {
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
			return err
		}
	}
	_, err = c.conn.Write(c.encode(s, filter).Bytes())
	return err
}

// encode builds the request of RFC 4511 section 4.5.1: never dereference aliases, the server's limits.
func (c *Conn) encode(s Search, filter *ber.Packet) *ber.Packet {
	req := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	req.AppendChild(octets(s.Base))
	req.AppendChild(number(ber.TagEnumerated, s.Scope))
	req.AppendChild(number(ber.TagEnumerated, ldap.NeverDerefAliases))
	req.AppendChild(number(ber.TagInteger, 0))
	req.AppendChild(number(ber.TagInteger, 0))
	req.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	req.AppendChild(filter)
	attributes := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, name := range s.Attributes {
		attributes.AppendChild(octets(name))
	}
	req.AppendChild(attributes)

	msg := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, c.id, ""))
	msg.AppendChild(req)
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	if s.PageSize > 0 {
		paging := ldap.NewControlPaging(uint32(s.PageSize))
		paging.SetCookie([]byte(s.Cookie))
		controls.AppendChild(paging.Encode())
	}
	for _, control := range s.Controls {
		controls.AppendChild(control.encode())
	}
	if len(controls.Children) > 0 {
		msg.AppendChild(controls)
	}
	return msg
}

func (c Control) encode() *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(octets(c.OID))
	if c.Critical {
		// 0xff is the only TRUE of RFC 4511 (section 5.1). Samba takes any other for FALSE.
		p.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	}
	if c.Value != "" {
		p.AppendChild(octets(c.Value))
	}
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func number(tag ber.Tag, n int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, tag, int64(n), "")
}

// Item says what Next has read.
type Item uint8

// The items of an answer.
const (
	EntryItem        Item = iota + 1 // an entry
	ReferenceItem                    // a pointer to another server that holds a part of the tree
	DoneItem                         // the end, with a result
	IntermediateItem                 // an intermediate response, for a search that asks for them
	KnownItem                        // an entry that Entry.Known knows, of which nothing but Size is set
)

// Next reads the next item of the answer: an entry into e, references to other servers, or the result, after
// which the answer is over. An error means that the answer is not complete and the connection is of no use.
func (c *Conn) Next(e *Entry) (Item, Result, error) {
	for {
		frame, err := readFrame(c.r)
		if err != nil {
			return 0, Result{}, fmt.Errorf("read answer: %w", err)
		}
		m, err := parseMessage(frame)
		if err != nil {
			return 0, Result{}, err
		}
		switch {
		case m.id == 0:
			return 0, Result{}, disconnection(m)
		case m.id != c.id:
			return 0, Result{}, malformed(fmt.Sprintf("answer to message %d, which nobody waits for", m.id))
		case m.op == opIntermediate && !c.intermediate:
			continue
		}
		return c.item(m, e)
	}
}

func (c *Conn) item(m message, e *Entry) (Item, Result, error) {
	switch m.op {
	case opSearchEntry:
		e.Size, e.controls = len(m.body), m.controls
		c.gather.came(e.Size)
		if e.Known != nil && e.Known(m.body) {
			return KnownItem, Result{}, nil
		}
		return EntryItem, Result{}, e.parse(m.body)
	case opSearchReference:
		uris, ok := texts(m.body)
		if !ok {
			return 0, Result{}, malformed("search reference")
		}
		return ReferenceItem, Result{Referrals: uris}, nil
	case opSearchDone:
		res, err := parseResult(m)
		return DoneItem, res, err
	case opIntermediate:
		res, err := parseIntermediate(m)
		return IntermediateItem, res, err
	default:
		return 0, Result{}, malformed(fmt.Sprintf("operation %#x in the answer to a search", m.op))
	}
}

// disconnection is the error for an unsolicited notification; the only one of RFC 4511 (section 4.4.1) says
// that the server closes the connection, and why.
func disconnection(m message) error {
	if m.op != opExtended {
		return malformed("unsolicited message")
	}
	res, err := parseResult(message{body: m.body})
	if err != nil {
		return err
	}
	return fmt.Errorf("the server closes the connection: result %d %s", res.Code, res.Text)
}
