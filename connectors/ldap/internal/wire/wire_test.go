package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// envelope makes an LDAPMessage.
func envelope(id int64, parts ...*ber.Packet) []byte {
	msg := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	for _, p := range parts {
		msg.AppendChild(p)
	}
	return msg.Bytes()
}

func entry(dn string, attributes ...[]string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(dn))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, a := range attributes {
		attr := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		attr.AppendChild(octets(a[0]))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range a[1:] {
			set.AppendChild(octets(v))
		}
		attr.AppendChild(set)
		list.AppendChild(attr)
	}
	op.AppendChild(list)
	return op
}

func outcome(tag ber.Tag, code int64, text string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(octets("dc=matched"))
	op.AppendChild(octets(text))
	return op
}

func paging(cookie string, critical bool) *ber.Packet {
	control := ldap.NewControlPaging(7)
	control.SetCookie([]byte(cookie))
	p := control.Encode()
	if critical {
		flag := ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, "")
		full := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		full.AppendChild(p.Children[0])
		full.AppendChild(flag)
		full.AppendChild(p.Children[len(p.Children)-1])
		p = full
	}
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(ldap.NewControlString("1.2.3", false, "other").Encode())
	controls.AppendChild(p)
	return controls
}

// reading makes a Conn that reads the messages.
func reading(messages ...[]byte) *Conn {
	c := &Conn{id: 7}
	c.r = bufio.NewReaderSize(bytes.NewReader(bytes.Join(messages, nil)), 64<<10)
	return c
}

func TestNext(t *testing.T) {
	huge := strings.Repeat("x", 300_000)
	c := reading(
		envelope(7, entry("cn=a", []string{"cn", "a", "b"}, []string{"empty"}, []string{"big", huge})),
		envelope(7, ber.NewString(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationIntermediateResponse, "", "")),
		envelope(7, entry("cn=b")),
		envelope(7, outcome(ldap.ApplicationSearchResultDone, 0, "fine"), paging("next", true)),
	)
	var e Entry
	item, _, err := c.Next(&e)
	if err != nil || item != EntryItem || e.DN != "cn=a" || len(e.Attributes) != 3 || e.Size < len(huge) {
		t.Fatalf("entry %q with %d attributes, item %d, error %v", e.DN, len(e.Attributes), item, err)
	}
	if a := e.Attributes[0]; a.Name != "cn" || !slices.Equal(a.Values, []string{"a", "b"}) {
		t.Errorf("first attribute %+v", a)
	}
	if a := e.Attributes[1]; a.Name != "empty" || len(a.Values) != 0 {
		t.Errorf("attribute without values %+v", a)
	}
	if e.Attributes[2].Values[0] != huge {
		t.Error("the large value is damaged")
	}
	if item, _, err = c.Next(&e); err != nil || item != EntryItem || e.DN != "cn=b" || len(e.Attributes) != 0 {
		t.Errorf("second entry %q, item %d, error %v", e.DN, item, err)
	}
	item, res, err := c.Next(&e)
	if err != nil || item != DoneItem || res.Code != 0 || !res.Paged || res.Cookie != "next" || res.Text != "fine" || res.MatchedDN != "dc=matched" {
		t.Errorf("result %+v, item %d, error %v", res, item, err)
	}
	if _, _, err = c.Next(&e); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestNextReferences(t *testing.T) {
	ref := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	ref.AppendChild(octets("ldap://a"))
	ref.AppendChild(octets("ldap://b"))
	done := outcome(ldap.ApplicationSearchResultDone, ldap.LDAPResultReferral, "")
	uris := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "")
	uris.AppendChild(octets("ldap://c"))
	done.AppendChild(uris)
	c := reading(envelope(7, ref), envelope(7, done))
	var e Entry
	if item, res, err := c.Next(&e); err != nil || item != ReferenceItem || len(res.Referrals) != 2 {
		t.Errorf("item %d, %+v, error %v", item, res, err)
	}
	if item, res, err := c.Next(&e); err != nil || item != DoneItem || res.Code != 10 || !slices.Equal(res.Referrals, []string{"ldap://c"}) || res.Paged {
		t.Errorf("item %d, %+v, error %v", item, res, err)
	}
}

func TestNextErrors(t *testing.T) {
	good := envelope(7, entry("cn=a", []string{"cn", "a"}))
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
		words string
	}{
		"nothing":             {nil, io.EOF, ""},
		"cut":                 {good[:len(good)-1], io.ErrUnexpectedEOF, ""},
		"cut in the length":   {[]byte{0x30, 0x82, 1}, io.ErrUnexpectedEOF, ""},
		"not a sequence":      {[]byte("HTTP/1.1 400"), ErrMalformed, "envelope"},
		"indefinite length":   {[]byte{0x30, 0x80, 0, 0}, ErrMalformed, "length"},
		"too large":           {[]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, ErrMalformed, "more than"},
		"promised, not sent":  {[]byte{0x30, 0x84, 0x00, 0xff, 0xff, 0xff, 1, 2}, io.ErrUnexpectedEOF, ""},
		"no message id":       {[]byte{0x30, 0x02, 0x04, 0x00}, ErrMalformed, "message id"},
		"id of nobody":        {envelope(8, entry("cn=a")), ErrMalformed, "nobody waits"},
		"other operation":     {envelope(7, outcome(ldap.ApplicationBindResponse, 0, "")), ErrMalformed, "operation"},
		"entry without list":  {[]byte{0x30, 0x07, 2, 1, 7, 0x64, 2, 4, 0}, ErrMalformed, "attribute list"},
		"disconnection":       {envelope(0, outcome(ldap.ApplicationExtendedResponse, 52, "bye")), nil, "result 52 bye"},
		"attribute beyond":    {[]byte{0x30, 0x0b, 2, 1, 7, 0x64, 6, 4, 0, 0x30, 2, 0x30, 0x05}, ErrMalformed, "attribute"},
		"result without code": {[]byte{0x30, 0x07, 2, 1, 7, 0x65, 2, 4, 0}, ErrMalformed, "result code"},
	} {
		t.Run(name, func(t *testing.T) {
			var e Entry
			_, _, err := reading(tc.bytes).Next(&e)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.words) {
				t.Errorf("error %v, want %v with %q", err, tc.want, tc.words)
			}
		})
	}
}

// TestSend: go-ldap's own decoder understands the request.
func TestSend(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _, _ = client.Close(), server.Close() }()
	c := NewConn(client, time.Minute)
	sent := make(chan error, 1)
	go func() {
		sent <- c.Send(Search{Base: "dc=x", Scope: 2, Filter: "(cn=a*)", Attributes: []string{"cn", "sn"}, PageSize: 5, Cookie: "c"})
	}()
	p, err := ber.ReadPacket(server)
	if err != nil || <-sent != nil {
		t.Fatal(err)
	}
	req := p.Children[1]
	filter, err := ldap.DecompileFilter(req.Children[6])
	if err != nil || filter != "(cn=a*)" || req.Children[0].Value != "dc=x" || len(req.Children[7].Children) != 2 {
		t.Errorf("filter %q, base %v, error %v", filter, req.Children[0].Value, err)
	}
	control, err := ldap.DecodeControl(p.Children[2].Children[0])
	if page, ok := control.(*ldap.ControlPaging); err != nil || !ok || page.PagingSize != 5 || string(page.Cookie) != "c" {
		t.Errorf("control %v, error %v", control, err)
	}
	if err := c.Send(Search{Filter: "(bad"}); err == nil {
		t.Error("a bad filter was sent")
	}
}

// TestHandover: after go-ldap's bind the connection is ours, and go-ldap takes nothing from it any more.
func TestHandover(t *testing.T) {
	client, server := net.Pipe()
	go func() {
		p, err := ber.ReadPacket(server)
		if err != nil {
			return
		}
		_, _ = server.Write(envelope(p.Children[0].Value.(int64), outcome(ldap.ApplicationBindResponse, 0, "")))
		if p, err = ber.ReadPacket(server); err != nil {
			return
		}
		id := p.Children[0].Value.(int64)
		_, _ = server.Write(append(envelope(id, entry("cn=a")), envelope(id, outcome(ldap.ApplicationSearchResultDone, 0, ""))...))
	}()
	h := NewHandover(client)
	h.Allow(1 << 20)
	library := ldap.NewConn(h, false)
	library.Start()
	if err := library.Bind("cn=x", "y"); err != nil {
		t.Fatal(err)
	}
	c, err := h.Take(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(Search{Filter: "(cn=a)"}); err != nil {
		t.Fatal(err)
	}
	var e Entry
	for _, want := range []Item{EntryItem, DoneItem} {
		if item, _, err := c.Next(&e); err != nil || item != want {
			t.Fatalf("item %d, error %v; want %d", item, err, want)
		}
	}
	_ = library.Close() // returns only when go-ldap's reader has ended
	_ = server.Close()
	if _, err := NewHandover(client).Take(0); err == nil {
		t.Error("a closed connection was taken over")
	}
}

// FuzzNext compares with go-ldap's decoder: what we take, it takes for the same.
func FuzzNext(f *testing.F) {
	f.Add(envelope(7, entry("cn=a", []string{"cn", "a", "b"}, []string{"sn"})))
	f.Add(envelope(7, outcome(ldap.ApplicationSearchResultDone, 4, "limit"), paging("c", false)))
	f.Add(envelope(0, outcome(ldap.ApplicationExtendedResponse, 52, "bye")))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Entry
		item, _, err := reading(data).Next(&e)
		if err != nil || item != EntryItem {
			return
		}
		p, err := ber.DecodePacketErr(data)
		if err != nil || len(p.Children) < 2 || len(p.Children[1].Children) < 2 {
			return // the library is stricter about what is inside controls and unknown elements
		}
		op := p.Children[1]
		if dn := op.Children[0].Data.String(); dn != e.DN {
			t.Errorf("DN %q, the library says %q", e.DN, dn)
		}
		list := op.Children[1].Children
		if len(list) != len(e.Attributes) {
			t.Fatalf("%d attributes, the library says %d", len(e.Attributes), len(list))
		}
		for i, a := range list {
			values := a.Children[1].Children
			if a.Children[0].Data.String() != e.Attributes[i].Name || len(values) != len(e.Attributes[i].Values) {
				t.Fatalf("attribute %d differs", i)
			}
			for j, v := range values {
				if v.Data.String() != e.Attributes[i].Values[j] {
					t.Errorf("value %d of attribute %d differs", j, i)
				}
			}
		}
	})
}
