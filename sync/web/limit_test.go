package web

import (
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Who asks too much has to wait, and nobody else does.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := front(t)
		mount(t, f, "/", Route{Handler: say("in")})
		from := func(address string) int {
			return ask(f, "GET", "/", func(r *http.Request) { r.Header.Set("X-Forwarded-For", address) }).Code
		}
		for i := range mostAtOnce {
			if code := from("192.0.2.7"); code != http.StatusOK {
				t.Fatalf("request %d: %d", i, code)
			}
		}
		for _, c := range []struct {
			after   time.Duration
			address string
			want    int
		}{
			{0, "192.0.2.7", 429}, {0, "192.0.2.8", 200}, {time.Second / perSecond, "192.0.2.7", 200}, {0, "192.0.2.7", 429},
		} {
			time.Sleep(c.after)
			if code := from(c.address); code != c.want {
				t.Errorf("%s after %s: %d, want %d", c.address, c.after, code, c.want)
			}
		}
	})
}

// However many ask, what is remembered of them is bounded; a network of version 6 is one client.
func TestLimitIsBounded(t *testing.T) {
	var l limit
	now := time.Unix(1_000_000, 0)
	for i := range 3 * mostClients {
		l.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(l.buckets); n > mostClients {
		t.Errorf("%d clients are remembered", n)
	}
	l = limit{}
	for i := range mostAtOnce {
		l.allow(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}), now)
	}
	if l.allow(netip.MustParseAddr("2001:db8::ffff"), now) || !l.allow(netip.MustParseAddr("2001:db8:0:1::1"), now) {
		t.Error("a network of version 6 is not one client")
	}
}
