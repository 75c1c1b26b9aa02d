package e2e

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
)

// cutting gets a place ready for a program that is killed while it writes there: kill is called at its n-th write from now on, or a few
// later, and until then nothing lets it go on. done: that write is there, and its answer is lost; otherwise it never arrived. What
// cutting returns waits until the program has ended, killed or not, and makes the place as it was.
type cutting func(n int, done bool, kill func()) (wait func(ended <-chan struct{}))

// killWhileWriting approves what is held, and syncs on: each is killed when it has written a little more, the approval itself first.
// older.db is the state after the second kill.
func killWhileWriting(t *testing.T, in *installation, hash string, kills int, at cutting) {
	t.Helper()
	seed := rand.New(rand.NewPCG(7, 2))
	killed := 0
	for i := range kills {
		cmd := in.command("sync")
		if i == 0 {
			cmd = in.command("approve", hash) // it delivers, too
		}
		if cut(t, cmd, 1+seed.IntN(20), seed.IntN(2) == 0, at) {
			killed++
		} else if i == 0 {
			t.Errorf("the approval was not killed")
		}
		if i == 1 {
			if err := os.WriteFile(in.path("older.db"), mustRead(t, in.path("state.db")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("killed %d times", killed)
	if killed < kills/2 {
		t.Errorf("killed %d times only", killed)
	}
}

// cut runs a program and reports whether it was killed before it ended by itself.
func cut(t *testing.T, cmd *exec.Cmd, n int, done bool, at cutting) bool {
	t.Helper()
	started, ended := make(chan struct{}), make(chan struct{})
	wait := at(n, done, func() { <-started; _ = cmd.Process.Kill() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	go func() { _ = cmd.Wait(); close(ended) }()
	wait(ended)
	return cmd.ProcessState.ExitCode() < 0
}

// counter stands before a service and counts the requests that write.
type counter struct {
	URL string

	t    *testing.T
	open atomic.Int64 // connections
	mu   sync.Mutex
	left int // until the one at which kill is called
	done bool
	kill func()
}

// count starts a counter before a service. Requests for which reads is true write nothing; nor does GET.
func count(t *testing.T, service string, reads func(*http.Request) bool) *counter {
	t.Helper()
	to, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // clients are killed
		// A connection is not kept: the service ends it after some time, and a request that it meets then would be lost.
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	c := &counter{t: t}
	between := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodTrace {
			return // it is from quiet
		}
		if kill, done := c.next(r.Method != http.MethodGet && !reads(r)); kill != nil {
			if done {
				pass.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			}
			kill()
			panic(http.ErrAbortHandler)
		}
		// What has arrived is done, also when nobody waits for the answer any more.
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		pass.ServeHTTP(w, r.WithContext(ctx))
	}))
	between.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			c.open.Add(1)
		case http.StateClosed:
			c.open.Add(-1)
		default:
		}
	}
	between.Start()
	t.Cleanup(between.Close)
	c.URL = between.URL + to.Path
	return c
}

// next counts a request; kill is nil when it is to be answered.
func (c *counter) next(writes bool) (kill func(), done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !writes || c.kill == nil {
		return nil, false
	}
	if c.left--; c.left > 0 {
		return nil, false
	}
	return c.kill, c.done && c.left == 0 // nothing else of the same program arrives
}

func (c *counter) set(n int, done bool, kill func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.done, c.kill = n, done, kill
}

// cut is the cutting of a counter.
func (c *counter) cut(n int, done bool, kill func()) func(<-chan struct{}) {
	c.set(n, done, kill)
	return func(ended <-chan struct{}) {
		<-ended
		c.quiet()
		c.set(0, false, nil)
	}
}

// quiet waits until nothing of a program that has ended is on the way any more: what it asked for just before might be done after the
// next program has looked.
func (c *counter) quiet() {
	c.t.Helper()
	// Connections are taken in their order: those of the program were before this one.
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodTrace, c.URL, http.NoBody)
	fatal(c.t, err)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	fatal(c.t, err)
	fatal(c.t, resp.Body.Close())
	eventually(c.t, "all connections of the program are closed", func() bool { return c.open.Load() == 0 })
}
