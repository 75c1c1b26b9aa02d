package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// left are connections on which a transaction that has only read was given up, and nobody has waited for the answer: who takes one next finds it
// there. They are half of the pool's at most, so that whoever asks the pool itself gets one.
type left struct {
	mu    sync.Mutex
	conns []*pgxpool.Conn
}

// take returns one that is of use; nil when there is none.
func (l *left) take(ctx context.Context) *pgxpool.Conn {
	for {
		l.mu.Lock()
		last := len(l.conns) - 1
		if last < 0 {
			l.mu.Unlock()
			return nil
		}
		conn := l.conns[last]
		l.conns = l.conns[:last]
		l.mu.Unlock()
		if answered := hear(ctx, conn); answered {
			return conn
		}
		closeAtOnce(conn.Conn())
		conn.Release()
	}
}

// hear takes the answer to what leave has said. It reports whether the connection is of use.
func hear(ctx context.Context, conn *pgxpool.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	for {
		message, err := conn.Conn().PgConn().ReceiveMessage(ctx)
		if err != nil {
			return false
		}
		if ready, ok := message.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I'
		}
	}
}

// leave gives up the transaction of a connection, and waits for nothing unless somebody may wait for a connection. It reports whether it did.
func (l *left) leave(pool *pgxpool.Pool, conn *pgxpool.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stat := pool.Stat(); stat.AcquiredConns() >= stat.MaxConns() || len(l.conns) >= int(stat.MaxConns())/2 || conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() != 'T' {
		return false
	}
	front := conn.Conn().PgConn().Frontend()
	front.SendQuery(&pgproto3.Query{String: "rollback"})
	if front.Flush() != nil {
		closeAtOnce(conn.Conn())
		return false
	}
	l.conns = append(l.conns, conn)
	return true
}

// close gives all back.
func (l *left) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		closeAtOnce(conn.Conn())
		conn.Release()
	}
	l.conns = nil
}
