package ldap

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/settings"
)

// fakeServer speaks enough LDAP for what no OpenLDAP server does: Active Directory's attributes and ranges, and
// answers that end in every wrong way.
type fakeServer struct {
	url         string
	directory   *fakeDirectory
	connections atomic.Int64
	searches    atomic.Int64
}

// fakeDirectory is what a fakeServer holds and does.
type fakeDirectory struct {
	root    map[string][]string
	entries []fakeEntry
	// maxRange is how many values of an attribute are sent at once; 0: all.
	maxRange int
	bind     func(name, password string) (code int64, text string)
	// ntlm answers the two messages of a bind of that kind: with a challenge, or with a code and text.
	ntlm func(message []byte) (challenge string, code int64, text string)
	// whoami is who the server takes the other side for.
	whoami string
	// page may answer a page of a listing in its own way, or return false.
	page func(n int, r *fakeRequest) bool
	// whole answers a listing without pages.
	whole func(r *fakeRequest)
	// sync answers the content synchronization search with this number.
	sync func(n int, r *fakeRequest)
	// dirsync, unless nil, answers directory synchronization; without it, that control is ignored.
	dirsync func(r *fakeRequest)
	// watch answers persistent searches.
	watch func(r *fakeRequest)
	syncs int
	// ranged is called before every part of a list of values is sent.
	ranged func(part int, e fakeEntry)

	mu    sync.Mutex
	parts int
}

// fakeEntry is an entry; its class is user or group.
type fakeEntry struct {
	dn, class  string
	attributes map[string][]string
}

// fakeRequest is a search and the connection that it came on.
type fakeRequest struct {
	conn       net.Conn
	id         int64
	base       string
	filter     string
	attributes []string
	paging     *ldap.ControlPaging
	sync       bool
	dirsync    *ldap.ControlDirSync
	watch      string // the value of the control for persistent searches
}

func newFakeServer(t *testing.T, d *fakeDirectory) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{url: "ldap://" + l.Addr().String(), directory: d}
	f.listen(t, l)
	return f
}

// listen serves what comes in until the test ends.
func (f *fakeServer) listen(t *testing.T, l net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.connections.Add(1)
			wg.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
}

// open opens a connector on the server.
func (f *fakeServer) open(t *testing.T, change func(*Config)) *Connector {
	t.Helper()
	cfg := Defaults()
	cfg.Servers, cfg.Base, cfg.PageSize = []string{f.url}, Names{"DC=example,DC=test"}, 10
	cfg.Bind = BindConfig{User: "sync@example.test", Password: settings.NewSecret("fake-secret")}
	if change != nil {
		change(cfg)
	}
	c, err := open(cfg, testEnv())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		p, err := ber.ReadPacket(conn)
		if err != nil {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			f.directory.answerBind(conn, id, op)
		case ldap.ApplicationExtendedRequest:
			if op.Children[0].Data.String() == "1.3.6.1.4.1.4203.1.11.3" { // RFC 4532, who am I
				answer := result(ldap.ApplicationExtendedResponse, 0, "")
				answer.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 11, f.directory.whoami, ""))
				write(conn, id, answer)
				continue
			}
			write(conn, id, result(ldap.ApplicationExtendedResponse, ldap.LDAPResultUnavailable, "no certificate"))
		case ldap.ApplicationSearchRequest:
			f.searches.Add(1)
			f.directory.search(parseRequest(conn, id, p))
		default:
			return
		}
	}
}

// answerBind answers a bind by name and password, or by NTLM, whose messages come under tags of their own, and whose
// challenge takes the place of the matched DN.
func (d *fakeDirectory) answerBind(conn net.Conn, id int64, op *ber.Packet) {
	code, text, matched := int64(0), "", ""
	switch credentials := op.Children[2]; {
	case credentials.Tag != 0 && d.ntlm != nil:
		matched, code, text = d.ntlm(credentials.Data.Bytes())
	case d.bind != nil:
		code, text = d.bind(op.Children[1].Value.(string), credentials.Data.String())
	}
	answer := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindResponse, nil, "")
	answer.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	answer.AppendChild(octets(matched))
	answer.AppendChild(octets(text))
	write(conn, id, answer)
}

func parseRequest(conn net.Conn, id int64, p *ber.Packet) *fakeRequest {
	op := p.Children[1]
	r := &fakeRequest{conn: conn, id: id, base: op.Children[0].Value.(string)}
	r.filter, _ = ldap.DecompileFilter(op.Children[6])
	for _, a := range op.Children[7].Children {
		r.attributes = append(r.attributes, a.Value.(string))
	}
	if len(p.Children) > 2 {
		for _, c := range p.Children[2].Children {
			r.sync = r.sync || c.Children[0].Value == wire.SyncRequestOID
			if c.Children[0].Value == controlPersistentSearch {
				r.watch = c.Children[len(c.Children)-1].Data.String()
			}
			if control, err := ldap.DecodeControl(c); err == nil {
				switch control := control.(type) {
				case *ldap.ControlPaging:
					r.paging = control
				case *ldap.ControlDirSync:
					r.dirsync = control
				}
			}
		}
	}
	return r
}

func (d *fakeDirectory) search(r *fakeRequest) {
	switch {
	case r.base == "":
		r.entry(d, fakeEntry{attributes: d.root})
		r.done(0, "", nil)
	case r.watch != "":
		d.watch(r)
	case r.dirsync != nil && d.dirsync != nil:
		d.dirsync(r)
	case r.sync:
		d.mu.Lock()
		d.syncs++
		n := d.syncs
		d.mu.Unlock()
		d.sync(n, r)
	case strings.HasPrefix(r.base, "CN=Partitions,"):
		for _, e := range d.entries {
			if e.class == "crossRef" {
				r.entry(d, e)
			}
		}
		r.done(0, "", nil)
	case d.whole != nil && r.paging == nil && strings.Contains(r.filter, "objectClass=user"):
		d.whole(r)
	case strings.HasPrefix(r.base, "<GUID=") || r.paging == nil:
		for _, e := range d.entries {
			if strings.EqualFold(r.base, e.dn) || r.base == "<GUID="+hex.EncodeToString([]byte(e.attributes["objectGUID"][0]))+">" {
				r.entry(d, e)
			}
		}
		r.done(0, "", nil)
	default:
		d.list(r)
	}
}

// list answers one page. The cookie is the number of the next page.
func (d *fakeDirectory) list(r *fakeRequest) {
	n, _ := strconv.Atoi(string(r.paging.Cookie))
	if d.page != nil && d.page(n, r) {
		return
	}
	r.pageOf(d, n)
}

// pageOf sends the entries of a page and its end.
func (r *fakeRequest) pageOf(d *fakeDirectory, n int) {
	if r.entriesOf(d, n) {
		r.done(0, "", []byte(strconv.Itoa(n+1)))
		return
	}
	r.done(0, "", []byte{})
}

// entriesOf sends the entries of a page and reports whether more pages follow.
func (r *fakeRequest) entriesOf(d *fakeDirectory, n int) (more bool) {
	var matching []fakeEntry
	for _, e := range d.entries {
		if strings.Contains(r.filter, "objectClass="+e.class) {
			matching = append(matching, e)
		}
	}
	size := int(r.paging.PagingSize)
	first, end := min(n*size, len(matching)), min((n+1)*size, len(matching))
	for _, e := range matching[first:end] {
		r.entry(d, e)
	}
	return end < len(matching)
}

// entry sends an entry, with ranges as Active Directory makes them.
func (r *fakeRequest) entry(d *fakeDirectory, e fakeEntry) {
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, wanted := range r.attributes {
		name, part, ranged, _ := splitRange(wanted)
		var values []string
		for key, v := range e.attributes {
			if strings.EqualFold(key, name) {
				name, values = key, v
			}
		}
		if ranged && d.ranged != nil {
			d.mu.Lock()
			d.parts++
			d.ranged(d.parts, e)
			values = e.attributes[name]
			d.mu.Unlock()
		}
		switch {
		case len(values) == 0:
		case d.maxRange == 0 || !ranged && len(values) <= d.maxRange:
			list.AppendChild(attribute(name, values))
		default:
			if !ranged {
				list.AppendChild(attribute(name, nil))
			}
			last := min(part.first+d.maxRange, len(values))
			bound := strconv.Itoa(last - 1)
			if last == len(values) {
				bound = "*"
			}
			list.AppendChild(attribute(fmt.Sprintf("%s;range=%d-%s", name, part.first, bound), values[min(part.first, last):last]))
		}
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(e.dn))
	op.AppendChild(list)
	write(r.conn, r.id, op)
}

func (r *fakeRequest) reference(uri string) {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	op.AppendChild(octets(uri))
	write(r.conn, r.id, op)
}

// done ends a search, with the paging control unless cookie is nil.
func (r *fakeRequest) done(code int64, text string, cookie []byte) {
	op := result(ldap.ApplicationSearchResultDone, code, text)
	if cookie == nil || r.paging == nil {
		write(r.conn, r.id, op)
		return
	}
	control := ldap.NewControlPaging(0)
	control.SetCookie(cookie)
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(control.Encode())
	write(r.conn, r.id, op, controls)
}

func result(tag ber.Tag, code int64, text string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(octets(""))
	op.AppendChild(octets(text))
	return op
}

func attribute(name string, values []string) *ber.Packet {
	a := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	a.AppendChild(octets(name))
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	for _, v := range values {
		set.AppendChild(octets(v))
	}
	a.AppendChild(set)
	return a
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func write(conn net.Conn, id int64, parts ...*ber.Packet) {
	msg := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	for _, p := range parts {
		msg.AppendChild(p)
	}
	_, _ = conn.Write(msg.Bytes())
}

// fakeAD is a domain with 35 users and 3 groups.
func fakeAD() *fakeDirectory {
	d := &fakeDirectory{root: map[string][]string{
		"supportedCapabilities": {capabilityAD}, "supportedControl": {ldap.ControlTypePaging},
		"namingContexts": {"DC=example,DC=test"},
	}}
	for i := range 35 {
		d.entries = append(d.entries, fakeEntry{fakeUserDN(i), "user", map[string][]string{
			"objectGUID": {fakeGUID(i)}, "objectSid": {fakeSID(1000 + i)}, "sAMAccountName": {fmt.Sprintf("user%d", i)},
			"cn": {fmt.Sprintf("User, %d", i)}, "userAccountControl": {"512"}, "primaryGroupID": {"513"},
			"whenCreated": {"20240131120000.0Z"}, "mail": {fmt.Sprintf("user%d@example.test", i)},
		}})
	}
	for i, name := range []string{"Domain Users", "Sales", "Desk"} {
		d.entries = append(d.entries, fakeEntry{"CN=" + name + ",CN=Users,DC=example,DC=test", "group", map[string][]string{
			"objectGUID": {fakeGUID(500 + i)}, "objectSid": {fakeSID(513 + i)}, "cn": {name},
			"groupType": {"-2147483646"}, "uSNChanged": {"7"},
		}})
	}
	return d
}

func fakeUserDN(i int) string { return fmt.Sprintf("CN=User\\, %d,OU=Staff,DC=example,DC=test", i) }

func fakeGUID(i int) string {
	b := []byte("\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\x00\x00")
	binary.BigEndian.PutUint16(b[14:], uint16(i))
	return string(b)
}

func fakeGUIDText(i int) string { return fmt.Sprintf("00112233-4455-6677-8899-aabbccdd%04x", i) }

func fakeSID(rid int) string {
	b := []byte{1, 5, 0, 0, 0, 0, 0, 5}
	for _, n := range []int{21, 1, 2, 3, rid} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}
