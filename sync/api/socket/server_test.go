package socket_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/fault"
)

// socketPath returns a path that is short enough for a socket, whatever the test is called.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dirsyncd") //nolint:usetesting // the path of t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "c.sock")
}

// start serves operations until the test ends, and returns the socket's path.
func start(t *testing.T, ops api.Operations) string {
	t.Helper()
	path := socketPath(t)
	startAt(t, ops, path)
	return path
}

func startAt(t *testing.T, ops api.Operations, path string) *socket.Server {
	t.Helper()
	s := socket.NewServer(ops, slog.New(slog.DiscardHandler))
	s.SetBodyTimeout(5 * time.Minute) // a body of some megabytes takes its time on a busy machine
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

func client(t *testing.T, path string) *socket.Client {
	t.Helper()
	c, err := socket.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var moment = time.Date(2026, 1, 31, 12, 0, 0, 123, time.UTC)

// TestRoundTrip sends every operation there and back.
func TestRoundTrip(t *testing.T) {
	status := api.Status{Version: "1", Daemon: true, PID: 7, Started: moment, Connections: []api.ConnectionStatus{{
		Name: "hq", Tenants: []api.TenantStatus{{State: "held", Held: &api.HeldPlan{Hash: "h", Counts: map[string]map[string]int{"user": {"delete": 3}}}}},
	}}}
	runs := []api.Run{{Connection: "hq", ID: "r", Started: moment, Outcome: "held", Notes: []string{"n"}, HeldReasons: []string{"too many"}}}
	elsewhere := []api.Elsewhere{{Connection: "lab", Workers: []string{"south"}}}
	result := api.SyncResult{Runs: runs, Delivered: []api.Delivery{{Target: "journal", Delivered: 3}}}
	reasons := []api.Reason{{Kind: "user", Key: "hq/1", Object: map[string]any{"number": json.Number("9007199254740993")}}}
	people := []api.Person{{Key: "hq/1", Records: []api.PersonRecord{{Kind: "user", RecordReason: api.RecordReason{State: "active"}}},
		Changes: []api.PersonChange{{Run: "r", PlannedAction: api.PlannedAction{Op: "update"}}}}}
	parked := []api.ParkedItem{{ID: "hq:1", Since: moment, Reason: "no <address> & no name"}}
	actions := []api.PlannedAction{
		{Op: "create", Key: "hq/1", Changes: []api.PlannedChange{{Field: "n", To: json.Number("9007199254740993")}}},
		{Op: "update", Key: "hq/2", Changes: []api.PlannedChange{{Field: "s", From: "a", To: nil}}, Added: 2},
	}
	var asked []any
	var drained api.DrainRequest
	fake := &apitest.Fake{
		StatusFunc: func(context.Context) (api.Status, error) { return status, nil },
		SyncFunc: func(_ context.Context, r api.SyncRequest, p func(api.Progress)) (api.SyncResult, error) {
			asked = append(asked, r)
			p(api.Progress{Connection: "hq", Stage: "read", Done: 1})
			return result, nil
		},
		PlanFunc: func(_ context.Context, r api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			asked = append(asked, r)
			for _, a := range actions {
				visit(a)
			}
			return api.PlanResult{Runs: runs, Elsewhere: elsewhere}, nil
		},
		ApproveFunc: func(_ context.Context, hash string) (api.SyncResult, error) {
			asked = append(asked, hash)
			return result, nil
		},
		DiscardFunc: func(_ context.Context, hash string) error { asked = append(asked, hash); return nil },
		DrainFunc:   func(_ context.Context, r api.DrainRequest) (int, error) { drained = r; return 2, nil },
		ResendFunc: func(_ context.Context, r api.ResendRequest) (api.SyncResult, error) {
			asked = append(asked, r)
			return result, nil
		},
		RunsFunc: func(_ context.Context, r api.RunsRequest) ([]api.Run, error) {
			asked = append(asked, r)
			return runs, nil
		},
		WhyFunc: func(_ context.Context, kind, who string) ([]api.Reason, error) {
			asked = append(asked, kind+" "+who)
			return reasons, nil
		},
		ShowFunc: func(_ context.Context, r api.ShowRequest) ([]api.Person, error) {
			asked = append(asked, r)
			return people, nil
		},
		ParkedFunc: func(context.Context) ([]api.ParkedItem, error) { return parked, nil },
		ReplayFunc: func(_ context.Context, ids []string, p func(api.Progress)) (int, error) {
			asked = append(asked, ids)
			if p != nil {
				p(api.Progress{Connection: "hq", Stage: "retry", Done: 1})
			}
			return 5, nil
		},
		DropFunc: func(_ context.Context, ids []string) (int, error) { asked = append(asked, ids); return 6, nil },
	}
	c := client(t, start(t, fake))
	ctx := t.Context()
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", what, got, err, want)
		}
	}

	st, err := c.Status(ctx)
	same("status", st, status, err)
	var steps []api.Progress
	syncReq := api.SyncRequest{Connections: []string{"hq"}, Full: true}
	res, err := c.Sync(ctx, syncReq, func(p api.Progress) { steps = append(steps, p) })
	same("sync", res, result, err)
	same("progress", steps, []api.Progress{{Connection: "hq", Stage: "read", Done: 1}}, nil)
	var visited []api.PlannedAction
	planReq := api.PlanRequest{Offline: true}
	planned, err := c.Plan(ctx, planReq, func(a api.PlannedAction) { visited = append(visited, a) })
	same("plan", planned, api.PlanResult{Runs: runs, Elsewhere: elsewhere}, err)
	same("actions", visited, actions, nil)
	res, err = c.Approve(ctx, "abc")
	same("approve", res, result, err)
	same("discard", nil, nil, c.Discard(ctx, "def"))
	workers, err := c.Drain(ctx, api.DrainRequest{Worker: "south", End: true})
	same("drain", workers, 2, err)
	same("drained", drained, api.DrainRequest{Worker: "south", End: true}, nil)
	resendReq := api.ResendRequest{Target: "desk", Connections: []string{"hq"}}
	res, err = c.Resend(ctx, resendReq)
	same("resend", res, result, err)
	runsReq := api.RunsRequest{Connection: "hq & co", Limit: 3}
	listed, err := c.Runs(ctx, runsReq)
	same("runs", listed, runs, err)
	why, err := c.Why(ctx, "user", "ada lovelace@x?y=z&ü")
	same("why", why, reasons, err)
	showReq := api.ShowRequest{Who: "ada <a&b>", Read: true}
	shown, err := c.Show(ctx, showReq)
	same("show", shown, people, err)
	var retries []api.Progress
	items, err := c.Parked(ctx)
	same("parked", items, parked, err)
	n, err := c.Replay(ctx, []string{"hq:1"}, func(p api.Progress) { retries = append(retries, p) })
	same("replay", n, 5, err)
	same("progress of a replay", retries, []api.Progress{{Connection: "hq", Stage: "retry", Done: 1}}, nil)
	n, err = c.Drop(ctx, nil)
	same("drop", n, 6, err)
	same("requests", asked, []any{
		syncReq, planReq, "abc", "def", resendReq, runsReq, "user ada lovelace@x?y=z&ü", showReq, []string{"hq:1"}, []string(nil),
	}, nil)
}

// A backup that breaks off in the middle is an error for the client, never a shorter backup.
func TestBackup(t *testing.T) {
	whole := bytes.Repeat([]byte("state"), 100_000)
	var failure error
	fake := &apitest.Fake{BackupFunc: func(_ context.Context, to io.Writer) error {
		if _, err := to.Write(whole); err != nil {
			return err
		}
		return failure
	}}
	c := client(t, start(t, fake))
	var got bytes.Buffer
	if err := c.Backup(t.Context(), &got); err != nil || !bytes.Equal(got.Bytes(), whole) {
		t.Errorf("got %d bytes of %d: %v", got.Len(), len(whole), err)
	}
	failure = errors.New("the disk is gone")
	if err := c.Backup(t.Context(), io.Discard); fault.ClassOf(err) != fault.Transient {
		t.Errorf("a backup that was cut short: %v", err)
	}
	fake.BackupFunc = func(context.Context, io.Writer) error {
		return &fault.Error{Class: fault.Configuration, Op: "copy state", Err: errors.New("no space left"), Hint: "make room"}
	}
	if err := c.Backup(t.Context(), io.Discard); fault.Hint(err) != "make room" {
		t.Errorf("a backup that never began: %v", err)
	}
}

func TestErrorsKeepClassAndHint(t *testing.T) {
	cause := &fault.Error{Class: fault.Conflict, Op: "discard", Where: "hq", Err: errors.New("no such plan"), Hint: "look at `status`"}
	fake := &apitest.Fake{
		StatusFunc:  func(context.Context) (api.Status, error) { return api.Status{}, fmt.Errorf("outer: %w", cause) },
		DiscardFunc: func(context.Context, string) error { return cause },
		SyncFunc: func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
			return api.SyncResult{}, cause
		},
		PlanFunc: func(_ context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			visit(api.PlannedAction{Op: "create"})
			return api.PlanResult{}, cause
		},
		RunsFunc: func(context.Context, api.RunsRequest) ([]api.Run, error) { return nil, errors.New("plain") },
	}
	c := client(t, start(t, fake))
	calls := map[string]func(context.Context) error{
		"status":  func(ctx context.Context) error { _, err := c.Status(ctx); return err },
		"discard": func(ctx context.Context) error { return c.Discard(ctx, "h") },
		"sync":    func(ctx context.Context) error { _, err := c.Sync(ctx, api.SyncRequest{}, nil); return err },
		"plan":    func(ctx context.Context) error { _, err := c.Plan(ctx, api.PlanRequest{}, nil); return err },
	}
	for name, call := range calls {
		err := call(t.Context())
		text := "discard: hq: no such plan (look at `status`)"
		if name == "status" {
			text = "outer: " + text
		}
		if fault.ClassOf(err) != fault.Conflict || fault.Hint(err) != cause.Hint || err.Error() != text {
			t.Errorf("%s: got %s %q", name, fault.ClassOf(err), err)
		}
	}
	if _, err := c.Runs(t.Context(), api.RunsRequest{}); fault.ClassOf(err) != fault.Internal || err.Error() != "plain" {
		t.Errorf("runs: got %s %q", fault.ClassOf(err), err)
	}
}

// raw sends bytes and returns the answer.
func raw(t *testing.T, path, request string) (status int, header http.Header, text string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	go func() { _, _ = io.WriteString(conn, request) }() // the server need not read all of it
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func request(method, path, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: dirsyncd\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// TestRefused sends what no client of ours would. The fake fails on every call: none may get through.
func TestRefused(t *testing.T) {
	path := start(t, &apitest.Fake{})
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"unknown path", "GET", "/v1/nonsense", "", 404, "no such operation"},
		{"root", "GET", "/", "", 404, "no such operation"},
		{"below an operation", "GET", "/v1/status/x", "", 404, "no such operation"},
		{"other version", "POST", "/v2/sync", "{}", 404, "no such operation"},
		{"GET for a change", "GET", "/v1/sync", "", 405, "wants the method POST"},
		{"POST for a reading", "POST", "/v1/status", "{}", 405, "wants the method GET"},
		{"no body", "POST", "/v1/sync", "", 400, "it is empty"},
		{"garbage", "POST", "/v1/plan", "\x00\xff{{{", 400, "it is no JSON"},
		{"half", "POST", "/v1/sync", `{"full":`, 400, "it is no JSON"},
		{"two values", "POST", "/v1/sync", `{} {}`, 400, "goes on after its end"},
		{"unknown option", "POST", "/v1/sync", `{"dry":true}`, 400, `unknown field`},
		{"wrong type", "POST", "/v1/sync", `{"full":"yes"}`, 400, `field \"full\" has the wrong type`},
		{"no object", "POST", "/v1/approve", `[]`, 400, "wrong type"},
		{"drop nothing named", "POST", "/v1/parked/drop", `{}`, 400, "name the ids"},
		{"drop ids and all", "POST", "/v1/parked/drop", `{"ids":["a"],"all":true}`, 400, "name the ids"},
		{"replay nothing named", "POST", "/v1/parked/replay", `{"ids":[]}`, 400, "name the ids"},
		{"retry nothing named", "POST", "/v1/parked/retry", `{"ids":[]}`, 400, "name the ids"},
		{"bad limit", "GET", "/v1/runs?limit=many", "", 400, "limit is not a number"},
		{"negative limit", "GET", "/v1/runs?limit=-1", "", 400, "limit is not a number"},
		{"huge", "POST", "/v1/parked/drop", `{"ids":["` + strings.Repeat("x", 9<<20) + `"]}`, 400, "larger than 8388608 bytes"},
		{"deep", "POST", "/v1/sync", strings.Repeat(`{"a":[`, 10_000), 400, "the request is not what was expected"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, header, body := raw(t, path, request(tc.method, tc.path, tc.body))
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %s", status, body)
			}
			var answer struct {
				Error struct{ Class, Text string }
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Class != "invalid" {
				t.Errorf("the answer is no JSON error: %v, %s", err, body)
			}
			if tc.status == 405 && header.Get("Allow") == "" {
				t.Error("no Allow header")
			}
		})
	}
}

// TestNotThere: what is named and is not there is that for those who look at the status, and keeps its class for the commands.
func TestNotThere(t *testing.T) {
	fake := &apitest.Fake{RunActionsFunc: func(context.Context, api.RunActionsRequest) (api.RunActions, error) {
		return api.RunActions{}, &fault.Error{Class: fault.Configuration, Op: "find run x", Err: api.ErrNoRun}
	}}
	if status, _, body := raw(t, start(t, fake), request("POST", "/v1/runs/actions", `{"run":"x"}`)); status != 404 || !strings.Contains(body, `"class":"configuration"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestPanicIsContained(t *testing.T) {
	var log bytes.Buffer
	s := socket.NewServer(&apitest.Fake{
		StatusFunc: func(context.Context) (api.Status, error) { panic("oh") },
		SyncFunc: func(_ context.Context, _ api.SyncRequest, p func(api.Progress)) (api.SyncResult, error) {
			p(api.Progress{Stage: "read"})
			panic("oh")
		},
		ParkedFunc: func(context.Context) ([]api.ParkedItem, error) { return nil, nil },
	}, slog.New(slog.NewTextHandler(&log, nil)))
	path := socketPath(t)
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	c := client(t, path)
	if _, err := c.Status(t.Context()); fault.ClassOf(err) != fault.Internal {
		t.Errorf("status: %v", err)
	}
	if _, err := c.Sync(t.Context(), api.SyncRequest{}, nil); fault.ClassOf(err) != fault.Internal || fault.Hint(err) == "" {
		t.Errorf("sync: %v", err)
	}
	if items, err := c.Parked(t.Context()); err != nil || items == nil {
		t.Errorf("afterwards: %v, %v", items, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "panic=oh") {
		t.Errorf("log: %s", log.String())
	}
}

func TestLeavingASyncDoesNotStopIt(t *testing.T) {
	begun, leave, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	fake := &apitest.Fake{
		SyncFunc: func(ctx context.Context, _ api.SyncRequest, p func(api.Progress)) (api.SyncResult, error) {
			close(begun)
			<-leave
			for i := range 1000 {
				p(api.Progress{Done: i}) // nobody is there to read it
			}
			ended <- ctx.Err()
			return api.SyncResult{}, nil
		},
	}
	c := client(t, start(t, fake))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := c.Sync(ctx, api.SyncRequest{}, nil)
	if fault.ClassOf(err) != fault.Canceled || fault.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Errorf("the run was told to stop: %v", err)
	}
}

func TestLeavingAPlanStopsIt(t *testing.T) {
	stopped := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	fake := &apitest.Fake{
		PlanFunc: func(ctx context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			visit(api.PlannedAction{Op: "create"})
			leave() // not before: a plan that was never asked for cannot be stopped
			<-ctx.Done()
			close(stopped)
			return api.PlanResult{}, ctx.Err()
		},
	}
	c := client(t, start(t, fake))
	if _, err := c.Plan(ctx, api.PlanRequest{}, nil); fault.ClassOf(err) != fault.Canceled {
		t.Errorf("got %v", err)
	}
	<-stopped
}

func TestShutdownStopsOperations(t *testing.T) {
	begun := make(chan struct{})
	fake := &apitest.Fake{
		SyncFunc: func(ctx context.Context, _ api.SyncRequest, _ func(api.Progress)) (api.SyncResult, error) {
			close(begun)
			<-ctx.Done()
			return api.SyncResult{}, &fault.Error{Class: fault.Canceled, Err: ctx.Err()}
		},
	}
	path := socketPath(t)
	s := startAt(t, fake, path)
	c := client(t, path)
	answer := make(chan error, 1)
	go func() {
		_, err := c.Sync(context.Background(), api.SyncRequest{}, nil)
		answer <- err
	}()
	<-begun
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-answer; fault.ClassOf(err) != fault.Canceled || !strings.Contains(err.Error(), "the daemon is stopping") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, socket.ErrNoDaemon) || fault.ClassOf(err) != fault.Transient {
		t.Errorf("after the end: %v", err)
	}
}

func TestManyAtATime(t *testing.T) {
	var inside, most atomic.Int32
	all := make(chan struct{})
	const clients = 16
	fake := &apitest.Fake{
		StatusFunc: func(context.Context) (api.Status, error) { return api.Status{Version: "1"}, nil },
		SyncFunc: func(_ context.Context, r api.SyncRequest, p func(api.Progress)) (api.SyncResult, error) {
			if inside.Add(1) == clients {
				close(all)
			}
			<-all // every client is inside at the same time
			p(api.Progress{Done: 1})
			most.Store(clients)
			return api.SyncResult{Runs: []api.Run{{Connection: r.Connections[0]}}}, nil
		},
	}
	c := client(t, start(t, fake))
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			name := fmt.Sprintf("c%d", i)
			res, err := c.Sync(t.Context(), api.SyncRequest{Connections: []string{name}}, func(api.Progress) {})
			if err != nil || res.Runs[0].Connection != name {
				t.Errorf("%s: got %+v, %v", name, res, err)
			}
			if st, err := c.Status(t.Context()); err != nil || st.Version != "1" {
				t.Errorf("%s: status %+v, %v", name, st, err)
			}
		})
	}
	wg.Wait()
}

func TestLongPlan(t *testing.T) {
	const actions = 20_000
	fake := &apitest.Fake{
		PlanFunc: func(_ context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			for i := range actions {
				visit(api.PlannedAction{Op: "update", Kind: "user", Added: i, Name: strings.Repeat("x", 100)})
			}
			return api.PlanResult{}, nil
		},
	}
	c := client(t, start(t, fake))
	n := 0
	_, err := c.Plan(t.Context(), api.PlanRequest{}, func(a api.PlannedAction) {
		if a.Added != n {
			t.Fatalf("action %d came as number %d", a.Added, n)
		}
		n++
	})
	if err != nil || n != actions {
		t.Errorf("got %d actions, %v", n, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"garbage":     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>",
		"wrong shape": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		"other error": "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n<p>",
		"cut short":   "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"version\":",
		"hung up":     "",
	} {
		path := socketPath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}()
		_, err = client(t, path).Status(t.Context())
		var classified *fault.Error
		if !errors.As(err, &classified) || classified.Hint == "" || errors.Is(err, socket.ErrNoDaemon) {
			t.Errorf("%s: got %v", name, err)
		}
		_ = l.Close()
	}
}

// A server that stops does not wait for a client that reads nothing.
func TestShutdownWaitsForNoReader(t *testing.T) {
	fake := &apitest.Fake{
		BackupFunc: func(_ context.Context, to io.Writer) error {
			for range 64 {
				if _, err := to.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
			return nil
		},
		PlanFunc: func(ctx context.Context, _ api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
			for ctx.Err() == nil {
				visit(api.PlannedAction{Name: strings.Repeat("x", 10_000)})
			}
			return api.PlanResult{}, ctx.Err()
		},
	}
	for _, request := range []string{"GET /v1/backup HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/plan HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"} {
		server := socket.NewServer(fake, slog.New(slog.DiscardHandler))
		path := socketPath(t)
		if err := server.Listen(path); err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve() }()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1)
		if _, err := conn.Read(first); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("%.12s: %v", request, err)
		}
		cancel()
		_ = conn.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// The daemon knows who asks: the user of the process at the other end, and whom sudo let act as that one.
func TestUserOfAnOperation(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	for sudo, want := range map[string]string{"": me.Username, "ann": "ann (as " + me.Username + ")", "a\x1b[31m": me.Username, me.Username: me.Username} {
		var got []string
		var log bytes.Buffer
		note := func(ctx context.Context) { got = append(got, api.UserOf(ctx)) }
		s := socket.NewServer(&apitest.Fake{
			ApproveFunc: func(ctx context.Context, _ string) (api.SyncResult, error) { note(ctx); return api.SyncResult{}, nil },
			DiscardFunc: func(ctx context.Context, _ string) error { note(ctx); return nil },
			SyncFunc: func(ctx context.Context, _ api.SyncRequest, _ func(api.Progress)) (api.SyncResult, error) {
				note(ctx)
				return api.SyncResult{}, nil
			},
		}, slog.New(slog.NewJSONHandler(&log, nil)))
		path := socketPath(t)
		if err := s.Listen(path); err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve() }()
		c := client(t, path)
		c.ActFor(sudo)
		_, approved := c.Approve(t.Context(), "abc")
		_, synced := c.Sync(t.Context(), api.SyncRequest{}, nil)
		if err := errors.Join(approved, synced, c.Discard(t.Context(), "def")); sudo != "a\x1b[31m" && err != nil {
			t.Error(err)
		}
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
		if sudo == "a\x1b[31m" {
			continue // net/http does not send such a header
		}
		if fmt.Sprint(got) != fmt.Sprint([]string{want, want, want}) || strings.Count(log.String(), `"user":"`+want+`"`) != 3 {
			t.Errorf("sudo %q: asked by %q, want %q; log %s", sudo, got, want, log.String())
		}
	}
}
