package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/fault"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"connections":["hq"],"full":true}`, `{"full":1}`, `{"ids":["a"],"all":true}`, `[]`, `null`, `{} x`, "\xff\x00",
		`{"connections":null}`, `{"CONNECTIONS":["x"]}`, strings.Repeat("[", 20_000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := decode[api.SyncRequest](bytes.NewReader(data))
		if err != nil {
			if fault.ClassOf(err) != fault.Invalid {
				t.Errorf("class %s: %v", fault.ClassOf(err), err)
			}
			return
		}
		again, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode[api.SyncRequest](bytes.NewReader(again)); err != nil {
			t.Errorf("%s is refused when it comes back as %s: %v", data, again, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	s := NewServer(answering(), slog.New(slog.DiscardHandler))
	f.Add("POST", "/v1/sync", []byte(`{"full":true}`))
	f.Add("POST", "/v1/parked/drop", []byte(`{"all":true}`))
	f.Add("GET", "/v1/runs?limit=3", []byte(nil))
	f.Add("DELETE", "/v1/%zz", []byte("x"))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://dirsyncd", bytes.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		w := &answerRecorder{header: http.Header{}}
		s.handler().ServeHTTP(w, r)
		if w.status == 0 {
			t.Error("no answer")
		}
		for line := range strings.Lines(w.body.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("the answer is no JSON: %s", line)
			}
		}
	})
}

// answerRecorder is a ResponseWriter that knows deadlines, as that of a connection does.
type answerRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answerRecorder) Header() http.Header { return w.header }
func (w *answerRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}
func (w *answerRecorder) Write(p []byte) (int, error)      { return w.body.Write(p) }
func (w *answerRecorder) Flush()                           {}
func (w *answerRecorder) SetReadDeadline(time.Time) error  { return nil }
func (w *answerRecorder) SetWriteDeadline(time.Time) error { return nil }

// TestSlowBody: a client that announces a body and does not send it is cut off.
func TestSlowBody(t *testing.T) {
	path := serveSet(t, answering(), func(s *Server) { s.bodyTimeout = 50 * time.Millisecond })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), "400 Bad Request") {
		t.Errorf("got %q, %v", answer[:n], err)
	}
}

// TestLimits: these limits are too long for a test; that they are there must be enough.
func TestLimits(t *testing.T) {
	s := NewServer(answering(), slog.New(slog.DiscardHandler))
	if s.http.ReadHeaderTimeout == 0 || s.http.IdleTimeout == 0 || s.http.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", &s.http)
	}
}

// TestUnreadPlan: a client that stops reading does not hold a plan open for ever.
func TestUnreadPlan(t *testing.T) {
	ops := anything{planEnded: make(chan struct{})}
	path := serveSet(t, ops, func(s *Server) { s.unreadTimeout = 50 * time.Millisecond })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("POST /v1/plan HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
		t.Fatal(err)
	}
	<-ops.planEnded // it is endless by itself
}

// longList has more parked than fits into the buffers of a connection.
type longList struct{ api.Operations }

func (longList) Parked(context.Context) ([]api.ParkedItem, error) {
	list := make([]api.ParkedItem, 20_000)
	for i := range list {
		list[i].Reason = strings.Repeat("x", 500)
	}
	return list, nil
}

// TestStopBesideUnreadAnswer: a client that stops reading does not keep the daemon from stopping.
func TestStopBesideUnreadAnswer(t *testing.T) {
	var server *Server
	path := serveSet(t, longList{}, func(s *Server) { server = s })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET /v1/parked HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 100)); err != nil { // it is being answered
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestUnreadSync: a client that stops reading does not hold up a run.
func TestUnreadSync(t *testing.T) {
	ops := anything{syncEnded: make(chan struct{})}
	path := serveSet(t, ops, func(s *Server) { s.unreadTimeout = 24 * time.Hour })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
		t.Fatal(err)
	}
	<-ops.syncEnded // a run that waits for the client does not come here
}

func TestDialError(t *testing.T) {
	for _, tc := range []struct {
		cause error
		class fault.Class
		none  bool
	}{
		{fs.ErrNotExist, fault.Transient, true},
		{syscall.ECONNREFUSED, fault.Transient, true},
		{syscall.EACCES, fault.Forbidden, false},
		{syscall.EAGAIN, fault.Transient, false},
	} {
		err := dialError("c.sock", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", tc.cause)})
		if fault.ClassOf(err) != tc.class || errors.Is(err, ErrNoDaemon) != tc.none {
			t.Errorf("%v: got %v", tc.cause, err)
		}
	}
}

// anything is Operations that answer whatever they are asked. With a channel, Plan sends actions until it is stopped, and
// Sync more progress than any buffer holds; then they close it.
type anything struct {
	*apitest.Fake
	planEnded, syncEnded chan struct{}
}

func answering() anything { return anything{Fake: apitest.EveryField()} }

func (a anything) Sync(_ context.Context, _ api.SyncRequest, progress func(api.Progress)) (api.SyncResult, error) {
	if a.syncEnded != nil {
		defer close(a.syncEnded)
		for i := range 100_000 {
			progress(api.Progress{Connection: "hq", Stage: "read", Stream: "users", Done: i})
		}
	}
	return api.SyncResult{}, nil
}

func (a anything) Plan(ctx context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
	if a.planEnded != nil {
		defer close(a.planEnded)
		for ctx.Err() == nil {
			visit(api.PlannedAction{Op: "create", Kind: "user", Key: "hq/1"})
		}
	}
	return api.PlanResult{}, ctx.Err()
}

func serveSet(t *testing.T, ops api.Operations, set func(*Server)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dirsyncd") //nolint:usetesting // the path of t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(ops, slog.New(slog.DiscardHandler))
	set(s)
	path := filepath.Join(dir, "c.sock")
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Shutdown(ctx)
		_ = os.RemoveAll(dir)
	})
	return path
}
