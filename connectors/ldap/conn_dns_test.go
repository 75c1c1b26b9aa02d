package ldap

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
)

// fakeDNS is a DNS server that knows what a test tells it, and that all hosts are this machine.
type fakeDNS struct {
	address string

	mu       sync.Mutex
	services map[string][]net.SRV // by the full name, without the last dot
	broken   bool
	asked    []string
}

func newFakeDNS(t *testing.T) *fakeDNS {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &fakeDNS{address: conn.LocalAddr().String(), services: make(map[string][]net.SRV)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(d.answer(buf[:n]), from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return d
}

func (d *fakeDNS) set(name string, records ...net.SRV) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.services[name] = records
}

// answer makes the response to one question (RFC 1035 section 4).
func (d *fakeDNS) answer(query []byte) []byte {
	const typeA, typeSRV, serverFailure, noSuchName = 1, 33, 2, 3
	name, end := question(query)
	kind := binary.BigEndian.Uint16(query[end:])
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+4]...)
	add := func(kind uint16, data []byte) {
		out[7]++
		out = append(out, 0xc0, 12)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 1)
		out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
		out = append(out, data...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, name)
	records, known := d.services[name]
	switch {
	case d.broken:
		out[3] |= serverFailure
	case kind == typeSRV && !known:
		out[3] |= noSuchName
	case kind == typeSRV:
		for _, r := range records {
			var data []byte
			for _, n := range []uint16{r.Priority, r.Weight, r.Port} {
				data = binary.BigEndian.AppendUint16(data, n)
			}
			for _, label := range strings.FieldsFunc(r.Target, func(c rune) bool { return c == '.' }) {
				data = append(append(data, byte(len(label))), label...)
			}
			add(typeSRV, append(data, 0))
		}
	case kind == typeA:
		add(typeA, []byte{127, 0, 0, 1})
	}
	return out
}

func question(query []byte) (name string, end int) {
	var labels []string
	for end = 12; query[end] != 0; end += 1 + int(query[end]) {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
	}
	return strings.ToLower(strings.Join(labels, ".")), end + 1
}
