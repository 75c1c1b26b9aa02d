package ldapsim

import (
	"net"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// FuzzRequest feeds a session with bytes: whatever comes, it answers or hangs up.
func FuzzRequest(f *testing.F) {
	for _, filter := range []string{
		"(objectClass=*)", "(&(sn=a*b*c)(!(|(l>=1)(l<=2)(l~=3))))", "(uid:caseExactMatch:=a)", "(member=cn=a,b)",
	} {
		packet, err := ldap.CompileFilter(filter)
		if err != nil {
			f.Fatal(err)
		}
		op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
		op.AppendChild(octets("dc=example,dc=test"))
		for _, n := range []int64{2, 0} {
			op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, n, ""))
		}
		for range 2 {
			op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 0, ""))
		}
		op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
		op.AppendChild(packet)
		attrs := ber.NewSequence("")
		attrs.AppendChild(octets("*"))
		op.AppendChild(attrs)
		f.Add(envelope(1, op, []ldap.Control{ldap.NewControlPaging(2)}).Bytes())
	}
	f.Add([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")) // anonymous bind
	f.Add([]byte("\x30\x05\x02\x01\x01\x42\x00"))                             // unbind
	f.Add([]byte("\x30\x80\x00\x00"))                                         // indefinite length

	s := &Server{base: "dc=example,dc=test", now: fixedNow, conns: map[net.Conn]struct{}{}}
	if err := s.load(Company(5)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		packet, err := ber.DecodePacketErr(data)
		if err != nil {
			return
		}
		m, err := parseMessage(packet)
		if err != nil {
			return
		}
		c := newSession(s, discard{}, nil)
		c.user = s.user
		_ = c.handle(m) // an error is an answer, too
	})
}

func fixedNow() time.Time { return time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC) }

// discard is a connection that takes everything and says nothing.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
