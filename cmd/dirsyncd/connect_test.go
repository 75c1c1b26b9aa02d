package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
)

func TestWithoutDaemonTheStateIsOpened(t *testing.T) {
	c := withConfig(t, "state: state.db\n"+goodConfig)
	opened, closed := 0, 0
	c.readLocal = func(_ context.Context, cfg *config.Config, _ *slog.Logger) (api.Operations, func(), error) {
		opened++
		if len(cfg.Connections) != 2 {
			t.Errorf("connections: %v", cfg.Connections)
		}
		return sample(), func() { closed++ }, nil
	}
	if code := c.run("status"); code != exitClean {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
	if opened != 1 || closed != 1 {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
}

func TestWithDaemonTheConfigurationMayBeBroken(t *testing.T) {
	socket := serve(t, sample())
	c := withConfig(t, "control: "+socket+"\nnonsense: {password: {env: NOT_SET_ANYWHERE}}\n")
	if code := c.run("status"); code != exitClean {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
}

func TestNoDaemonAtTheGivenSocket(t *testing.T) {
	c := withConfig(t, goodConfig)
	if code := c.run("status", "--control", "none.sock"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	want := "dirsyncd: connect to the daemon: none.sock: no daemon is running\n  → start it with `dirsyncd run`\n"
	if got := c.stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoConfiguration(t *testing.T) {
	c := newCommandLine(t, nil)
	t.Chdir(t.TempDir())
	if code := c.run("status", "--config", "none.yaml"); code != exitUsage || !strings.Contains(c.stderr.String(), "none.yaml: the configuration file does not exist\n  → ") {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
}

func TestInterruptedSync(t *testing.T) {
	fake, begun, end := reloaded(), make(chan struct{}), make(chan struct{})
	fake.SyncFunc = func(context.Context, api.SyncRequest, func(api.Progress)) (api.SyncResult, error) {
		close(begun)
		<-end
		return api.SyncResult{}, nil
	}
	c := newCommandLine(t, fake)
	t.Cleanup(func() { close(end) }) // before the server is shut down
	go func() {
		<-begun
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}()
	if code := c.run("sync"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	want := "dirsyncd: stopped\n  → only the waiting ended; the daemon goes on with what it began\n"
	if got := c.stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunHandsOverConfiguration(t *testing.T) {
	c := withConfig(t, "log: {format: json}\n"+goodConfig)
	c.daemon = func(_ context.Context, start service.Launch) error {
		cfg, log := start.Config, start.Log
		if start.Level != nil {
			t.Error("a reload would change the level that -v asks for")
		}
		if cfg.Control != "elsewhere.sock" || cfg.Log.Level != "debug" {
			t.Errorf("control %q, level %q", cfg.Control, cfg.Log.Level)
		}
		log.Info("hello")
		return nil
	}
	if code := c.run("run", "-v", "--control", "elsewhere.sock"); code != exitClean {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	var line struct{ Msg string }
	if err := json.Unmarshal(c.stderr.Bytes(), &line); err != nil || line.Msg != "hello" {
		t.Errorf("log: %s", c.stderr.String())
	}
}

func TestCompletion(t *testing.T) {
	socket := serve(t, sample())
	c := withConfig(t, goodConfig)
	if err := os.WriteFile("cases.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"sync ", "branch\ttoy hq-ad\ttoy"},
		{"plan hq-ad ", "branch\ttoy"},
		{"runs ", "show\tevery action of a run, a page at a time branch\ttoy hq-ad\ttoy"},
		{"runs hq-ad ", ""},
		{"approve ", ""},
		{"--control " + socket + " approve ", sampleHash + "\tcsp/Contoso (UK) Ltd."},
		{"--control " + socket + " parked replay hq-ad:12 csp/contoso:20 csp/contoso:21 csp/contoso:22 csp/contoso:23 csp/contoso:24 csp/contoso:25 csp/contoso:26 ",
			"csp/contoso:1\tperson cn=Zoë,ou=… hq-ad:13\tperson 77aa0a52"},
		{"why ", "user agent group licence asset customer site"},
		{"why user ", ""},
		{"par", "parked\tlook after what failed for good: list, retry, drop"},
	} {
		args := append([]string{"__complete"}, strings.Split(tc.args, " ")...)
		if code := c.run(args...); code != exitClean {
			t.Errorf("%q: exit code %d", tc.args, code)
		}
		lines := strings.Split(strings.TrimSpace(c.stdout.String()), "\n")
		got := lines[:len(lines)-1] // the last line is the directive
		if !sameWords(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.args, got, tc.want)
		}
	}
}

// sameWords compares completions with what is expected, whatever their order.
func sameWords(got []string, want string) bool {
	total := 0
	for _, g := range got {
		if !strings.Contains(want, g) {
			return false
		}
		total += len(g)
	}
	return total+max(len(got)-1, 0) == len(want)
}

func TestVersion(t *testing.T) {
	c := newCommandLine(t, nil)
	if code := c.run("version"); code != exitClean || !strings.HasPrefix(c.stdout.String(), "dirsyncd ") || !strings.Contains(c.stdout.String(), "built with go1") {
		t.Errorf("exit code %d: %s", code, c.stdout.String())
	}
	var b build
	if code := c.run("version", "--json"); code != exitClean || json.Unmarshal(c.stdout.Bytes(), &b) != nil || b.Version == "" || b.Go == "" {
		t.Errorf("exit code %d: %s", code, c.stdout.String())
	}
	if code := c.run("--version"); code != exitClean || !strings.HasPrefix(c.stdout.String(), "dirsyncd ") {
		t.Errorf("exit code %d: %s", code, c.stdout.String())
	}
	if got := buildOf("1.2.3").Version; got != "1.2.3" {
		t.Errorf("linked version: %s", got)
	}
}
