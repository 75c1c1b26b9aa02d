package wire

import (
	"errors"
	"net"
	"os"
	"time"
)

// A server that sends one entry after the other wakes whoever waits for each of them, hundreds of bytes at a time, and on both sides that
// takes as long as the entries. So while it is known that much more of a page is to come, the system wakes nobody before a part of it is there.
const (
	// mostGathered is how many bytes are waited for, at most.
	mostGathered = 64 << 10
	// leastGathered is from how many on it is worth the while.
	leastGathered = 4 << 10
	// gatheredFor is how long that many are waited for: whoever sends a page that is shorter than it was asked for, or is slow, is not waited
	// for longer.
	gatheredFor = 10 * time.Millisecond
)

// gathering is what is known of the answer that is being read.
type gathering struct {
	// lowWater tells the system from how many bytes on a reader is woken; nil where it cannot be told.
	lowWater func(bytes int) error
	told     int // the last that it was told; zero: nothing yet, which is 1

	left           int // entries that the page may still have
	entries, bytes int // that came
}

func newGathering(conn net.Conn) gathering {
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	return gathering{lowWater: lowWaterOf(conn)}
}

// begin is for a search that asks for a page of so many entries; zero for one without pages.
func (g *gathering) begin(page int) { g.left, g.entries, g.bytes = page, 0, 0 }

func (g *gathering) came(bytes int) {
	g.left, g.entries, g.bytes = g.left-1, g.entries+1, g.bytes+bytes
}

// want is how many bytes are worth waiting for, of so many as there is room for: half of what is still to come, if its entries are like
// those before.
func (g *gathering) want(room int) int {
	if g.lowWater == nil || g.left <= 0 || g.entries == 0 {
		return 1
	}
	n := min(mostGathered, room, g.left*(g.bytes/g.entries)/2)
	if n < leastGathered {
		return 1
	}
	return n
}

// tell tells the system, unless it knows. A system that does not take it is not told again, and goes on as it was.
func (g *gathering) tell(bytes int) {
	if g.lowWater == nil || bytes == g.told || g.told == 0 && bytes == 1 {
		return
	}
	if g.lowWater(bytes) != nil {
		g.lowWater = nil
		return
	}
	g.told = bytes
}

// deadlined gives every read from the network its own deadline, so that only silence ends a long answer.
type deadlined struct{ *Conn }

func (d deadlined) Read(p []byte) (int, error) {
	d.gather.tell(d.gather.want(len(p)))
	if d.gather.told > 1 {
		if err := d.conn.SetReadDeadline(time.Now().Add(gatheredFor)); err != nil {
			return 0, err
		}
		n, err := d.conn.Read(p)
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case n > 0: // TLS looks for an alert behind what it has read
			return n, nil
		}
		d.gather.tell(1)
	}
	var until time.Time
	if d.idle > 0 {
		until = time.Now().Add(d.idle)
	}
	if err := d.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return d.conn.Read(p)
}
