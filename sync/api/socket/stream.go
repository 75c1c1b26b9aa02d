package socket

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// stream writes an answer as lines of JSON while it comes about. One goroutine uses it.
type stream struct {
	rc      *http.ResponseController
	enc     *json.Encoder
	ctx     context.Context // of the server
	timeout time.Duration   // how long the other side may leave a line unread
	flushed time.Time
	hurry   func() bool // undoes what waits for the end of ctx
	err     error       // the first failure; nothing is written after it, and the request's context has ended
}

// flushEvery bounds how long lines wait for others to be sent together with.
const flushEvery = 100 * time.Millisecond

// lastWord is how long a server that stops waits for the other side to read.
const lastWord = time.Second

// newStream begins a stream; ctx is that of the server, whose end cuts the patience with readers short.
func newStream(ctx context.Context, w http.ResponseWriter, timeout time.Duration) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	s := &stream{ctx: ctx, rc: http.NewResponseController(w), enc: newEncoder(w), timeout: timeout}
	s.hurry = context.AfterFunc(ctx, func() { _ = s.rc.SetWriteDeadline(time.Now().Add(lastWord)) })
	s.flush()
	return s
}

// send writes a line; it leaves when enough of them are together, or with flush.
func (s *stream) send(l line) {
	if s.err != nil {
		return
	}
	now := time.Now()
	timeout := s.timeout
	if s.ctx.Err() != nil {
		timeout = min(timeout, lastWord)
	}
	s.err = s.rc.SetWriteDeadline(now.Add(timeout))
	if s.err == nil {
		s.err = s.enc.Encode(l)
	}
	if s.err == nil && now.Sub(s.flushed) >= flushEvery {
		s.flush()
	}
}

func (s *stream) flush() {
	if s.err == nil {
		s.err = s.rc.Flush()
	}
	s.flushed = time.Now()
}

// finish writes the last line.
func (s *stream) finish(l line) {
	s.send(l)
	s.flush()
	s.hurry()
}
