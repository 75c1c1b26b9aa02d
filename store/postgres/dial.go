package postgres

import (
	"net"
	"time"
)

// deadAfter is how long what was sent to the server may stay unacknowledged before the connection counts as dead: as long as the server
// waits for us (session).
const deadAfter = 8 * time.Second

// dialer makes connections that find out in seconds that nothing gets through any more, as the server does at its end. A path that drops
// everything in silence, such as a firewall that has forgotten the connection, otherwise costs the system's patience, a quarter of an hour.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 2},
		Control:         endSilence,
	}
}
