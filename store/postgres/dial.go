package postgres

import (
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

// deadAfter is how long what was sent on the line of signs of life may stay unacknowledged before it counts as dead: as long as the server waits for
// us (session). What is sent there is small. A server that is busy with one statement reads nothing of a large batch behind it, which looks the
// same to the system: no such limit is good for the other connections, which the end of the leases ends.
const deadAfter = 8 * time.Second

// dialer makes connections that find out in seconds that nothing gets through any more while nothing is on its way, as the server does at its end.
func dialer() *net.Dialer {
	return &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 2}}
}

// lineDialer makes connections that find it out also while something is. A path that drops everything in silence, such as a firewall that has
// forgotten the connection, otherwise costs the system's patience, a quarter of an hour.
func lineDialer() *net.Dialer {
	d := dialer()
	d.Control = endSilence
	return d
}

// lineConfig is how the line is connected. Of several hosts each has its turn while a sign of life can still be in time.
func (s *Store) lineConfig() *pgx.ConnConfig {
	c := s.config.ConnConfig.Copy()
	if s.lineDial != nil {
		c.DialFunc = s.lineDial
	}
	if n := len(c.Fallbacks); n > 0 {
		c.ConnectTimeout = min(c.ConnectTimeout, leaseIO/time.Duration(n+1))
	}
	return c
}
