package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// left are connections on which a transaction that has only read was given up, and nobody has waited for the answer: who takes one next finds it
// there. They are half of the pool's at most, so that whoever asks the pool itself gets one.
type left struct {
	lifetime time.Duration // after which a connection goes back to the pool, which closes it
	// doubt: the last transaction could not begin because its connection was lost. The others may be, too: each is asked before it is used.
	doubt atomic.Bool

	mu      sync.Mutex
	conns   []aside
	waiting int // how many have found none here, and ask the pool
	closed  bool
}

// aside is a connection that nobody uses, and since when.
type aside struct {
	*pgxpool.Conn
	since time.Time
}

// connectedAt is the key of the time at which a connection was made (pgconn.PgConn.CustomData).
const connectedAt = "connected"

// acquire returns one, or one of the pool when there is none.
func (l *left) acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	if conn := l.take(ctx); conn != nil {
		return conn, nil
	}
	conn, err := pool.Acquire(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	return conn, err
}

// take returns one that is of use; nil when there is none, and the caller waits for the pool from then on. Where one is of no use, no other is trusted.
func (l *left) take(ctx context.Context) *pgxpool.Conn {
	l.mu.Lock()
	last := len(l.conns) - 1
	if last < 0 {
		l.waiting++
		l.mu.Unlock()
		return nil
	}
	conn := l.conns[last]
	l.conns = l.conns[:last]
	l.mu.Unlock()
	if l.isOfUse(ctx, conn) {
		return conn.Conn
	}
	giveUp(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() == nil { // it was not the caller who broke it off
		l.drop()
	}
	l.waiting++
	return nil
}

// isOfUse takes the answer to what leave has said, and asks whether the server is there where that was long ago.
func (l *left) isOfUse(ctx context.Context, conn aside) bool {
	ctx, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	for {
		message, err := conn.Conn.Conn().PgConn().ReceiveMessage(ctx)
		if err != nil {
			return false
		}
		if ready, ok := message.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I' && (time.Since(conn.since) <= trusted && !l.doubt.Load() || conn.Ping(ctx) == nil)
		}
	}
}

// leave gives up the transaction of a connection, and waits for nothing unless somebody may wait for a connection. It reports whether it did.
func (l *left) leave(pool *pgxpool.Pool, conn *pgxpool.Conn) bool {
	wire := conn.Conn().PgConn()
	since, _ := wire.CustomData()[connectedAt].(time.Time)
	l.mu.Lock()
	defer l.mu.Unlock()
	if stat := pool.Stat(); l.closed || l.waiting > 0 || stat.AcquiredConns() >= stat.MaxConns() || len(l.conns) >= int(stat.MaxConns())/2 ||
		wire.IsClosed() || wire.TxStatus() != 'T' || time.Since(since) >= l.lifetime {
		return false
	}
	front := wire.Frontend()
	front.SendQuery(&pgproto3.Query{String: "rollback"})
	if front.Flush() != nil {
		closeAtOnce(conn.Conn())
		return false
	}
	l.conns = append(l.conns, aside{conn, time.Now()})
	return true
}

// close gives all back, and takes no more: the pool's end waits for each.
func (l *left) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.drop()
}

// drop closes all. The caller has the lock.
func (l *left) drop() {
	for _, conn := range l.conns {
		giveUp(conn)
	}
	l.conns = nil
}

func giveUp(conn aside) {
	closeAtOnce(conn.Conn.Conn())
	conn.Release()
}
