package control

import (
	"encoding/json"
	"net/http"
	"time"
)

// stream writes an answer as lines of JSON while it comes about. One goroutine uses it.
type stream struct {
	rc      *http.ResponseController
	enc     *json.Encoder
	timeout time.Duration // how long the other side may leave a line unread
	flushed time.Time
	err     error // the first failure; nothing is written after it, and the request's context has ended
}

// flushEvery bounds how long lines wait for others to be sent together with.
const flushEvery = 100 * time.Millisecond

func newStream(w http.ResponseWriter, timeout time.Duration) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	s := &stream{rc: http.NewResponseController(w), enc: newEncoder(w), timeout: timeout}
	s.flush()
	return s
}

// send writes a line; it leaves when enough of them are together, or with flush.
func (s *stream) send(l line) {
	if s.err != nil {
		return
	}
	now := time.Now()
	s.err = s.rc.SetWriteDeadline(now.Add(s.timeout))
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
}
